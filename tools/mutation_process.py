"""Run a room's tests inside a forked process: once to see which test reaches which line, then once per mutant.

The parent imports what is slow and never changes (pytest, hypothesis, third-party libraries) and nothing of the
package, so that each fork starts warm and still imports the package anew.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import io
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import coverage
import cryptography
import hypothesis
import pydantic
import pytest
import rfc8785

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

WARM: Final = (anyio, cryptography, hypothesis, pydantic, rfc8785)
SOURCE: Final = Path(__file__).resolve().parent.parent / "src"
PYTEST: Final = ("-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:terminal", "-m", "not slow")


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the unedited tests do: how long they take, and which of them reach which line ("" = at import)."""

    seconds: float
    contexts: dict[str, dict[int, frozenset[str]]]

    def reaching(self, file: Path, line: int) -> frozenset[str]:
        """The tests that reach a line; the context "" when importing the module does, which concerns all of them."""
        return self.contexts.get(str(file), {}).get(line, frozenset())


def measure(tests: Path) -> Baseline | None:
    """Run the tests unedited in a fork. None when one of them fails."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "contexts.json"
        started = time.monotonic()
        child = os.fork()
        if child == 0:
            code = 70
            try:
                code = record(tests, report)
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        if status != 0:
            return None
        found: dict[str, dict[str, list[str]]] = json.loads(report.read_text(encoding="utf-8"))
    contexts = {f: {int(line): frozenset(tests) for line, tests in lines.items()} for f, lines in found.items()}
    return Baseline(time.monotonic() - started, contexts)


def record(tests: Path, report: Path) -> int:
    meter = coverage.Coverage(data_file=None, config_file=False, source=[str(SOURCE)])
    calm_hypothesis()
    meter.start()
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        code = int(pytest.main([*PYTEST, str(tests)], plugins=[Contexts(meter)]))
    meter.stop()
    if code:
        sys.__stdout__ and sys.__stdout__.write(output.getvalue()[-4000:])
    data = meter.get_data()
    found = {
        file: {line: sorted(names) for line, names in data.contexts_by_lineno(file).items()}
        for file in data.measured_files()
    }
    report.write_text(json.dumps(spread_over_statements(found)), encoding="utf-8")
    return code


class Contexts:
    """pytest plugin: each test, with its fixtures, is a context of its own."""

    def __init__(self, meter: coverage.Coverage) -> None:
        self.meter = meter

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.meter.switch_context(item.nodeid)
        try:
            return (yield)
        finally:
            self.meter.switch_context("")


class Only:
    """pytest plugin: keep the named tests."""

    def __init__(self, names: frozenset[str]) -> None:
        self.names = names

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if item.nodeid in self.names]


def spread_over_statements(found: dict[str, dict[int, list[str]]]) -> dict[str, dict[int, list[str]]]:
    """coverage names the first line of a statement; a mutant may sit on a later one of it."""
    spread: dict[str, dict[int, list[str]]] = {}
    for file, lines in found.items():
        spread[file] = dict(lines)
        for node in ast.walk(ast.parse(Path(file).read_text(encoding="utf-8"))):
            if isinstance(node, ast.stmt) and (names := lines.get(node.lineno)):
                last = node.body[0].lineno - 1 if hasattr(node, "body") and node.body else node.end_lineno
                for line in range(node.lineno, (last or node.lineno) + 1):
                    spread[file].setdefault(line, names)
    return spread


def calm_hypothesis() -> None:
    """The same examples each time, few of them, and no search for a smaller one: a mutant is killed or not."""
    phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
    hypothesis.settings.register_profile(
        "mutants", derandomize=True, max_examples=25, phases=phases, database=None, deadline=None
    )
    hypothesis.settings.load_profile("mutants")


def run_mutant(file: Path, tree: ast.Module, *, tests: Path, only: frozenset[str]) -> int:
    """Import the edited tree in place of the file and run the tests. 0: they pass, the mutant survives."""
    name = ".".join(file.relative_to(SOURCE).with_suffix("").parts)
    sys.meta_path.insert(0, Edited(name, file, tree))
    calm_hypothesis()
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    plugins = [] if "" in only else [Only(only)]
    return int(pytest.main([*PYTEST, str(tests)], plugins=plugins))


class Edited(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds exactly one module, and runs the edited tree as its source."""

    def __init__(self, name: str, file: Path, tree: ast.Module) -> None:
        self.name, self.file, self.tree = name, file, tree

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None, /
    ) -> ModuleSpec | None:
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self.file, loader=self)

    def create_module(self, _: ModuleSpec, /) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self.tree, str(self.file), "exec", dont_inherit=True), module.__dict__)  # noqa: S102
