"""A wallet on disk, its owner, its daemon and its MCP servers, each in the process where it lives in real use.

Nothing stands in for anything: vault, store, page, sockets, chain, stdio and clients are the real ones. Only the scrypt
cost is low (by the waiver that exists for it) and time is a file that the test moves.
"""

from __future__ import annotations

import secrets
import select
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, final

import anyio
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp_types import CallToolResult, TextContent

from mcp_wallet_guard import danger, setup
from mcp_wallet_guard.config.file import LoadedSettings, load_settings
from mcp_wallet_guard.config.presets import ask_everything
from mcp_wallet_guard.daemon.client import ControlClient
from mcp_wallet_guard.evidence import Channel
from mcp_wallet_guard.operations.values import Account, Address, Amount, Asset
from mcp_wallet_guard.policy.rules import Payee
from mcp_wallet_guard.testing.chain import SimulatedChain
from mcp_wallet_guard.testing.clock import SharedClock
from mcp_wallet_guard.testing.person import Authenticator, ScriptedPerson
from mcp_wallet_guard.testing.wallet import FundedToken, pin_token
from tests.e2e.wallet_server import build_wallet

ROOT: Final = Path(__file__).resolve().parents[2]
START: Final = 1_800_000_000
FUNDS: Final = 10**19
AMOUNT: Final = "0.001"
WEI: Final = 10**15
WAIVER: Final = "tests and demonstrations only"
PASSPHRASE: Final = "correct horse battery staple"
READY_SECONDS: Final = 30
Era = Literal["2026-07-28", "2025-11-25"]
ERAS: Final[tuple[Era, ...]] = ("2026-07-28", "2025-11-25")
EACH_ERA: Final = (ERAS[0], pytest.param(ERAS[1], marks=pytest.mark.slow))
"""For tests that take seconds: the newer protocol in `make test`, and the older one in `make live`."""
MODES: Final[dict[Era, str]] = {"2026-07-28": "2026-07-28", "2025-11-25": "legacy"}
"""Era -> the client's mode. It also has "auto", which asks the server first and gives up on a slow one."""


@final
@dataclass(slots=True)
class Home:
    """One wallet: its folder, the chain that it pays on, and what only its owner knows."""

    loaded: LoadedSettings
    settings: Path
    chain: SimulatedChain
    clock: SharedClock
    clock_file: Path
    new: setup.NewWallet
    authenticator: Authenticator
    sent_before: frozenset[str] = field(default_factory=frozenset)

    @property
    def directory(self) -> Path:
        return self.loaded.vault_path.parent

    @property
    def address(self) -> Address:
        return Address.parse(self.new.address)

    @property
    def log(self) -> Path:
        """What all processes of this wallet wrote to stderr."""
        return self.directory.parent / "stderr.log"

    @property
    def is_embedded(self) -> bool:
        return self.loaded.settings.mode == "embedded"

    def payee(self) -> Address:
        """Somebody who was never paid before."""
        return Address.from_bytes(b"\x11" + secrets.token_bytes(19))

    def paid(self, payee: Address) -> int:
        """Wei that the payee got."""
        return self.chain.balance(payee)

    def sent(self) -> set[str]:
        """The distinct signed transactions that the chain was given since the last `mark`, also refused ones."""
        return set(self.chain.sent) - self.sent_before

    def mark(self) -> None:
        """Count transactions from here."""
        self.sent_before = frozenset(self.chain.sent)

    def edit(self, old: str, new: str) -> None:
        """Change guard.toml as somebody with an editor would."""
        text = self.settings.read_text("utf-8")
        assert old in text
        self.settings.write_text(text.replace(old, new), "utf-8")

    def code(self) -> str:
        """A fresh code of the owner's authenticator; time moves on for it."""
        self.clock.advance(30)
        return self.authenticator.code()

    @asynccontextmanager
    async def control(self) -> AsyncIterator[ControlClient]:
        """The owner's command line, connected."""
        client = ControlClient(self.directory)
        try:
            yield client
        finally:
            await client.aclose()

    async def unlock(self) -> None:
        """What `mcp-wallet-guard unlock` does."""
        async with self.control() as control:
            assert not (await control.unlock(setup.passphrase_from(PASSPHRASE))).locked

    async def lock(self) -> None:
        """What `mcp-wallet-guard lock` does."""
        async with self.control() as control:
            assert (await control.lock()).locked

    async def clear(self) -> None:
        """The owner declines whatever waits, at the terminal."""
        async with self.control() as control:
            for request in await control.requests():
                await control.decline(request.operation, channel=Channel.TERMINAL)

    async def asked(self) -> str:
        """The one operation that waits for the owner, as soon as there is one."""
        async with self.control() as control:
            with anyio.fail_after(READY_SECONDS):
                # Polled, as the command line would: another process asks.
                while not (waiting := await control.requests()):  # noqa: ASYNC110
                    await anyio.sleep(0.02)
        (request,) = waiting
        return request.operation

    @asynccontextmanager
    async def owner(self) -> AsyncIterator[Owner]:
        """The owner with a new browser."""
        async with ScriptedPerson(links=self.directory / "links", authenticator=self.authenticator) as person:
            yield Owner(self, person)


