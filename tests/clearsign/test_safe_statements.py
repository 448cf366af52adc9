"""What owners of a Safe sign, with the call inside. Threat: T-020, T-032."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mcp_wallet_guard.clearsign.statements import read_typed_data
from mcp_wallet_guard.clearsign.tree import AssetKind, Clarity, Direction, Part, PartKind
from mcp_wallet_guard.operations.abi import Budget
from mcp_wallet_guard.operations.safe import Operation, SafeMessage, SafeTransaction
from mcp_wallet_guard.operations.values import Address, ChainId
from tests.clearsign.statements import MAINNET, OWNER, SPENDER, TOKEN, at, codes

SAFE = Address("0x2B0b9cBDA3D7b0F760187c52A8FFB18C48E5d96A")
PLAIN = SafeTransaction(safe=SAFE, chain=MAINNET, to=SPENDER, value=10**18, data=b"", operation=Operation.CALL, nonce=1)


def read(statement: SafeTransaction | SafeMessage) -> Part:
    return read_typed_data(statement.typed_data, chain=MAINNET, signer=OWNER)


def read_call(
    data: bytes, /, *, path: str, kind: PartKind, chain: ChainId, target: Address, sender: Address, value: int,
    budget: Budget,
) -> Part:  # fmt: skip
    """Knows one function, and says so."""
    budget.spend(nodes=1)
    known = Clarity.CLEAR if data == b"\xaa" else Clarity.BLIND
    return Part(path=path, kind=kind, chain=chain, target=target, sender=sender, value=value, data=data, clarity=known)


def test_a_payment_of_a_safe_is_clear_without_any_reader_of_calls() -> None:
    part = read(PLAIN)
    (inner,) = part.parts
    (payment,) = inner.consequences
    assert (part.clarity, part.standard, codes(part)) == (Clarity.CLEAR, "Safe", set())
    assert (inner.path, inner.kind, inner.sender, inner.value) == ("0", PartKind.CALL, SAFE, 10**18)
    assert (payment.direction, payment.owner, payment.counterparty) == (Direction.OUT, SAFE, SPENDER)
    assert payment.amount == 10**18
    assert at(part, "#.gasToken").text == "the native currency"


def test_a_call_that_nobody_reads_makes_the_whole_partial() -> None:
    part = read(replace(PLAIN, data=b"\xaa"))
    assert (part.clarity, part.parts[0].clarity) == (Clarity.PARTIAL, Clarity.BLIND)


def test_the_call_inside_is_read_by_the_reader_of_calls_on_the_same_budget() -> None:
    budget = Budget.default()
    before = budget.nodes
    typed = replace(PLAIN, data=b"\xaa").typed_data
    part = read_typed_data(typed, chain=MAINNET, signer=OWNER, budget=budget, read_call=read_call)
    assert (part.clarity, part.parts[0].sender, part.parts[0].path) == (Clarity.CLEAR, SAFE, "0")
    assert budget.nodes == before - 1
    typed = replace(PLAIN, data=b"\xbb").typed_data
    assert read_typed_data(typed, chain=MAINNET, signer=OWNER, read_call=read_call).clarity is Clarity.PARTIAL


def test_a_delegatecall_hands_the_safe_over_and_is_never_clear_by_itself() -> None:
    part = read(replace(PLAIN, operation=Operation.DELEGATECALL, value=0))
    (control,) = part.consequences
    assert "safe.delegatecall" in codes(part)
    assert (control.direction, control.owner, control.counterparty) == (Direction.CONTROL, SAFE, SPENDER)
    assert control.control == "delegatecall"
    assert part.parts[0].kind is PartKind.DELEGATECALL
    assert part.clarity is Clarity.PARTIAL


@pytest.mark.parametrize(("receiver", "counterparty"), [(OWNER, OWNER), (Address("0x" + "0" * 40), None)])
def test_a_refund_is_money_that_leaves(receiver: Address, counterparty: Address | None) -> None:
    part = read(replace(PLAIN, gas_price=1, gas_token=TOKEN, refund_receiver=receiver))
    (refund,) = part.consequences
    assert "safe.refund" in codes(part)
    assert refund.asset is not None
    assert (refund.asset.kind, refund.asset.contract, refund.amount) == (AssetKind.ERC20, TOKEN, None)
    assert (refund.owner, refund.counterparty) == (SAFE, counterparty)


def test_a_domain_without_chain_is_told() -> None:
    part = read(replace(PLAIN, chain=None))
    assert codes(part) == {"safe.legacy_domain", "typed.no_chain"}
    assert part.chain is None


def test_a_message_of_a_safe_is_read_as_the_message_that_it_is() -> None:
    part = read(SafeMessage(safe=SAFE, chain=MAINNET, message=b"Hello"))
    (inner,) = part.parts
    assert (part.clarity, inner.kind, inner.sender) == (Clarity.CLEAR, PartKind.MESSAGE, SAFE)


def test_a_hash_as_message_of_a_safe_is_told_and_never_clear() -> None:
    part = read(SafeMessage(safe=SAFE, chain=MAINNET, message=bytes(range(32))))
    assert part.clarity is Clarity.PARTIAL
    assert codes(part.parts[0]) == {"message.hash"}
