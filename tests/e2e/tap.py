"""A stdio transport that keeps every byte of both directions, and whose server can be killed at any moment."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, final

import anyio
from anyio.abc import Process
from mcp.client._transport import TransportStreams
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

from tests.e2e.rig import ROOT

END_SECONDS: Final = 20


@final
class Tap:
    """A `Transport` of the SDK's client around one server process. stderr goes to the file `log`."""

    def __init__(self, command: list[str], *, log: Path) -> None:
        self.stdin: Final = bytearray()
        self.stdout: Final = bytearray()
        self.log: Final = log
        self.returncode: int | None = None
        self._command: Final = command
        self._process: Process | None = None
        self._ended: Final = anyio.Event()
        self._running: AbstractAsyncContextManager[TransportStreams] | None = None

    async def __aenter__(self) -> TransportStreams:
        self._running = self._run()
        return await self._running.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        assert self._running is not None
        return await self._running.__aexit__(kind, error, trace)

    def kill(self) -> None:
        """SIGKILL to the server."""
        assert self._process is not None
        self._process.kill()

    def messages(self) -> list[dict[str, Any]]:
        """Every line of stdout as JSON-RPC. Fails for anything else."""
        assert not self.stdout or self.stdout.endswith(b"\n")
        found = [json.loads(line) for line in self.stdout.splitlines()]
        assert all(isinstance(each, dict) and each["jsonrpc"] == "2.0" for each in found)
        return found

    def carried(self) -> str:
        """Everything that MCP carried either way, as sent and with the JSON's escapes undone."""
        raw = bytes(self.stdin + self.stdout).decode("utf-8")
        return raw + "".join(json.dumps(json.loads(line), ensure_ascii=False) for line in raw.splitlines())

    @asynccontextmanager
    async def _run(self) -> AsyncIterator[TransportStreams]:
        to_client, read = anyio.create_memory_object_stream[SessionMessage | Exception](100)
        write, from_client = anyio.create_memory_object_stream[SessionMessage](100)
        with self.log.open("ab") as log:
            self._process = process = await anyio.open_process(self._command, cwd=ROOT, stderr=log)
        async with process, to_client, read, write, from_client, anyio.create_task_group() as tasks:
            tasks.start_soon(self._receive, process, to_client)
            tasks.start_soon(self._send, process, from_client)
            try:
                yield read, write
            finally:
                with anyio.CancelScope(shield=True):
                    await self._end(process)
                tasks.cancel_scope.cancel()

    async def _receive(self, process: Process, to_client: Any) -> None:
        assert process.stdout is not None
        rest = b""
        async for chunk in process.stdout:
            self.stdout.extend(chunk)
            *lines, rest = (rest + chunk).split(b"\n")
            try:
                for line in lines:
                    await to_client.send(SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False)))
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                pass  # the session is gone; what the server still says is kept
        to_client.close()
        self._ended.set()

    async def _send(self, process: Process, from_client: Any) -> None:
        assert process.stdin is not None
        try:
            async for message in from_client:
                line = message.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n"
                self.stdin.extend(line)
                await process.stdin.send(line)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
            pass  # the server is gone

    async def _end(self, process: Process) -> None:
        """What a host does: close stdin and wait."""
        assert process.stdin is not None
        try:
            await process.stdin.aclose()
        except (anyio.BrokenResourceError, OSError):
            pass  # it was killed
        with anyio.move_on_after(END_SECONDS):
            await self._ended.wait()
            await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()
            raise AssertionError("the server outlived its stdin")
        self.returncode = process.returncode
