"""Write the parts of docs/architecture.md that are read from the code. Run by `make architecture`.

The pipeline comes from the docstring of `ceremony.py` and from what its makers and proofs say of themselves, the states
from `ceremony.TABLE`, the import map from the sources in the order of `.importlinter`. This tool says where the
docstring of `ceremony.py` and `proofs.MAKERS` do not agree.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from configparser import ConfigParser
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from mcp_wallet_guard import ceremony, errors, proofs

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "architecture.md"
CONTRACTS: Final = ROOT / ".importlinter"
PACKAGE: Final = "mcp_wallet_guard"
SOURCES: Final = ROOT / "src" / PACKAGE
ROW: Final = re.compile(
    r"^    (\d+ [a-z ]+?|- \w+|  [a-z ]+?) +([\w.]*[._]\w+)(, [a-z ]+?)? +(\(.*\)|[A-Z]\w+)$", re.MULTILINE
)
"""A step, its maker and what it makes, as the docstring of `ceremony.py` has them in columns."""
STEPS: Final = 10
SENTENCE: Final = re.compile(r"^(?:Step \d+: )?(.*?)[.](?:\s|$)", re.DOTALL)
VALUE: Final = re.compile(r"\(a value: (\w+)\)")
RAISES: Final = re.compile(r"\bRaises\s+(.*?)(?:Threat:|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the pipeline. `proof` is empty for a step that makes a value or an entry."""

    name: str
    maker: str
    when: str
    makes: str
    proof: str
    says: str
    refuses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Room:
    """What a room imports: rooms of the package, and distributions that are neither ours nor Python's."""

    rooms: set[str] = field(default_factory=set)
    libraries: set[str] = field(default_factory=set)


def main() -> int:
    steps = read_steps(ceremony.__doc__ or "")
    PAGE.write_text(render(PAGE.read_text(encoding="utf-8"), steps), encoding="utf-8")
    found = list(faults(steps, proofs.MAKERS))
    for fault in found:
        print(fault)
    return 1 if found else 0


def render(page: str, steps: list[Step]) -> str:
    """The page with its parts made anew. Raises ValueError for a part without its two markers."""
    contracts = ConfigParser()
    contracts.read(CONTRACTS, encoding="utf-8")
    parts = {
        "pipeline": pipeline(steps),
        "states": states(),
        "imports": imports(layers(contracts), read_rooms(SOURCES)),
        "contracts": [f"- {name}" for name in names_of(contracts)],
    }
    for name, lines in parts.items():
        page = placed(page, name, lines)
    return page


def placed(page: str, name: str, lines: list[str]) -> str:
    """`page` with `lines` between the markers of `name`."""
    start, end = f"<!-- {name}: made by `make architecture` -->\n", f"<!-- end of {name} -->\n"
    if page.count(start) != 1 or page.count(end) != 1 or page.index(end) < page.index(start):
        raise ValueError(f"docs/architecture.md has no place for {name}")
    before, after = page.index(start) + len(start), page.index(end)
    return f"{page[:before]}{chr(10).join(lines)}\n{page[after:]}"


# --- the pipeline -------------------------------------------------------------------------------------------------


def read_steps(docstring: str) -> list[Step]:
    """The steps in their order; a row without a step of its own belongs to the one above. Raises AttributeError or
    ImportError for a maker that is not there."""
    steps: list[Step] = []
    for name, *row in ROW.findall(docstring):
        above = f"{steps[-1].name.partition(',')[0]}, " if name.startswith(" ") else ""
        steps.append(_step(above + name.strip().removeprefix("- "), *row))
    return steps


def _step(name: str, maker: str, when: str, makes: str) -> Step:
    maker = maker if "." in maker else f"ceremony.{maker}"
    found = _named(maker)
    value = VALUE.fullmatch(makes)
    is_proof = not makes.startswith("(")
    module = sys.modules[found.__module__]
    made = getattr(proofs, makes) if is_proof else getattr(module, value[1]) if value else found
    return Step(
        name=name,
        maker=maker,
        when=when,
        makes=f"`{makes}`" if is_proof else f"`{value[1]}`, a value" if value else makes.strip("()"),
        proof=makes if is_proof else "",
        says=_first_sentence(made),
        refuses=_refusals(found),
    )


def _named(path: str) -> Any:
    """What stands under a path such as `stores.Transaction.append`; a protocol of a room stands in its `base`."""
    first, _, rest = path.rpartition(".")
    if re.match(r"(.*\.)?[A-Z]\w*$", first):
        room, _, name = first.rpartition(".")
        return getattr(getattr(import_module(f"{PACKAGE}.{room}.base"), name), rest)
    return getattr(import_module(f"{PACKAGE}.{first}"), rest)