@final
class Owner:
    """A careful person: reads the page, and answers only what they wanted."""

    def __init__(self, home: Home, person: ScriptedPerson) -> None:
        self.home: Final = home
        self.person: Final = person

    async def approve(self, answer: dict[str, Any], payee: Address) -> str:
        """Approve a pending answer on the page; ``now`` or ``next_call``."""
        assert answer["status"] == "pending", answer
        assert not answer["queued"], answer
        return await self.approve_operation(answer["operation"], payee)

    async def approve_operation(self, operation: str, payee: Address) -> str:
        """The same, for an operation that the owner found without an answer's help."""
        self.home.clock.advance(30)
        return await self.person.approve(operation, expect_to=payee.value, expect_amount=AMOUNT)


def make_home(
    base: Path,
    chain: SimulatedChain,
    *,
    mode: Literal["daemon", "embedded"] = "daemon",
    cheap: bool = True,
    policy: bool = True,
    contacts: Sequence[Payee] = (),
    more: str = "",
    edit: Callable[[str], str] = str,
) -> Home:
    """A new wallet in `base`, with its settings in force, changed by `edit` and with `more` at their end. Blocking."""
    clock_file = base / "clock"
    clock = SharedClock.create(clock_file, start=START)
    waiver = danger.cheap_kdf(reason=WAIVER) if cheap else None
    vault, phrase = base / "wallet" / "vault.json", setup.passphrase_from(PASSPHRASE)
    new = setup.new_vault(vault, passphrase=phrase, label="main", now=START, waiver=waiver)
    account = Account("main", chain.chain_id, Address.parse(new.address))
    text = ask_everything(
        vault="vault.json",
        mode=mode,
        node=chain.url,
        account=account,
        native=Asset(chain.chain_id, "ETH", 18),
        max_per_transaction=Amount.parse("0.5"),
        tokens=[(pin_token(chain, account.address, FundedToken()), Amount.parse("100"))] if policy else [],
        contacts=contacts,
    )
    text = edit(text).replace("wait_seconds = 25", "wait_seconds = 1")
    if not policy:
        start, end = text.index("[policy]"), text.index("[approval]")
        text = text[:start] + text[end:]
    if cheap:
        text += f'\n[danger]\ncheap_kdf = "{WAIVER}"\n'
    text += more
    settings = base / "wallet" / "guard.toml"
    loaded = setup.write_settings(settings, text)
    chain.fund(account.address, FUNDS)

    async def seal() -> None:
        await setup.put_in_force(loaded, setup.passphrase_from(PASSPHRASE), clock=clock)

    anyio.run(seal)
    authenticator = Authenticator(new.factor_secret, clock)
    home = Home(load_settings(settings), settings, chain, clock, clock_file, new, authenticator)
    home.mark()
    return home


