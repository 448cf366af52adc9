"""Public values of 32 bytes and more, as types: an author says that a field holds a hash, and it is taken as one.

They are texts (subclasses of `str`), so that they stand in any result and any model; as a parameter or a field they
have a JSON schema. What a tool returns as one of them passes the outbound filter under any name and beside any address.
It is still searched for the secrets of the vault, which no type lets out. Threat: T-062.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, Final, Self, final

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations.values import _Edge, _edge_schema

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema


class PublicHex(_Edge, str):
    """``0x`` and an even number of hex digits, kept in lower case. One of the types below, never this one itself."""

    __slots__ = ()
    _pattern: ClassVar[re.Pattern[str]] = re.compile(r"(?!)")
    _description: ClassVar[str] = ""

    def __new__(cls, text: object, /) -> Self:
        """Raises InvalidInput for anything but a text of the right form."""
        if not isinstance(text, str) or cls._pattern.fullmatch(text) is None:
            raise InvalidInput(detail=f"not {cls._description}")
        return super().__new__(cls, text.lower())

    @classmethod
    def from_bytes(cls, raw: bytes, /) -> Self:
        """From raw bytes."""
        return cls(f"0x{raw.hex()}")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = {"type": "string", "pattern": f"^{cls._pattern.pattern}$", "description": cls._description}
        return _edge_schema(cls, cls, schema)


@final
class TxHash(PublicHex):
    """The hash of a transaction: 32 bytes."""

    __slots__ = ()
    _pattern: ClassVar[re.Pattern[str]] = re.compile(r"0x[0-9a-fA-F]{64}")
    _description: ClassVar[str] = "transaction hash"


@final
class Bytes32(PublicHex):
    """32 public bytes: a block hash, a topic, a storage word, a root."""

    __slots__ = ()
    _pattern: ClassVar[re.Pattern[str]] = re.compile(r"0x[0-9a-fA-F]{64}")
    _description: ClassVar[str] = "32 public bytes"


@final
class Signature(PublicHex):
    """An ECDSA signature on secp256k1: 65 bytes r, s, v, or 64 (EIP-2098)."""

    __slots__ = ()
    _pattern: ClassVar[re.Pattern[str]] = re.compile(r"0x[0-9a-fA-F]{128}(?:[0-9a-fA-F]{2})?")
    _description: ClassVar[str] = "signature of 64 or 65 bytes"


PUBLIC_TYPES: Final = (TxHash, Bytes32, Signature)
