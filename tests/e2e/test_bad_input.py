"""What goes wrong around a payment: a sentence from the catalogue in the tool's result, and nothing lost."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from mcp_wallet_guard.errors import CATALOGUE
from mcp_wallet_guard.testing.chain import SimulatedChain
from tests.e2e.rig import (
    AMOUNT,
    EACH_ERA,
    WEI,
    Daemon,
    Era,
    Home,
    answer_of,
    connected,
    done_once,
    make_home,
    pay,
    text_of,
    told,
)

pytestmark = pytest.mark.anyio

PAYEE = "0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF"
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "checksum": ({"to": PAYEE.swapcase().replace("0X", "0x")}, "invalid_input.address"),
    "lower case": ({"to": PAYEE.lower()}, "invalid_input.address"),
    "short address": ({"to": PAYEE[:-1]}, "invalid_input.address"),
    "name for an address": ({"to": "vitalik.eth"}, "invalid_input.address"),
    "look-alike zero": ({"to": PAYEE.replace("0x", "0\u0445")}, "invalid_input.address"),
    "no address": ({"to": ""}, "invalid_input.address"),
    "comma": ({"amount": "0,1"}, "invalid_input.amount"),
    "exponent": ({"amount": "1e-3"}, "invalid_input.amount"),
    "negative": ({"amount": "-0.001"}, "invalid_input.amount"),
    "Arabic digits": ({"amount": "\u0660.\u0660\u0660\u0661"}, "invalid_input.amount"),
    "not a number": ({"amount": "NaN"}, "invalid_input.amount"),
    "number": ({"amount": 0.001}, "invalid_input.amount"),
    "zero": ({"amount": "0"}, "invalid_input.zero"),
    "too precise": ({"amount": "0.0000000000000000001"}, "invalid_input.precision"),
    "above the cap": ({"amount": "0.6"}, "policy.cap"),
    "reference": ({"reference": "a b"}, "invalid_input.reference"),
    "confirmed": ({"confirmed": True}, "invalid_input.unknown_argument"),
    "approval code": ({"otp": "123456"}, "invalid_input.unknown_argument"),
    "unknown argument": ({"memo": "x"}, "invalid_input.unknown_argument"),
    "too large": ({"reference": "x" * 400_000}, "invalid_input.size"),
}


@pytest.mark.parametrize("era", EACH_ERA)
async def test_what_a_caller_gets_wrong_is_named_and_asks_nobody(era: Era, home: Home) -> None:
    """T-002, T-025, T-026, T-027, T-106: and the next honest call, on the same connection, is paid."""
    async with connected(home, era) as client:
        for name, (wrong, code) in WRONG.items():
            for tool in ("pay", "pay_slowly"):
                result = await client.call_tool(tool, {"to": PAYEE, "amount": AMOUNT} | wrong)
                answer = answer_of(result)
                assert (result.is_error, told(answer)) == (True, ("refused", code)), (name, answer)
                # Nothing but the catalogue's words: what was wrong is not repeated.
                expected = {"status": "refused", "code": code, "message": CATALOGUE[code], "operation": None}
                assert (answer, json.loads(text_of(result))) == (expected, expected), name
        async with home.control() as control:
            assert await control.requests() == ()
        assert home.sent() == set()
        payee = home.payee()
        await done_once(client, home, payee)
    assert home.paid(payee) == WEI


@pytest.mark.parametrize("era", EACH_ERA)
async def test_a_node_that_is_unreachable_or_lies_refuses_the_call_and_loses_nothing(era: Era, home: Home) -> None:
    """T-042: before the question, and between the approval and the signature."""
    payee = home.payee()
    async with connected(home, era, transport="memory") as client:
        home.chain.reply("eth_getTransactionCount", b"", status=503)
        assert told(await pay(client, payee)) == ("refused", "unavailable.node")
        home.chain.honest()
        home.chain.lie("eth_chainId", "0x1")
        await home.lock()  # a new connection asks for the chain's id
        await home.unlock()
        assert told(await pay(client, payee)) == ("refused", "unavailable.node_lied")
        home.chain.honest()
        pending = await pay(client, payee)
        async with home.owner() as owner:
            await owner.approve(pending, payee)
        home.chain.reply("eth_getBalance", b"", status=503)
        assert told(await pay(client, payee)) == ("refused", "unavailable.node")
        assert home.sent() == set()
        home.chain.honest()
        assert told(await pay(client, payee)) == ("done", "mined")
    assert home.paid(payee) == WEI


@pytest.mark.parametrize("era", EACH_ERA)
async def test_a_locked_wallet_says_so_and_keeps_its_question(era: Era, home: Home) -> None:
    payee = home.payee()
    async with connected(home, era, transport="memory") as client:
        pending = await pay(client, payee)
        await home.lock()
        locked = await pay(client, payee)
        assert told(locked) == ("refused", "locked")
        assert "mcp-wallet-guard unlock" in locked["message"]
        await home.unlock()
        assert (await pay(client, payee))["operation"] == pending["operation"]
        await done_once(client, home, payee)
    assert len(home.sent()) == 1


@asynccontextmanager
async def _started(home: Home) -> AsyncIterator[Daemon]:
    daemon = Daemon(home)
    await anyio.to_thread.run_sync(daemon.start)
    try:
        await home.unlock()
        yield daemon
    finally:
        daemon.kill()


@pytest.mark.parametrize("era", EACH_ERA)
async def test_without_a_daemon_the_answer_says_how_to_start_one(era: Era, base: Path, chain: SimulatedChain) -> None:
    """The server starts none by itself, and finds the one that a person starts later."""
    home = await anyio.to_thread.run_sync(lambda: make_home(base, chain))
    payee = home.payee()
    async with connected(home, era) as client:
        refused = await pay(client, payee)
        assert told(refused) == ("refused", "not_running")
        assert "mcp-wallet-guard start" in refused["message"]
        assert (await client.call_tool("balance", {"address": payee.value})).is_error
        async with _started(home):
            await done_once(client, home, payee)
    assert len(home.sent()) == 1


@pytest.mark.slow
async def test_without_a_policy_nothing_is_paid(base: Path, chain: SimulatedChain) -> None:
    """Default deny; and writing one into guard.toml is not enough (T-099)."""
    home = await anyio.to_thread.run_sync(lambda: make_home(base, chain, policy=False))
    async with _started(home) as daemon, connected(home, "2026-07-28", transport="memory") as client:
        assert told(await pay(client, home.payee())) == ("refused", "policy.missing")
        home.edit("[approval]", '[policy]\nmax_per_transaction = "0.5"\nlevel = "factor"\npayees = "any"\n\n[approval]')
        await daemon.restart()
        assert told(await pay(client, home.payee())) == ("refused", "policy.missing")
        async with home.control() as control:
            assert any(change.startswith("policy") for change in (await control.control_status()).settings_differ)
    assert home.sent() == set()


@pytest.mark.slow
async def test_a_guard_toml_that_names_another_vault_blocks_spending_until_it_is_put_back(
    base: Path, chain: SimulatedChain
) -> None:
    """T-070: a copy of the vault under another name opens with the same passphrase, and still spends nothing."""
    home = await anyio.to_thread.run_sync(lambda: make_home(base, chain))
    for suffix in (".json", ".anchor"):
        source = home.loaded.vault_path.with_suffix(suffix)
        shutil.copy2(source, source.with_stem("other"))
    home.edit('vault = "vault.json"', 'vault = "other.json"')
    async with connected(home, "2026-07-28") as client:
        async with _started(home):
            assert told(await pay(client, home.payee())) == ("refused", "blocked.vault")
        assert home.sent() == set()
        home.edit('vault = "other.json"', 'vault = "vault.json"')
        async with _started(home):
            payee = home.payee()
            async with home.control() as control:
                blocked = (await control.control_status()).blocked
            assert blocked is None
            await done_once(client, home, payee)
    assert home.paid(payee) == WEI


async def test_an_edited_limit_changes_nothing_and_is_named(base: Path, chain: SimulatedChain) -> None:
    """T-099: the sealed settings stay in force."""
    home = await anyio.to_thread.run_sync(lambda: make_home(base, chain))
    home.edit('max_per_transaction = "0.5"', 'max_per_transaction = "5"')
    async with _started(home), connected(home, "2025-11-25", transport="memory") as client:
        assert told(await pay(client, home.payee(), "0.6")) == ("refused", "policy.cap")
        async with home.control() as control:
            (change,) = (await control.control_status()).settings_differ
        assert change == 'policy.max_per_transaction: "0.5" -> "5"'
        await done_once(client, home, home.payee())
    assert len(home.sent()) == 1
