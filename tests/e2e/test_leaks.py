"""The wallet's real secrets, planted at every source of a real server over stdio: nothing of them leaves anywhere.

The vault and its fingerprints are the daemon's; the server process knows no secret but what is planted in it. In the
embedded mode it is the guard as well. Afterwards nothing of them stands in the database, the journal, a log, any other
file or a request to the node.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp_types import ElicitResult

from mcp_wallet_guard.assembly import StateFiles
from mcp_wallet_guard.testing.chain import SimulatedChain
from tests.database import execute
from tests.e2e.leaky_server import PLANTED
from tests.e2e.rig import EACH_ERA, ERAS, MODES, Era, Home, make_home, pay, server_command, told
from tests.e2e.secrets_of import above, encoded, factors, found_in, phrases, raw_secrets
from tests.e2e.tap import Tap
from tests.mcp.leaky import DETOURS, ERRORS, GUARDED_PROMPTS, GUARDED_RESOURCES, PROMPTS, RESOURCES, RESULTS

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    # Deprecated ways to tell a client something are ways all the same.
    pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning"),
]

PAYEE = "0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF"
PAYMENT = {"to": PAYEE, "amount": "0.001"}


async def _ignore(*_: Any) -> None:
    """A client that listens to everything and does nothing with it: the tap keeps the bytes."""


async def _progress(progress: float, total: float | None, message: str | None) -> None:
    """The same for progress."""


async def _accepts(context: Any, params: Any) -> ElicitResult:
    return ElicitResult(action="accept")


@asynccontextmanager
async def leaking(home: Home, era: Era, planted: dict[str, Any]) -> AsyncIterator[tuple[Client, Tap]]:
    """A leaky server of this wallet, with `planted` to choose from."""
    (home.directory.parent / PLANTED).write_text(json.dumps(list(planted.values())), "utf-8")
    tap = Tap(server_command(home, "leaky"), log=home.directory.parent / f"leaky-{era}.log")
    tap.log.unlink(missing_ok=True)
    options: Any = {
        "mode": MODES[era], "logging_callback": _ignore, "message_handler": _ignore, "elicitation_callback": _accepts,
        "log_level": "debug",
    }  # fmt: skip
    async with Client(tap, **options) as client:
        await client.list_tools()
        if home.is_embedded:
            await home.unlock()
            await client.list_tools()  # asks the guard for what it knows since
        yield client, tap


def sources(client: Client, number: int, planted: Any) -> dict[str, Callable[[], Awaitable[Any]]]:
    """Every place of the protocol through which a server says something (mcp 2.3)."""
    leak = planted if isinstance(planted, str) else json.dumps(planted)
    ref: Any = {"type": "ref/prompt", "name": "content_prompt"}
    found: dict[str, Callable[[], Awaitable[Any]]] = {
        name: partial(client.call_tool, name, {}) for name in RESULTS + ERRORS
    }
    found |= {f"resource {n}": partial(client.read_resource, f"wallet://{n}") for n in RESOURCES + GUARDED_RESOURCES}
    found |= {f"prompt {name}": partial(client.get_prompt, name) for name in PROMPTS + GUARDED_PROMPTS}
    return found | {
        "progress": lambda: client.call_tool("notifies", {}, progress_callback=_progress),
        "spend crash": lambda: client.call_tool("pay_crash", PAYMENT),
        "argument echo": lambda: client.call_tool("echo", {"argument": {"text": leak}}),
        "argument type echo": lambda: client.call_tool("echo", {"argument": {"text": "a"}, "number": leak}),
        "missing argument echo": lambda: client.call_tool("echo", {"number": leak}),
        "unknown argument echo": lambda: client.call_tool("pay", {**PAYMENT, leak: 1}),
        "spend argument echo": lambda: client.call_tool("pay", {"to": leak, "amount": leak}),
        "unknown tool": lambda: client.call_tool(leak, {}),
        "unknown prompt": lambda: client.get_prompt(leak),
        "unknown resource": lambda: client.read_resource("wallet://" + leak),
        "completion": lambda: client.complete(ref, {"name": "a", "value": "b"}),
        "completion crash": lambda: client.complete(ref, {"name": "a", "value": "crash"}),
        **{name: partial(_by_detour, client, number, name) for name in DETOURS},
    }


async def _by_detour(client: Client, number: int, detour: str) -> None:
    await client.call_tool("plant", {"number": number, "detour": detour})
    await client.call_tool("text", {})


async def reached(client: Client, tap: Tap, number: int, value: Any, *, sample: int = 1) -> dict[str, str]:
    """Source -> the bytes that it put on stdout, as sent and unescaped."""
    await client.call_tool("plant", {"number": number})
    seen: dict[str, str] = {}
    for place, (source, call) in enumerate(sources(client, number, value).items()):
        if place % sample != number % sample:
            continue
        start = len(tap.stdout)
        try:
            await call()
        except MCPError:
            pass  # an error is a message like any other
        raw = bytes(tap.stdout[start:]).decode("utf-8")
        seen[source] = raw + "".join(json.dumps(json.loads(line), ensure_ascii=False) for line in raw.splitlines())
    return seen


async def _leak(home: Home, era: Era, planted: dict[str, Any], *, sample: int = 1) -> None:
    """Plant each value, and call every source; with `sample` n every n-th, another n-th with each value."""
    found: set[tuple[str, str]] = set()
    async with leaking(home, era, planted) as (client, tap):
        for number, (name, value) in enumerate(planted.items()):
            for source, text in (await reached(client, tap, number, value, sample=sample)).items():
                found |= {(source, each) for each in found_in(text, {name: value})}
    assert found == set()
    assert tap.returncode == 0
    assert tap.messages()
    # Late words count too: all of stdout, and all that a host keeps of stderr.
    assert found_in(bytes(tap.stdout).decode("utf-8"), planted) == set()
    assert found_in(tap.log.read_text("utf-8"), planted) == set()
    if not home.is_embedded:
        await home.lock()  # reads are written in groups: now all of them are
        await home.unlock()
    places = dict(_written(home))
    assert {"state.db", "vault.json", "journal", "node"} <= set(places)
    assert '"blocked"' in places["journal"]
    for place, text in places.items():
        assert found_in(text, planted) == set(), place


def _written(home: Home) -> Iterator[tuple[str, str]]:
    """Name -> text of every file of this wallet and its processes, of the journal, and of what the node was asked."""
    for path in sorted(home.directory.parent.rglob("*")):
        if path.is_file() and path.name != PLANTED:
            yield path.name, _text(path.read_bytes())
    bodies = [body for (body,) in execute(StateFiles(home.loaded.vault_path).database, "SELECT body FROM journal")]
    unescaped = [json.dumps(json.loads(body), ensure_ascii=False) for body in bodies]
    yield "journal", _text(b"\n".join(bodies)) + "\n".join(unescaped)
    yield "node", _text(b"\n".join(home.chain.bodies))


def _text(raw: bytes) -> str:
    """Bytes of any file as text, and as the text that they may be in UTF-8."""
    return raw.decode("latin-1") + ("" if raw.isascii() else raw.decode("utf-8", "replace"))


@pytest.mark.parametrize(("era", "sample"), [(ERAS[0], 1), (ERAS[1], 5)])
async def test_the_private_key_leaves_by_no_source_in_no_encoding(era: Era, sample: int, home: Home) -> None:
    """T-057, T-058, T-060, T-061: every encoding at every source; in the older era at another fifth of them each."""
    await _leak(home, era, encoded("private key", raw_secrets(home.new)["private key"]), sample=sample)


@pytest.mark.parametrize(("era", "sample"), [(ERAS[0], 3), (ERAS[1], 1)])
async def test_the_phrase_and_the_second_factor_leave_by_no_source(era: Era, sample: int, home: Home) -> None:
    """T-057, T-058, T-060."""
    await _leak(home, era, phrases(home.new) | factors(home.new), sample=sample)


@pytest.mark.parametrize(("name", "era"), [("entropy", ERAS[0]), ("seed", ERAS[1]), ("factor", ERAS[0])])
async def test_every_other_secret_is_known_in_every_encoding(name: str, era: Era, home: Home) -> None:
    """T-061: each value at another twelfth of the sources."""
    await _leak(home, era, encoded(name, raw_secrets(home.new)[name]), sample=12)


@pytest.mark.parametrize("era", EACH_ERA)
async def test_no_key_between_the_seed_and_the_account_leaves(era: Era, home: Home) -> None:
    """T-061, T-063: each yields the account's key."""
    await _leak(home, era, above(home.new), sample=4)


