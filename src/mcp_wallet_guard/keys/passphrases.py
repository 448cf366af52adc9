"""What may be a passphrase, and its one byte form.

The same text must give the same bytes on every keyboard and in every later Unicode version: NFKC, and no unassigned
characters, whose normal form may still change. Threat: T-075.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.secret import Secret

MIN_CHARACTERS: Final = 12
MAX_CHARACTERS: Final = 1024
MAX_BYTES: Final = 4 * MAX_CHARACTERS
_REFUSED_CATEGORIES: Final = frozenset({"Cc", "Cn", "Cs", "Zl", "Zp"})


def passphrase_from_text(text: str, /) -> Secret:
    """Raises InvalidInput("invalid_input.passphrase") unless it has 12 to 1024 acceptable characters after NFKC.

    White space counts and is kept, but a passphrase is not made of it alone. A `str` cannot be wiped afterwards.
    """
    if type(text) is not str or len(text) > MAX_CHARACTERS:
        raise InvalidInput("invalid_input.passphrase")
    normal = unicodedata.normalize("NFKC", text)
    if not MIN_CHARACTERS <= len(normal) <= MAX_CHARACTERS or normal.isspace():
        raise InvalidInput("invalid_input.passphrase")
    if any(unicodedata.category(character) in _REFUSED_CATEGORIES for character in normal):
        raise InvalidInput("invalid_input.passphrase")
    return Secret(bytearray(normal, "utf-8"))


def passphrase_from_bytes(typed: bytearray, /) -> Secret:
    """As `passphrase_from_text`, from UTF-8. Wipes `typed`; printable ASCII never becomes a `str` on the way."""
    try:
        if MIN_CHARACTERS <= len(typed) <= MAX_CHARACTERS and all(0x20 <= byte < 0x7F for byte in typed):
            if not typed.isspace():
                return Secret(typed)
        elif len(typed) <= MAX_BYTES:
            return passphrase_from_text(typed.decode("utf-8"))
    except UnicodeDecodeError:
        pass  # refused below, outside the block: the decode error would carry the bytes as its context
    finally:
        typed[:] = bytes(len(typed))
    raise InvalidInput("invalid_input.passphrase")
