"""What somebody hands over to look at: hex of a transaction or an authorization, or JSON of a transaction or of typed
data, told apart by its form. Strict: what could be two things is refused. Threat: T-032, T-036."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, final

from mcp_wallet_guard import strict_json
from mcp_wallet_guard.clearsign.decoders.base import Knowledge
from mcp_wallet_guard.clearsign.descriptors.reading import Described
from mcp_wallet_guard.clearsign.reading import Reading
from mcp_wallet_guard.clearsign.subjects import NOTHING, read_delegation, read_personal, read_transaction, read_typed
from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations import authorizations, envelopes, typed_data
from mcp_wallet_guard.operations.authorizations import Authorization
from mcp_wallet_guard.operations.envelopes import Envelope, EnvelopeType
from mcp_wallet_guard.operations.typed_data import Struct, TypedData, Value
from mcp_wallet_guard.operations.values import Address, ChainId

MAX_BYTES: Final = 1024 * 1024
_HEX: Final = re.compile(r"(?:0x)?((?:[0-9a-fA-F]{2})+)")
_QUANTITY: Final = re.compile(r"0x(?:0|[1-9a-f][0-9a-f]{0,63})|0|[1-9][0-9]{0,77}")
_TRANSACTION: Final = frozenset(
    {"type", "chainId", "nonce", "to", "value", "data", "gas", "gasPrice", "maxFeePerGas", "maxPriorityFeePerGas"}
)
_NEEDED: Final = frozenset({"chainId", "nonce", "gas"})

Subject = Envelope | TypedData | Authorization | bytes
"""A transaction, typed data, an authorization, or a message to be signed with personal_sign."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What was handed over, and who signed it already: y parity, r and s. `written` are the addresses of typed data
    that were written with a checksum, right or wrong, by path: lower case has none."""

    subject: Subject
    signature: tuple[int, int, int] | None = None
    written: tuple[tuple[str, str], ...] | None = None


def parse_input(text: str, /) -> Looked:
    """The subject of hex, or of a JSON text.

    Raises InvalidInput: "invalid_input.size" above 1 MiB, "invalid_input.transaction" or "invalid_input.typed_data".
    """
    if len(text) > MAX_BYTES:
        raise InvalidInput("invalid_input.size")
    stripped = text.strip()
    if not stripped.startswith("{"):
        return _from_hex(stripped)
    try:
        document = strict_json.loads(stripped.encode("utf-8", "surrogatepass"))
    except ValueError:
        raise InvalidInput("invalid_input", detail="not JSON, or with a key that is there twice") from None
    if "types" in document or "primaryType" in document:
        # To look at it, not to sign it: with a wrong checksum it is shown, and the check of written addresses says so.
        typed = typed_data.parse_typed_data(stripped, any_address_case=True)
        domain = _written(typed.domain.struct, document["domain"], "domain")
        return Looked(subject=typed, written=(*domain, *_written(typed.message, document["message"], "#")))
    return Looked(subject=_transaction(document))


def read_subject(
    subject: Subject,
    /,
    *,
    chain: ChainId,
    signer: Address,
    knows: Knowledge = NOTHING,
    described: Described | None = None,
    written: tuple[tuple[str, str], ...] | None = None,
) -> Reading:
    """What `signer` agrees to by signing. `chain` is the wallet's, `written` the addresses of `Looked`."""
    if isinstance(subject, Envelope):
        others = () if described is None else (described,)
        return read_transaction(subject, signer=signer, knows=knows, others=others)
    if isinstance(subject, TypedData):
        found = read_typed(subject, chain=chain, signer=signer, knows=knows, described=described)
        return replace(found, written=written)
    if isinstance(subject, Authorization):
        return read_delegation(subject, chain=chain, signer=signer)
    return read_personal(subject, chain=chain, signer=signer)


def _written(value: Value, raw: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Address):
        if raw[2:] not in {raw[2:].lower(), raw[2:].upper()}:
            yield path, raw
    elif isinstance(value, Struct):
        for name, member in value.members.items():
            yield from _written(member, raw[name], f"{path}.{name}")
    elif isinstance(value, tuple):
        for place, (item, each) in enumerate(zip(value, raw, strict=True)):
            yield from _written(item, each, f"{path}.[{place}]")


def _from_hex(text: str) -> Looked:
    found = _HEX.fullmatch(text)
    if found is None:
        raise InvalidInput("invalid_input.transaction", detail="neither hex nor a JSON object")
    data = bytes.fromhex(found[1])
    if data[:1] == authorizations.MAGIC:
        return Looked(subject=authorizations.parse_authorization(data))
    try:
        return Looked(subject=envelopes.parse_unsigned_envelope(data))
    except InvalidInput:
        signed = envelopes.parse_signed_envelope(data)
        return Looked(subject=signed.envelope, signature=(signed.y_parity, signed.r, signed.s))


def _transaction(document: dict[str, Any]) -> Envelope:
    """A transaction as JSON-RPC writes it. Only what is signed may stand in it, and all of it must."""
    unknown, missing = document.keys() - _TRANSACTION, _NEEDED - document.keys()
    if unknown or missing:
        what = "has keys that are not signed" if unknown else f"lacks {', '.join(sorted(missing))}"
        raise InvalidInput("invalid_input.transaction", detail=f"the transaction {what}")
    legacy = "gasPrice" in document
    if legacy == ("maxFeePerGas" in document) or (legacy and "maxPriorityFeePerGas" in document):
        raise InvalidInput("invalid_input.transaction", detail="one of gasPrice and maxFeePerGas is needed")
    kind = EnvelopeType.LEGACY if legacy else EnvelopeType.EIP1559
    if _number(document.get("type", "0x0" if legacy else "0x2")) != (0 if legacy else 2):
        raise InvalidInput("invalid_input.transaction", detail="JSON of another type: hand over the bytes")
    fee = _number(document["gasPrice" if legacy else "maxFeePerGas"])
    return Envelope(
        type=kind,
        chain=ChainId(_number(document["chainId"])),
        nonce=_number(document["nonce"]),
        max_priority_fee_per_gas=fee if legacy else _number(document.get("maxPriorityFeePerGas", "0x0")),
        max_fee_per_gas=fee,
        gas=_number(document["gas"]),
        to=_recipient(document.get("to")),
        value=_number(document.get("value", "0x0")),
        data=_bytes(document.get("data", "0x")),
    )


def _number(value: object) -> int:
    if type(value) is int and value >= 0:
        return value
    if type(value) is str and _QUANTITY.fullmatch(value):
        return int(value, 16 if value.startswith("0x") else 10)
    raise InvalidInput("invalid_input.transaction", detail="a number is neither an integer nor a JSON-RPC quantity")


def _recipient(value: object) -> Address | None:
    if value is None or value == "":
        return None
    if type(value) is not str:
        raise InvalidInput("invalid_input.address")
    lower = value[2:] == value[2:].lower() and value[:2] == "0x" and len(value) == 42
    digits = _HEX.fullmatch(value)
    return Address.from_bytes(bytes.fromhex(digits[1])) if lower and digits else Address.parse(value)


def _bytes(value: object) -> bytes:
    found = None if type(value) is not str else re.fullmatch(r"0x((?:[0-9a-fA-F]{2})*)", value)
    if found is None:
        raise InvalidInput("invalid_input.transaction", detail="data is 0x and hex")
    return bytes.fromhex(found[1])
