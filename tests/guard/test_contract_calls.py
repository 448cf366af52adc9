"""Contract calls through the whole guard: what they do is read from their bytes, asked about, counted, and only then
signed. Threat: T-020, T-028, T-036."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio
import pytest

from mcp_wallet_guard import partners
from mcp_wallet_guard.assembly import StateFiles
from mcp_wallet_guard.clearsign.view import view_hash
from mcp_wallet_guard.descriptor_file import DESCRIPTORS
from mcp_wallet_guard.exchange import Done, Pending, Proposal, RefusedAnswer
from mcp_wallet_guard.operations.abi import Value, encode
from mcp_wallet_guard.operations.abi_types import parse_function
from mcp_wallet_guard.operations.intents import contract_of
from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.policy.rules import Payee
from mcp_wallet_guard.testing.chain import SimulatedChain
from mcp_wallet_guard.testing.wallet import FundedToken
from tests.guard.rig import ETHER, Answer, Rig, Wallet, apply, edited, make_rig
from tests.invariants import check_invariants

pytestmark = pytest.mark.anyio
BOB: Final = Address.from_bytes(b"\xb0\xb0" + bytes(16) + b"\xb0\xb0")
THIEF: Final = Address.from_bytes(b"\xee" * 20)
ACCEPTS_ALL: Final = bytes.fromhex("6001600c60003960016000f300")
"""Creation code of a contract whose whole code is STOP: it takes every call, and the money with it."""


def calldata(signature: str, *values: Value) -> bytes:
    function = parse_function(signature)
    return function.selector + encode(function.inputs, values)


@dataclass
class Calls:
    """A wallet with one ether and 1,000 USDC, of which 100 may be spent at once, and two contracts that may be called:
    the token's own, and one that takes everything, whose functions need only be known."""

    rig: Rig
    token: Address
    sink: Address


@pytest.fixture
def calls(tmp_path: Path, chain: SimulatedChain) -> Calls:
    rig = make_rig(tmp_path, chain, tokens=[FundedToken(units=10**9)], contacts=[Payee(name="Bob", address=BOB)])
    sink = Address.from_bytes(chain._evm.deploy(ACCEPTS_ALL))
    token = contract_of(rig.made.loaded.settings.token_named("USDC"))
    edited(rig, 'approvals = "refuse"', 'approvals = "capped"')
    tables = (
        f'[[policy.contracts]]\nname = "Sink"\naddress = "{sink}"\nreadable = "decoded"\n\n'
        f'[[policy.contracts]]\nname = "Token"\naddress = "{token}"\n\n'
        '[[policy.limits]]\nasset = "USDC"\namount = "180"\nwindow = "24h"\n\n[approval]\n'
    )
    settings = edited(rig, "[approval]\n", tables)

    async def seal() -> None:
        async with rig.opened() as wallet:
            await apply(wallet, settings)
            # `transferFrom` takes of an allowance also where somebody moves what is his own.
            intent = {"kind": "token_approval", "token": "USDC", "spender": rig.made.address.value, "amount": "100"}
            proposal = Proposal(principal="local", tool="allow", intent=intent)
            answer = await wallet.owned.propose(proposal, wait_seconds=0)
            assert isinstance(answer, Pending), answer
            await wallet.approve(answer.operation)
            assert isinstance(await wallet.owned.propose(proposal, wait_seconds=0), Done)

    anyio.run(seal)
    return Calls(rig, token, sink)


async def ask(wallet: Wallet, to: Address, data: bytes, value: str = "0") -> Answer:
    intent = {"kind": "contract_call", "to": to.value, "data": "0x" + data.hex(), "value": value}
    return await wallet.owned.propose(Proposal(principal="local", tool="call", intent=intent), wait_seconds=0)


async def pending(wallet: Wallet, to: Address, data: bytes, value: str = "0") -> Pending:
    answer = await ask(wallet, to, data, value)
    assert isinstance(answer, Pending), answer
    return answer


async def done(wallet: Wallet, to: Address, data: bytes, value: str = "0") -> Done:
    await wallet.approve((await pending(wallet, to, data, value)).operation)
    answer = await ask(wallet, to, data, value)
    assert isinstance(answer, Done), answer
    return answer


async def refused(wallet: Wallet, to: Address, data: bytes, value: str = "0") -> str:
    answer = await ask(wallet, to, data, value)
    assert isinstance(answer, RefusedAnswer), answer
    return answer.code


DEPOSIT: Final = calldata("deposit()")


