"""One connection to the guard, shared by concurrent calls, without a task of its own.

Whoever waits and finds nobody reading reads for all; when its own reply is there, it wakes the next one to go on. So a
client needs no task group, no thread and no shutdown order, and a cancelled call leaves the others alone.
Threat: T-110.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar, final

import anyio

from mcp_wallet_guard.daemon import sockets, wire
from mcp_wallet_guard.daemon.stream import FRAME_SECONDS, WRITE_SECONDS, FrameStream
from mcp_wallet_guard.daemon.wire import Disconnected
from mcp_wallet_guard.errors import GuardError, InvalidInput, Misconfigured, Unavailable

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_wallet_guard.daemon.base import Role
    from mcp_wallet_guard.daemon.methods import Method
    from mcp_wallet_guard.evidence import Model
    from mcp_wallet_guard.secret import Secret

HELLO_SECONDS: Final = 5.0
CANCEL_SECONDS: Final = 1.0

A = TypeVar("A", bound="Model")
R = TypeVar("R")


@final
@dataclass(slots=True)
class _Waiting:
    """One open call: its reply once it is there, and what wakes its task."""

    sent: bool = False
    reply: wire.Result | GuardError | None = None
    wake: anyio.Event = field(default_factory=anyio.Event)


@final
class Link:
    """An open, greeted connection. Once broken it stays so; make another."""

    def __init__(self, stream: FrameStream, /) -> None:
        self._stream: Final = stream
        self._waiting: Final[dict[int, _Waiting]] = {}
        self._abandoned: Final[set[int]] = set()
        self._last = 0
        self._reading = False
        self._broken: GuardError | None = None

    @classmethod
    async def open(cls, directory: Path, role: Role, /) -> Link:
        """Connect, check who listens, and greet.

        Raises Locked("not_running"), Misconfigured (`permissions`, or `protocol` for another version), RateLimited
        when too many are connected, Unavailable("unavailable.daemon") when the guard does not answer.
        """
        with anyio.move_on_after(HELLO_SECONDS):
            connection = await sockets.connect(directory, role)
            stream = FrameStream(connection, frame_seconds=FRAME_SECONDS, write_seconds=WRITE_SECONDS)
            try:
                await _greet(stream, role)
            except BaseException:
                stream.close()
                raise
            return cls(stream)
        raise Unavailable("unavailable.daemon")

    def is_usable(self) -> bool:
        """Whether another call may be tried here."""
        return self._broken is None and self._stream.is_alive()

    def close(self) -> None:
        """Hang up. Calls that wait raise Unavailable("unavailable.daemon"). Idempotent."""
        self._break(Unavailable("unavailable.daemon"))

    async def call(self, method: Method[A, R], arguments: A, /, *, secret: Secret | None = None) -> R:
        """One request and its reply.

        Raises the guard's error; InvalidInput for arguments that do not fit into a frame, before anything is sent;
        Unavailable("unavailable.daemon") when the connection ends first, whether the call was carried out or not.
        """
        self._last += 1
        number, waiting = self._last, _Waiting()
        request = wire.request(
            number, method=method.name, arguments=arguments, secret=0 if secret is None else len(secret)
        )
        self._waiting[number] = waiting
        try:
            await self._send(request, secret)
            waiting.sent = True
            reply = await self._reply_to(waiting)
        finally:
            del self._waiting[number]
            if waiting.sent and waiting.reply is None and self._broken is None:
                await self._abandon(number)
            self._wake_next()
        if isinstance(reply, GuardError):
            raise reply
        try:
            return method.parse_result(reply.result)
        except InvalidInput:
            raise _break_of_protocol() from None

    # --- writing --------------------------------------------------------------------------------------------------

    async def _send(self, request: bytes, secret: Secret | None) -> None:
        if self._broken is not None:
            raise self._broken
        try:
            if secret is None:
                await self._stream.send(request)
            else:
                with secret.reveal() as view:
                    await self._stream.send(request, view)
        except Disconnected:
            self._break(Unavailable("unavailable.daemon"))

    async def _abandon(self, number: int) -> None:
        """Tell the guard that nobody waits any longer; its late reply will be dropped."""
        self._abandoned.add(number)
        with anyio.move_on_after(CANCEL_SECONDS, shield=True) as scope:
            try:
                await self._stream.send(wire.cancel(number))
            except Disconnected:
                self._break(Unavailable("unavailable.daemon"))
        if scope.cancelled_caught:
            self._break(Unavailable("unavailable.daemon"))

    # --- reading --------------------------------------------------------------------------------------------------

    async def _reply_to(self, waiting: _Waiting) -> wire.Result | GuardError:
        while waiting.reply is None:
            if self._reading:
                await waiting.wake.wait()
                waiting.wake = anyio.Event()
            else:
                await self._read_until(waiting)
        return waiting.reply

    async def _read_until(self, waiting: _Waiting) -> None:
        """Read for everybody until this call's reply is there."""
        self._reading = True
        try:
            while waiting.reply is None:
                self._deliver(wire.parse_from_server(await self._stream.receive()))
        except Disconnected:
            self._break(Unavailable("unavailable.daemon"))
        except InvalidInput:
            self._break(_break_of_protocol())
        finally:
            self._reading = False

    def _deliver(self, message: wire.Result | wire.Failure) -> None:
        if message.id is None:
            self._break(wire.error_of(message.error))  # the guard ends the connection, and says why
        elif message.id in self._abandoned:
            self._abandoned.discard(message.id)
        elif message.id in self._waiting:
            waiting = self._waiting[message.id]
            waiting.reply = message if isinstance(message, wire.Result) else wire.error_of(message.error)
            waiting.wake.set()
        else:
            self._break(_break_of_protocol())

    def _wake_next(self) -> None:
        """Let one of those who still wait do the reading."""
        if not self._reading:
            for waiting in self._waiting.values():
                if waiting.reply is None:
                    waiting.wake.set()
                    return

    def _break(self, reason: GuardError) -> None:
        """Hang up, and give everybody who waits the reason."""
        if self._broken is None:
            self._broken = reason
            self._stream.close()
        for waiting in self._waiting.values():
            if waiting.reply is None:
                waiting.reply = self._broken
                waiting.wake.set()


async def _greet(stream: FrameStream, role: Role) -> None:
    try:
        await stream.send(wire.hello(role))
        refusal = wire.parse_reply_to_hello(await stream.receive(), role=role)
    except Disconnected:
        raise Unavailable("unavailable.daemon") from None
    except InvalidInput:
        raise _break_of_protocol() from None
    if refusal is not None:
        raise refusal


def _break_of_protocol() -> Misconfigured:
    return Misconfigured("misconfigured.protocol", detail="the guard's reply breaks the protocol")
