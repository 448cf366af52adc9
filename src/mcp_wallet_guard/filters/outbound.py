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
from mcp_wallet_guard.filters.candidates import TooMuchWork, holds_secret
from mcp_wallet_guard.filters.declared import declared_in
from mcp_wallet_guard.filters.derivation import TooManyCandidates
from mcp_wallet_guard.filters.detectors import BY_CONTEXT, IN_FIELDS, Hint, detect, in_fields, in_text, trimmed
from mcp_wallet_guard.filters.fingerprints import FingerprintSet
from mcp_wallet_guard.filters.leaves import BARRIER, LONG, Leaves
from mcp_wallet_guard.filters.views import TooDeep
from mcp_wallet_guard.proofs import Released, mint

MAX_CHARACTERS: Final = 8 * 1024 * 1024
MAX_DEPTH: Final = 64
REMEMBERED_CHARACTERS: Final = 4096
_LISTS: Final = (list, tuple)
_Gathered = tuple[list[str], list[str], list[tuple[str, str]]]
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
        gathered: _Gathered = ([], [], [])
        copy = _copied(payload, gathered, 0, "")
        text = "\n".join([*gathered[0], BARRIER, *gathered[1]])
        try:
            # Most results are small, and were sent before: no more is done for them than this.
            if len(text) <= REMEMBERED_CHARACTERS and _look_short(text, fingerprints) is None:
                return copy
            leaves = Leaves(*gathered)
            found = _found(copy, leaves, fingerprints=fingerprints)
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
        return _found(text, Leaves([text], [], [("", text)]), fingerprints=fingerprints) is None
    except Exception:  # noqa: BLE001  # the same: no word is better than a secret
        return False


def _found(payload: object, leaves: Leaves, *, fingerprints: FingerprintSet) -> str | None:
    """What was found in a payload with these leaves."""
    text = leaves.text
    try:
        if len(text) <= REMEMBERED_CHARACTERS:
            worth = _look_short(text, fingerprints)
        elif len(text) <= MAX_CHARACTERS:
            worth = _look(text, fingerprints, leaves)
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


def _look(text: str, fingerprints: FingerprintSet, leaves: Leaves | None = None) -> Hint | None:
    """Search for the vault's own secrets and those of others; what is left to look at in the fields. `leaves` of a
    large text are looked at first: most of it is hex, and most looks end there."""
    if holds_secret(text, fingerprints=fingerprints):
        raise _HitError("a secret of the vault")
    look = in_text(text if leaves is None else trimmed(leaves))
    if leaves is not None and look.fields & IN_FIELDS:
        look = in_text(text)
    if look.found is not None:
        raise _HitError(look.found)
    if leaves is not None and leaves.long:
        return look.fields | Hint.KEY_SIZED
    return look.fields or None


# Lists, schemas and an unchanged balance are sent again and again.
_look_short: Final = lru_cache(maxsize=256)(_look)


def _copied(value: object, leaves: _Gathered, depth: int, name: str) -> Any:
    """A copy made of JSON types; its values go to `leaves` in order, so that a split secret is joined again."""
    # The exact types first, the commonest before the others: this runs over every node of every result.
    kind = type(value)
    if kind is str:
        _add(value, leaves, name)  # type: ignore[arg-type]  # it is one
        return value
    if kind is dict or isinstance(value, dict):
        if depth >= MAX_DEPTH:
            raise ValueError("too deep")
        copy: dict[str, Any] = {}
        texts, names, long = leaves
        for key, item in value.items():  # type: ignore[attr-defined]  # a dict
            if type(key) is not str:
                raise TypeError("a JSON key is text")
            names.append(key)
            if type(item) is str:
                texts.append(item)
                if len(item) >= LONG:
                    long.append((key, item))
                copy[key] = item
            elif item is True or item is False or item is None:
                copy[key] = item
            else:
                copy[key] = _copied(item, leaves, depth + 1, key)
        return copy
    if value is None or kind is bool:
        return value
    if kind is list or isinstance(value, _LISTS):
        if depth >= MAX_DEPTH:
            raise ValueError("too deep")
        return [_copied(item, leaves, depth + 1, name) for item in value]  # type: ignore[attr-defined]  # one of them
    return _copied_leaf(value, leaves, name)


def _add(text: str, leaves: _Gathered, name: str) -> None:
    leaves[0].append(text)
    if len(text) >= LONG:
        leaves[2].append((name, text))


def _copied_leaf(value: object, leaves: _Gathered, name: str) -> Any:
    if isinstance(value, str):
        _add(str(value), leaves, name)
        return str(value)
    if isinstance(value, int):
        _add(f"{value:d}" if abs(value) < 1 << 4096 else f"{value:x}", leaves, name)
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("not a JSON number")
        _add(repr(value), leaves, name)
        return value
    raise TypeError("not a JSON type")