@pytest.fixture
def embedded(chain: SimulatedChain) -> Iterator[Home]:
    with tempfile.TemporaryDirectory(prefix="e2e-") as folder:
        yield make_home(Path(folder), chain, mode="embedded")


@pytest.mark.parametrize("era", EACH_ERA)
async def test_nothing_leaves_a_server_that_is_the_guard_itself(era: Era, embedded: Home) -> None:
    """T-057, T-058, T-060, T-061: the embedded mode, each value at another sixth of the sources."""
    secrets = raw_secrets(embedded.new)
    planted = encoded("private key", secrets["private key"]) | phrases(embedded.new) | factors(embedded.new)
    await _leak(embedded, era, planted, sample=6)


@pytest.mark.parametrize("era", EACH_ERA)
async def test_honest_twins_pass_by_every_source_that_returns_something(era: Era, home: Home) -> None:
    """T-062: hashes, addresses, signatures, calldata and receipts look much like keys, and are not."""
    twins = {
        "hash": "0x" + "5c" * 32,
        "address": home.address.value,
        "signature": "0x" + bytes(range(65)).hex(),
        "calldata": "0xa9059cbb" + "00" * 12 + PAYEE[2:].lower() + f"{10**18:064x}",
        "list": [{"hash": "0x" + "ab" * 32, "value": str(10**18), "block": 12}],
        "prose": "A recovery phrase has twelve words, such as legal, winner and thank. Nobody may know yours.",
    }
    async with leaking(home, era, twins) as (client, tap):
        for number, (name, value) in enumerate(twins.items()):
            seen = await reached(client, tap, number, value)
            for source in (
                "structured", "text", "resource content", "prompt content_prompt", "completion", "interceptor result",
                "resource guarded", "prompt guarded_prompt",
            ):  # fmt: skip
                assert found_in(seen[source], {name: value}), (source, name)
    assert found_in(tap.log.read_text("utf-8"), twins) == set(twins)


@pytest.mark.parametrize("era", EACH_ERA)
async def test_stdout_carries_json_rpc_and_nothing_else(era: Era, home: Home) -> None:
    """Crashes, logs at debug level, a payment, and a client that asks for nonsense."""
    async with leaking(home, era, {"harmless": "nothing"}) as (client, tap):
        await reached(client, tap, 0, "nothing")
        assert told(await pay(client, home.payee())) == ("pending", "")
        with pytest.raises(MCPError):
            await client.read_resource("wallet://nowhere")
    assert len(tap.messages()) > len(RESULTS + ERRORS)
    assert b"Traceback" not in tap.stdout
    assert "Traceback" in tap.log.read_text("utf-8")
