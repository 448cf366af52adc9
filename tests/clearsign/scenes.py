"""Scenes for the checks: what is signed, and what is known beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from mcp_wallet_guard.clearsign.reading import (
    Delegation,
    Method,
    Reading,
    SignIn,
    UsedName,
    Withdrawal,
)
from mcp_wallet_guard.clearsign.risks.known import (
    History,
    Known,
    KnownName,
    Request,
    ResolvedName,
    TokenClaim,
)
from mcp_wallet_guard.clearsign.simulated import Allowance
from mcp_wallet_guard.clearsign.tree import Bound, PartKind
from mcp_wallet_guard.evidence import NameClaim
from mcp_wallet_guard.operations.values import UINT256_MAX
from tests.clearsign.readings import (
    COIN,
    ENVELOPE,
    ETHER,
    KNOWN,
    MULTISEND,
    NATIVE,
    NODE,
    NOW,
    PAYEE,
    ROUTER,
    SAFE,
    SIGNER,
    STRANGER,
    UNREAD,
    call,
    comes,
    knowing,
    message,
    moved,
    node,
    out,
    part,
    pay,
    seen,
)  # fmt: skip

Scene = tuple[Reading, Known]


@dataclass(frozen=True, kw_only=True)
class Case:
    """`attacks` by code; `honest` passes; `missing` names what each scene of `unchecked` lacks."""

    attacks: dict[str, Scene]
    honest: Scene
    unchecked: tuple[tuple[str, Scene], ...]


BLIND: Final = (("bytes", (UNREAD, KNOWN)),)
NOBODY_ASKED: Final = knowing(node=None)
SPAM: Final = replace(COIN, contract=STRANGER)


def token_claim(symbol: str | None) -> Known:
    return node(tokens=(*NODE.tokens, TokenClaim(contract=STRANGER, symbol=symbol)))


def delegating(to: object = STRANGER, *, chain: object = NATIVE.chain) -> Reading:
    return pay(delegations=(Delegation(path="0", delegate=to, chain=chain),))  # type: ignore[arg-type]


def delegatecall(target: object) -> object:
    return part(kind=PartKind.DELEGATECALL, target=target)  # type: ignore[arg-type]


SAFE_CALL: Final = part(target=SAFE)
IN_SAFE: Final = part(kind=PartKind.DELEGATECALL, target=MULTISEND)
SWAP: Final = part(out(ROUTER, asset=COIN, amount=10**6), comes(NATIVE, amount=95, bound=Bound.AT_LEAST), target=ROUTER)
GAINED: Final = knowing(simulation=(moved((SIGNER, NATIVE, 98)),) * 2)


def swap(**changes: object) -> Reading:
    whole: dict[str, object] = {"amount": 95, "bound": Bound.AT_LEAST} | changes
    return call(out(ROUTER, asset=COIN, amount=10**6), comes(NATIVE, **whole), target=ROUTER)  # type: ignore[arg-type]


SIGN_IN: Final = SignIn(
    domain="app.example", uri="https://app.example/login", address=SIGNER, chain=1, expires_at=NOW + 60, not_before=NOW
)


def sign_in(**changes: object) -> Reading:
    whole: dict[str, object] = {"sign_in": SIGN_IN, "origin": "app.example"} | changes
    return message(**whole)  # type: ignore[arg-type]


def signing_in(**changes: object) -> Reading:
    return sign_in(sign_in=replace(SIGN_IN, **changes))  # type: ignore[arg-type]


WITHDRAWAL: Final = Withdrawal(
    venue="exchange", asset="USDC", network="ETH", address=PAYEE.value, memo=None, amount="5", received="4.9"
)


def withdrawing(**changes: object) -> Reading:
    return message(withdrawal=replace(WITHDRAWAL, **changes), method=Method.WITHDRAWAL)  # type: ignore[arg-type]


NAMED: Final = pay(names=(UsedName(name="alice.eth", address=PAYEE),))
CLAIM: Final = NameClaim(address=PAYEE.value, name="alice.eth", normal=True, stands_for=PAYEE.value)
FOUND: Final = ResolvedName(name="alice.eth", address=PAYEE, reverse="alice.eth", previous=PAYEE, normal=True)


def resolved(**changes: object) -> Known:
    return knowing(names=(FOUND.model_copy(update=changes),))


def called(name: str) -> Known:
    return knowing(addresses=(KnownName(name=name, address=PAYEE),))


def enveloped(**changes: object) -> Reading:
    return pay(envelope=replace(ENVELOPE, value=ETHER, **changes))  # type: ignore[arg-type]


REMEMBERED: Final = knowing(history=History(paid=(seen(PAYEE),), requests=(Request(digest="ab" * 32, at=NOW - 60),)))
TAKEN: Final = Allowance(owner=SIGNER, spender=STRANGER, asset=COIN.id, amount=UINT256_MAX)
