"""Frozen transfers and the facts about them, for tests of the view and of policy."""

from __future__ import annotations

from typing import Any

from mcp_wallet_guard.chains.base import ChainFacts
from mcp_wallet_guard.clearsign.risks.known import (
    AccountClaim,
    History,
    Known,
    KnownName,
    KnownToken,
    NodeClaims,
    Seen,
    TokenClaim,
)
from mcp_wallet_guard.evidence import Facts, TokenFacts
from mcp_wallet_guard.operations import erc20, frozen
from mcp_wallet_guard.operations.erc20 import Call, Function
from mcp_wallet_guard.operations.evm import Eip1559, encode_unsigned
from mcp_wallet_guard.operations.frozen import FrozenOperation
from mcp_wallet_guard.operations.intents import Effect
from mcp_wallet_guard.operations.values import Account, Address, Asset, BaseUnits, ChainId

CHAIN = ChainId(31337)
SENDER = Address("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266")
PAYEE = Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
USDC = Asset(CHAIN, "USDC", 6, Address("0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"))
LOOK_ALIKE = Address.from_bytes(bytes.fromhex(PAYEE.value[2:6] + "77" * 16 + PAYEE.value[-4:]))
"""Another address than the payee's, with the same first and last four digits."""
STRANGER = Address("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC")
ACCOUNT = Account(name="main", chain=CHAIN, address=SENDER)
ETHER = 10**18
GWEI = 10**9


CLAIMS = ChainFacts(
    nonce=7, pending_nonce=7, balance=BaseUnits(10 * ETHER), base_fee=GWEI, payee_has_code=False,
    token_balance=BaseUnits(1_000_000_000),
)  # fmt: skip
"""What a node says of the account: 10 ETH, and 1,000 USDC."""


def effect(**changes: Any) -> Effect:
    values: dict[str, Any] = {
        "kind": "transfer", "account": ACCOUNT, "to": PAYEE, "value": ETHER // 10, "data": b"", "reference": None,
    }  # fmt: skip
    return Effect(**(values | changes))


def token_effect(
    *, function: Function = Function.TRANSFER, party: Address | None = PAYEE, amount: int = 2_500_000, **changes: Any
) -> Effect:
    """2.5 USDC to the payee, or for the payee to take."""
    assert party is not None
    assert USDC.address is not None
    data = erc20.encode(Call(function=function, party=party, amount=BaseUnits(amount)))
    kind = "token_transfer" if function is Function.TRANSFER else "token_approval"
    return effect(**({"kind": kind, "to": USDC.address, "value": 0, "data": data} | changes))


def token_freeze(asked: Effect, **changes: Any) -> FrozenOperation:
    return freeze(asked, **({"gas": 60_000} | changes))


def token_facts(*, token_balance: int = 1_000_000_000, **changes: Any) -> Facts:
    token = TokenFacts(address=str(USDC.address), symbol="USDC", decimals=6, balance=token_balance)
    return facts(**({"token": token} | changes))


def transaction(asked: Effect, **changes: Any) -> Eip1559:
    values: dict[str, Any] = {
        "chain": asked.account.chain, "nonce": 7, "max_priority_fee_per_gas": GWEI, "max_fee_per_gas": 20 * GWEI,
        "gas": 21_000, "to": asked.to, "value": asked.value, "data": asked.data,
    }  # fmt: skip
    return Eip1559(**(values | changes))


def freeze(asked: Effect, **changes: Any) -> FrozenOperation:
    """What the guard freezes; `changes` are to nonce, fee and gas."""
    return frozen.freeze(asked, transaction(asked, **changes), expires_at=1_790_000_600)


def forge(asked: Effect, **changes: Any) -> FrozenOperation:
    """An operation that claims the effect `asked` while its bytes say something else: a row edited in the store."""
    return FrozenOperation(
        kind=frozen.KIND_EIP1559,
        account=asked.account,
        unsigned_bytes=encode_unsigned(transaction(asked, **changes)),
        effect_hash=frozen.effect_hash(asked),
        expires_at=1_790_000_600,
    )


def facts(
    *, imitates: str | None = None, before: bool = True, blocked: tuple[Address, ...] | None = None, **changes: Any
) -> Facts:
    """What is frozen with a payment to the payee. `imitates` is the name of an entry whose address is a look-alike of
    the payee's, `before` whether the payee was paid before, `blocked` what the owner's lists say."""
    values: dict[str, Any] = {
        "collected_at": 1_790_000_000, "chain": str(CHAIN), "nonce": 7, "balance": 10 * ETHER, "base_fee": GWEI,
        "payee_has_code": False, "payee_name": "Alice", "symbol": "ETH", "decimals": 18,
    }  # fmt: skip
    found = Facts(**(values | changes))
    if found.known is not None:
        return found
    known = _known(found, imitates, before).model_copy(update={"blocked": blocked})
    return found.model_copy(update={"known": known.to_json()})


def _known(facts: Facts, imitates: str | None, before: bool) -> Known:
    """The same as the checks are told it."""
    names = [] if facts.payee_name is None or imitates else [KnownName(name=facts.payee_name, address=PAYEE)]
    if imitates:
        names.append(KnownName(name=imitates, address=LOOK_ALIKE))
    token, seen = facts.token, Seen(address=PAYEE, first=1, last=1, count=1)
    listed = () if token is None else (KnownToken(chain=facts.chain, contract=Address(token.address), symbol="USDC"),)
    claims = [AccountClaim(address=PAYEE, has_code=facts.payee_has_code, elsewhere=False)]
    if token is not None:
        claims.append(AccountClaim(address=Address(token.address), has_code=True, is_token=True, created_at=1))
    held = () if token is None else (TokenClaim(contract=Address(token.address), balance=token.balance),)
    return Known(
        now=facts.collected_at,
        chain=facts.chain,
        accounts=(SENDER,),
        addresses=tuple(names),
        tokens=listed,
        claims=() if facts.payee_claim is None else (facts.payee_claim,),
        history=History(paid=(seen,) if before and not imitates else ()),
        node=NodeClaims(
            chain=facts.chain,
            accounts=tuple(claims),
            tokens=held,
            nonce=facts.nonce,
            pending_nonce=facts.nonce,
            balance=facts.balance,
            base_fee=facts.base_fee,
            data_fee=facts.data_fee,
        ),
    )