@final
class Daemon:
    """`mcp-wallet-guard start`, as a process that can be killed and started again."""

    def __init__(self, home: Home) -> None:
        self.home: Final = home
        self.page = ""
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when everything listens. The vault is locked."""
        assert self._process is None
        command = [sys.executable, "-m", "tests.e2e.entry_daemon", str(self.home.settings), str(self.home.clock_file)]
        with self.home.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log
            )
        assert self._process.stdout is not None
        readable, _, _ = select.select([self._process.stdout], [], [], READY_SECONDS)
        line = self._process.stdout.readline().decode() if readable else ""
        if not line.startswith("ready "):
            self.kill()
            raise AssertionError(f"the daemon did not start: {self.home.log.read_text('utf-8')[-2000:]}")
        self.page = line.split()[1]

    def kill(self) -> None:
        """SIGKILL, whatever it is doing."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdout is not None
            process.kill()
            process.wait(READY_SECONDS)
            process.stdout.close()

    async def restart(self) -> None:
        """SIGKILL, start again, and the owner unlocks it."""
        await anyio.to_thread.run_sync(self.kill)
        await anyio.to_thread.run_sync(self.start)
        await self.home.unlock()


@contextmanager
def running_daemon(home: Home, *, unlock: bool = True) -> Iterator[Daemon]:
    """A daemon for as long as the block runs. Blocking: for fixtures, and for tests in a worker thread."""
    daemon = Daemon(home)
    daemon.start()
    try:
        if unlock:
            anyio.run(home.unlock)
        yield daemon
    finally:
        daemon.kill()


def server_command(home: Home, kind: str = "wallet") -> list[str]:
    """How a host starts the wallet's MCP server."""
    clock = [str(home.clock_file)] if home.is_embedded else []
    return [sys.executable, "-m", "tests.e2e.entry_server", kind, str(home.settings), *clock]


@asynccontextmanager
async def connected(
    home: Home,
    era: Era,
    *,
    transport: Literal["memory", "stdio"] = "stdio",
    callback: Any = None,
    negotiated: bool = False,
    kind: str = "wallet",
) -> AsyncIterator[Client]:
    """A real client of a new server: in this process, or in one of its own over stdio."""
    mode = "auto" if negotiated and era == "2026-07-28" else MODES[era]
    options: Any = {"mode": mode, "elicitation_callback": callback}
    if transport == "memory":
        clock = home.clock if home.is_embedded else None
        async with Client(build_wallet(home.settings, clock=clock), **options) as client:
            yield client
        return
    command, *arguments = server_command(home, kind)
    async with Client(StdioServerParameters(command=command, args=arguments, cwd=ROOT), **options) as client:
        yield client


async def pay(
    client: Client, payee: Address, amount: str = AMOUNT, *, tool: str = "pay", **more: str
) -> dict[str, Any]:
    """One call of a paying tool; its structured answer."""
    return answer_of(await client.call_tool(tool, {"to": payee.value, "amount": amount, **more}))


def answer_of(result: CallToolResult) -> dict[str, Any]:
    """The structured answer, which the text repeats."""
    assert isinstance(result.structured_content, dict), result
    return result.structured_content


def text_of(result: CallToolResult) -> str:
    """The one text block of a result."""
    (block,) = result.content
    assert isinstance(block, TextContent)
    return block.text


def told(answer: dict[str, Any]) -> tuple[str, str]:
    """Status and outcome of an answer, or its status and the code of its refusal."""
    return answer["status"], answer.get("outcome") or answer.get("code") or ""


async def done_once(client: Client, home: Home, payee: Address, **more: str) -> dict[str, Any]:
    """The honest way, from question to receipt, with the person on the page."""
    pending = await pay(client, payee, **more)
    async with home.owner() as owner:
        await owner.approve(pending, payee)
    done = await pay(client, payee, **more)
    assert told(done) == ("done", "mined"), done
    assert not done["repeated"]
    return done
