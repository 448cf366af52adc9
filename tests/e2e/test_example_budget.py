"""The example of an agent that pays by itself: within the mandate of its guard.toml, and never beyond it.

Its server as its host.json starts it, over stdio, and a daemon with its guard.toml in force.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import anyio
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters

from mcp_wallet_guard.answers import MandateStatus
from mcp_wallet_guard.cli.running import status_report
from mcp_wallet_guard.config.file import load_settings
from mcp_wallet_guard.config.settings import canonical
from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.testing.chain import SimulatedChain
from tests.e2e.rig import (
    EACH_ERA,
    ERAS,
    MODES,
    READY_SECONDS,
    ROOT,
    Daemon,
    Era,
    Home,
    answer_of,
    make_home,
    pay,
    running_daemon,
    told,
)

pytestmark = pytest.mark.anyio
EXAMPLE: Final = ROOT / "examples" / "unattended_small_budget"
GUARD_TOML: Final = (EXAMPLE / "guard.toml").read_text("utf-8")
SEARCH, MAPS = (Address.parse(contact["address"]) for contact in tomllib.loads(GUARD_TOML)["contacts"])
STRANGER: Final = Address.from_bytes(b"\x11" * 20)
MOST, MOST_WEI, PAYMENTS = "0.005", 5 * 10**15, 4
"""The most at once, and how many of them the budget of a day has room for."""
DAY: Final = 86_400
COINS: Final = """
[[policy.mandates]]
name = "coins"
tools = ["pay"]
asset = "USDC"
group = "trusted"
max_per_transaction = "5"
max_fee = "0.002"
amount = "10"
count = 9
window = "1d"
valid_days = 30
"""


def example_of(made: str) -> str:
    """The example's guard.toml, for the chain and the account of the wallet that was made."""
    text, theirs, ours = GUARD_TOML, tomllib.loads(GUARD_TOML), tomllib.loads(made)
    for table, key in (("chain", "id"), ("chain", "node"), ("account", "address")):
        old = f"{key} = {json.dumps(theirs[table][key])}"
        assert text.count(f"\n{old}") == 1
        text = text.replace(old, f"{key} = {json.dumps(ours[table][key])}")
    return text


def with_coins(made: str) -> str:
    """The same with a token that may be paid, allowed to others, and a mandate for it."""
    tokens = tomllib.loads(made)["tokens"]
    table = "".join(f"{key} = {json.dumps(value)}\n" for key, value in tokens[0].items())
    text = example_of(made).replace("tokens = {} ", 'tokens = { USDC = "100" } ')
    return text.replace('approvals = "refuse"', 'approvals = "capped"') + f"\n[[tokens]]\n{table}{COINS}"


@pytest.fixture
def settings() -> Callable[[str], str]:
    """What the wallet's guard.toml is made from."""
    return example_of


@pytest.fixture
def daemon(base: Path, chain: SimulatedChain, settings: Callable[[str], str]) -> Iterator[Daemon]:
    """Sealed with the passphrase alone: nobody gave a code for the mandate yet."""
    with running_daemon(make_home(base, chain, edit=settings)) as running:
        yield running


@pytest.fixture
def home(daemon: Daemon) -> Home:
    return daemon.home


async def grant(home: Home) -> None:
    """`mcp-wallet-guard policy apply`, with a code."""
    async with home.control() as control:
        await control.apply_policy(canonical(load_settings(home.settings).settings), code=home.code())


async def mandate(home: Home) -> MandateStatus:
    async with home.control() as control:
        return (await control.control_status()).mandates[0]


@asynccontextmanager
async def host(home: Home, era: Era = ERAS[0]) -> AsyncIterator[Client]:
    """A host with the configuration of the example, its paths filled in."""
    (server,) = json.loads((EXAMPLE / "host.json").read_text("utf-8"))["mcpServers"].values()
    paths = {"/path/to/server.py": str(EXAMPLE / "server.py"), "/path/to/guard.toml": str(home.settings)}
    assert (server["command"], set(server["args"])) == ("python", set(paths))
    command = StdioServerParameters(command=sys.executable, args=[paths[each] for each in server["args"]])
    async with Client(command, mode=MODES[era]) as client:
        yield client


async def invoice(client: Client, number: str, amount: str = MOST, *, to: Address = SEARCH) -> dict[str, Any]:
    return await pay(client, to, amount, invoice=number)


def is_asked(answer: dict[str, Any]) -> bool:
    return bool(answer["status"] == "pending" and not answer["queued"] and not answer["approved"])


@pytest.mark.parametrize("era", EACH_ERA)
async def test_within_the_bounds_it_pays_without_a_question_and_status_tells(era: Era, home: Home) -> None:
    before = home.paid(SEARCH)
    await grant(home)
    async with host(home, era) as client:
        done = await invoice(client, "1")
        assert told(done) == ("done", "mined")
        assert await invoice(client, "1") == done | {"repeated": True}, "an invoice is paid once"
        held = answer_of(await client.call_tool("balance", {}))
    assert home.paid(SEARCH) - before == MOST_WEI
    assert held == {"wei": str(home.chain.balance(home.address))}
    async with home.control() as control:
        assert await control.requests() == ()
        lines = status_report(await control.control_status()).lines
    (said,) = [line for line in (EXAMPLE / "README.md").read_text("utf-8").splitlines() if line.startswith("Mandate:")]
    assert said.endswith(", until ...")
    assert any(line.startswith(said.removesuffix("...")) for line in lines), lines


