"""A client that goes away at any await of a paying call, in both protocol eras: the payment happens once, in the end.

Threat: T-009, T-100.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.server.mcpserver import MCPServer
from mcp_types import ElicitResult

from mcp_wallet_guard import Address, Amount, Transfer, WalletGuard
from mcp_wallet_guard.mcp.ceremonies import Ceremonies
from mcp_wallet_guard.testing.chain import SimulatedChain
from tests.e2e.rig import EACH_ERA, MODES, Era, answer_of
from tests.guard.rig import ETHER, Rig, Wallet, make_rig
from tests.guard.test_cancellation import Steps

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

WEI = ETHER // 1000
FEWEST_AWAITS = 20


@pytest.fixture
def rig(tmp_path: Path, chain: SimulatedChain) -> Rig:
    return make_rig(tmp_path, chain)


class Cutting:
    """Cancels the next paying call of this process, when it is told to, at its await number `at`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at: int | None = None
        self.waits = 0
        whole = Ceremonies.spend

        async def spend(ceremonies: Ceremonies, **keywords: Any) -> Any:
            at, self.at = self.at, None
            if at is None:
                return await whole(ceremonies, **keywords)
            answers: list[Any] = []

            async def work() -> None:
                answers.append(await whole(ceremonies, **keywords))

            with anyio.CancelScope() as scope:
                steps = Steps(work(), at, scope.cancel)
                await steps
            self.waits = steps.waits
            if not answers:
                raise RuntimeError("the client is gone")
            return answers[0]

        monkeypatch.setattr(Ceremonies, "spend", spend)


async def _accepts(context: Any, params: Any) -> ElicitResult:
    return ElicitResult(action="accept")


def _server(wallet: Wallet) -> MCPServer[Any]:
    wallet.owned.guard.page_url = lambda operation: f"http://127.0.0.1:1/a/{operation}"
    mcp: MCPServer[Any] = MCPServer("treasury")

    @WalletGuard.connect(wallet.owned, wait_seconds=0.05).protect(mcp).spends
    async def pay(to: Address, amount: Amount, reference: str | None = None) -> Transfer:
        return Transfer(to=to, amount=amount, reference=reference)

    return mcp


async def _until_mined(client: Client, arguments: dict[str, str]) -> None:
    with anyio.fail_after(20):
        while True:
            answer = answer_of(await client.call_tool("pay", arguments))
            if answer.get("outcome") == "mined":
                return
            assert answer["status"] == "pending", answer
            assert answer["approved"], "the approval is still there, or was used"
            await anyio.sleep(0.01)


@pytest.mark.parametrize("era", EACH_ERA)
async def test_an_approved_call_cancelled_at_any_await_pays_once(
    era: Era, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T-009, T-100."""
    cutting = Cutting(monkeypatch)
    async with (
        rig.opened() as wallet,
        Client(_server(wallet), mode=MODES[era], elicitation_callback=_accepts) as client,
    ):
        for at in range(400):
            arguments = {"to": rig.payee.value, "amount": "0.001", "reference": f"r{at}"}
            asked = answer_of(await client.call_tool("pay", arguments))
            await wallet.approve(asked["operation"])
            cutting.at = at
            await client.call_tool("pay", arguments)
            went = cutting.waits > at
            await _until_mined(client, arguments)
            assert rig.paid() == (at + 1) * WEI
            rig.clock.advance(600)
            if not went:
                break
        else:
            raise AssertionError("never came to the end")
        assert at > FEWEST_AWAITS