async def test_a_call_is_read_from_its_bytes_asked_about_and_carried_out_once(calls: Calls) -> None:
    async with calls.rig.opened() as wallet:
        waiting = await pending(wallet, calls.sink, DEPOSIT, "0.1")
        view = (await wallet.owned.request(waiting.operation)).view
        assert (view.kind, view.level) == ("contract_call", "decoded")
        assert view.intent == f"Call {calls.sink}: Deposit native currency"
        assert [effect.text for effect in view.effects] == [f'0.1 ETH to {calls.sink} "Sink"']
        row = await wallet.row(waiting.operation)
        assert row.view_hash == view_hash(view)
        await wallet.approve(waiting.operation)
        answer = await ask(wallet, calls.sink, DEPOSIT, "0.1")
        assert isinstance(answer, Done)
        assert answer.outcome == "mined"
        assert calls.rig.chain.balance(calls.sink) == ETHER // 10
        again = await ask(wallet, calls.sink, DEPOSIT, "0.1")
        assert isinstance(again, Done)
        assert again.repeated
        assert calls.rig.chain.balance(calls.sink) == ETHER // 10
        await check_invariants(calls.rig)


async def test_a_contract_that_is_not_named_is_not_called(calls: Calls) -> None:
    async with calls.rig.opened() as wallet:
        assert await refused(wallet, THIEF, DEPOSIT) == "policy.contract"


async def test_what_nobody_can_read_is_not_asked_about(calls: Calls) -> None:
    async with calls.rig.opened() as wallet:
        assert await refused(wallet, calls.sink, b"\xde\xad\xbe\xef") == "policy.blind"


async def test_a_named_contract_moves_tokens_only_to_whom_the_owner_would_pay(calls: Calls) -> None:
    me = calls.rig.made.address
    move = "transferFrom(address from,address to,uint256 value)"
    async with calls.rig.opened() as wallet:
        assert await refused(wallet, calls.token, calldata(move, me, calls.token, 5)) == "policy.payee"
        honest = await pending(wallet, calls.token, calldata(move, me, BOB, 5_000_000))
        view = (await wallet.owned.request(honest.operation)).view
        assert [effect.text for effect in view.effects] == [f'5 USDC to {BOB} "Bob"']


async def test_what_a_call_moves_counts_against_the_limits_of_its_token(calls: Calls) -> None:
    me = calls.rig.made.address
    move = "transferFrom(address from,address to,uint256 value)"
    async with calls.rig.opened() as wallet:
        await done(wallet, calls.token, calldata(move, me, BOB, 50_000_000))
        assert await refused(wallet, calls.token, calldata(move, me, BOB, 30_000_001)) == "over_budget"
        await pending(wallet, calls.token, calldata(move, me, BOB, 30_000_000))


async def test_an_allowance_is_taken_back_from_a_stranger_and_none_is_given(calls: Calls) -> None:
    """Threat: T-028."""
    less = "decreaseAllowance(address spender,uint256 less)"
    more = "increaseAllowance(address spender,uint256 more)"
    async with calls.rig.opened() as wallet:
        assert await refused(wallet, calls.sink, calldata(more, THIEF, 1)) == "policy.token"
        fields = {"kind": "token_approval", "token": "USDC", "spender": THIEF.value}
        given = Proposal(principal="local", tool="allow", intent={**fields, "amount": "0.000001"})
        answer = await wallet.owned.propose(given, wait_seconds=0)
        assert isinstance(answer, RefusedAnswer)
        assert answer.code == "policy.payee"
        taken = Proposal(principal="local", tool="allow", intent={**fields, "amount": "0"})
        waiting = await wallet.owned.propose(taken, wait_seconds=0)
        assert isinstance(waiting, Pending)
        await wallet.approve(waiting.operation)
        answer = await wallet.owned.propose(taken, wait_seconds=0)
        assert isinstance(answer, Done)
        assert answer.outcome == "mined"
        assert (await done(wallet, calls.sink, calldata(less, THIEF, 1))).outcome == "mined"
        account = calls.rig.made.loaded.settings.account.id
        known = await wallet.owned.custody.transact(lambda tx: partners.history(tx, account, about=[THIEF]))
        assert (known.paid, known.allowed) == ((), ()), "who lost an allowance is no partner by that"


OURS: Final = {
    "$schema": "https://example.com/erc7730-v2.schema.json",
    "context": {"contract": {"deployments": []}},
    "metadata": {"owner": "Sink Ltd"},
    "display": {
        "formats": {
            "feed(uint256 amount,address animal)": {
                "intent": "Feed an animal",
                "fields": [
                    {"path": "#.amount", "label": "Portion", "format": "raw"},
                    {"path": "#.animal", "label": "Animal", "format": "addressName"},
                ],
            }
        }
    },
}
FEED: Final = calldata("feed(uint256 amount,address animal)", 7, BOB)


async def installed(calls: Calls, wallet: Wallet, *, chain: int) -> None:
    """A descriptor of ours for the sink, pinned in the settings."""
    document = json.loads(json.dumps(OURS))
    document["context"]["contract"]["deployments"] = [{"chainId": chain, "address": calls.sink.value}]
    path = StateFiles(calls.rig.made.loaded.vault_path).descriptors
    pin = DESCRIPTORS.write({"sink.json": json.dumps(document).encode()}, path)
    await apply(wallet, edited(calls.rig, "[approval]\n", f'[descriptors]\npin = "{pin}"\n\n[approval]\n'))


