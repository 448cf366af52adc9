"""What a descriptor makes of one call or message, as a value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from mcp_wallet_guard.clearsign.tree import Oddity, Shown
from mcp_wallet_guard.operations.values import Address, ChainId


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A label and the text beside it, as a plain listing has them. `call` is what the text is, where it is a call that
    a descriptor tells."""

    label: str
    text: str
    call: Rendered | None = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """All texts are one line of printable ASCII (but for names that the owner wrote) and need no further escaping but
    that of the sink.

    `intent` is what the descriptor calls it, `interpolated` the sentence with values in it, None where there is none or
    it could not be filled. `fields` are what it shows, in its order; `hidden` all other values in the data, which a
    view must not lose: the standard allows to hide them, so the descriptor may be wrong about them. `lines` is the
    plain listing of the fields. `notes` are codes of `formats.NOTES`, with the path that each is about.
    `key` is the function or message type of the descriptor, `descriptor` its hash (ERC-8176), `hashes` those of it and
    of the files that it includes. `owner` and `contract` are the descriptor's names, "" for none.
    """

    intent: str
    interpolated: str | None
    fields: tuple[Shown, ...]
    hidden: tuple[Shown, ...]
    lines: tuple[Line, ...]
    notes: tuple[Oddity, ...]
    owner: str
    contract: str
    key: str
    descriptor: bytes
    hashes: tuple[bytes, ...]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class NestedCall:
    """A call inside of what is signed: `data` with its selector, `value` (wei) and `sender` where the descriptor gives
    them, else None: it cannot be known who calls, nor with what. `path` is that of the bytes."""

    path: str
    chain: ChainId | None
    to: Address
    data: bytes
    value: int | None
    sender: Address | None


Nested = Callable[[NestedCall], Rendered | None]
"""Tells a call inside, None when nobody can."""
