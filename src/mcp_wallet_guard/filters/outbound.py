"""Step 9: what leaves the process passes here, or does not leave.

A hit blocks the whole message: fragments survive redaction, and a patched `structuredContent` breaks the client's own
validation. An error inside the detector blocks as well. Threat: T-057, T-058, T-060, T-061.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, Final

from pydantic import BaseModel

from mcp_wallet_guard.errors import Tampered
from mcp_wallet_guard.filters import chain_data
from mcp_wallet_guard.filters.candidates import TooMuchWork, hex_holds_secret, holds_secret, read_hex
from mcp_wallet_guard.filters.declared import declared_in
from mcp_wallet_guard.filters.derivation import TooManyCandidates
from mcp_wallet_guard.filters.detectors import BY_CONTEXT, IN_FIELDS, Hint, Look, detect, in_fields, in_text, trimmed
from mcp_wallet_guard.filters.fingerprints import FingerprintSet
from mcp_wallet_guard.filters.leaves import BARRIER, Leaves
from mcp_wallet_guard.filters.views import TooDeep
from mcp_wallet_guard.proofs import Released, mint

MAX_CHARACTERS: Final = 8 * 1024 * 1024
MAX_DEPTH: Final = 64
REMEMBERED_CHARACTERS: Final = 4096
_LISTS: Final = (list, tuple)
_Gathered = tuple[list[str], list[int], list[str], list[str], list[int]]
"""What `Leaves` is made of: making one takes longer than searching a small result again."""


def check_released(payload: object, /, *, fingerprints: FingerprintSet, returned: object = None) -> Released:
    """The payload as JSON types, proven to hold none of the fingerprinted secrets in any key, value or their joint.

    What the proof carries is a copy: the caller sends that, so that what was checked is what leaves. Raises as
    `search`.
    """
    return mint(Released, payload=search(payload, fingerprints=fingerprints, returned=returned))


def search(payload: object, /, *, fingerprints: FingerprintSet, returned: object = None) -> Any:
    """A copy of the payload that was searched in any key, value or their joint. It gives no proof.

    Takes JSON types, text and pydantic models. `returned` is what the author's code returned for this payload: its
    values of `TxHash`, `Bytes32` and `Signature` are nobody's keys, whatever their name. Raises
    Tampered("tampered.result") for a hit, whose `detail` names what was found and never a value; for more than 8 Mi
    characters or 64 levels, for a type that JSON does not have, and for whatever goes wrong while looking.
    """
    try:
        if type(payload) is not dict and isinstance(payload, BaseModel):
            payload = payload.model_dump(mode="json", by_alias=True)
        gathered: _Gathered = ([], [], [], [], [])
        copy = _copied(payload, gathered, 0, "")
        text = "\n".join([*gathered[0], BARRIER, *gathered[3]])
        try:
            # Most results are small, and were sent before: no more is done for them than this.
            if len(text) <= REMEMBERED_CHARACTERS and _look_short(text, fingerprints) is None:
                return copy
            leaves = Leaves(*gathered)
            found = _found(copy, leaves, text, fingerprints=fingerprints)
        except _HitError as error:
            leaves, found = Leaves(*gathered), error.found
        if found is not None and found in BY_CONTEXT and (declared := declared_in(returned)):
            found = detect(copy, leaves, declared=declared)
    except (TooMuchWork, TooManyCandidates, TooDeep) as error:
        raise Tampered("tampered.result", detail=f"the filter gave up: {type(error).__name__}") from None
    except Exception as error:  # noqa: BLE001  # a detector that fails lets nothing through
        raise Tampered("tampered.result", detail=f"the filter failed: {type(error).__name__}") from None
    if found is not None:
        raise Tampered("tampered.result", detail=f"withheld: {found}")
    return copy


def is_clean(text: str, /, *, fingerprints: FingerprintSet) -> bool:
    """Whether `text` may be written to a log. False also when the detector fails. It gives no proof."""
    try:
        if len(text) <= REMEMBERED_CHARACTERS and _look_short(text, fingerprints) is None:
            return True
        return _found(text, Leaves([text], [0], [""], [], []), text, fingerprints=fingerprints) is None
    except Exception:  # noqa: BLE001  # the same: no word is better than a secret
        return False


def _found(payload: object, leaves: Leaves, text: str, *, fingerprints: FingerprintSet) -> str | None:
    """What was found in a payload with these leaves and this text."""
    try:
        if len(text) <= REMEMBERED_CHARACTERS:
            worth = _look_short(text, fingerprints)
        elif len(text) <= MAX_CHARACTERS:
            worth = _look_long(leaves, fingerprints)
        else:
            return "it is too large"
    except _HitError as error:
        return error.found
    return None if worth is None else in_fields(payload, leaves, worth=worth)


class _HitError(Exception):
    """A hit, raised so that the cache below never keeps a text with a secret."""

    def __init__(self, found: str) -> None:
        super().__init__(found)
        self.found = found


def _look(text: str, fingerprints: FingerprintSet) -> Hint | None:
    """Search for the vault's own secrets and those of others; what is left to look at in the fields."""
    if holds_secret(text, fingerprints=fingerprints):
        raise _HitError("a secret of the vault")
    return _others_in(text).fields or None


