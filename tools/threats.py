"""Write docs/threats.md: which attacks are stopped, by what code, and which tests show it. Run by `make threats`.

The threats themselves are reviewed by hand in docs/threats.toml. Where each is stopped is read from the sources: a
docstring or comment in `src` that names an id claims to be the guard, one in `tests` claims to be the proof. A name in
a module's docstring of a test file stands for the whole file, one inside a test for that test.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, get_args

ROOT: Final = Path(__file__).resolve().parent.parent
DATA: Final = ROOT / "docs" / "threats.toml"
PAGE: Final = ROOT / "docs" / "threats.md"
IDENTIFIER: Final = re.compile(r"\bT-\d{3}\b")

State = Literal["guarded", "partly", "later"]
Position = Literal[
    "llm", "host", "third_party_mcp", "api_response", "rpc_node", "local_user", "stolen_disk", "stolen_totp", "network",
    "user_phished", "concurrent", "crash", "signer_device", "supply_chain", "integrator_error",
]  # fmt: skip
Outcome = Literal[
    "ALLOWED", "AUDIT_FINDING", "DENIED", "DETECTED", "FAIL_CLOSED", "LOCKED_OUT", "REDACTED",
    "REFUSED_AT_REGISTRATION", "REFUSED_AT_START", "REJECTED_INPUT", "RESIDUAL_DOCUMENTED", "SIGNED_EXACTLY_ONCE",
    "WARNED_IN_CONFIRMATION",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Threat:
    """One attack. `open` says what is still missing; only a threat that is `partly` guarded has it."""

    id: str
    attack: str
    position: str
    outcome: str
    state: str
    open: str = ""

    def faults(self) -> Iterator[str]:
        """Yield what is wrong with this entry by itself."""
        if not IDENTIFIER.fullmatch(self.id):
            yield f"{self.id}: an id is T and three digits"
        for value, allowed in (
            (self.position, get_args(Position)),
            (self.outcome, get_args(Outcome)),
            (self.state, get_args(State)),
        ):
            if value not in allowed:
                yield f"{self.id}: {value!r} is none of {', '.join(allowed)}"
        if not self.attack.strip() or "|" in self.attack:
            yield f"{self.id}: the attack is one plain sentence"
        if bool(self.open) != (self.state == "partly"):
            yield f"{self.id}: `open` says what is missing when the state is `partly`, and only then"


@dataclass(frozen=True, slots=True)
class Citations:
    """Id -> where it is named: modules of the package, and tests."""

    code: Mapping[str, set[str]] = field(default_factory=lambda: defaultdict[str, set[str]](set))
    tests: Mapping[str, set[str]] = field(default_factory=lambda: defaultdict[str, set[str]](set))


def main() -> int:
    threats, citations = read_threats(DATA), read_citations(ROOT)
    PAGE.write_text(render(threats, citations), encoding="utf-8")
    found = list(faults(threats, citations))
    for fault in found:
        print(fault)
    return 1 if found else 0


def read_threats(path: Path) -> list[Threat]:
    """The entries in their order. Raises TypeError for an unknown or missing key."""
    entries = tomllib.loads(path.read_text(encoding="utf-8"))
    return [Threat(id=name, **entry) for name, entry in entries.items()]


def read_citations(root: Path) -> Citations:
    found = Citations()
    package = root / "src" / "mcp_wallet_guard"
    for path in sorted(package.rglob("*.py")):
        if path.is_relative_to(package / "testing"):
            continue  # the kit and the demonstration attack; they guard nothing
        for threat in IDENTIFIER.findall(path.read_text(encoding="utf-8")):
            found.code[threat].add(path.relative_to(package).as_posix())
    for path in sorted((root / "tests").rglob("*.py")):
        if path.name in {"test_threats.py", "test_checklist.py", "test_threat_model.py"}:
            continue  # the tests of the maps themselves
        name, text = path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")
        spans = test_functions(text)
        for number, line in enumerate(text.splitlines(), 1):
            for threat in IDENTIFIER.findall(line):
                within = next((test for test, lines in spans.items() if number in lines), None)
                if within is not None:
                    found.tests[threat].add(f"{name}::{within}")
                elif spans:
                    found.tests[threat].add(name)
    return found


def test_functions(text: str) -> dict[str, range]:
    """Name -> lines of each test of a file, decorators included; a method is named with its class."""
    found: dict[str, range] = {}
    for node in ast.parse(text).body:
        members = node.body if isinstance(node, ast.ClassDef) else [node]
        for member in members:
            if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef) and member.name.startswith("test_"):
                first = min([member.lineno, *(decorator.lineno for decorator in member.decorator_list)])
                prefix = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
                found[prefix + member.name] = range(first, (member.end_lineno or member.lineno) + 1)
    return found


def faults(threats: list[Threat], citations: Citations) -> Iterator[str]:
    """Yield each claim that the list, the code and the tests do not agree on."""
    known = {threat.id for threat in threats}
    for where in (citations.code, citations.tests):
        for unknown in sorted(where.keys() - known):
            yield f"{unknown} is cited and not listed: {', '.join(sorted(where[unknown]))}"
    if sorted(known) != [threat.id for threat in threats]:
        yield "docs/threats.toml is not in order"
    for threat in threats:
        yield from threat.faults()
        code, tests = citations.code.get(threat.id, set()), citations.tests.get(threat.id, set())
        if threat.state == "guarded" and not code:
            yield f"{threat.id} is said to be guarded, and no code says that it does"
        if threat.state == "guarded" and not tests:
            yield f"{threat.id} is said to be guarded, and no test says that it shows it"
        if threat.state == "partly" and not code:
            yield f"{threat.id} is said to be partly guarded, and no code says that it does"
        if threat.state == "later" and (code or tests):
            yield f"{threat.id} is said to come later, and is cited in {', '.join(sorted(code | tests))}"


HEAD: Final = """\
<!-- Made by `make threats` from docs/threats.toml and the sources. Do not edit. -->
# Threats

