"""The test payment at the end of ``init``: on a development chain, through the real guard, approved at the terminal.

The development chain's own account funds the new wallet and is paid back a little. What guards the payment is what will
guard every other one: the view, the match code and a one-time code. Threat: T-004.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar, final

import anyio

from mcp_wallet_guard import setup
from mcp_wallet_guard.approvals.factors import totp
from mcp_wallet_guard.approvals.terminal import Outcome, Terminal, ask_on_terminal, controlling_terminal
from mcp_wallet_guard.assembly import NODE_MAX_BYTES, NODE_TIMEOUT_SECONDS
from mcp_wallet_guard.cli.invocation import Invocation, run_async
from mcp_wallet_guard.cli.questions import Wishes
from mcp_wallet_guard.config.file import LoadedSettings
from mcp_wallet_guard.config.known_chains import LOCAL
from mcp_wallet_guard.egress import Egress
from mcp_wallet_guard.errors import GuardError, InvalidInput, PolicyDenied, Unavailable
from mcp_wallet_guard.exchange import Done, Pending, Proposal, RefusedAnswer
from mcp_wallet_guard.operations.values import Address, Amount
from mcp_wallet_guard.owner import OwnedGuard
from mcp_wallet_guard.pinned_url import PinnedUrl
from mcp_wallet_guard.secret import Secret

PAID: Final = frozenset({"mined", "sent"})
FUNDS: Final = 10**18
AMOUNT: Final = Amount("0.01")
_LOOKS: Final = 150
_BETWEEN_SECONDS: Final = 0.2
T = TypeVar("T")


def check_possible(wished: Wishes, /) -> None:
    """Before anything is made: there is a development chain on this machine, and a person at a terminal.

    Raises InvalidInput for another chain, Unavailable("unavailable.node", "unavailable.terminal").
    """
    if wished.native.chain.number != LOCAL.number or not PinnedUrl.parse(wished.node).origin.startswith("http://"):
        detail = "a test payment is made on a development chain of this machine: --chain local"
        raise InvalidInput("invalid_input.chain", detail=detail)
    if wished.wallet == "later":
        raise InvalidInput("invalid_input", detail="a test payment needs the wallet's key")
    with controlling_terminal():
        pass
    try:
        run_async(lambda: _asked(wished.node, lambda chain: chain.unlocked_account()))
    except Unavailable as error:
        detail = f"{error.detail}; a chain is served by: mcp-wallet-guard local-chain"
        raise Unavailable(error.code, detail=detail) from None


def pay(invocation: Invocation, loaded: LoadedSettings, passphrase: Secret, /) -> dict[str, Any]:
    """Fund the account, ask for one payment as a tool would, take the answer at the terminal, and sign.

    What came of it: ``outcome``, and a ``receipt`` when it was paid. The wallet is there whatever comes of it, so what
    the guard or the node raises is the outcome too, by its code.
    """
    account = loaded.settings.account.address
    with controlling_terminal() as terminal:

        async def work() -> dict[str, Any]:
            payee = await _asked(loaded.settings.node, lambda chain: chain.fund(account, FUNDS))
            async with setup.unlocked(loaded, passphrase, clock=invocation.clock) as owned:
                return await _paid(invocation, owned, terminal, payee)

        try:
            return run_async(work)
        except GuardError as error:
            return {"outcome": error.code, "message": error.public, "detail": error.detail}


def told(result: dict[str, Any], /) -> tuple[str, ...]:
    """The outcome as lines for a person."""
    receipt = result.get("receipt")
    if receipt is None:
        return ("", f"Test payment: {result['message']}", *([f"  {result['detail']}"] if result.get("detail") else []))
    return (
        "",
        f"Test payment: {receipt['amount']} {receipt['symbol']} to {receipt['to']}, {result['outcome']}.",
        f"Transaction:  {receipt['transaction_hash']}",
    )


async def _paid(invocation: Invocation, owned: OwnedGuard, terminal: Terminal, payee: Address) -> dict[str, Any]:
    intent = {"kind": "transfer", "to": payee.value, "amount": _amount(owned).text}
    proposal = Proposal(principal="local", tool="pay", intent=intent)
    answer = await owned.propose(proposal, wait_seconds=0)
    if isinstance(answer, Pending):
        seconds = totp.STEP_SECONDS - invocation.clock.now() % totp.STEP_SECONDS
        terminal.say(
            "",
            "Now the test payment. This is what you see whenever an agent asks for money.",
            f"A code counts once: wait for the app's next one, in {seconds} seconds at most.",
        )
        outcome = await ask_on_terminal(owned, answer.operation, terminal=terminal, clock=invocation.clock)
        if outcome is not Outcome.LEFT:
            answer = await owned.propose(proposal, wait_seconds=0)
    return _result(answer)


def _result(answer: Done | Pending | RefusedAnswer) -> dict[str, Any]:
    if isinstance(answer, Done):
        receipt = None if answer.receipt is None else answer.receipt.model_dump(mode="json")
        return {"outcome": answer.outcome, "message": answer.message, "receipt": receipt}
    if isinstance(answer, RefusedAnswer):
        return {"outcome": answer.code, "message": answer.message}
    return {"outcome": "left", "message": "Nothing was decided, and nothing was paid."}


def _amount(owned: OwnedGuard) -> Amount:
    """A little, and no more than the policy in force lets anybody ask for. Raises PolicyDenied without one."""
    settings = owned.custody.session().settings
    policy = settings.policy
    if policy is None:
        raise PolicyDenied("policy.missing")
    return Amount.from_base_units(min(policy.max_per_transaction, AMOUNT.base_units(settings.native)), settings.native)


async def _asked(node: str, work: Callable[[DevelopmentChain], Awaitable[T]]) -> T:
    egress = Egress(timeout_seconds=NODE_TIMEOUT_SECONDS, max_response_bytes=NODE_MAX_BYTES)
    try:
        return await work(DevelopmentChain(egress, PinnedUrl.parse(node)))
    finally:
        await egress.aclose()


@final
class DevelopmentChain:
    """A node with an unlocked account that has coins, as anvil, hardhat and `local-chain` are."""

    def __init__(self, egress: Egress, node: PinnedUrl, /) -> None:
        self._egress: Final = egress
        self._node: Final = node

    async def unlocked_account(self) -> Address:
        """Raises Unavailable("unavailable.node") when this is no development chain."""
        if await self._call("eth_chainId") != hex(LOCAL.number):
            raise Unavailable("unavailable.node", detail=f"{self._node}: another chain than {LOCAL.number}")
        accounts = await self._call("eth_accounts")
        if not isinstance(accounts, list) or not accounts or not isinstance(accounts[0], str):
            raise Unavailable("unavailable.node", detail=f"{self._node}: no unlocked account")
        return _address(accounts[0])

    async def fund(self, account: Address, wei: int, /) -> Address:
        """Have `wei` sent to `account`, and wait until they are there; who paid. Raises Unavailable."""
        payer = await self.unlocked_account()
        await self._call("eth_sendTransaction", {"from": payer.value, "to": account.value, "value": hex(wei)})
        for _ in range(_LOOKS):
            if int(await self._call("eth_getBalance", account.value, "latest"), 16) >= wei:
                return payer
            await anyio.sleep(_BETWEEN_SECONDS)
        raise Unavailable("unavailable.node", detail=f"{self._node}: the coins did not arrive")

    async def _call(self, method: str, *params: object) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        answer = await self._egress.post_json(self._node, body)
        if not isinstance(answer, dict) or "result" not in answer:
            raise Unavailable("unavailable.node", detail=f"{self._node}: {method} was refused")
        return answer["result"]


def _address(text: str) -> Address:
    try:
        return Address.from_bytes(bytes.fromhex(text.removeprefix("0x")))
    except (ValueError, InvalidInput):
        raise Unavailable("unavailable.node", detail="an account that is no address") from None
