"""A receipt that holds a secret stays inside; the payment's answer names the journal's entry about it."""

from __future__ import annotations

import pytest
from mcp import Client
from mcp.server import MCPServer

from mcp_wallet_guard import Address, Amount, Transfer, WalletGuard
from mcp_wallet_guard.exchange import Receipt
from mcp_wallet_guard.filters import fingerprints
from mcp_wallet_guard.journal.events import Kind
from tests.guard.rig import ETHER, Rig, Wallet
from tests.invariants import check_guard

pytestmark = pytest.mark.anyio


def make_secret(wallet: Wallet) -> str:
    """From now on the account's address is one of the vault's secrets: every receipt has it, no argument does."""
    address = wallet.rig.made.address
    wallet.owned.custody.fingerprints = fingerprints.build(
        [bytes.fromhex(address.value[2:])], key=b"k" * fingerprints.KEY_BYTES
    )
    return address.value


async def journalled(wallet: Wallet, operation: str) -> list[str]:
    """The incidents of an operation, in order."""
    entries = [entry.fields for entry in await wallet.owned.custody.store.journal()]
    return [e["data"]["incident"] for e in entries if e["kind"] == Kind.INCIDENT and e["subject"] == operation]


async def test_a_withheld_receipt_leaves_the_outcome_and_the_id_that_the_journal_has(rig: Rig) -> None:
    async with rig.opened() as wallet:
        operation = await wallet.approved()
        planted = make_secret(wallet)

        done = await wallet.done()

        assert (done.operation, done.outcome, done.receipt) == (operation, "mined", None)
        assert done.incident == (await journalled(wallet, operation))[-1]
        assert "incident in the journal" in done.message
        assert planted not in done.model_dump_json()
        assert rig.paid() == ETHER // 10
        assert (await check_guard(rig, wallet.owned)).signatures == 1
        again = await wallet.done()
        assert again.repeated
        assert again.model_copy(update={"repeated": False}) == done


async def test_the_id_is_still_there_after_a_restart(rig: Rig) -> None:
    async with rig.opened() as wallet:
        await wallet.approved()
        make_secret(wallet)
        first = await wallet.done()
    async with rig.opened() as wallet:
        again = await wallet.done()

    assert first.incident is not None
    assert (again.repeated, again.incident, again.receipt) == (True, first.incident, None)


async def test_a_receipt_without_a_secret_has_no_incident(rig: Rig) -> None:
    async with rig.opened() as wallet:
        done = await wallet.paid()

        assert isinstance(done.receipt, Receipt)
        assert done.incident is None
        assert await journalled(wallet, done.operation) == []


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_agent_gets_the_id_and_not_the_receipt(rig: Rig, mode: str) -> None:
    server = MCPServer("treasury")
    async with rig.opened() as wallet:
        guarded = WalletGuard.connect(wallet.owned).protect(server)

        @guarded.spends
        async def pay(to: Address, amount: Amount) -> Transfer:
            """Send ETH to an address."""
            return Transfer(to=to, amount=amount)

        arguments = {"to": rig.payee.value, "amount": "0.1"}
        async with Client(server, mode=mode) as client:
            operation = await wallet.approved()
            planted = make_secret(wallet)
            result = await client.call_tool("pay", arguments)

        assert not result.is_error
        assert result.structured_content is not None
        told = result.structured_content
        assert (told["status"], told["operation"], told["outcome"]) == ("done", operation, "mined")
        assert told["incident"] == (await journalled(wallet, operation))[-1]
        assert told["receipt"] is None
        assert planted not in result.model_dump_json()
        assert rig.paid() == ETHER // 10