Each attack starts from a position and must end in its outcome, while the honest use beside it succeeds. After every
attack the same has to hold: no more signatures than approvals consumed, and each over exactly the digest that a person
read; no secret on any channel; one journal event for each decision, and a journal that verifies; no signature after
anything unexpected; to a model, only sentences from the catalogue.

`guarded`: code stops it and a test shows it, both named below. `partly`: part of it is stopped, and what is missing is
said. `later`: not yet; most of these need calldata, messages, tokens or HTTP, which are refused or absent today. The
list is not complete, and a state is a claim about tests, not a proof.

"""


def render(threats: list[Threat], citations: Citations) -> str:
    count = {state: sum(threat.state == state for threat in threats) for state in get_args(State)}
    lines = [
        f"{len(threats)} threats: {', '.join(f'{number} {state}' for state, number in count.items())}.",
        "",
        "| id | attack | position | outcome | state |",
        "| --- | --- | --- | --- | --- |",
        *(f"| {t.id} | {t.attack} | {words(t.position)} | {words(t.outcome)} | {t.state} |" for t in threats),
        "",
        "## What is missing",
        "",
        *(f"- **{t.id}**: {t.open}" for t in threats if t.open),
        "",
        "## Where each is stopped, and what shows it",
    ]
    for threat in threats:
        code, tests = citations.code.get(threat.id, set()), citations.tests.get(threat.id, set())
        if code or tests:
            lines += ["", f"### {threat.id}", ""]
            lines += [f"Code: {', '.join(f'`{name}`' for name in sorted(code)) or 'none'}.", ""]
            lines += [f"- `{name}`" for name in sorted(tests)] or ["No test yet."]
    return HEAD + "\n".join(lines) + "\n"


def words(code: str) -> str:
    return code.lower().replace("_", " ")


if __name__ == "__main__":
    sys.exit(main())
