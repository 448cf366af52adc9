"""Typed data as a part: every member shown, and what a built-in reader knows of the common ones.

A built-in reader is chosen by the exact `encodeType` (and the contract, where that is one and the same everywhere),
never by the name of a type: a hostile message may call itself anything. What no reader knows is DECODED: every value is
shown under the name that the message gives it. Threat: T-029, T-030, T-032, T-033.
"""

from __future__ import annotations

from typing import Final

from mcp_wallet_guard.clearsign.nested_signatures import WRAPPERS, Nested, read_nested
from mcp_wallet_guard.clearsign.orders import read_order
from mcp_wallet_guard.clearsign.permit2 import is_permit2_type, read_permit2
from mcp_wallet_guard.clearsign.permits import read_permit
from mcp_wallet_guard.clearsign.personal_messages import read_message
from mcp_wallet_guard.clearsign.safe_statements import ReadCall, read_safe
from mcp_wallet_guard.clearsign.tree import Clarity, Oddity, Part, PartKind
from mcp_wallet_guard.clearsign.typed_members import Meaning, Place, around, show_members
from mcp_wallet_guard.operations import safe
from mcp_wallet_guard.operations.abi import Budget
from mcp_wallet_guard.operations.typed_data import Domain, Struct, TypedData, Value, encode_type, to_json
from mcp_wallet_guard.operations.values import Address, ChainId

NO_CHAIN: Final = "typed.no_chain"
OTHER_CHAIN: Final = "typed.other_chain"
NO_CONTRACT: Final = "typed.no_contract"
SALT: Final = "typed.salt"
SIGNERS_CONTRACT: Final = "typed.signer_is_contract"
PERMIT2_ELSEWHERE: Final = "typed.permit2_elsewhere"
ALLOWANCE_LIKE: Final = "typed.allowance_like"
NESTED: Final = "typed.nested"
NESTED_LIKE: Final = "typed.nested_like"

_TAKERS: Final = frozenset({"spender", "operator", "delegate", "delegatee"})


def read_typed_data(
    typed: TypedData,
    /,
    *,
    chain: ChainId,
    signer: Address,
    budget: Budget | None = None,
    read_call: ReadCall | None = None,
    path: str = "",
) -> Part:
    """The part that `typed` is, when `signer` signs it in a wallet of `chain`. `data` is its canonical JSON.

    `read_call` reads the call inside a Safe transaction, on `budget`; without one such a call is not read.
    """
    kind, domain = encode_type(typed, typed.primary_type), typed.domain
    where = _chain(domain)
    place = Place(chain=where or chain, contract=domain.verifying_contract, signer=signer, path=path)
    spent = Budget.default() if budget is None else budget
    found = _meaning(typed, kind, place, spent, read_call) or _unknown(typed, kind)
    return Part(
        path=path,
        kind=PartKind.TYPED_DATA,
        chain=where,
        target=domain.verifying_contract,
        sender=signer,
        data=to_json(typed).encode("utf-8"),
        clarity=found.clarity,
        signature=kind,
        standard=found.standard or None,
        title=found.title,
        shown=show_members(typed, found.notes),
        consequences=found.consequences,
        parts=found.parts,
        oddities=(*_domain_oddities(domain, chain, signer), *found.oddities),
    )


def _meaning(typed: TypedData, kind: str, place: Place, budget: Budget, read_call: ReadCall | None) -> Meaning | None:
    statement = safe.read_statement(typed)
    if statement is not None:
        return read_safe(statement, place, budget=budget, read_call=read_call)
    nested = read_nested(typed)
    if nested is not None:
        return _nested(nested, place, budget, read_call)
    readers = (read_permit2, read_permit, read_order)
    return next((found for read in readers if (found := read(kind, typed.message, place)) is not None), None)


def _nested(nested: Nested, place: Place, budget: Budget, read_call: ReadCall | None) -> Meaning:
    """What the contract `nested.account` says, once its owner has signed. It, not the owner, is bound by it."""
    if isinstance(nested.inner, TypedData):
        inner = read_typed_data(
            nested.inner,
            chain=place.chain,
            signer=nested.account,
            budget=budget,
            read_call=read_call,
            path=place.inside,
        )
    else:
        inner = read_message(nested.inner, chain=place.chain, signer=nested.account, path=place.inside)
    return Meaning(
        standard="ERC-7739",
        title="Signs for a contract account",
        clarity=around(inner.clarity),
        parts=(inner,),
        oddities=(Oddity(code=NESTED, facts=(("account", nested.account.value),)),),
    )


def _unknown(typed: TypedData, kind: str) -> Meaning:
    found = (
        (PERMIT2_ELSEWHERE, is_permit2_type(kind)),
        (ALLOWANCE_LIKE, _names_taker(typed.message)),
        (NESTED_LIKE, kind.startswith(WRAPPERS)),
    )
    return Meaning(
        standard="",
        title="Signs typed data",
        clarity=Clarity.DECODED,
        oddities=tuple(Oddity(code=code) for code, holds in found if holds),
    )


def _names_taker(value: Value) -> bool:
    """Whether somewhere an address is named as allowances name who may take."""
    if isinstance(value, tuple):
        return any(_names_taker(item) for item in value)
    if not isinstance(value, Struct):
        return False
    return any(
        (name in _TAKERS and isinstance(member, Address)) or _names_taker(member)
        for name, member in value.members.items()
    )


def _chain(domain: Domain) -> ChainId | None:
    number = domain.chain_id
    return ChainId(number) if number is not None and 1 <= number < 2**64 else None


def _domain_oddities(domain: Domain, chain: ChainId, signer: Address) -> tuple[Oddity, ...]:
    number = domain.chain_id
    found: list[Oddity] = []
    if number is None:
        found.append(Oddity(code=NO_CHAIN))
    elif number != chain.number:
        found.append(Oddity(code=OTHER_CHAIN, facts=(("chain", str(number)),)))
    if domain.verifying_contract is None:
        found.append(Oddity(code=NO_CONTRACT))
    elif domain.verifying_contract == signer:
        found.append(Oddity(code=SIGNERS_CONTRACT))
    if domain.salt is not None:
        found.append(Oddity(code=SALT, facts=(("salt", f"0x{domain.salt.hex()}"),)))
    return tuple(found)
