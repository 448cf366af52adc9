"""Write docs/checklist.md and docs/checklist.json: how far each item of SlowMist's MCP Security Checklist is met.

The items are reviewed by hand in docs/checklist.toml: 129 of them, in our own words, with the state that they are in. A
claim names the modules that keep it and the tests that show it; this tool says which claims cannot be true. Run by
`make checklist`. Source: SlowMist, MCP Security Checklist 0.23 (2025-04-28).
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal, get_args

import threats

ROOT: Final = Path(__file__).resolve().parent.parent
DATA: Final = ROOT / "docs" / "checklist.toml"
PAGE: Final = ROOT / "docs" / "checklist.md"
TWIN: Final = ROOT / "docs" / "checklist.json"
ITEMS: Final = 129
IDENTIFIER: Final = re.compile(r"[A-Z]+(-[A-Z]+)*-\d+")
CLASSES: Final = re.compile(r"(?:[EPD]|C(?:\(own\))?)(?:\+(?:[EPD]|C(?:\(own\))?))*")

State = Literal["met", "partly", "not_yet", "declined"]
Priority = Literal["high", "medium", "low"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One item. `klass` is E (enforced at run time), P (a part that one enables), C (checked by a command) or D
    (documented), the leading one first; `how` is what it takes in the end, `shown_by` the test that it must pass,
    `open` what is missing of a part, or why an item is declined."""

    id: str
    section: str
    priority: str
    item: str
    klass: str
    how: str
    shown_by: str
    threats: tuple[str, ...]
    state: str
    where: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    open: str = ""

    def faults(self) -> Iterator[str]:
        """Yield what is wrong with this entry by itself."""
        if not IDENTIFIER.fullmatch(self.id):
            yield f"{self.id}: not an id"
        if self.priority not in get_args(Priority):
            yield f"{self.id}: {self.priority!r} is none of {', '.join(get_args(Priority))}"
        if self.state not in get_args(State):
            yield f"{self.id}: {self.state!r} is none of {', '.join(get_args(State))}"
        if not CLASSES.fullmatch(self.klass):
            yield f"{self.id}: {self.klass!r} is no class"
        if any(not text.strip() or "|" in text for text in (self.section, self.item, self.how, self.shown_by)):
            yield f"{self.id}: section, item, how and shown_by are plain text"
        if self.state in {"met", "partly"} and not self.tests:
            yield f"{self.id} is said to be {self.state}, and no test shows it"
        if self.state == "met" and not self.where:
            yield f"{self.id} is said to be met, and no code does it"
        if self.state in {"not_yet", "declined"} and (self.where or self.tests):
            yield f"{self.id} is {self.state}, and names code or tests"
        if bool(self.open) != (self.state in {"partly", "declined"}):
            yield f"{self.id}: `open` says what is missing of a part, or why an item is declined, and only then"


def main() -> int:
    items = read_items(DATA)
    PAGE.write_text(render(items), encoding="utf-8")
    TWIN.write_text(twin(items), encoding="utf-8")
    found = list(faults(items, threats.read_threats(threats.DATA), ROOT))
    for fault in found:
        print(fault)
    return 1 if found else 0


def read_items(path: Path) -> list[Item]:
    """The items in their order. Raises TypeError for an unknown or missing key."""
    entries = tomllib.loads(path.read_text(encoding="utf-8"))
    return [_item(name, entry) for name, entry in entries.items()]


def _item(name: str, entry: dict[str, object]) -> Item:
    klass = entry.pop("class")
    lists = {key: tuple(value) for key, value in entry.items() if isinstance(value, list)}
    return Item(id=name, klass=klass, **{**entry, **lists})  # type: ignore[arg-type]  # `faults` looks at the values