def _first_sentence(thing: Any) -> str:
    found = SENTENCE.match(inspect.getdoc(thing) or "")
    if found is None:
        raise ValueError(f"{thing.__qualname__} does not say what it is")
    sentence = " ".join(found[1].split())
    return sentence[0].upper() + sentence[1:]


def _refusals(maker: Any) -> tuple[str, ...]:
    """The errors that the maker's docstring says it raises, itself or as another function of its module does."""
    found = RAISES.search(inspect.getdoc(maker) or "")
    if found is None:
        return ()
    other = re.match(r"as\s+`(\w+)`", found[1])
    if other is not None:
        return _refusals(getattr(sys.modules[maker.__module__], other[1]))
    words = dict.fromkeys(re.findall(r"\b[A-Z]\w+", found[1]))
    return tuple(word for word in words if isinstance(getattr(errors, word, None), type))


def faults(steps: list[Step], makers: Mapping[str, str]) -> Iterator[str]:
    """Yield where the docstring and the table of makers disagree: about what is proven, or about who proves it."""
    numbers = list(dict.fromkeys(step.name.split()[0] for step in steps if step.name[0].isdigit()))
    if numbers != [str(number) for number in range(1, STEPS + 1)]:
        yield f"ceremony.py draws the steps {', '.join(numbers)}, not 1 to {STEPS}"
    told = {step.proof: step.maker for step in steps if step.proof}
    for proof in sorted(makers.keys() ^ told.keys()):
        yield f"{proof}: in {'proofs.MAKERS' if proof in makers else 'ceremony.py'} alone"
    for proof in sorted(makers.keys() & told.keys()):
        (said, _, _), (maker, _, name) = told[proof].rpartition("."), makers[proof].rpartition(".")
        if told[proof] != makers[proof] and not (said == maker and name.startswith("_")):
            yield f"{proof}: ceremony.py says that {told[proof]} makes it, proofs.MAKERS that {makers[proof]} does"


def pipeline(steps: list[Step]) -> list[str]:
    head = [_row("step", "made by", "makes", "what that is", "its maker refuses with"), _row(*["---"] * 5)]
    return head + [_row(s.name, f"`{s.maker}`{s.when}", s.makes, s.says, _code(s.refuses)) for s in steps]


def states() -> list[str]:
    rows = []
    for state, moves in ceremony.TABLE.items():
        ways = ", ".join(f"{move.value}: `{after.name}`" for move, after in moves.items())
        rows.append(_row(f"`{state.name}`", ways or "none: it is an end"))
    return [_row("state", "moves"), _row("---", "---"), *rows]


# --- the import map -----------------------------------------------------------------------------------------------


def layers(contracts: ConfigParser) -> list[str]:
    """All rooms, the upper ones first."""
    return re.findall(r"\w+", contracts["importlinter:contract:layers"]["layers"])


def names_of(contracts: ConfigParser) -> list[str]:
    """What each contract is called, in the order of the file."""
    return [section["name"] for name, section in contracts.items() if ":contract:" in name]


def read_rooms(sources: Path) -> dict[str, Room]:
    """Room -> what the files of it import, wherever in the file: at its top, for type checkers, or in a function."""
    paths = [path for path in sorted(sources.rglob("*.py")) if path != sources / "__init__.py"]
    names = {path.relative_to(sources).parts[0].removesuffix(".py") for path in paths}
    rooms = {name: Room() for name in sorted(names)}
    for path in paths:
        room = path.relative_to(sources).parts[0].removesuffix(".py")
        for name in imported(path.read_text(encoding="utf-8")):
            top, _, rest = name.partition(".")
            inner = rest.partition(".")[0]
            if top != PACKAGE and top not in sys.stdlib_module_names:
                rooms[room].libraries.add(top)
            elif inner in names - {room}:
                rooms[room].rooms.add(inner)
    return rooms


def imported(source: str) -> Iterator[str]:
    """The dotted names of modules that a source imports; of `from a import b` both `a` and `a.b`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imports(order: list[str], rooms: Mapping[str, Room]) -> list[str]:
    lines = [_row("room", "imports", "libraries"), _row("---", "---", "---")]
    for name in order:
        if name in rooms:
            below = [other for other in order if other in rooms[name].rooms]
            lines.append(_row(f"`{name}`", _code(below), _code(sorted(rooms[name].libraries))))
    return lines


def _row(*cells: str) -> str:
    return f"|{'|'.join(f' {cell} ' if cell else ' ' for cell in cells)}|"


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    sys.exit(main())
