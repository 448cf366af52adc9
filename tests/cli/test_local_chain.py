"""``local-chain``, the test payment at the end of ``init``, and what a host is told: a newcomer's first steps."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.testing.chain import SimulatedChain
from mcp_wallet_guard.testing.clock import SharedClock
from tests.cli.commands import Ran, code_on, line, run, run_on_terminal, run_without_terminal, serving
from tests.cli.test_init import PASSPHRASE, REASON

CHEAP = ["--kdf", "cheap", "--danger-cheap-kdf", REASON, "--json"]
TYPED: list[tuple[str, Any]] = [("New passphrase", PASSPHRASE), ("The same again", PASSPHRASE)]


@pytest.fixture
def clock(folder: Path) -> SharedClock:
    """The same time for a process of its own."""
    return SharedClock.create(folder / "clock", start=int(time.time()))


@pytest.fixture
def chain(clock: SharedClock) -> Iterator[SimulatedChain]:
    with SimulatedChain.in_thread(clock=clock) as served:
        yield served


def paying(folder: Path, chain: SimulatedChain, *more: str) -> list[str]:
    place = ["--dir", str(folder / "guard"), "--chain", "local", "--node", chain.url, "--max-per-transaction", "1"]
    return ["init", *place, "--test-payment", *CHEAP, *more]


def person(clock: SharedClock, *, ending: str) -> list[tuple[str, Any]]:
    """Types the enrolment's code; then reads the payment, and takes the app's next code for it."""

    def code(screen: str) -> str:
        return code_on(screen, at=clock.now())

    def next_code(screen: str) -> str:
        clock.advance(30)
        return code(screen)

    def match(screen: str) -> str:
        return str(re.findall(r"type this match code: (\S+)", screen)[-1])

    endings: dict[str, list[tuple[str, Any]]] = {
        "approved": [("Match code", match), ("authenticator", next_code)],
        "declined": [("Match code", "decline")],
        "left": [("Match code", "")],
        "the same code again": [("Match code", match), ("authenticator", code), ("Match code", "")],
    }
    return [*TYPED, ("the code that the app shows", code), *endings[ending]]


def test_a_newcomer_makes_one_guarded_payment(folder: Path, chain: SimulatedChain, clock: SharedClock) -> None:
    ran = run_on_terminal(*paying(folder, chain), answers=person(clock, ending="approved"), clock=clock)

    assert ran.status == 0, ran.err
    paid = ran.json["test_payment"]
    assert (paid["outcome"], paid["receipt"]["amount"], paid["receipt"]["symbol"]) == ("mined", "0.01", "ETH")
    assert paid["receipt"]["account"].endswith(ran.json["address"])
    assert list(chain.sent) == [paid["receipt"]["transaction_hash"]]
    assert 98 * 10**16 < chain.balance(Address.parse(ran.json["address"])) < 99 * 10**16
    assert "wait for the app's next one" in ran.screen
    assert re.findall(r"type this match code: (\S+)", ran.screen)[0] not in ran.out + ran.err


@pytest.mark.parametrize(
    ("ending", "outcome"), [("declined", "declined"), ("left", "left"), ("the same code again", "left")]
)
def test_without_the_owners_answer_nothing_is_paid_and_the_wallet_is_there(
    folder: Path, chain: SimulatedChain, clock: SharedClock, ending: str, outcome: str
) -> None:
    ran = run_on_terminal(*paying(folder, chain), answers=person(clock, ending=ending), clock=clock)

    assert (ran.status, ran.json["in_force"], ran.json["test_payment"]["outcome"]) == (1, True, outcome), ran.err
    assert not chain.sent
    assert chain.balance(Address.parse(ran.json["address"])) == 10**18


def test_a_small_ceiling_is_kept(folder: Path, chain: SimulatedChain, clock: SharedClock) -> None:
    small = [word if word != "1" else "0.002" for word in paying(folder, chain)]
    ran = run_on_terminal(*small, answers=person(clock, ending="approved"), clock=clock)

    assert ran.json["test_payment"]["receipt"]["amount"] == "0.002"


def test_the_outcome_is_told_to_a_person(folder: Path, chain: SimulatedChain, clock: SharedClock) -> None:
    words = [word for word in paying(folder, chain) if word != "--json"]
    ran = run_on_terminal(*words, answers=person(clock, ending="approved"), clock=clock)

    assert ran.status == 0, ran.err
    assert "Test payment: 0.01 ETH to 0x" in ran.out
    assert next(iter(chain.sent)) in ran.out
    assert '"mcpServers": {' in ran.out


def test_without_a_terminal_there_is_no_test_payment(folder: Path, chain: SimulatedChain) -> None:
    with (folder / "secrets").open("w") as secrets:
        fds = ["--passphrase-fd", "0", "--secrets-fd", str(secrets.fileno())]
        ran = run_without_terminal(*paying(folder, chain, *fds), stdin=PASSPHRASE, keep=[secrets.fileno()])

    assert (ran.status, ran.code) == (5, "unavailable.terminal")
    assert not (folder / "guard").exists()


@pytest.mark.parametrize("lie", ["no node", "another chain", "no accounts", "no address"])
def test_a_node_that_is_no_development_chain_is_named_before_anything_is_made(
    folder: Path, chain: SimulatedChain, lie: str
) -> None:
    words = paying(folder, chain)
    if lie == "no node":
        words[words.index(chain.url)] = "http://127.0.0.1:9/"
    elif lie == "another chain":
        chain.lie("eth_chainId", "0x1")
    else:
        chain.lie("eth_accounts", [] if lie == "no accounts" else ["0x12"])

    ran = run_on_terminal(*words, answers=[])

    assert (ran.status, ran.code) == (5, "unavailable.node")
    assert "mcp-wallet-guard local-chain" in ran.err
    assert not (folder / "guard").exists()


def test_a_chain_that_takes_the_transaction_and_moves_nothing_is_found_out(
    folder: Path, chain: SimulatedChain, clock: SharedClock
) -> None:
    chain.lie("eth_sendTransaction", "0x" + "00" * 32)
    chain.fail("eth_getBalance")

    ran = run_on_terminal(*paying(folder, chain), answers=person(clock, ending="approved")[:3], clock=clock)

    assert (ran.status, ran.json["in_force"], ran.json["test_payment"]["outcome"]) == (1, True, "unavailable.node")
    assert not chain.sent


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_local_chain_says_once_that_it_listens_and_ends_well(how: signal.Signals) -> None:
    with serving(line("local-chain", "--port", "0")) as process:
        process.send_signal(how)
        assert process.stdout is not None
        more = process.stdout.read()
        assert process.wait(timeout=60) == 0

    assert more.startswith("Set up a wallet on it in another terminal: mcp-wallet-guard init --chain local")


def test_a_port_that_is_taken_or_none_is_named(chain: SimulatedChain) -> None:
    taken = chain.url.rstrip("/").rpartition(":")[2]

    busy = run("local-chain", "--port", taken, "--json")
    none = run("local-chain", "--port", "65536", "--json")

    assert (busy.status, busy.code) == (5, "unavailable")
    assert taken in busy.err
    assert (none.status, none.code) == (2, "invalid_input")


def test_without_the_testing_extra_the_line_that_installs_it_is_named() -> None:
    program = (
        "import sys\n"
        "sys.modules['eth_tester'] = None\n"
        "from mcp_wallet_guard.cli.main import main\n"
        "sys.exit(main(['local-chain', '--port', '0', '--json']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (6, "missing_extra")
    assert "pip install 'mcp-wallet-guard[testing]'" in done.stderr


# --- the host -----------------------------------------------------------------------------------------------------


def snippet(made: Any, *words: str) -> Ran:
    return run("host-snippet", "--config", str(made), *words)


def test_a_host_is_told_this_python_the_server_and_the_settings(config: str, folder: Path) -> None:
    server = folder / "server.py"
    server.write_text("", encoding="utf-8")

    ran = snippet(config, "--server", str(server), "--name", "treasury")

    assert ran.status == 0, ran
    expected = {"mcpServers": {"treasury": {"command": sys.executable, "args": [str(server), config]}}}
    assert json.loads(ran.out) == expected
    assert snippet(config, "--server", str(server), "--name", "treasury", "--json").json == expected


def test_without_a_server_a_place_for_one_is_told(config: str) -> None:
    assert json.loads(snippet(config).out)["mcpServers"]["wallet"]["args"] == ["/path/to/your/server.py", config]


def test_a_server_that_is_no_file_and_settings_that_are_missing_are_named(config: str, folder: Path) -> None:
    assert snippet(config, "--server", str(folder), "--json").code == "invalid_input"
    assert snippet(folder / "nothing.toml", "--json").code == "misconfigured.settings"