async def test_before_the_code_every_payment_is_asked(home: Home) -> None:
    assert (await mandate(home)).expires_at is None
    async with host(home) as client:
        assert is_asked(await invoice(client, "1"))
        await home.clear()
        assert is_asked(await invoice(client, "2", "0.000000000000000001"))
    assert home.sent() == set()


async def test_the_first_beyond_the_budget_is_asked_and_its_owner_may_pay_it(home: Home) -> None:
    await grant(home)
    before = home.paid(SEARCH)
    async with host(home) as client:
        for number in range(PAYMENTS):
            assert told(await invoice(client, str(number))) == ("done", "mined")
        beyond = await invoice(client, "beyond")
        assert is_asked(beyond)
        assert home.paid(SEARCH) - before == PAYMENTS * MOST_WEI
        async with home.owner() as owner:
            home.clock.advance(30)
            await owner.person.approve(beyond["operation"], expect_to=SEARCH.value, expect_amount=MOST)
        assert told(await invoice(client, "beyond")) == ("done", "mined")
    assert home.paid(SEARCH) - before == (PAYMENTS + 1) * MOST_WEI
    assert (await mandate(home)).budget.payments == PAYMENTS, "what its owner answered takes nothing from the mandate"


@pytest.mark.parametrize(
    ("tool", "to", "amount", "reference"),
    [
        pytest.param("pay", STRANGER, MOST, "invoice", id="another payee"),
        pytest.param("pay", SEARCH, "0.005000000000000001", "invoice", id="one unit too much"),
        pytest.param("refund", SEARCH, MOST, "order", id="another tool"),
    ],
)
async def test_what_the_mandate_does_not_name_is_asked(
    home: Home, tool: str, to: Address, amount: str, reference: str
) -> None:
    await grant(home)
    async with host(home) as client:
        assert is_asked(await pay(client, to, amount, tool=tool, **{reference: "1"}))
        assert home.sent() == set()
        await home.clear()
        assert told(await invoice(client, "1", to=MAPS)) == ("done", "mined"), "the honest one beside it is paid"


@pytest.mark.slow
async def test_splitting_pays_no_more_and_a_restart_forgets_nothing(daemon: Daemon) -> None:
    """Threat: T-018, T-019."""
    home = daemon.home
    await grant(home)
    async with host(home) as client:
        for number in range(10):
            assert told(await invoice(client, str(number), "0.0001", to=(SEARCH, MAPS)[number % 2])) == (
                "done",
                "mined",
            )
        assert is_asked(await invoice(client, "10", "0.0001"))
        await home.clear()
    paid = home.sent()
    await daemon.restart()
    async with host(home) as client:
        assert is_asked(await invoice(client, "11", "0.0001")), "ten payments a day, whatever their size"
        await home.clear()
        assert home.sent() == paid
        home.clock.advance(DAY + DAY // 60)
        await home.unlock()
        assert told(await invoice(client, "12", "0.0001")) == ("done", "mined")


async def test_a_question_holds_the_account_until_it_is_answered(home: Home) -> None:
    await grant(home)
    async with host(home) as client:
        assert is_asked(await invoice(client, "1", to=STRANGER))
        waits = await invoice(client, "2")
        assert (waits["status"], waits["queued"]) == ("pending", True)
        await home.clear()
        assert told(await invoice(client, "2")) == ("done", "mined")


async def test_an_idle_guard_locks_itself_and_pays_nothing_then(home: Home) -> None:
    await grant(home)
    async with host(home) as client:
        home.clock.advance(14 * 60)
        assert told(await invoice(client, "1")) == ("done", "mined")
        home.clock.advance(14 * 60)
        assert told(await invoice(client, "2")) == ("done", "mined"), "what it pays keeps it open"
        home.clock.advance(15 * 60)
        await _locked(home)
        assert told(await invoice(client, "3")) == ("refused", "locked")


async def test_taken_out_of_the_settings_it_has_ended(home: Home) -> None:
    await grant(home)
    text = home.settings.read_text("utf-8")
    start, end = text.index("[[policy.mandates]]"), text.index("[approval]")
    async with host(home) as client:
        assert told(await invoice(client, "1")) == ("done", "mined")
        home.settings.write_text(text[:start] + text[end:], "utf-8")
        assert told(await invoice(client, "2")) == ("done", "mined"), "an edit alone changes nothing"
        await grant(home)
        assert is_asked(await invoice(client, "3"))


async def _locked(home: Home) -> None:
    """The daemon looks once a second whether it is time."""
    async with home.control() as control:
        with anyio.fail_after(READY_SECONDS):
            while not (await control.control_status()).locked:  # noqa: ASYNC110  # another process locks it
                await anyio.sleep(0.05)


@pytest.mark.parametrize("settings", [with_coins], ids=["with a token"])
async def test_an_allowance_is_asked_under_the_tools_name_and_within_the_amount(home: Home) -> None:
    """Threat: T-028. Sent, the same is paid: only what the call does makes the difference."""
    await grant(home)
    command = StdioServerParameters(
        command=sys.executable, args=["-m", "tests.e2e.rogue_server", str(home.settings)], cwd=ROOT
    )
    async with Client(command, mode=MODES[ERAS[0]]) as client:
        same = {"to": SEARCH.value, "amount": "5"}
        assert told(answer_of(await client.call_tool("pay", {"how": "send", **same}))) == ("done", "mined")
        sent = home.sent()
        assert is_asked(answer_of(await client.call_tool("pay", {"how": "allow", **same})))
    assert home.sent() == sent
