"""Tokens through the whole guard, on a real contract: the honest payment, and the attacks around it.

Threat: T-020, T-025, T-028, T-040.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.exchange import Done, Pending, Proposal, RefusedAnswer
from mcp_wallet_guard.operations import erc20, evm
from mcp_wallet_guard.operations.erc20 import Call, Function
from mcp_wallet_guard.operations.intents import contract_of
from mcp_wallet_guard.operations.values import Address, BaseUnits
from mcp_wallet_guard.policy.rules import Payee
from mcp_wallet_guard.testing.chain import SimulatedChain
from mcp_wallet_guard.testing.wallet import FundedToken
from tests.guard.rig import ETHER, Answer, Rig, Wallet, apply, edited, make_rig
from tests.invariants import check_invariants

pytestmark = pytest.mark.anyio
UNITS = 1_000_000_000
BOB = Address.from_bytes(b"\xb0\xb0" + bytes(16) + b"\xb0\xb0")


@dataclass
class TokenRig:
    """A wallet with one ether and 1,000 USDC, of which 100 may be spent at once."""

    rig: Rig
    token: Address

    def held(self, account: Address) -> int:
        return self.rig.chain.token_balance(self.token, account)


@pytest.fixture
def tokens(tmp_path: Path, chain: SimulatedChain) -> TokenRig:
    rig = make_rig(tmp_path, chain, tokens=[FundedToken(units=UNITS)], contacts=[Payee(name="Bob", address=BOB)])
    settings = edited(rig, 'approvals = "refuse"', 'approvals = "capped"')

    async def seal() -> None:
        async with rig.opened() as wallet:
            await apply(wallet, settings)

    anyio.run(seal)
    return TokenRig(rig, contract_of(settings.token_named("USDC")))


async def ask(wallet: Wallet, kind: str = "token_transfer", **fields: str) -> Answer:
    intent = {"kind": kind, "token": "USDC", "amount": "2.5"} | fields
    if kind == "token_transfer":
        intent = {"to": wallet.rig.payee.value} | intent
    proposal = Proposal(principal="local", tool="pay_token", intent=intent)
    return await wallet.owned.propose(proposal, wait_seconds=0)


async def approved(wallet: Wallet, kind: str = "token_transfer", **fields: str) -> Pending:
    pending = await ask(wallet, kind, **fields)
    assert isinstance(pending, Pending), pending
    await wallet.approve(pending.operation)
    return pending


async def done(wallet: Wallet, kind: str = "token_transfer", **fields: str) -> Done:
    answer = await ask(wallet, kind, **fields)
    assert isinstance(answer, Done), answer
    return answer


async def refused(wallet: Wallet, kind: str = "token_transfer", **fields: str) -> str:
    answer = await ask(wallet, kind, **fields)
    assert isinstance(answer, RefusedAnswer), answer
    return answer.code


async def test_a_token_is_paid_after_a_person_read_it_and_the_receipt_says_so(tokens: TokenRig) -> None:
    async with tokens.rig.opened() as wallet:
        pending = await ask(wallet)
        assert isinstance(pending, Pending)
        request = await wallet.owned.request(pending.operation)
        assert request.view.intent == f"Send 2.5 USDC to {tokens.rig.payee}"
        await wallet.approve(pending.operation)
        paid = await done(wallet)
        assert paid.outcome == "mined"
        assert paid.receipt is not None
        assert (paid.receipt.to, paid.receipt.amount, paid.receipt.symbol) == (tokens.rig.payee.value, "2.5", "USDC")
        assert tokens.held(tokens.rig.payee) == 2_500_000
        assert tokens.held(tokens.rig.made.address) == UNITS - 2_500_000
        again = await done(wallet)
        assert (again.repeated, again.operation) == (True, pending.operation)
        assert len(tokens.rig.sent()) == 1
        await check_invariants(tokens.rig)


async def test_the_same_transfer_as_bytes_joins_the_one_that_was_asked(tokens: TokenRig) -> None:
    async with tokens.rig.opened() as wallet:
        pending = await approved(wallet)
        row = await wallet.row(pending.operation)
        assert row.unsigned_bytes is not None
        proposal = Proposal(
            principal="local",
            tool="send_bytes",
            intent={"kind": "unsigned_transaction", "unsigned_bytes": "0x" + row.unsigned_bytes.hex()},
        )
        answer = await wallet.owned.propose(proposal, wait_seconds=0)
        assert isinstance(answer, Done)
        assert (answer.operation, answer.repeated) == (pending.operation, False)
        assert tokens.held(tokens.rig.payee) == 2_500_000


async def test_an_approval_within_the_cap_can_be_given_and_taken_back(tokens: TokenRig) -> None:
    async with tokens.rig.opened() as wallet:
        for amount in ("100", "0"):
            fields = {"spender": tokens.rig.payee.value, "amount": amount}
            await approved(wallet, "token_approval", **fields)
            given = await done(wallet, "token_approval", **fields)
            assert given.receipt is not None
            assert (given.outcome, given.receipt.amount) == ("mined", amount)
    allowance = bytes.fromhex("dd62ed3e") + bytes(12) + tokens.rig.made.address.raw + bytes(12) + tokens.rig.payee.raw
    assert int.from_bytes(tokens.rig.chain._evm.call({"to": tokens.token.raw, "data": allowance})) == 0
    assert tokens.held(tokens.rig.made.address) == UNITS


@pytest.mark.parametrize(
    ("kind", "fields", "code"),
    [
        ("token_transfer", {"amount": "100.000001"}, "policy.cap"),
        ("token_transfer", {"amount": "0.0000001"}, "invalid_input.precision"),
        ("token_transfer", {"amount": "0"}, "invalid_input.zero"),
        ("token_transfer", {"token": "DAI"}, "invalid_input.token"),
        ("token_transfer", {"to": "0x0000000000000000000000000000000000000000"}, "policy.payee"),
        ("token_approval", {"amount": str(2**255 // 10**6 + 1)}, "policy.unlimited"),
        ("token_approval", {"amount": "101"}, "policy.cap"),
    ],
)
async def test_what_may_not_be_asked_is_refused_and_nothing_is_signed(
    tokens: TokenRig, kind: str, fields: dict[str, str], code: str
) -> None:
    if kind == "token_approval":
        fields = {"spender": tokens.rig.payee.value} | fields
    async with tokens.rig.opened() as wallet:
        assert await refused(wallet, kind, **fields) == code
        assert tokens.rig.signatures() == []


async def test_the_tokens_contract_is_no_payee(tokens: TokenRig) -> None:
    """Threat: T-025."""
    async with tokens.rig.opened() as wallet:
        assert await refused(wallet, to=tokens.token.value) == "policy.payee"
        assert await wallet.refused(to=tokens.token.value) == "policy.payee"


async def test_a_contract_call_is_refused_also_one_that_hides_a_transfer(tokens: TokenRig) -> None:
    """Threat: T-020. The second would pass as a transfer, but for the zero byte behind it."""
    call = Call(function=Function.TRANSFER, party=tokens.rig.payee, amount=BaseUnits(1))
    async with tokens.rig.opened() as wallet:
        for data in (b"\x12\x34\x56\x78", erc20.encode(call) + b"\0"):
            intent = {
                "kind": "contract_call", "to": tokens.token.value, "data": "0x" + data.hex(), "value": "0",
            }  # fmt: skip
            answer = await wallet.owned.propose(Proposal(principal="local", tool="call", intent=intent), wait_seconds=0)
            assert isinstance(answer, RefusedAnswer)
            assert answer.code == "policy.contract"
        assert tokens.rig.signatures() == []


async def test_a_payee_that_looks_like_a_contact_is_refused_and_the_contact_is_paid(tokens: TokenRig) -> None:
    """Threat: T-025: address poisoning. The same beginning and end, which is all that most people compare."""
    fake = Address.from_bytes(b"\xb0\xb0" + b"\x66" * 16 + b"\xb0\xb0")
    async with tokens.rig.opened() as wallet:
        assert await refused(wallet, to=fake.value) == "policy.imitation"
        assert await wallet.refused(to=fake.value) == "policy.imitation"
        assert tokens.rig.signatures() == []
        pending = await ask(wallet, to=BOB.value)
        assert isinstance(pending, Pending)
        assert '"Bob"' in (await wallet.owned.request(pending.operation)).text
        await wallet.approve(pending.operation)
        await done(wallet, to=BOB.value)
        assert tokens.held(BOB) == 2_500_000


async def test_more_than_the_account_holds_is_refused(tokens: TokenRig) -> None:
    rig = tokens.rig
    async with rig.opened() as wallet:
        rig.chain.lie("eth_call", _poor)
        assert await refused(wallet) == "over_balance"
        rig.chain.honest()
        await approved(wallet)
        rig.chain.lie("eth_call", _poor)
        assert await refused(wallet) == "over_balance", "and again, on fresh facts, when it is consumed"
        assert rig.signatures() == []


def _poor(params: list[dict[str, str]], honest: object) -> object:
    return _holds(params, honest, 0)


async def test_a_node_that_lies_about_decimals_pays_nothing(tokens: TokenRig) -> None:
    """Threat: T-040."""
    async with tokens.rig.opened() as wallet:
        tokens.rig.chain.lie(
            "eth_call", lambda p, honest: "0x" + (18).to_bytes(32).hex() if p[0]["data"] == "0x313ce567" else honest
        )
        assert await refused(wallet) == "unavailable.node_lied"


async def test_a_payment_on_its_way_counts_against_the_next_one(tokens: TokenRig) -> None:
    """The fee of a token transfer counts in ether, its amount in the token."""
    rig = tokens.rig
    async with rig.opened() as wallet:
        await approved(wallet, amount="90")
        rig.chain.auto_mine = False
        assert (await done(wallet, amount="90")).outcome == "sent"
        rig.chain.lie("eth_call", lambda p, honest: _holds(p, honest, 100_000_000))
        assert await refused(wallet, amount="20") == "over_balance"
        assert await wallet.refused("1") == "policy.cap"
        assert isinstance(await ask(wallet, amount="10"), Pending)
        rig.chain.auto_mine = True
    assert rig.chain.balance(rig.made.address) <= ETHER


def _holds(params: list[dict[str, str]], honest: object, units: int) -> object:
    return "0x" + units.to_bytes(32).hex() if params[0]["data"].startswith("0x70a08231") else honest


async def test_unsigned_bytes_of_an_unlimited_approval_are_refused(tokens: TokenRig) -> None:
    """Threat: T-028. The other door."""
    data = erc20.encode(Call(function=Function.APPROVE, party=tokens.rig.payee, amount=BaseUnits(2**256 - 1)))
    async with tokens.rig.opened() as wallet:
        settings = wallet.owned.custody.session().settings
        tx = evm.Eip1559(
            chain=settings.chain, nonce=0, max_priority_fee_per_gas=10**9, max_fee_per_gas=3 * 10**9, gas=60_000,
            to=tokens.token, value=0, data=data,
        )  # fmt: skip
        intent = {"kind": "unsigned_transaction", "unsigned_bytes": "0x" + evm.encode_unsigned(tx).hex()}
        answer = await wallet.owned.propose(Proposal(principal="local", tool="send", intent=intent), wait_seconds=0)
        assert isinstance(answer, RefusedAnswer)
        assert answer.code == "policy.unlimited"


async def test_balances_of_pinned_tokens_can_be_read_and_of_no_others(tokens: TokenRig) -> None:
    async with tokens.rig.opened() as wallet:
        for name in ("USDC", tokens.token.value):
            assert await wallet.owned.balance(None, token=name) == str(UNITS)
            assert await wallet.owned.balance(tokens.rig.payee.value, token=name) == "0"
        with pytest.raises(InvalidInput):
            await wallet.owned.balance(None, token="DAI")
        (info,) = (await wallet.owned.info()).tokens
        assert (info.symbol, info.address, info.decimals) == ("USDC", tokens.token.value, 6)
