"""Frames on one connected socket: read and written whole, within a time, secrets into buffers that can be wiped.

Plain sockets instead of a stream of `bytes`, because only `recv_into` lets a passphrase arrive in one buffer of ours.
Reading may be cancelled at any point and taken up again by another task: progress is kept here, nothing is lost.
"""

from __future__ import annotations

import socket
from typing import Final, final

import anyio
from anyio.lowlevel import checkpoint

from mcp_wallet_guard.daemon.wire import LENGTH, Disconnected, body_length
from mcp_wallet_guard.secret import Secret

FRAME_SECONDS: Final = 5.0
WRITE_SECONDS: Final = 5.0


@final
class FrameStream:
    """One end of a connection. One task reads at a time; writers take turns."""

    def __init__(self, connection: socket.socket, /, *, frame_seconds: float, write_seconds: float) -> None:
        """Own a connected, non-blocking socket. A frame that was begun is whole within `frame_seconds`."""
        self._socket: Final = connection
        self._frame_seconds: Final = frame_seconds
        self._write_seconds: Final = write_seconds
        self._sending: Final = anyio.Lock(fast_acquire=True)
        self._head = bytearray(LENGTH.size)
        self._body: bytearray | None = None
        self._filled = 0
        self._closed = False

    async def receive(self) -> bytes:
        """The next frame's body. Waits for its first byte as long as it takes.

        Raises Disconnected at the end of the stream or when the rest does not come in time, InvalidInput for a length
        that no frame has.
        """
        if self._body is None and self._filled == 0:
            await self._some(self._head)
        with anyio.move_on_after(self._frame_seconds):
            return await self._rest_of_frame()
        raise Disconnected

    async def receive_secret(self, length: int, /) -> Secret:
        """The `length` raw bytes that follow a frame. Raises Disconnected; what had come is wiped then."""
        buffer = bytearray(length)
        try:
            with anyio.move_on_after(self._frame_seconds):
                while self._filled < length:
                    await self._some(buffer)
                self._filled = 0
                return Secret(buffer)
            raise Disconnected
        finally:
            buffer[:] = bytes(length)

    async def send(self, *parts: bytes | memoryview) -> None:
        """Write the parts, one after the other and nothing between them. Raises Disconnected.

        Not cancelled half-way, since half a frame would spoil the connection for its other users; a peer that does
        not read is disconnected instead.
        """
        async with self._sending:
            with anyio.move_on_after(self._write_seconds, shield=True):
                for part in parts:
                    await self._write(part)
                return
            self.close()
            raise Disconnected

    def is_alive(self) -> bool:
        """Whether the other side had not hung up when this was asked."""
        if self._closed:
            return False
        try:
            return self._socket.recv(1, socket.MSG_PEEK) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    def close(self) -> None:
        """Hang up and wake whoever waits. Idempotent."""
        if not self._closed:
            self._closed = True
            anyio.notify_closing(self._socket)
            self._socket.close()

    async def _rest_of_frame(self) -> bytes:
        if self._body is None:
            while self._filled < LENGTH.size:
                await self._some(self._head)
            self._body, self._filled = bytearray(body_length(self._head)), 0
        while self._filled < len(self._body):
            await self._some(self._body)
        body, self._body, self._filled = bytes(self._body), None, 0
        return body

    async def _some(self, target: bytearray) -> None:
        """At least one more byte into `target`; lets other tasks run once."""
        try:
            received = self._receive_now(target)
            if received is not None:
                self._filled += received
                await checkpoint()
                return
            while received is None:
                await anyio.wait_readable(self._socket)
                received = self._receive_now(target)
            self._filled += received
        except (OSError, ValueError, anyio.ClosedResourceError):
            raise Disconnected from None

    def _receive_now(self, target: bytearray) -> int | None:
        """Bytes received, or None when there are none yet. Raises Disconnected at the end."""
        with memoryview(target)[self._filled :] as free:
            try:
                received = self._socket.recv_into(free)
            except BlockingIOError:
                return None
        if received == 0:
            raise Disconnected
        return received

    async def _write(self, part: bytes | memoryview) -> None:
        with memoryview(part) as whole:
            sent = 0
            while sent < len(whole):
                try:
                    with whole[sent:] as rest:
                        sent += self._socket.send(rest)
                except BlockingIOError:
                    await self._until_writable()
                except OSError:
                    raise Disconnected from None

    async def _until_writable(self) -> None:
        try:
            await anyio.wait_writable(self._socket)
        except (OSError, ValueError, anyio.ClosedResourceError):
            raise Disconnected from None
