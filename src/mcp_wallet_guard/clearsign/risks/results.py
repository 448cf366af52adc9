"""What a check says: typed data, from which a person's sentence and the view's findings are made.

A check that lacks a source says `not_checked`, which is listed and is never a pass. Sentences are ours; facts in them
are numbers, full addresses, words of ours, or foreign text that `clearsign.text.quoted` made safe.

Threat: T-021, T-043.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal, final

from mcp_wallet_guard.clearsign.aspects import ANYTHING
from mcp_wallet_guard.clearsign.reading import Reading
from mcp_wallet_guard.clearsign.risks.known import Known
from mcp_wallet_guard.confirmation import Finding
from mcp_wallet_guard.operations.bulk import in_bulk

Fact = tuple[str, int | str]


class Severity(StrEnum):
    """How bad it is. What is REFUSE is not signed, unless the owner's policy says otherwise."""

    NOTICE = "notice"
    WARNING = "warning"
    DANGER = "danger"
    REFUSE = "refuse"


class Status(StrEnum):
    """What became of a check."""

    RAISED = "raised"
    PASSED = "passed"
    NOT_CHECKED = "not_checked"


class Evidence(StrEnum):
    """What a check looks at."""

    BYTES = "bytes"
    LIST = "list"
    HISTORY = "history"
    NODE = "node"
    SIMULATION = "simulation"


MISSING: Final[dict[str, str]] = {
    "bytes": "a part of what is signed cannot be read",
    "domain": "the domain of the typed data is not known",
    "method": "the way of asking is not known",
    "written": "the addresses as they were written are not known",
    "origin": "the site that asks is not known",
    "digest": "the request has no digest to compare",
    "now": "the time is not known",
    "chain": "the wallet's chain is not known",
    "accounts": "the wallet's own accounts are not known",
    "addresses": "the address book is not known",
    "tokens": "no list of tokens is there",
    "blocked": "no list of blocked addresses is there",
    "delegates": "no list of trusted delegates is there",
    "multisends": "no list of Safe's own batch contracts is there",
    "handlers": "no list of Safe's own fallback handlers is there",
    "applications": "no list of applications is there",
    "verified": "no list of verified contracts is there",
    "venues": "the venue's settings are not known",
    "names": "the name was not resolved",
    "history": "the wallet's history is not known",
    "node": "the node was not asked",
    "simulation": "the node did not simulate it",
    "simulation.movements": "the node could not say what moves",
    "simulation.second": "it was simulated only once",
}
"""Missing source -> our words."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
    """A code, how bad it is by default, and its sentence: a template over the facts."""

    code: str
    severity: Severity
    sentence: str


@final
@in_bulk
@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A risk that a check found. `path` is that of the part and of the value within it."""

    code: str
    path: str
    facts: tuple[Fact, ...] = ()
    source: Evidence = Evidence.BYTES

    def __post_init__(self) -> None:
        for _, value in self.facts:
            if type(value) is not int and not (type(value) is str and value.isascii() and value.isprintable()):
                raise ValueError("a fact is a number or printable ASCII")


@final
@in_bulk
@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A source that a check would have needed. `missing` is a key of `MISSING`."""

    missing: str
    path: str = ""


Examine = Callable[[Reading, Known], Iterable[Hit | Gap]]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check. `subject` is the clause after "whether". `sayings` are what it may raise, its own code first.
    `effects` is whether it judges by what the parts do, so that one that cannot be read leaves it unchecked. `about`
    are bits of `clearsign.aspects`: of a reading that has none of them `examine` finds nothing, and is not asked."""

    number: int
    subject: str
    needs: tuple[Evidence, ...]
    sayings: tuple[Saying, ...]
    examine: Examine
    effects: bool = True
    about: int = ANYTHING
    passed: Result = field(init=False, repr=False, compare=False)
    gaps: dict[tuple[str, str], Result] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        # Most checks of most payments pass, and what they then say is always the same.
        passed = Result(
            check=self.number,
            code=self.code,
            severity=self.severity,
            status=Status.PASSED,
            sentence=f"Checked, and it is not so: {self.subject}.",
            source=self.needs[0],
        )
        object.__setattr__(self, "passed", passed)

    @property
    def code(self) -> str:
        """The check's own code."""
        return self.sayings[0].code

    @property
    def severity(self) -> Severity:
        """Of its own code."""
        return self.sayings[0].severity


