"""Values that operations are made of: addresses, amounts, chains, assets, accounts.

Money has two types. `Amount` is an exact, unitless decimal that came from a string; `BaseUnits` is an int in the
smallest unit of one asset (wei). Only a pinned `Asset` converts between them. There is no float anywhere.
Threat: T-025, T-026, T-027.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NewType, final

from mcp_wallet_guard.errors import InvalidInput

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

BaseUnits = NewType("BaseUnits", int)
"""An amount in the smallest unit of its asset, 0 <= value < 2**256."""

UINT256_MAX: Final = 2**256 - 1
_HEX_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")
_AMOUNT: Final = re.compile(r"(?:0|[1-9][0-9]{0,77})(?:\.[0-9]{1,77})?")
_SYMBOL: Final = re.compile(r"[A-Za-z0-9.]{1,12}")
_LABEL: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_REFERENCE: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


def keccak256(data: bytes | bytearray, /) -> bytes:
    """Keccak-256, 32 bytes. Source: Ethereum yellow paper, appendix A."""
    return _keccak()(data)


@lru_cache(maxsize=1)
def _keccak() -> Callable[[bytes | bytearray], bytes]:
    # Loaded on first use, since it costs more than all of this package; named, so that no environment picks another.
    from eth_hash.backends import pycryptodome

    return pycryptodome.keccak256


def _edge_schema(parse: Any, rendered: type, json_schema: dict[str, Any]) -> CoreSchema:
    """A strict pydantic schema: JSON gives a string that `parse` accepts; errors repeat nothing of the input."""
    from pydantic_core import PydanticCustomError, core_schema

    def validate(value: object) -> object:
        if isinstance(value, rendered):
            return value
        try:
            return parse(value)
        except InvalidInput as error:
            raise PydanticCustomError("invalid_input", "{public}", {"public": error.public}) from None

    return core_schema.no_info_plain_validator_function(
        validate,
        serialization=core_schema.plain_serializer_function_ser_schema(str, return_schema=core_schema.str_schema()),
        metadata={"json_schema": json_schema},
    )


class _Edge:
    """What lets a value type stand in a tool's signature: its JSON schema is a string with a pattern."""

    __slots__ = ()

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        metadata: Any = schema.get("metadata") or {}
        return dict(metadata["json_schema"])


@final
@dataclass(frozen=True, slots=True, order=True)
class Address(_Edge):
    """An account on an EVM chain: `value` is ``0x`` and 40 hex digits with the EIP-55 checksum.

    `parse` accepts only a correct mixed-case checksum, so a mistyped digit is caught. Source: EIP-55.
    """

    value: str

    def __post_init__(self) -> None:
        if type(self.value) is not str or _HEX_ADDRESS.fullmatch(self.value) is None:
            raise InvalidInput("invalid_input.address")
        if self.value != _checksummed(self.value[2:].lower()):
            raise InvalidInput("invalid_input.address")

    @classmethod
    def parse(cls, text: object, /) -> Address:
        """Raises InvalidInput("invalid_input.address") for anything but a checksummed address string."""
        if type(text) is not str:
            raise InvalidInput("invalid_input.address")
        return cls(text)

    @classmethod
    def from_bytes(cls, raw: bytes, /) -> Address:
        """From 20 raw bytes."""
        if type(raw) is not bytes or len(raw) != 20:
            raise InvalidInput("invalid_input.address")
        return _address(raw)

    @property
    def raw(self) -> bytes:
        """The 20 bytes."""
        return bytes.fromhex(self.value[2:])

    def __str__(self) -> str:
        return self.value

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return _edge_schema(
            cls.parse,
            cls,
            {"type": "string", "pattern": "^0x[0-9a-fA-F]{40}$", "description": "EIP-55 checksummed address"},
        )


@lru_cache(maxsize=256)
def _address(raw: bytes) -> Address:
    return Address(_checksummed(raw.hex()))


@lru_cache(maxsize=256)
def _checksummed(lower_hex: str) -> str:
    digest = keccak256(lower_hex.encode("ascii")).hex()
    pairs = zip(lower_hex, lower_hex.upper(), digest[:40], strict=True)
    return "0x" + "".join([upper if digit >= "8" else lower for lower, upper, digit in pairs])


