"""Members of a key file that somebody else wrote, taken one by one and by exact type.

Every failure is KeystoreError("keystore.format"), before any work is done with a passphrase; its `detail` names the
member and repeats nothing of the file. Threat: T-069.
"""

from __future__ import annotations

import re
from typing import Any, Final, NoReturn

from mcp_wallet_guard import strict_json
from mcp_wallet_guard.errors import KeystoreError

MAX_FILE_BYTES: Final = 2**16
MAX_DEPTH: Final = 8
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})*")


def read_document(raw: bytes, /) -> dict[str, Any]:
    """The JSON object that `raw` is: at most 64 KiB and 8 levels, no member twice even in other capitals, for there
    are readers to which `crypto` and `Crypto` are one."""
    if len(raw) > MAX_FILE_BYTES:
        refuse("larger than 64 KiB")
    try:
        document = strict_json.loads(raw, max_depth=MAX_DEPTH)
    except ValueError as error:
        refuse(str(error))
    if type(document) is not dict:
        refuse("not an object")
    _check_names(document)
    return document


def section(document: dict[str, Any], name: str, /, *, members: frozenset[str] | None = None) -> dict[str, Any]:
    """The object at `name`; with `members`, it has exactly these."""
    found = document.get(name)
    if type(found) is not dict:
        refuse(f"{name}: not an object")
    if members is not None and found.keys() != members:
        refuse(f"{name}: not the members that it has to have")
    return found


def integer(document: dict[str, Any], name: str, /) -> int:
    """An integer: neither a float nor true nor a string of digits."""
    found = document.get(name)
    if type(found) is not int:
        refuse(f"{name}: not an integer")
    return found


def text(document: dict[str, Any], name: str, /) -> str:
    """A string."""
    found = document.get(name)
    if type(found) is not str:
        refuse(f"{name}: not a string")
    return found


def constant(document: dict[str, Any], name: str, value: int | str | dict[str, Any], /) -> None:
    """Exactly `value`, type included."""
    found = document.get(name)
    if type(found) is not type(value) or found != value:
        refuse(f"{name}: not what this format has there")


def hexadecimal(document: dict[str, Any], name: str, /, *, sizes: range) -> bytes:
    """Hex digits without a prefix, for as many bytes as `sizes` allows."""
    found = text(document, name)
    if _HEX.fullmatch(found) is None or len(found) // 2 not in sizes:
        refuse(f"{name}: not hex digits of a length that it may have")
    return bytes.fromhex(found)


def refuse(detail: str, /) -> NoReturn:
    """Raise the one error of a file that cannot be read. `detail` holds nothing of the file."""
    raise KeystoreError("keystore.format", detail=detail) from None


def _check_names(value: Any) -> None:
    if type(value) is dict:
        if len({name.casefold() for name in value}) != len(value):
            refuse("two members differ by capitals alone")
        for each in value.values():
            _check_names(each)
    elif type(value) is list:
        for each in value:
            _check_names(each)
