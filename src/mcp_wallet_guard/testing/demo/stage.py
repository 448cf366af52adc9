"""What the demonstration plays on: a chain, a wallet in a temporary folder, a daemon, servers, an owner. All real.

The daemon and each wallet server are processes of their own; they end, and the folder goes, when the block ends.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TextIO, final

import anyio
import anyio.to_thread
from anyio.abc import Process
from anyio.streams.text import TextReceiveStream
from mcp.client import Client
from mcp.client.session import ElicitationFnT
from mcp.client.stdio import StdioServerParameters, stdio_client

from mcp_wallet_guard import setup
from mcp_wallet_guard.assembly import StateFiles
from mcp_wallet_guard.config.presets import ask_everything
from mcp_wallet_guard.exchange import ANSWER, Done, Pending, RefusedAnswer
from mcp_wallet_guard.operations.intents import contract_of
from mcp_wallet_guard.operations.values import Account, Address, Amount, Asset
from mcp_wallet_guard.policy.rules import Payee
from mcp_wallet_guard.testing.chain import SimulatedChain
from mcp_wallet_guard.testing.clock import SharedClock
from mcp_wallet_guard.testing.person import Authenticator, Form, ReadPage, ScriptedPerson
from mcp_wallet_guard.testing.wallet import FundedToken, pin_token

PASSPHRASE: Final = "a passphrase for one demonstration"  # noqa: S105  a wallet that lives for seconds
FUNDS: Final = 10**18
PAYEE: Final = Address.from_bytes(b"\x70" * 20)
THIEF: Final = Address.from_bytes(b"\x66" * 20)
IMITATION: Final = Address.from_bytes(PAYEE.raw[:2] + b"\x66" * 16 + PAYEE.raw[-2:])
"""The thief's too: it begins and ends as the payee's does."""
TOKEN: Final = FundedToken(units=1_000_000_000, limit="100")
WAIT_SECONDS: Final = 1
_START_SECONDS: Final = 120.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a command ended."""

    status: int
    out: str
    err: str


@final
@dataclass(slots=True, kw_only=True)
class Stage:
    """Everything on the stage. `heard` is all that any MCP client received, as text; `approved` counts the owner's
    approvals, and `answered` holds forms that were sent for them, with their match codes."""

    config: Path
    files: StateFiles
    clock: SharedClock
    chain: SimulatedChain
    new: setup.NewWallet
    token: Asset
    person: ScriptedPerson
    log: TextIO
    heard: list[str] = field(default_factory=list)
    approved: int = 0
    answered: list[tuple[Form, str]] = field(default_factory=list)

    @property
    def wallet(self) -> Address:
        """The account that pays."""
        return Address.parse(self.new.address)

    def tokens_of(self, account: Address, /) -> int:
        """In the token's smallest unit, as the chain says."""
        return self.chain.token_balance(contract_of(self.token), account)

    @asynccontextmanager
    async def agent(self, *, elicitation: ElicitationFnT | None = None) -> AsyncIterator[Agent]:
        """An MCP client with a wallet server of its own, as a host starts one over stdio."""
        module = "mcp_wallet_guard.testing.demo.server_process"
        server = StdioServerParameters(command=sys.executable, args=["-m", module, str(self.config)])
        async with Client(stdio_client(server, errlog=self.log), elicitation_callback=elicitation) as client:
            yield Agent(client, self.heard)

    async def command(self, *words: str, passphrase: str | None = None) -> Ran:
        """Run the owner's own command, as the owner would in another terminal."""
        line = [sys.executable, "-m", "mcp_wallet_guard.cli.main", *words, "--config", str(self.config), "--json"]
        given: list[int] = []
        try:
            if passphrase is not None:
                reader, writer = os.pipe()
                given.append(reader)
                with os.fdopen(writer, "w", encoding="utf-8") as file:
                    file.write(passphrase)
                line += ["--passphrase-fd", str(reader)]
            done = await anyio.run_process(line, check=False, stdin=subprocess.DEVNULL, pass_fds=given)
        finally:
            for descriptor in given:
                os.close(descriptor)
        return Ran(status=done.returncode, out=done.stdout.decode(), err=done.stderr.decode())

    async def look(self, operation: str, /) -> ReadPage:
        """What the owner's browser shows at a request's address, whatever became of it."""
        return ReadPage((await self.person.browser.get(f"{self.person.origin}/a/{operation}")).text)

    def next_code_time(self) -> None:
        """Move the scripted time on, so that the authenticator shows a code that nobody used."""
        self.clock.advance(30)