@final
@dataclass(frozen=True, slots=True)
class Amount(_Edge):
    """An exact, non-negative decimal without a unit, in canonical text: no sign, exponent, separator or padding.

    ``Amount.parse("0.10")`` and ``Amount.parse("0.1")`` are equal. At most 78 digits before and 77 after the point.
    """

    text: str

    def __post_init__(self) -> None:
        if type(self.text) is not str or _AMOUNT.fullmatch(self.text) is None:
            raise InvalidInput("invalid_input.amount")
        if "." in self.text:
            object.__setattr__(self, "text", self.text.rstrip("0").rstrip("."))

    @classmethod
    def parse(cls, text: object, /) -> Amount:
        """Raises InvalidInput("invalid_input.amount") for numbers, signs, exponents, locale forms, other digits."""
        if type(text) is not str:
            raise InvalidInput("invalid_input.amount")
        return cls(text)

    @classmethod
    def from_base_units(cls, units: BaseUnits, asset: Asset, /) -> Amount:
        """The exact decimal that `units` of `asset` are."""
        digits = str(int(units)).rjust(asset.decimals + 1, "0")
        whole, part = (digits[: -asset.decimals], digits[-asset.decimals :]) if asset.decimals else (digits, "")
        return cls(f"{whole}.{part}" if part else whole)

    def base_units(self, asset: Asset, /) -> BaseUnits:
        """In the smallest unit of `asset`, exactly. Raises InvalidInput when it has more decimals than the asset."""
        whole, _, part = self.text.partition(".")
        if len(part) > asset.decimals:
            raise InvalidInput("invalid_input.precision")
        units = int(whole + part.ljust(asset.decimals, "0"))
        if units > UINT256_MAX:
            raise InvalidInput("invalid_input.amount")
        return BaseUnits(units)

    def __str__(self) -> str:
        return self.text

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return _edge_schema(
            cls.parse,
            cls,
            {
                "type": "string",
                "pattern": r"^(?:0|[1-9][0-9]{0,77})(?:\.[0-9]{1,77})?$",
                "description": 'exact decimal as a string, for example "0.1"',
            },
        )


@final
@dataclass(frozen=True, slots=True, order=True)
class ChainId:
    """An EVM chain: `number` is the EIP-155 chain id, 1 <= number < 2**64."""

    number: int

    def __post_init__(self) -> None:
        if type(self.number) is not int or not 1 <= self.number < 2**64:
            raise InvalidInput("invalid_input.chain")

    @classmethod
    def parse(cls, text: object, /) -> ChainId:
        """From CAIP-2 text such as ``eip155:1``. Raises InvalidInput("invalid_input.chain")."""
        if type(text) is not str or re.fullmatch(r"eip155:[1-9][0-9]{0,19}", text) is None:
            raise InvalidInput("invalid_input.chain")
        return cls(int(text[7:]))

    def __str__(self) -> str:
        return f"eip155:{self.number}"


@final
@dataclass(frozen=True, slots=True)
class Asset:
    """A pinned asset. `address` None is the chain's native currency. `decimals` are the operator's, never a node's.

    Threat: T-040.
    """

    chain: ChainId
    symbol: str
    decimals: int
    address: Address | None = None

    def __post_init__(self) -> None:
        if _SYMBOL.fullmatch(self.symbol) is None:
            raise InvalidInput("invalid_input")
        if type(self.decimals) is not int or not 0 <= self.decimals <= 77:
            raise InvalidInput("invalid_input")

    @property
    def id(self) -> str:
        """CAIP-19 asset id; the native currency is named by SLIP-44 coin type 60."""
        kind = "slip44:60" if self.address is None else f"erc20:{self.address.value.lower()}"
        return f"{self.chain}/{kind}"


@final
@dataclass(frozen=True, slots=True)
class Account:
    """One of the wallet's accounts: an operator's `name`, a chain, and the pinned address."""

    name: str
    chain: ChainId
    address: Address

    def __post_init__(self) -> None:
        if _LABEL.fullmatch(self.name) is None:
            raise InvalidInput("invalid_input.account")

    @property
    def id(self) -> str:
        """CAIP-10 account id."""
        return f"{self.chain}:{self.address.value}"


def check_reference(text: object, /) -> str:
    """A caller's reference for a deliberate second payment: 1 to 64 of ``A-Z a-z 0-9 . _ -``."""
    if type(text) is not str or _REFERENCE.fullmatch(text) is None:
        raise InvalidInput("invalid_input.reference")
    return text


def check_scope(chain: object, account: object, reference: object, /) -> None:
    """What every intent may name beside its effect: a chain, an account's name, a reference. Raises InvalidInput."""
    if chain is not None and type(chain) is not ChainId:
        raise InvalidInput("invalid_input.chain")
    if account is not None and type(account) is not str:
        raise InvalidInput("invalid_input.account")
    if reference is not None:
        check_reference(reference)
