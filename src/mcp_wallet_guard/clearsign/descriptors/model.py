"""What a descriptor says, as values: where it applies, and how each part of the signed data is shown.

Source: ERC-7730 version 2.0.0, "Context", "Metadata", "Display".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, final

from mcp_wallet_guard.clearsign.descriptors.paths import Path
from mcp_wallet_guard.operations.values import Address, ChainId

Literals = str | int | bool
"""A constant in a descriptor. Fractions are refused: no format has a use for one that could be told exactly."""


class FormatName(StrEnum):
    """How a value is shown."""

    RAW = "raw"
    AMOUNT = "amount"
    TOKEN_AMOUNT = "tokenAmount"  # noqa: S105  # a format's name, no secret
    NFT_NAME = "nftName"
    DATE = "date"
    DURATION = "duration"
    UNIT = "unit"
    ENUM = "enum"
    CHAIN_ID = "chainId"
    CALLDATA = "calldata"
    ADDRESS_NAME = "addressName"
    TOKEN_TICKER = "tokenTicker"  # noqa: S105  # as above
    INTEROPERABLE = "interoperableAddressName"


@final
@dataclass(frozen=True, slots=True)
class Deployment:
    """A contract on a chain."""

    chain: ChainId
    address: Address


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Factory:
    """Contracts that emit `event`, a Solidity signature, when they deploy what the descriptor is of."""

    event: str
    deployments: tuple[Deployment, ...]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What must hold before a descriptor applies; None is no such constraint. `domain` holds texts and, for
    ``chainId``, an int. `unknown` names constraints of a later version, which nobody here can verify."""

    kind: Literal["contract", "eip712"]
    deployments: tuple[Deployment, ...] | None = None
    factory: Factory | None = None
    domain: Mapping[str, str | int] | None = None
    domain_separator: bytes | None = None
    unknown: tuple[str, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class Reference:
    """A path in place of a constant."""

    path: Path


@final
@dataclass(frozen=True, slots=True)
class MapReference:
    """The value of ``metadata.maps`` that belongs to the key at a path."""

    map: Path
    key: Path


Param = Literals | Reference | MapReference | tuple[Literals | Reference, ...]
"""A parameter of a format: a constant, where to find it, or a list."""


@final
@dataclass(frozen=True, slots=True)
class Visible:
    """When a field is shown. `values` are those of ``ifNotIn`` and ``mustMatch``, None among them is JSON's null."""

    rule: Literal["always", "optional", "never", "ifNotIn", "mustMatch"]
    values: tuple[Literals | None, ...] = ()


ALWAYS: Final = Visible("always")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Encryption:
    """That a value is a ciphertext, or a handle of one, and what to say instead of it."""

    scheme: str
    plaintext_type: str | None
    label: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """How one value, or each item of one array, is shown. Either `path` or `value` is there."""

    path: Path | None
    value: Literals | Reference | MapReference | None
    label: str
    format: FormatName
    params: Mapping[str, Param]
    visible: Visible = ALWAYS
    separator: str | None = None
    encryption: Encryption | None = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Fields that belong together, under a path where there is one."""

    path: Path | None
    label: str
    iteration: Literal["sequential", "bundled"] | None
    fields: tuple[Field | Group, ...]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How one function or one message type is shown. `sentence` is the interpolated intent, as text and paths in
    turn, None for none and for one that cannot be read."""

    key: str
    intent: str
    sentence: tuple[str | Path, ...] | None
    has_sentence: bool
    fields: tuple[Field | Group, ...]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What ``metadata.token`` says of the contract itself."""

    symbol: str
    decimals: int
