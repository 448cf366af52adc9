"""Every member of typed data as a value to show, and what a built-in reader knows about some of them.

Nothing is left out, whoever reads: notes change how a member is called and read, never whether it is there. Paths are
those of ERC-7730: ``#.details.[0].token``; the domain's members stand under ``domain.``. Threat: T-033.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, final

from mcp_wallet_guard.clearsign.tree import AssetRef, Clarity, Consequence, Oddity, Part, Shown, ShownKind
from mcp_wallet_guard.operations.typed_data import Domain, Struct, TypedData, Value
from mcp_wallet_guard.operations.values import Address, ChainId

NEVER: Final = 253_402_300_800
"""The first second after the year 9999: a date from here on is none."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What is known of the member at one path. `kind` None leaves the one of its type."""

    label: str
    kind: ShownKind | None = None
    asset: AssetRef | None = None
    unlimited: bool = False
    text: str | None = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a built-in reader makes of a message. `standard` and `title` are ours; `notes` go by path."""

    standard: str
    title: str
    clarity: Clarity = Clarity.CLEAR
    notes: Mapping[str, Note] = field(default_factory=dict)
    consequences: tuple[Consequence, ...] = ()
    parts: tuple[Part, ...] = ()
    oddities: tuple[Oddity, ...] = ()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a message holds: the chain of its domain, or of the wallet where it names none, the contract, and who
    signs. `path` is that of the message's part."""

    chain: ChainId
    contract: Address | None
    signer: Address
    path: str = ""

    @property
    def inside(self) -> str:
        """The path of the one part inside the message's."""
        return f"{self.path}.0" if self.path else "0"


def around(inner: Clarity, /) -> Clarity:
    """What is clear around something is as clear as that, and partly read around what nobody can read."""
    return Clarity.PARTIAL if inner is Clarity.BLIND else inner


def show_members(typed: TypedData, notes: Mapping[str, Note], /) -> tuple[Shown, ...]:
    """The domain's members, then the message's."""
    return (*_domain(typed.domain), *_members(typed.message, "#", notes))


def date_note(label: str, seconds: int, /) -> Note:
    """For unix seconds; what lies beyond the calendar is said to have no end."""
    return Note(label=label, kind=ShownKind.DATE, text="without end" if seconds >= NEVER else None)


def _domain(domain: Domain) -> Iterator[Shown]:
    named: tuple[tuple[str, str, ShownKind, bool | int | bytes | str | Address | None], ...] = (
        ("name", "Domain name", ShownKind.TEXT, domain.name),
        ("version", "Domain version", ShownKind.TEXT, domain.version),
        ("chainId", "Chain", ShownKind.CHAIN, domain.chain_id),
        ("verifyingContract", "Verifying contract", ShownKind.ADDRESS, domain.verifying_contract),
        ("salt", "Domain salt", ShownKind.BYTES, domain.salt),
    )
    for name, label, kind, raw in named:
        if raw is not None:
            yield Shown(path=f"domain.{name}", label=label, kind=kind, raw=raw)


def _members(struct: Struct, at: str, notes: Mapping[str, Note]) -> Iterator[Shown]:
    for name, value in struct.members.items():
        yield _shown(value, f"{at}.{name}", name, notes)


def _shown(value: Value, path: str, name: str, notes: Mapping[str, Note]) -> Shown:
    note = notes.get(path)
    label = name if note is None else note.label
    if isinstance(value, Struct):
        return Shown(path=path, label=label, kind=ShownKind.GROUP, children=tuple(_members(value, path, notes)))
    if isinstance(value, tuple):
        items = (_shown(item, f"{path}.[{i}]", f"{name} {i + 1}", notes) for i, item in enumerate(value))
        return Shown(path=path, label=label, kind=ShownKind.GROUP, children=tuple(items))
    if note is None:
        return Shown(path=path, label=label, kind=_kind(value), raw=value)
    return Shown(
        path=path,
        label=label,
        kind=note.kind or _kind(value),
        raw=value,
        asset=note.asset,
        unlimited=note.unlimited,
        text=note.text,
    )


def _kind(value: bool | int | bytes | str | Address) -> ShownKind:
    match value:
        case bool():
            return ShownKind.FLAG
        case int():
            return ShownKind.INTEGER
        case bytes():
            return ShownKind.BYTES
        case str():
            return ShownKind.TEXT
        case _:
            return ShownKind.ADDRESS
