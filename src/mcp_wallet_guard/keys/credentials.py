"""API keys of venues as vault entries: one sealed text for the key's id and its secret, and when it stops being used.

The id is sealed as well: at some venues it opens an account's stream by itself. In the open stand the venue's name and
the date. Threat: T-057, T-061, T-065.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Final

from mcp_wallet_guard.errors import InvalidInput, Refused
from mcp_wallet_guard.keys.vault import EntryInfo, EntryKind, UnlockedVault
from mcp_wallet_guard.secret import Secret

MAX_DAYS: Final = 366
_PART: Final = re.compile(rb"[A-Za-z0-9+/_-]{24,254}={0,2}")
_NOT_BARE: Final = bytes(n for n in range(256) if not (chr(n).isascii() and chr(n).isalnum()))


def add_credential(
    vault: UnlockedVault, /, *, venue: str, key_id: Secret, secret: Secret, created_at: int, expires_at: int
) -> EntryInfo:
    """Seal a venue's key in the place of an earlier one; not durable before `save`. Times are unix seconds.

    Raises InvalidInput unless both are 24 to 256 characters of the alphabets of base64 and hex, in which the outbound
    filter recognises them as they are, and the date is within a year.
    """
    if not created_at < expires_at <= created_at + MAX_DAYS * 86_400:
        raise InvalidInput(detail="a key is good for 1 to 366 days")
    with key_id.reveal() as first, secret.reveal() as second:
        parts = bytes(first), bytes(second)
    if not all(_PART.fullmatch(part) for part in parts):
        raise InvalidInput(detail="an API key and its secret are 24 to 256 letters, digits, + / = - _ each")
    joined = Secret(bytearray(b"\n".join(parts)))
    try:
        earlier = _entry(vault, venue)
        if earlier is not None:
            vault.remove_entry(earlier.id)
        return vault.add_entry(
            kind=EntryKind.API_CREDENTIAL,
            label=venue,
            metadata={"venue": venue, "expires_at": expires_at},
            secret=joined,
            created_at=created_at,
        )
    finally:
        joined.wipe()


def open_credential(vault: UnlockedVault, venue: str, /, *, now: int) -> tuple[Secret, Secret]:
    """Key id and secret of a venue; the caller wipes both.

    Raises Refused: "venue.no_key", "venue.key_expired" from its date on, and before the day it was made.
    """
    entry = _entry(vault, venue)
    if entry is None:
        raise Refused("venue.no_key")
    expires_at = entry.metadata.get("expires_at")
    if type(expires_at) is not int or not entry.created_at - 86_400 <= now < expires_at:
        raise Refused("venue.key_expired")
    joined = vault.open_entry(entry.id)
    with joined.reveal() as view:
        key_id, _, secret = bytes(view).partition(b"\n")
    joined.wipe()
    return Secret(bytearray(key_id)), Secret(bytearray(secret))


def recognisable(text: bytes, /) -> Iterator[bytes]:
    """What the outbound filter must know of a key that is text: its bytes, and what these letters stand for where they
    are hex or base64. The filter decodes what it reads, so a text that is left as it is is one of its own encodings."""
    for part in text.split(b"\n"):
        bare = part.translate(None, _NOT_BARE)
        found = {part, *(decode(text) for decode in (_from_base64, _from_hex) for text in (part, bare))}
        yield from sorted(each for each in found if len(each) >= 16)


def _from_base64(part: bytes) -> bytes:
    try:
        return base64.b64decode(part[: len(part) - len(part) % 4], altchars=b"-_", validate=True)
    except ValueError:
        return b""


def _from_hex(part: bytes) -> bytes:
    try:
        return binascii.unhexlify(part)
    except ValueError:
        return b""


def _entry(vault: UnlockedVault, venue: str) -> EntryInfo | None:
    found = (each for each in vault.entries if each.kind is EntryKind.API_CREDENTIAL)
    return next((each for each in found if each.metadata.get("venue") == venue), None)
