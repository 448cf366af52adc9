"""The ASCII armor of age files: one strict PEM block. Source: C2SP age, "ASCII armor"; RFC 7468 section 3, figure 3.

Only what a writer makes is accepted, but for white space around the block and CRLF line ends throughout: an armored
file is otherwise malleable.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

from mcp_wallet_guard.keys.keystores import members

_BEGIN: Final = b"-----BEGIN AGE ENCRYPTED FILE-----"
_END: Final = b"-----END AGE ENCRYPTED FILE-----"
_COLUMNS: Final = 64
_SPACE: Final = b" \t\r\n"


def is_armored(raw: bytes, /) -> bool:
    """Whether these bytes start, after white space, as an armored file does."""
    return raw.lstrip(_SPACE).startswith(_BEGIN[:11])


def remove(raw: bytes, /) -> bytes:
    """The binary file inside. Raises KeystoreError("keystore.format") for any other spelling than the canonical."""
    block = raw.strip(_SPACE)
    if b"\r" in block:
        whole, block = block, block.replace(b"\r\n", b"\n")
        if block.count(b"\n") != whole.count(b"\r") or b"\r" in block:
            members.refuse("armor: line ends of two kinds")
    try:
        binary = base64.b64decode(b"".join(block.split(b"\n")[1:-1]), validate=True)
    except binascii.Error:
        members.refuse("armor: not base64")
    if not binary or add(binary) != block + b"\n":
        members.refuse("armor: not in its canonical form")
    return binary


def add(binary: bytes, /) -> bytes:
    """`binary` as text: lines of 64 columns between the two marks, a line feed at the end of each."""
    text = base64.b64encode(binary)
    lines = [text[start : start + _COLUMNS] for start in range(0, len(text), _COLUMNS)]
    return b"\n".join([_BEGIN, *lines, _END, b""])
