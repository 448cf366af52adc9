"""Frozen statements are read from their bytes: what does not parse is not shown, what lets others take is counted."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

import pytest

from mcp_wallet_guard.clearsign.frozen_statements import Allowed, allowed_by, check_stated, read_frozen
from mcp_wallet_guard.clearsign.knowledge import Sources
from mcp_wallet_guard.errors import PolicyDenied, Tampered
from mcp_wallet_guard.operations.frozen import freeze_statement
from mcp_wallet_guard.operations.statements import (
    Authorize7702,
    SignMessage,
    SignTypedData,
    StatementEffect,
    resolve_statement,
)
from mcp_wallet_guard.operations.values import Account, BaseUnits
from tests.clearsign.transfers import PAYEE, SENDER, STRANGER, USDC

ACCOUNT: Final = Account("main", USDC.chain, SENDER)
NAMES: Final = Sources(pins=(USDC,))


def typed(types: dict[str, str], message: dict[str, Any], contract: str = str(USDC.address)) -> StatementEffect:
    declared = {
        name: [dict(zip(("type", "name"), each.split(), strict=True)) for each in members.split(",")]
        for name, members in types.items()
    }
    body = {
        "types": declared,
        "primaryType": next(iter(types)),
        "domain": {"name": "x", "chainId": USDC.chain.number, "verifyingContract": contract},
        "message": message,
    }
    return resolve_statement(SignTypedData(typed_data=json.dumps(body)), account=ACCOUNT)


def permit(owner: str = SENDER.value) -> StatementEffect:
    return typed(
        {"Permit": "address owner,address spender,uint256 value,uint256 nonce,uint256 deadline"},
        {"owner": owner, "spender": PAYEE.value, "value": 7, "nonce": 0, "deadline": 9},
    )


def nft() -> StatementEffect:
    return typed(
        {"Permit": "address spender,uint256 tokenId,uint256 nonce,uint256 deadline"},
        {"spender": PAYEE.value, "tokenId": 7, "nonce": 0, "deadline": 9},
    )


def batch(*units: int) -> StatementEffect:
    token = {"token": str(USDC.address), "expiration": 9, "nonce": 0}
    return typed(
        {
            "PermitBatch": "PermitDetails[] details,address spender,uint256 sigDeadline",
            "PermitDetails": "address token,uint160 amount,uint48 expiration,uint48 nonce",
        },
        {"details": [token | {"amount": n} for n in units], "spender": PAYEE.value, "sigDeadline": 9},
        "0x000000000022D473030F116dDEE9F6B43aC78BA3",
    )


def test_what_a_permit_lets_others_take_is_counted_by_token() -> None:
    assert USDC.address is not None
    one = Allowed(token=USDC.address, units=BaseUnits(7), parties=frozenset({PAYEE}))
    assert allowed_by(permit(), NAMES) == (one,)
    assert allowed_by(batch(3, 4), NAMES) == (one,)


def test_what_takes_nothing_of_the_account_counts_nothing() -> None:
    assert allowed_by(permit(STRANGER.value), NAMES) == ()
    for intent in (SignMessage(message="Hi"), Authorize7702(delegate=PAYEE)):
        assert allowed_by(resolve_statement(intent, account=ACCOUNT), NAMES) == ()


def test_what_no_limit_could_count_is_refused() -> None:
    with pytest.raises(PolicyDenied) as refusal:
        allowed_by(nft(), NAMES)
    assert refusal.value.code == "policy.undecodable"


@pytest.mark.parametrize(
    ("kind", "data"),
    [("message", b"x" * 65_537), ("typed_data", b"{}"), ("authorization", b"\x05"), ("action", b"{}")],
)
def test_bytes_that_do_not_parse_are_not_read(kind: str, data: bytes) -> None:
    with pytest.raises(PolicyDenied) as refusal:
        read_frozen(kind, data, account=ACCOUNT, names=NAMES)
    assert refusal.value.code == "policy.undecodable"


def test_frozen_bytes_are_exactly_what_was_asked() -> None:
    """Threat: T-006."""
    asked = resolve_statement(Authorize7702(delegate=PAYEE), account=ACCOUNT)
    operation = freeze_statement(asked, nonce=1, expires_at=1)
    check_stated(operation, asked)
    for changed in (
        replace(operation, unsigned_bytes=b"\x05"),
        replace(operation, kind="message"),
        replace(operation, effect_hash=bytes(32)),
        replace(operation, account=replace(ACCOUNT, address=STRANGER)),
    ):
        with pytest.raises(Tampered):
            check_stated(changed, asked)
