"""The example of an exchange: its server as its host.json starts it, a daemon with its guard.toml, and a real venue.

Threat: T-001, T-006, T-009, T-057, T-061, T-120.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tomllib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import anyio
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters

from mcp_wallet_guard.evidence import Channel
from mcp_wallet_guard.exchange import ApprovalRequest
from mcp_wallet_guard.testing.chain import SimulatedChain
from mcp_wallet_guard.testing.clock import SharedClock
from mcp_wallet_guard.testing.venue import SimulatedVenue
from tests.cli.commands import run
from tests.e2e.rig import (
    EACH_ERA,
    ERAS,
    MODES,
    PASSPHRASE,
    ROOT,
    Daemon,
    Era,
    Home,
    answer_of,
    make_home,
    running_daemon,
    told,
)

pytestmark = pytest.mark.anyio
EXAMPLE: Final = ROOT / "examples" / "exchange_withdrawal"
GUARD_TOML: Final = (EXAMPLE / "guard.toml").read_text("utf-8")
COLD: Final = tomllib.loads(GUARD_TOML)["venues"][0]["addresses"][0]["address"]
STRANGER: Final = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
KEY_ID: Final = hashlib.sha256(b"a key of tests").hexdigest()
SECRET: Final = hashlib.sha256(b"a secret of tests").hexdigest()
ASKED: Final = {"asset": "USDC", "network": "ARBITRUM", "to": COLD, "amount": "25.5"}


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[SimulatedVenue]:
    unset = SharedClock.create(tmp_path / "unset", start=1)
    with SimulatedVenue.in_thread(key_id=KEY_ID, secret=SECRET, clock=unset) as venue:
        venue.list_address("USDC", "ARBITRUM", COLD)
        yield venue


@pytest.fixture
def daemon(base: Path, chain: SimulatedChain, venue: SimulatedVenue) -> Iterator[Daemon]:
    def example_of(made: str) -> str:
        """The example's guard.toml, for the chain, the account and the venue of this test."""
        text, theirs, ours = GUARD_TOML, tomllib.loads(GUARD_TOML), tomllib.loads(made)
        for table, key in (("chain", "id"), ("chain", "node"), ("account", "address")):
            text = text.replace(f"{key} = {json.dumps(theirs[table][key])}", f"{key} = {json.dumps(ours[table][key])}")
        return text.replace("https://api.binance.com", venue.url)

    home = make_home(base, chain, edit=example_of)
    venue.clock = home.clock
    ran = run(
        "venue", "key", "exchange", "--dir", str(home.directory), "--json",
        clock=home.clock, passphrase=PASSPHRASE, key=f"{KEY_ID}\n{SECRET}\n",
    )  # fmt: skip
    assert ran.status == 0, ran
    assert not any(part in ran.out + ran.err for part in (KEY_ID, SECRET))
    with running_daemon(home) as running:
        yield running


@pytest.fixture
def home(daemon: Daemon) -> Home:
    return daemon.home


@asynccontextmanager
async def host(home: Home, era: Era = ERAS[0]) -> AsyncIterator[Client]:
    """A host with the configuration of the example, its paths filled in."""
    (server,) = json.loads((EXAMPLE / "host.json").read_text("utf-8"))["mcpServers"].values()
    paths = {"/path/to/server.py": str(EXAMPLE / "server.py"), "/path/to/guard.toml": str(home.settings)}
    command = StdioServerParameters(command=sys.executable, args=[paths[each] for each in server["args"]])
    async with Client(command, mode=MODES[era]) as client:
        yield client


async def withdraw(client: Client, **changes: Any) -> dict[str, Any]:
    return answer_of(await client.call_tool("withdraw", ASKED | changes))


async def approve(home: Home) -> ApprovalRequest:
    async with home.control() as control:
        (request,) = await control.requests()
        await control.approve(
            request.operation,
            view_hash=request.view_hash,
            match_code=request.match_code,
            code=home.code(),
            channel=Channel.TERMINAL,
        )
    return request


@pytest.mark.parametrize("era", EACH_ERA)
async def test_what_its_owner_read_is_what_the_venue_verified(home: Home, venue: SimulatedVenue, era: Era) -> None:
    async with host(home, era) as client:
        assert (await withdraw(client))["status"] == "pending"
        assert venue.withdrawals == []
        request = await approve(home)
        answer = await withdraw(client)
        assert told(answer) == ("done", "sent")
        again = await withdraw(client)
        assert (again["operation"], again["repeated"]) == (answer["operation"], True)
    (left,) = venue.withdrawals
    shown = {field.label: field.value for field in request.view.fields}
    stamp = left.fields["timestamp"]
    assert left.text == shown["Signed string"].replace("{timestamp}", stamp)
    receipt = answer["withdrawal"]
    assert receipt["request_sha256"] == hashlib.sha256(left.text.encode()).hexdigest()
    assert (receipt["to"], receipt["received"], receipt["memo"]) == (COLD, "25.4", None)
    said = (EXAMPLE / "README.md").read_text("utf-8")
    head = request.text.split("\nVenue ")[0]
    assert f"```text\n{head}\n```" in said, "the page shows what its owner sees"


async def test_the_model_gets_nowhere_else(home: Home, venue: SimulatedVenue) -> None:
    async with host(home) as client:
        for changes, code in (
            ({"to": STRANGER}, "policy.venue_address"),
            ({"network": "ETH"}, "policy.venue"),
            ({"asset": "BTC"}, "policy.venue"),
            ({"memo": "1"}, "policy.venue_memo"),
            ({"amount": "500.000001"}, "policy.cap"),
            ({"to": f"{COLD}&amount=9"}, "invalid_input.withdrawal"),
        ):
            assert told(await withdraw(client, **changes)) == ("refused", code)
        missing = await client.call_tool("withdraw", {name: ASKED[name] for name in ("asset", "to", "amount")})
        assert answer_of(missing)["status"] == "refused", "there is no default network"
    assert venue.asked == []


async def test_a_guard_that_is_killed_before_the_answer_withdrew_once(daemon: Daemon, venue: SimulatedVenue) -> None:
    home = daemon.home
    async with host(home) as client:
        await withdraw(client)
        await approve(home)
        venue.fail("hang")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(withdraw, client)
            with anyio.fail_after(30):
                while not venue.withdrawals:  # noqa: ASYNC110  # another process sends it
                    await anyio.sleep(0.01)
            daemon.kill()
        venue.released.set()
        await daemon.restart()
        assert told(await withdraw(client)) == ("done", "sent")
    assert len(venue.withdrawals) == 1


async def test_the_key_is_in_no_file_log_or_answer(home: Home, venue: SimulatedVenue) -> None:
    async with host(home) as client:
        answers = [await withdraw(client)]
        await approve(home)
        answers.append(await withdraw(client))
    files = b"".join(path.read_bytes() for path in sorted(home.directory.parent.rglob("*")) if path.is_file())
    everything = files + json.dumps(answers).encode()
    for hidden in (KEY_ID, SECRET, venue.bodies[-1].rpartition(b"=")[2].decode()):
        assert hidden.encode() not in everything
