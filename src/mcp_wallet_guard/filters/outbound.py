"""Step 9: what leaves the process passes here, or does not leave.

A hit blocks the whole message: fragments survive redaction, and a patched `structuredContent` breaks the client's own
validation. An error inside the detector blocks as well. Threat: T-057, T-058, T-060, T-061.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import chain
from typing import Any, Final

from pydantic import BaseModel

from mcp_wallet_guard.errors import Tampered
from mcp_wallet_guard.filters import chain_data
from mcp_wallet_guard.filters.candidates import TooMuchWork, hex_holds_secret, holds_secret, read_hex
from mcp_wallet_guard.filters.declared import declared_in
from mcp_wallet_guard.filters.derivation import TooManyCandidates
from mcp_wallet_guard.filters.detectors import BY_CONTEXT, IN_FIELDS, Hint, Look, detect, in_fields, in_text, trimmed
from mcp_wallet_guard.filters.fingerprints import FingerprintSet
from mcp_wallet_guard.filters.gathering import gather
from mcp_wallet_guard.filters.leaves import LONG, Leaves
from mcp_wallet_guard.filters.rows import clean_rows
from mcp_wallet_guard.filters.views import TooDeep
from mcp_wallet_guard.proofs import Released, mint

MAX_CHARACTERS: Final = 8 * 1024 * 1024
REMEMBERED_CHARACTERS: Final = 4096


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
        copy, leaves = gather(payload)
        found = _found(copy, leaves, fingerprints=fingerprints)
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
        return _found(*gather(text), fingerprints=fingerprints) is None
    except Exception:  # noqa: BLE001  # the same: no word is better than a secret
        return False


def _found(payload: object, leaves: Leaves, *, fingerprints: FingerprintSet) -> str | None:
    """What was found in a payload with these leaves."""
    try:
        small = not leaves.long or leaves.size <= REMEMBERED_CHARACTERS
        if small and len(text := leaves.text) <= REMEMBERED_CHARACTERS:
            # Most results are small, and were sent before: no more is done for them than this.
            worth = _look_short(text, fingerprints)
        else:
            worth = _look_long(leaves, fingerprints)
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


def _look_long(leaves: Leaves, fingerprints: FingerprintSet) -> Hint | None:
    """The same for a message that is too large to be remembered: most of it is hex, which is read by itself."""
    clean = clean_rows(fingerprints)
    names = clean.unread(leaves.rows)
    # The second is exact and takes longer.
    if leaves.size + LONG * len(leaves.texts) + names.size > MAX_CHARACTERS and len(leaves.text) > MAX_CHARACTERS:
        raise _HitError("it is too large")
    parts = chain_data.sort(leaves.texts)
    hexadecimal = read_hex(parts.digits)
    if hex_holds_secret(hexadecimal, leaves.texts, fingerprints=fingerprints) or (
        parts.rest and holds_secret("\n".join(parts.rest), fingerprints=fingerprints)
    ):
        raise _HitError("a secret of the vault")
    for text in names.texts:
        if len(text) <= REMEMBERED_CHARACTERS:
            _look_at_names(text, fingerprints)
        elif holds_secret(text, fingerprints=fingerprints):
            raise _HitError("a secret of the vault")
    clean.keep(names)
    short = trimmed(parts.unprefixed, hexadecimal.inside, chain.from_iterable(names.different))
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
def _look_at_names(text: str, fingerprints: FingerprintSet) -> None:
    """Objects of a kind have the same names, in each message of the kind."""
    if holds_secret(text, fingerprints=fingerprints):
        raise _HitError("a secret of the vault")
