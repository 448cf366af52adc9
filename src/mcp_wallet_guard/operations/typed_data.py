"""EIP-712 typed data, version 4: JSON <-> fields, and the hashes that are signed.

Read by one strict reader of our own, so that what a person sees is what is hashed: every key of domain and message is
declared, every declared one is there, and nothing has a second reading. Versions 1 and 3 are refused.
`TypedData.message` is a tree: `Struct` (its `type`, and `members` by name), tuples for arrays, and bool, int, bytes,
str and Address as leaves.
Source: EIP-712; the version is that of eth_signTypedData_v4. Threat: T-032, T-033.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, final

from mcp_wallet_guard import strict_json
from mcp_wallet_guard.canonical import canonical_bytes
from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations import typed_data_types as kinds
from mcp_wallet_guard.operations.typed_data_types import DOMAIN_FIELDS, DOMAIN_TYPE, Field, Types
from mcp_wallet_guard.operations.typed_data_values import Hasher, Reader, Struct, Value, to_raw
from mcp_wallet_guard.operations.values import Address, keccak256

__all__ = [
    "Domain", "Field", "Struct", "TypedData", "Types", "Value", "domain_separator", "encode_type", "encoded_message",
    "message_hash", "parse_typed_data", "signing_hash", "to_json", "type_hash",
]  # fmt: skip

MAX_BYTES: Final = 131_072
_MEMBERS: Final = frozenset({"types", "primaryType", "domain", "message"})


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """What a signature is bound to; None for a member that is not there. `chain_id` is any uint256, `salt` 32 bytes."""

    name: str | None = None
    version: str | None = None
    chain_id: int | None = None
    verifying_contract: Address | None = None
    salt: bytes | None = None

    @property
    def struct(self) -> Struct:
        """The domain as the struct that is hashed, with the members that are there."""
        values = (self.name, self.version, self.chain_id, self.verifying_contract, self.salt)
        named = zip(DOMAIN_FIELDS, values, strict=True)
        return Struct(DOMAIN_TYPE, {field.name: value for field, value in named if value is not None})


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TypedData:
    """`types` holds every declared struct type, `EIP712Domain` among them; `message` is of the type `primary_type`."""

    types: Types
    primary_type: str
    domain: Domain
    message: Struct


def parse_typed_data(source: str | bytes | dict[str, Any], /, *, any_address_case: bool = False) -> TypedData:
    """From the JSON text or the JSON object that it is. Raises InvalidInput("invalid_input.typed_data") alone; nothing
    of the input is in `public`.

    An `EIP712Domain` that is not declared is that of the domain's keys. Types that the message does not use may be
    declared. A mixed-case address has its EIP-55 checksum, so that a mistyped digit is found; `any_address_case` waives
    that for examples that others made up, and changes no hash.
    """
    raw = _loaded(source)
    if type(raw) is list:
        raise _invalid("typed data version 1, a list of values, is not signed")
    if type(raw) is not dict or raw.keys() != _MEMBERS:
        raise _invalid("typed data has exactly types, primaryType, domain and message")
    primary, domain = raw["primaryType"], raw["domain"]
    types = kinds.read_types(_with_domain(raw["types"], domain))
    if type(primary) is not str or primary in {"", DOMAIN_TYPE} or primary not in types:
        raise _invalid("primaryType is not a declared type of a message")
    message = Reader(types, any_address_case=any_address_case).struct(raw["message"], primary, at="message")
    found = Reader(types, any_address_case=any_address_case).struct(domain, DOMAIN_TYPE, at="domain")
    return TypedData(types=types, primary_type=primary, domain=_domain(found), message=message)


def to_json(typed: TypedData, /) -> str:
    """One text per value, which parses back to it: RFC 8785, integers beyond 2**53 as decimal text."""
    document = {
        "types": {name: [{"name": f.name, "type": f.type} for f in fields] for name, fields in typed.types.items()},
        "primaryType": typed.primary_type,
        "domain": to_raw(typed.domain.struct),
        "message": to_raw(typed.message),
    }
    return canonical_bytes(document).decode("utf-8")


def encode_type(typed: TypedData, name: str, /) -> str:
    """``Mail(Person from,string contents)Person(...)``. Raises InvalidInput for a type that is not declared."""
    return kinds.encode_type(typed.types, name)


def type_hash(typed: TypedData, name: str, /) -> bytes:
    """Keccak-256 of `encode_type`, 32 bytes."""
    return Hasher(typed.types).type_hash(name)


def domain_separator(typed: TypedData, /) -> bytes:
    """`hashStruct` of the domain, 32 bytes."""
    return Hasher(typed.types).struct(typed.domain.struct)


def message_hash(typed: TypedData, /) -> bytes:
    """`hashStruct` of the message, 32 bytes."""
    return Hasher(typed.types).struct(typed.message)


def encoded_message(typed: TypedData, /) -> bytes:
    """What `message_hash` is the Keccak-256 of: the type hash, and 32 bytes for each member."""
    return Hasher(typed.types).encoded(typed.message)


def signing_hash(typed: TypedData, /) -> bytes:
    """The 32 bytes that are signed: Keccak-256 of 0x1901, the domain separator and the message's hash."""
    hasher = Hasher(typed.types)
    return keccak256(b"\x19\x01" + hasher.struct(typed.domain.struct) + hasher.struct(typed.message))


def _loaded(source: object) -> Any:
    if type(source) is str:
        try:
            source = source.encode("utf-8")
        except UnicodeEncodeError:
            raise _invalid("the text is not Unicode") from None
    if type(source) is not bytes:
        return source
    if len(source) > MAX_BYTES:
        raise _invalid("the text is too long")
    try:
        return strict_json.loads(source)
    except ValueError:
        raise _invalid("the text is not strict JSON") from None


def _with_domain(types: object, domain: object) -> object:
    """The types with an `EIP712Domain`: the one declared, or one made of the domain's keys."""
    if type(types) is not dict or type(domain) is not dict:
        raise _invalid("types and domain are objects")
    if not domain.keys() <= {field.name for field in DOMAIN_FIELDS}:
        raise _invalid("the domain has a member that the standard does not know")
    present = [{"name": f.name, "type": f.type} for f in DOMAIN_FIELDS if f.name in domain]
    return {DOMAIN_TYPE: present, **types}


def _domain(struct: Struct) -> Domain:
    # The types of the declared members are the standard's, so each value is of the type that stands here.
    members: dict[str, Any] = dict(struct.members)
    return Domain(
        name=members.get("name"),
        version=members.get("version"),
        chain_id=members.get("chainId"),
        verifying_contract=members.get("verifyingContract"),
        salt=members.get("salt"),
    )


def _invalid(detail: str) -> InvalidInput:
    return InvalidInput("invalid_input.typed_data", detail=detail)