@final
class Agent:
    """The model's side: it calls tools, and keeps what it was told."""

    def __init__(self, client: Client, heard: list[str], /) -> None:
        self._client: Final = client
        self._heard: Final = heard

    async def balance(self, address: Address | None = None, /) -> str:
        """What the tool ``balance`` says."""
        result = await self._call("balance", {} if address is None else {"address": address.value})
        return "".join(getattr(part, "text", "") for part in result.content)

    async def pay(self, to: Address, amount: str, /, **more: Any) -> Done | Pending | RefusedAnswer:
        """What the tool ``pay`` answers."""
        result = await self._call("pay", {"to": to.value, "amount": amount, **more})
        return ANSWER.validate_python(result.structured_content)

    async def pay_token(self, to: Address, amount: str, /) -> Done | Pending | RefusedAnswer:
        """What the tool ``pay_token`` answers."""
        result = await self._call("pay_token", {"token": TOKEN.symbol, "to": to.value, "amount": amount})
        return ANSWER.validate_python(result.structured_content)

    async def read(self, tool: str, note: str, /) -> str:
        """What a tool about a note says."""
        result = await self._call(tool, {"name": note})
        return "".join(getattr(part, "text", "") for part in result.content)

    async def _call(self, tool: str, arguments: dict[str, Any]) -> Any:
        result = await self._client.call_tool(tool, arguments)
        self._heard.append(result.model_dump_json())
        return result


@asynccontextmanager
async def set_stage() -> AsyncIterator[Stage]:
    """Chain, wallet, daemon and owner. Takes about two key derivations."""
    with tempfile.TemporaryDirectory(prefix="wallet-guard-demo-") as name:
        folder = Path(name)
        with (folder / "log.txt").open("w", encoding="utf-8") as log:
            clock = SharedClock.create(folder / "clock", start=int(time.time()))
            async with SimulatedChain.serve(clock=clock) as chain:
                stage = await _make_wallet(folder, clock=clock, chain=chain, log=log)
                async with _daemon(stage, folder / "clock"), stage.person:
                    yield stage


async def _make_wallet(folder: Path, *, clock: SharedClock, chain: SimulatedChain, log: TextIO) -> Stage:
    directory, config = folder / "guard", folder / "guard" / "guard.toml"
    passphrase = setup.passphrase_from(PASSPHRASE)
    new = await anyio.to_thread.run_sync(
        lambda: setup.new_vault(directory / "vault.json", passphrase=passphrase, label="main", now=clock.now())
    )
    account = Account("main", chain.chain_id, Address.parse(new.address))
    token = pin_token(chain, account.address, TOKEN)
    text = ask_everything(
        vault="vault.json",
        mode="daemon",
        node=chain.url,
        account=account,
        native=Asset(chain.chain_id, "ETH", 18),
        max_per_transaction=Amount.parse("0.5"),
        tokens=[(token, Amount.parse(TOKEN.limit))],
        contacts=[Payee(name="Alice", address=PAYEE)],
    ).replace("wait_seconds = 25", f"wait_seconds = {WAIT_SECONDS}")
    loaded = setup.write_settings(config, text)
    await setup.put_in_force(loaded, passphrase, clock=clock)
    passphrase.wipe()
    chain.fund(account.address, FUNDS)
    files = StateFiles(loaded.vault_path)
    person = ScriptedPerson(links=files.links, authenticator=Authenticator(new.factor_secret, clock))
    return Stage(config=config, files=files, clock=clock, chain=chain, new=new, token=token, person=person, log=log)


@asynccontextmanager
async def _daemon(stage: Stage, clock: Path) -> AsyncIterator[None]:
    module = "mcp_wallet_guard.testing.demo.daemon_process"
    line = [sys.executable, "-m", module, str(stage.config), str(clock)]
    process = await anyio.open_process(line, stdin=subprocess.DEVNULL, stderr=stage.log)
    try:
        if process.stdout is None:
            raise RuntimeError("the daemon has no output")
        with anyio.fail_after(_START_SECONDS):
            await TextReceiveStream(process.stdout).receive()
        yield
    finally:
        with anyio.CancelScope(shield=True):
            await _end(process)


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.terminate()
    with anyio.move_on_after(30):
        await process.wait()
    if process.returncode is None:
        process.kill()
    await process.aclose()