# Lists, schemas and an unchanged balance are sent again and again.
_look_short: Final = lru_cache(maxsize=256)(_look)


def _look_long(leaves: Leaves, fingerprints: FingerprintSet) -> Hint:
    """The same for a message that is too large to be remembered: most of it is hex, which is read by itself."""
    parts = chain_data.sort(leaves.texts, leaves.plain)
    hexadecimal = read_hex(parts.digits)
    if (
        hex_holds_secret(hexadecimal, leaves.texts, fingerprints=fingerprints)
        or (parts.rest and holds_secret("\n".join(parts.rest), fingerprints=fingerprints))
        or any(_row_holds(row, fingerprints) for row in chain_data.rows(leaves.names, leaves.cuts))
    ):
        raise _HitError("a secret of the vault")
    short = trimmed(parts.unprefixed, hexadecimal.inside, leaves.names)
    look = _others_in_short(short) if len(short) <= REMEMBERED_CHARACTERS else _others_in(short)
    if look.fields & IN_FIELDS:
        look = _others_in(leaves.text)
    return look.fields | Hint.KEY_SIZED


def _others_in(text: str) -> Look:
    look = in_text(text)
    if look.found is not None:
        raise _HitError(look.found)
    return look


_others_in_short: Final = lru_cache(maxsize=64)(_others_in)


@lru_cache(maxsize=1024)
def _row_holds(row: chain_data.Row, fingerprints: FingerprintSet) -> bool:
    """Objects of a kind have the same names, in each message of the kind."""
    return holds_secret("\n".join([name for part in row for name in part]), fingerprints=fingerprints)


def _copied(value: object, leaves: _Gathered, depth: int, name: str) -> Any:
    """A copy made of JSON types; its values go to `leaves` in order, so that a split secret is joined again."""
    # The exact types first, the commonest before the others: this runs over every node of every result.
    kind = type(value)
    if kind is dict or isinstance(value, dict):
        return _copied_object(dict(value), leaves, depth)  # type: ignore[call-overload]  # it is one
    if kind is list or isinstance(value, _LISTS):
        return _copied_list(list(value), leaves, depth, name)  # type: ignore[call-overload]  # it is one
    if value is None or kind is bool:
        return value
    return _copied_leaf(value, leaves, name)


def _copied_object(copy: dict[str, Any], leaves: _Gathered, depth: int) -> dict[str, Any]:
    if depth >= MAX_DEPTH:
        raise ValueError("too deep")
    texts, plain, holders, names, cuts = leaves
    cuts.append(len(names))
    for key, item in copy.items():
        if type(key) is not str:
            raise TypeError("a JSON key is text")
        names.append(key)
        if type(item) is str:
            if item[:2] != "0x":
                plain.append(len(texts))
            texts.append(item)
            holders.append(key)
        elif item is not True and item is not False and item is not None:
            copy[key] = _copied(item, leaves, depth + 1, key)
    cuts.append(len(names))
    return copy


def _copied_list(copy: list[Any], leaves: _Gathered, depth: int, name: str) -> list[Any]:
    if depth >= MAX_DEPTH:
        raise ValueError("too deep")
    texts, plain, holders, _, _ = leaves
    for place, item in enumerate(copy):
        if type(item) is str:
            if item[:2] != "0x":
                plain.append(len(texts))
            texts.append(item)
            holders.append(name)
        else:
            copy[place] = _copied(item, leaves, depth + 1, name)
    return copy


def _copied_leaf(value: object, leaves: _Gathered, name: str) -> Any:
    copy, text = _leaf(value)
    if text[:2] != "0x":
        leaves[1].append(len(leaves[0]))
    leaves[0].append(text)
    leaves[2].append(name)
    return copy


def _leaf(value: object) -> tuple[object, str]:
    """A value that holds no others, and how it reads."""
    if isinstance(value, str):
        return str(value), str(value)
    if isinstance(value, int):
        return int(value), f"{value:d}" if abs(value) < 1 << 4096 else f"{value:x}"
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("not a JSON number")
        return value, repr(value)
    raise TypeError("not a JSON type")
