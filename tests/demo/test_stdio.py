"""The demonstration's wallet server on raw pipes: standard output carries JSON-RPC, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mcp_wallet_guard.testing.chain import SimulatedChain
from mcp_wallet_guard.testing.clock import ScriptedClock
from mcp_wallet_guard.testing.wallet import MadeWallet, make_wallet
from tests.cli.commands import daemon, unlock

PAYEE = "0x7070707070707070707070707070707070707070"
MODULE = "mcp_wallet_guard.testing.demo.server_process"


@pytest.fixture
def made() -> Iterator[MadeWallet]:
    clock = ScriptedClock(int(time.time()))
    with tempfile.TemporaryDirectory(prefix="d", dir="/tmp") as name, SimulatedChain.in_thread(clock=clock) as chain:
        yield make_wallet(Path(name) / "guard", chain=chain, clock=clock, mode="daemon")


def converse(config: Path, *calls: tuple[str, dict[str, Any]]) -> tuple[str, str, list[dict[str, Any]]]:
    """Initialise, call the tools one after the other, close: raw stdout, raw stderr, the answers."""
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
    process = subprocess.Popen(
        [sys.executable, "-m", MODULE, str(config)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    raw, answers = "", []

    def send(message: dict[str, Any]) -> None:
        assert process.stdin is not None
        process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        process.stdin.flush()

    def receive(number: int) -> dict[str, Any]:
        nonlocal raw
        assert process.stdout is not None
        for line in process.stdout:
            raw += line
            message: dict[str, Any] = json.loads(line)
            if message.get("id") == number:
                return message
        raise AssertionError("the server went away")

    try:
        send({"id": 0, "method": "initialize", "params": hello})
        receive(0)
        send({"method": "notifications/initialized"})
        for number, (name, arguments) in enumerate(calls, 1):
            send({"id": number, "method": "tools/call", "params": {"name": name, "arguments": arguments}})
            answers.append(receive(number)["result"])
        out, err = process.communicate(timeout=120)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    return raw + out, err, answers


def test_standard_output_carries_json_rpc_and_nothing_else(made: MadeWallet) -> None:
    with daemon(made):
        unlock(made.loaded.path)
        out, err, (balance, pending, refused, unknown) = converse(
            made.loaded.path,
            ("balance", {}),
            ("pay", {"to": PAYEE, "amount": "0.1"}),
            ("pay", {"to": PAYEE, "amount": "0.2", "confirmed": True}),
            ("pay", {"to": PAYEE.replace("7", "8", 1)[:-1], "amount": "1,5"}),
        )

    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in out.splitlines())
    assert balance["content"][0]["text"] == "1 ETH"
    assert pending["structuredContent"]["status"] == "pending"
    assert refused["structuredContent"]["code"] == "invalid_input.unknown_argument"
    assert unknown["isError"]
    assert "Traceback" not in err


def test_without_a_guard_the_server_says_how_its_owner_starts_one(made: MadeWallet) -> None:
    out, _, (balance, pay) = converse(made.loaded.path, ("balance", {}), ("pay", {"to": PAYEE, "amount": "0.1"}))

    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in out.splitlines())
    assert "mcp-wallet-guard start" in balance["content"][0]["text"]
    assert pay["structuredContent"]["code"] == "not_running"