async def test_a_descriptor_of_the_owner_tells_what_nobody_else_knows(calls: Calls) -> None:
    chain = calls.rig.made.loaded.settings.chain.number
    async with calls.rig.opened() as wallet:
        assert await refused(wallet, calls.sink, FEED) == "policy.blind"
        await installed(calls, wallet, chain=chain)
        waiting = await pending(wallet, calls.sink, FEED)
        view = (await wallet.owned.request(waiting.operation)).view
        assert (view.level, view.intent) == ("clear", f'Call {calls.sink}: "Feed an animal" (a descriptor\'s words)')
        told = {field.label: field.value for field in view.fields}
        assert told['"Portion"'] == '"7"'
        assert "Bob" in told['"Animal"']
        await wallet.approve(waiting.operation)
        answer = await ask(wallet, calls.sink, FEED)
        assert isinstance(answer, Done)
        assert answer.outcome == "mined"


async def test_a_descriptor_for_another_chain_tells_nothing(calls: Calls) -> None:
    async with calls.rig.opened() as wallet:
        await installed(calls, wallet, chain=1)
        assert await refused(wallet, calls.sink, FEED) == "policy.blind"


async def test_descriptors_that_are_not_the_pinned_ones_tell_nothing_and_payments_go_on(calls: Calls) -> None:
    """Threat: T-071. What was frozen before is still shown as it was."""
    chain = calls.rig.made.loaded.settings.chain.number
    async with calls.rig.opened() as wallet:
        await installed(calls, wallet, chain=chain)
        waiting = await pending(wallet, calls.sink, FEED)
        shown = await wallet.row(waiting.operation)
    path = StateFiles(calls.rig.made.loaded.vault_path).descriptors
    path.write_bytes(path.read_bytes().replace(b"Feed an animal", b"Free all gifts"))
    async with calls.rig.opened() as wallet:
        await wallet.approve(waiting.operation)
        answer = await ask(wallet, calls.sink, FEED)
        assert isinstance(answer, Done)
        assert (await wallet.row(waiting.operation)).view_hash == shown.view_hash
        other = calldata("feed(uint256 amount,address animal)", 8, BOB)
        assert await refused(wallet, calls.sink, other) == "policy.blind"
        await wallet.paid()


async def test_a_call_is_simulated_and_compared_with_what_the_wallet_did_before(calls: Calls) -> None:
    """Threat: T-043. The node of these tests runs `eth_call` and nothing better."""
    async with calls.rig.opened() as wallet:
        first = await pending(wallet, calls.sink, DEPOSIT, "0.1")
        view = (await wallet.owned.request(first.operation)).view
        assert "contract.first_use" in {finding.code for finding in view.findings}
        assert not any(finding.code == "simulation.reverts" for finding in view.findings)
        await wallet.approve(first.operation)
        assert isinstance(await ask(wallet, calls.sink, DEPOSIT, "0.1"), Done)
        second = await pending(wallet, calls.sink, DEPOSIT, "0.2")
        view = (await wallet.owned.request(second.operation)).view
        assert "contract.first_use" not in {finding.code for finding in view.findings}


async def test_control_is_asked_about_only_where_the_owner_said_so(calls: Calls) -> None:
    gone = calldata("transferOwnership(address newOwner)", BOB)
    async with calls.rig.opened() as wallet:
        assert await refused(wallet, calls.sink, gone) == "policy.control"
        settings = edited(calls.rig, 'readable = "decoded"', 'readable = "decoded"\ncontrol = "ask"')
        await apply(wallet, settings)
        waiting = await pending(wallet, calls.sink, gone)
        view = (await wallet.owned.request(waiting.operation)).view
        assert [effect.control for effect in view.effects] == ["ownership.transfer"]
        assert any(finding.severity == "danger" for finding in view.findings)


async def test_the_value_of_a_call_is_capped_like_a_payment(calls: Calls) -> None:
    async with calls.rig.opened() as wallet:
        assert await refused(wallet, calls.sink, DEPOSIT, "0.9") == "policy.cap"


async def test_the_view_is_that_of_the_frozen_facts_whatever_the_address_book_says_later(calls: Calls) -> None:
    me = calls.rig.made.address
    move = calldata("transferFrom(address from,address to,uint256 value)", me, BOB, 5_000_000)
    async with calls.rig.opened() as wallet:
        waiting = await pending(wallet, calls.token, move)
        shown = await wallet.row(waiting.operation)
    text = (calls.rig.directory / "guard.toml").read_text("utf-8")
    assert '"Bob"' in text
    async with calls.rig.opened() as wallet:
        again = await wallet.row(waiting.operation)
        await wallet.approve(waiting.operation)
        answer = await ask(wallet, calls.token, move)
        assert isinstance(answer, Done)
        assert (again.view, again.view_hash) == (shown.view, shown.view_hash)