def faults(items: list[Item], known: list[threats.Threat], root: Path) -> Iterator[str]:
    """Yield each claim that cannot be true: of a file or test that is not there, or of a threat that is not guarded."""
    if len(items) != ITEMS:
        yield f"the checklist has {ITEMS} items, not {len(items)}"
    guarded: Mapping[str, str] = {threat.id: threat.state for threat in known}
    for item in items:
        yield from item.faults()
        for module in item.where:
            if not (root / "src" / "mcp_wallet_guard" / module).is_file():
                yield f"{item.id}: there is no module {module}"
        for test in item.tests:
            if not _is_test(root, test):
                yield f"{item.id}: there is no test {test}"
        for threat in item.threats:
            if threat not in guarded:
                yield f"{item.id}: {threat} is not listed in docs/threats.toml"
            elif item.state == "met" and guarded[threat] != "guarded":
                yield f"{item.id} is said to be met, and its {threat} is {guarded[threat]}"


def _is_test(root: Path, name: str) -> bool:
    path, _, function = name.partition("::")
    if not re.fullmatch(r"tests/(?:\w+/)?test_\w+\.py", path) or not (root / path).is_file():
        return False
    found = threats.test_functions((root / path).read_text(encoding="utf-8"))
    return function in found if function else bool(found)


HEAD: Final = """\
<!-- Made by `make checklist` from docs/checklist.toml. Do not edit. -->
# Checklist

SlowMist's MCP Security Checklist, item by item, in our words. `met`: code of this library keeps it for everything that
is registered through the guard, and the tests named below show it; no threat that belongs to it is open. `partly`: what
is missing is said. `not yet`: nothing is claimed; the last column is what it will take. `declined`: with the reason. A
state is a claim about tests, not an audit: nobody from outside has reviewed it.

Class, the leading one first: **E** enforced at run time, **P** a part that an integrator enables, **C** checked by a
command, **D** documented. The same as data: [checklist.json](checklist.json).

"""


def render(items: list[Item]) -> str:
    lines = [_counted(items), ""]
    section = ""
    for item in items:
        if item.section != section:
            section = item.section
            lines += ["", f"## {section}", "", "| id | priority | item | class | state | what it takes |"]
            lines += ["| --- | --- | --- | --- | --- | --- |"]
        cells = (item.id, item.priority, item.item, item.klass, _words(item.state), _escaped(item.how))
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "## What is missing, and what is declined", ""]
    lines += [f"- **{item.id}** ({_words(item.state)}): {item.open}" for item in items if item.open]
    lines += ["", "## Where each is kept, and what shows it"]
    for item in items:
        if item.tests:
            lines += ["", f"### {item.id} {item.item}", "", f"It must pass: {_escaped(item.shown_by)}.", ""]
            lines += [f"Code: {', '.join(f'`{name}`' for name in item.where) or 'none'}.", ""]
            lines += [f"- `{name}`" for name in item.tests]
    return HEAD + "\n".join(lines) + "\n"


def twin(items: list[Item]) -> str:
    """The page as data."""
    counted = Counter(item.state for item in items)
    body = {
        "source": "SlowMist MCP Security Checklist 0.23 (2025-04-28)",
        "states": {state: counted[state] for state in get_args(State)},
        "items": [
            {("class" if key == "klass" else key): value for key, value in asdict(item).items()} for item in items
        ],
    }
    return json.dumps(body, indent=1, ensure_ascii=False) + "\n"


def _counted(items: list[Item]) -> str:
    lines = []
    for name, chosen in (("All", items), *((p, [i for i in items if i.priority == p]) for p in get_args(Priority))):
        counted = Counter(item.state for item in chosen)
        told = ", ".join(f"{counted[state]} {_words(state)}" for state in get_args(State) if counted[state])
        lines.append(f"- {name.capitalize()} ({len(chosen)}): {told}.")
    return "\n".join(lines)


def _words(code: str) -> str:
    return code.replace("_", " ")


def _escaped(text: str) -> str:
    """Markdown reads a tag, an emphasis or a link in plain words otherwise."""
    return re.sub(r"([<>*_\[\]])", r"\\\1", text).rstrip(".")


if __name__ == "__main__":
    sys.exit(main())