@final
@in_bulk
@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one check says about one subject. `more` counts further ones like it that are not listed."""

    check: int
    code: str
    severity: Severity
    status: Status
    sentence: str
    path: str = ""
    facts: tuple[Fact, ...] = ()
    source: Evidence = Evidence.BYTES
    more: int = 0
    # A wallet lacks the same sources for each payment, and says the same of it.
    made: Finding | None = field(init=False, repr=False, compare=False, default=None)

    @property
    def refuses(self) -> bool:
        """Whether this by itself is a reason not to sign."""
        return self.status is Status.RAISED and self.severity is Severity.REFUSE

    def finding(self) -> Finding:
        """For a view. Raises ValueError for what passed, which is none."""
        if self.status is Status.PASSED:
            raise ValueError("what passed is no finding")
        made = self.made
        if made is None:
            made = _finding(self)
            object.__setattr__(self, "made", made)
        return made


def _finding(result: Result, /) -> Finding:
    more = f" (and {result.more} more like it)" if result.more else ""
    return Finding.made(
        {
            "code": result.code,
            "severity": _SHOWN[result.severity],
            "text": result.sentence + more,
            "path": result.path,
            "facts": tuple([(name, str(value)) for name, value in result.facts]),
            "evidence": result.source.value,
            "status": "raised" if result.status is Status.RAISED else "not_checked",
        }
    )


_SHOWN: Final[dict[Severity, Literal["notice", "warning", "danger"]]] = {
    Severity.NOTICE: "notice",
    Severity.WARNING: "warning",
    Severity.DANGER: "danger",
    Severity.REFUSE: "danger",
}
MOST: Final = 16
"""Raised results of one code that are listed; the last of them counts the rest."""


def results_of(check: Check, reading: Reading, known: Known, /) -> list[Result]:
    """One `passed`, or what was raised and what could not be checked."""
    raised: list[Result] = []
    unchecked: list[Result] = []
    tell(check, reading, known, raised, unchecked)
    return [*raised, *unchecked] or [check.passed]


def tell(check: Check, reading: Reading, known: Known, raised: list[Result], unchecked: list[Result], /) -> bool:
    """Adds what is raised, and what cannot be checked. Whether there was any: if not, it passed."""
    hits: dict[tuple[str, tuple[Fact, ...]], Hit] = {}
    gaps: list[str] = []
    if check.effects and reading.unread is not None:
        gaps.append("bytes")
        unchecked.append(_unchecked(check, "bytes", reading.unread))
    if check.about & reading.aspects:
        for found in check.examine(reading, known):
            if isinstance(found, Hit):
                hits.setdefault((found.code, found.facts), found)
            elif found.missing not in gaps:
                gaps.append(found.missing)
                unchecked.append(_unchecked(check, found.missing, found.path))
    if hits:
        raised.extend(_raised(check, hits.values()))
    return bool(hits or gaps)


def _raised(check: Check, hits: Iterable[Hit]) -> Iterator[Result]:
    by_code: dict[str, list[Hit]] = {}
    for hit in hits:
        by_code.setdefault(hit.code, []).append(hit)
    for saying in check.sayings:
        found = by_code.pop(saying.code, [])
        for place, hit in enumerate(found[:MOST], 1):
            yield Result(
                check=check.number,
                code=saying.code,
                severity=saying.severity,
                status=Status.RAISED,
                sentence=saying.sentence.format(**dict(hit.facts)),
                path=hit.path,
                facts=hit.facts,
                source=hit.source,
                more=len(found) - MOST if place == MOST else 0,
            )
    if by_code:
        raise ValueError("a check raised a code that its table does not have")


_COMMON: Final = frozenset({"", "#consequences.0"})
"""The paths of a transaction that does one thing. Others are of one transaction alone."""


def _unchecked(check: Check, missing: str, path: str) -> Result:
    known = check.gaps.get((missing, path))
    if known is not None:
        return known
    made = Result(
        check=check.number,
        code=check.code,
        severity=check.severity,
        status=Status.NOT_CHECKED,
        sentence=f"Not checked, because {MISSING[missing]}: whether {check.subject}.",
        path=path,
        facts=(("missing", missing),),
        source=check.needs[0],
    )
    if path in _COMMON:
        check.gaps[missing, path] = made
    return made
