"""The example server as a host runs it: its own process, stdio, and nothing on stdout but JSON-RPC."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters

from tests.mcp.ports import PAYEE

EXAMPLE = Path(__file__).parents[2] / "examples" / "local_stdio"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def settings() -> Iterator[Path]:
    # Not tmp_path: the guard's folder must be nobody else's, and a socket's path is short.
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "guard.toml"
        shutil.copy(EXAMPLE / "guard.toml", copy)
        copy.chmod(0o600)
        yield copy


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_example_starts_without_a_guard_and_says_what_to_do(mode: str, settings: Path) -> None:
    server = StdioServerParameters(command=sys.executable, args=[str(EXAMPLE / "server.py"), str(settings)])
    async with Client(server, mode=mode) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == [
            "pay",
            "pay_token",
            "balances",
            "history",
        ]
        refused = await client.call_tool("pay", {"to": PAYEE, "amount": "0.1"})
        assert refused.structured_content is not None
        assert refused.structured_content["code"] == "not_running"
        assert "mcp-wallet-guard start" in refused.structured_content["message"]
        assert (await client.call_tool("balances", {"address": PAYEE})).is_error


def test_every_line_on_stdout_is_json_rpc(settings: Path) -> None:
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    lines: list[dict[str, Any]] = [
        {"id": 1, "method": "initialize", "params": hello},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/list"},
        {"id": 3, "method": "tools/call", "params": {"name": "late", "arguments": {}}},
        {"id": 4, "method": "nonsense"},
        {"id": 5, "method": "tools/call", "params": {"name": "pay", "arguments": {"to": 1, "confirmed": True}}},
    ]
    command = [sys.executable, str(EXAMPLE / "server.py"), str(settings)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        answers: dict[int, Any] = {}
        for line in lines:
            process.stdin.write(json.dumps({"jsonrpc": "2.0", **line}).encode() + b"\n")
            process.stdin.flush()
            if "id" in line:
                answer = json.loads(process.stdout.readline())
                assert answer["jsonrpc"] == "2.0"
                answers[answer["id"]] = answer
        process.stdin.close()
        assert process.stdout.read() == b""
    assert answers[3]["error"]["data"] == {"code": "unclassified"}
    assert answers[4]["error"]["code"] == -32601
    assert answers[5]["result"]["isError"] is True
