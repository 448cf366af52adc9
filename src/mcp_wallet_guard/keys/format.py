"""The vault file as text: shape, canonical form, checksum. No key is used here (docs/formats/vault.md).

`parse` accepts exactly the bytes that `render` gives. Comparing a re-rendered file with what was read rules out
repeated and unknown members, floats, NaN and spare bytes in one line. Threat: T-069.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final, Literal

import rfc8785
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from mcp_wallet_guard.canonical import canonical_bytes
from mcp_wallet_guard.errors import InvalidInput, VaultError

FMT: Final = "mcp-wallet-guard/vault"
VERSION: Final = 1
MAX_FILE_BYTES: Final = 2**20
MAX_SETTINGS_BYTES: Final = 2**18
MAX_INTEGER: Final = 2**53 - 1
_PREFIX: Final = b'{"checksum":"'
_DIGITS: Final = slice(len(_PREFIX), len(_PREFIX) + 64)


class EntryKind(StrEnum):
    """What an entry's secret is."""

    BIP39_ENTROPY = "bip39-entropy"
    TOTP_SECRET = "totp-secret"  # noqa: S105  a kind, not a secret
    API_CREDENTIAL = "api-credential"


SECRET_SIZES: Final[dict[EntryKind, frozenset[int]]] = {
    EntryKind.BIP39_ENTROPY: frozenset({16, 20, 24, 28, 32}),
    EntryKind.TOTP_SECRET: frozenset(range(16, 65)),
    EntryKind.API_CREDENTIAL: frozenset(range(49, 514)),
}
"""Kind -> the sizes in bytes that its secret may have."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
_PRINTABLE: Final = re.compile(r"[\x20-\x7e]{0,256}")


def _check_metadata(metadata: dict[str, str | int]) -> dict[str, str | int]:
    for name, value in metadata.items():
        if _NAME.fullmatch(name) is None:
            raise ValueError("a metadata name is not valid")
        if isinstance(value, str) and _PRINTABLE.fullmatch(value) is None:
            raise ValueError("a metadata text is not valid")
        if isinstance(value, int) and abs(value) > MAX_INTEGER:
            raise ValueError("a metadata number is not valid")
    return metadata


def _check_settings(text: str) -> str:
    if len(text.encode("utf-8")) > MAX_SETTINGS_BYTES:
        raise ValueError("the settings are too large")
    return text


Hex16 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{32}$")]
Hex32 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
Hex48 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{96}$")]
Sealed = Annotated[str, StringConstraints(pattern="^(?:[0-9a-f]{2}){17,529}$")]
Label = Annotated[str, StringConstraints(pattern="^[ -~]{1,64}$")]
Count = Annotated[int, Field(ge=1, le=MAX_INTEGER)]
UnixSeconds = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
Metadata = Annotated[dict[str, str | int], Field(max_length=16), AfterValidator(_check_metadata)]
SettingsText = Annotated[str, AfterValidator(_check_settings)]


class _Shape(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


class Slot(_Shape):
    """One way to unwrap the vault master key. Version 1 knows scrypt."""

    kind: Literal["scrypt"]
    n: Count
    r: Count
    p: Count
    salt: Hex32
    commitment: Hex32
    wrapped: Hex48


class Entry(_Shape):
    """One sealed secret and what is said about it in the open."""

    id: Hex16
    kind: EntryKind
    label: Label
    created_at: UnixSeconds
    metadata: Metadata
    salt: Hex32
    sealed: Sealed


class Settings(_Shape):
    """The sealed settings: readable, authenticated by the file's MAC."""

    revision: Count
    text: SettingsText


def _check_distinct(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    if len({entry.id for entry in entries}) != len(entries):
        raise ValueError("two entries have one id")
    return entries


class VaultFile(_Shape):
    """The whole file."""

    fmt: Literal["mcp-wallet-guard/vault"]
    v: Literal[1]
    id: Hex16
    gen: Count
    slots: Annotated[tuple[Slot, ...], Field(min_length=1, max_length=1)]
    entries: Annotated[tuple[Entry, ...], Field(max_length=256), AfterValidator(_check_distinct)]
    settings: Settings | None
    mac: Hex32
    checksum: Hex32

    def replace(self, **changes: object) -> VaultFile:
        """A copy with `changes`, validated like any other. Raises ValidationError."""
        return VaultFile.model_validate({**dict(self), **changes})


class _Head(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", hide_input_in_errors=True)
    fmt: str
    v: int


def canonical(value: Any, /) -> bytes:
    """The RFC 8785 form."""
    return canonical_bytes(value)


def mac_body(file: VaultFile, /) -> bytes:
    """What the whole-file MAC covers: everything but the MAC and the checksum."""
    return canonical(file.model_dump(mode="json", exclude={"mac", "checksum"}))


def render(file: VaultFile, /) -> bytes:
    """The file's bytes, with the checksum filled in. Raises InvalidInput when they are above the size limit."""
    raw = bytearray(canonical(file.model_dump(mode="json")) + b"\n")
    raw[_DIGITS] = checksum(raw).encode("ascii")
    if len(raw) > MAX_FILE_BYTES:
        raise InvalidInput("invalid_input.size", detail="the vault would be larger than a vault may be")
    return bytes(raw)


def parse(raw: bytes, /) -> VaultFile:
    """The inverse of `render`. Raises VaultError: `vault.format`, `vault.damaged`, or `vault.cannot_unlock` for bytes
    whose checksum is right and which are not a well-formed vault all the same, so somebody wrote them so."""
    check_undamaged(raw)
    try:
        head = _Head.model_validate_json(raw)
        if (head.fmt, head.v) != (FMT, VERSION):
            raise VaultError("vault.format", detail=f"version {head.v} of an unknown format")
        file = VaultFile.model_validate_json(raw)
        if canonical(file.model_dump(mode="json")) + b"\n" == raw:
            return file
    except (ValidationError, rfc8785.CanonicalizationError):
        pass
    raise VaultError("vault.cannot_unlock")


def check_undamaged(raw: bytes | bytearray, /) -> None:
    """Raises VaultError("vault.damaged") when the checksum differs, "vault.format" when this never was a vault."""
    if hmac.compare_digest(checksum(raw).encode("ascii"), bytes(raw[_DIGITS])) and raw.startswith(_PREFIX):
        return
    is_a_piece = raw.startswith(_PREFIX) or _PREFIX.startswith(raw) or FMT.encode("ascii") in raw
    raise VaultError("vault.damaged" if is_a_piece else "vault.format")


def checksum(raw: bytes | bytearray, /) -> str:
    """SHA-256 over all bytes but the checksum's own 64 digits. Names accidents, stops nobody."""
    return hashlib.sha256(raw[: _DIGITS.start] + raw[_DIGITS.stop :]).hexdigest()
