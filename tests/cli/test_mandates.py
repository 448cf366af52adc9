"""``policy apply`` shows every bound of a mandate before the code that approves it; ``status`` says what was paid."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_wallet_guard.config.document import MandateTable
from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.policy.rules import Payee
from mcp_wallet_guard.testing.chain import SimulatedChain
from mcp_wallet_guard.testing.clock import ScriptedClock
from mcp_wallet_guard.testing.wallet import MadeWallet, make_wallet
from tests.cli.commands import daemon, run, unlock
from tests.cli.test_records import edit, fresh_code
from tests.guard.rig import SMALL_MANDATE

BOB = Address.from_bytes(b"\xb0" * 20)
BOUNDS = {
    "name": "small", "tools": "pay", "asset": "ETH", "group": f"{BOB}  Bob", "max_per_transaction": "0.01 ETH",
    "max_fee": "0.01 ETH as fee", "amount": "0.025 ETH", "count": "4 payments", "window": "within 1 days",
    "valid_days": "30 days from now",
}  # fmt: skip


@pytest.fixture
def made(folder: Path, chain: SimulatedChain, clock: ScriptedClock) -> MadeWallet:
    bob = Payee(name="Bob", address=BOB)
    return make_wallet(folder / "guard", chain=chain, clock=clock, mode="daemon", contacts=[bob], more=SMALL_MANDATE)


@pytest.fixture
def open_guard(made: MadeWallet) -> Iterator[None]:
    with daemon(made):
        unlock(made.loaded.path)
        yield


@pytest.mark.usefixtures("open_guard")
def test_every_bound_is_shown_before_the_code_and_the_state_afterwards(made: MadeWallet, config: str) -> None:
    assert BOUNDS.keys() == MandateTable.model_fields.keys(), "a new bound is shown too"
    before = run("status", "--config", config).out
    assert "Mandate:  small: not approved, so each payment is asked (mcp-wallet-guard policy apply)" in before

    ran = run("policy", "apply", "--config", config, code=fresh_code(made))

    assert ran.status == 0, ran
    shown = ran.err.partition("paid without a question from then on:")[2]
    assert [bound for bound in BOUNDS.values() if bound not in shown] == []
    assert "Mandate:  small: 0 of 0.025 ETH and 0 of 4 payments of ETH to 1 payees within 1 days, until " in ran.out


@pytest.mark.usefixtures("open_guard")
def test_without_a_good_code_it_has_no_force(made: MadeWallet, config: str) -> None:
    assert run("policy", "apply", "--config", config, "--json", code="000000").code == "factor.rejected"
    status = run("status", "--config", config, "--json").json
    assert [mandate["expires_at"] for mandate in status["mandates"]] == [None]


@pytest.mark.usefixtures("open_guard")
def test_what_is_approved_already_takes_no_code_again(made: MadeWallet, config: str) -> None:
    assert run("policy", "apply", "--config", config, code=fresh_code(made)).status == 0
    again = run("policy", "apply", "--config", config)
    assert (again.status, again.out) == (0, "guard.toml is what is in force. Nothing was changed.\n")
    edit(made, "count = 4", "count = 5")
    ran = run("policy", "apply", "--config", config, code=fresh_code(made))
    assert ran.status == 0, ran
    assert "up to 0.025 ETH and 5 payments within 1 days" in ran.err, "other bounds are shown again"
