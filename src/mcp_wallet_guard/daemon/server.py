"""The daemon's side of the two sockets: who may ask what, how much at once, and how it ends.

The guard decides; this file only carries. It never writes to stdout, and its log holds codes and numbers, no content.
Specified in docs/formats/daemon-protocol.md. Threat: T-001, T-058, T-110.
"""

from __future__ import annotations

import logging
import socket
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, final

import anyio
from anyio.abc import TaskGroup, TaskStatus

from mcp_wallet_guard.daemon import sockets, wire
from mcp_wallet_guard.daemon.base import Role, ServedGuard
from mcp_wallet_guard.daemon.methods import METHODS, AnyMethod
from mcp_wallet_guard.daemon.stream import FRAME_SECONDS, WRITE_SECONDS, FrameStream
from mcp_wallet_guard.daemon.wire import Disconnected
from mcp_wallet_guard.errors import GuardError, InvalidInput, Misconfigured, RateLimited, Unavailable

if TYPE_CHECKING:
    from pathlib import Path

    from mcp_wallet_guard.daemon.lock import GuardLock
    from mcp_wallet_guard.secret import Secret

_log: Final = logging.getLogger(__name__)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Ceilings of the service. `finish_seconds` bounds a call that its client cannot stop."""

    connections: int = 64
    in_flight: int = 64
    hello_seconds: float = 5.0
    frame_seconds: float = FRAME_SECONDS
    write_seconds: float = WRITE_SECONDS
    finish_seconds: float = 180.0


@final
@dataclass(slots=True, kw_only=True)
class _Session:
    """One greeted connection: its stream, its socket's role, and the open calls by id."""

    stream: FrameStream
    role: Role
    open_calls: dict[int, anyio.CancelScope] = field(default_factory=dict)


@final
@dataclass(slots=True, kw_only=True)
class _Call:
    """One request, checked, with the scope that a cancel message ends."""

    number: int
    method: AnyMethod
    arguments: Any
    secret: Secret | None
    scope: anyio.CancelScope


@final
class DaemonServer:
    """Serves one guard on `mcp.sock` and `control.sock` below a vault directory.

    `async with create_task_group() as tasks: await tasks.start(server.serve)`, and `server.stop()` when done. The
    embedded mode runs the same object in the server's own process.
    """

    def __init__(
        self, guard: ServedGuard, /, *, directory: Path, lock: GuardLock, limits: Limits | None = None
    ) -> None:
        """`lock` is the directory's own, held by the caller until `serve` has returned."""
        self._guard: Final = guard
        self._directory: Final = directory
        self._lock: Final = lock
        self._limits: Final = limits or Limits()
        self._connections: Final[dict[Role, int]] = dict.fromkeys(Role, 0)
        self._stopping: Final = anyio.Event()

    async def serve(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Serve until `stop`. Calls that must finish do so before this returns; the sockets are gone before that.

        Raises Misconfigured when a socket cannot be made safely, or when the lock is another directory's.
        """
        if self._lock.directory != self._directory:
            raise Misconfigured("misconfigured.already_running", detail="the lock is another directory's")
        with ExitStack() as names:
            listeners: dict[Role, socket.socket] = {}
            for role in Role:
                listeners[role] = sockets.listen(self._directory, role, lock=self._lock)
                names.callback(listeners[role].close)
                names.callback(sockets.remove, self._directory, role)
            async with anyio.create_task_group() as tasks:
                for role, listener in listeners.items():
                    tasks.start_soon(self._accept, tasks, listener, role)
                task_status.started()
                try:
                    await self._stopping.wait()
                finally:
                    for listener in listeners.values():
                        anyio.notify_closing(listener)
                    names.close()
                    tasks.cancel_scope.cancel()

    def stop(self) -> None:
        """Ask `serve` to end. Idempotent; from the event loop's thread."""
        self._stopping.set()

    async def wait_stopping(self) -> None:
        """Return once `stop` was called, also by a `shut_down` over control.sock."""
        await self._stopping.wait()

    # --- connections ----------------------------------------------------------------------------------------------

    async def _accept(self, tasks: TaskGroup, listener: socket.socket, role: Role) -> None:
        while True:
            try:
                await anyio.wait_readable(listener)
                connection, _ = listener.accept()
            except (anyio.ClosedResourceError, ValueError):
                return
            except (BlockingIOError, ConnectionAbortedError):
                continue
            except OSError as error:  # out of descriptors: those in use go on
                _log.warning("cannot accept a connection: errno %s", error.errno)
                await anyio.sleep(0.1)
                continue
            connection.setblocking(False)
            try:
                sockets.check_peer(connection)
            except GuardError:
                _log.warning("a connection of another user to %s.sock was refused", role.value)
                connection.close()
                continue
            tasks.start_soon(self._converse, connection, role)

    async def _converse(self, connection: socket.socket, role: Role) -> None:
        """One connection from hello to end."""
        limits = self._limits
        stream = FrameStream(connection, frame_seconds=limits.frame_seconds, write_seconds=limits.write_seconds)
        session = _Session(stream=stream, role=role)
        self._connections[role] += 1
        try:
            if self._connections[role] > limits.connections:
                raise RateLimited
            with anyio.move_on_after(limits.hello_seconds) as opening:
                wire.parse_greeting(await stream.receive(), role=role)
            if opening.cancelled_caught:
                return
            await stream.send(wire.hello(role))
            async with anyio.create_task_group() as calls:
                breach = await self._read(session, calls)
                calls.cancel_scope.cancel()
            if breach is not None:
                raise breach
        except GuardError as error:
            _log.info("a connection to %s.sock ended: %s", role.value, error.code)
            await _try_to_send(stream, wire.failure(error, number=None, role=role))
        except Disconnected:
            pass
        finally:
            self._connections[role] -= 1
            stream.close()

    async def _read(self, session: _Session, calls: TaskGroup) -> GuardError | None:
        """Take messages until the client goes, or breaks a rule: that error is returned."""
        try:
            while True:
                message = wire.parse_from_client(await session.stream.receive())
                if isinstance(message, wire.Cancel):
                    self._cancel(session, message.cancel)
                else:
                    await self._begin(session, message, calls)
        except Disconnected:
            return None
        except GuardError as breach:
            return breach

    # --- calls ----------------------------------------------------------------------------------------------------

    async def _begin(self, session: _Session, request: wire.Request, calls: TaskGroup) -> None:
        """Check a request and start it. Raises InvalidInput for what no client of this protocol sends."""
        method = METHODS[session.role].get(request.method)
        if method is None or request.id in session.open_calls or method.takes_secret != (request.secret is not None):
            raise InvalidInput("invalid_input")
        arguments = method.parse_arguments(request.args)
        secret = None if request.secret is None else await session.stream.receive_secret(request.secret)
        if len(session.open_calls) >= self._limits.in_flight:
            if secret is not None:
                secret.wipe()
            await session.stream.send(wire.failure(RateLimited(), number=request.id, role=session.role))
            return
        seconds = self._limits.finish_seconds if method.finishes else None
        scope = anyio.move_on_after(seconds, shield=method.finishes)
        call = _Call(number=request.id, method=method, arguments=arguments, secret=secret, scope=scope)
        session.open_calls[request.id] = scope
        if method.ordered:
            await self._answer(session, call)
        else:
            calls.start_soon(self._answer, session, call)

    @staticmethod
    def _cancel(session: _Session, number: int) -> None:
        """The client waits no longer. A call that finishes, or has finished, is left alone."""
        scope = session.open_calls.get(number)
        if scope is not None and not scope.shield:
            scope.cancel()

    async def _answer(self, session: _Session, call: _Call) -> None:
        """Run one call and send its one reply."""
        try:
            reply = wire.failure(Unavailable("unavailable.daemon"), number=call.number, role=session.role)
            with call.scope:
                reply = await self._reply(session, call)
        finally:
            session.open_calls.pop(call.number, None)
            if call.secret is not None:
                call.secret.wipe()
        try:
            await _try_to_send(session.stream, reply)
        finally:
            if call.method.stops:  # whoever asked may be gone; the guard is locked already
                self.stop()

    async def _reply(self, session: _Session, call: _Call) -> bytes:
        """What the guard says, framed. Errors travel as (kind, code); what was not foreseen stays here."""
        try:
            return _framed(call, await _run(self._guard, call))
        except GuardError as error:
            return wire.failure(error, number=call.number, role=session.role)
        except Exception as error:  # noqa: BLE001  # the daemon outlives a bug, and says where it is but not with what
            _log.error("%s failed: %s at %s", call.method.name, type(error).__name__, _place_of(error))
            return wire.failure(Unavailable("unavailable"), number=call.number, role=session.role)


async def _run(guard: ServedGuard, call: _Call) -> Any:
    if call.secret is not None and call.method.run_with_secret is not None:
        return await call.method.run_with_secret(guard, call.arguments, call.secret)
    if call.method.run is not None:
        return await call.method.run(guard, call.arguments)
    raise Misconfigured("misconfigured")


def _framed(call: _Call, value: Any) -> bytes:
    """A result that is too large is the guard's fault, not the caller's. Raises Unavailable."""
    try:
        return wire.result(call.number, call.method.result_to_json(value))
    except InvalidInput:
        raise Unavailable("unavailable", detail="the result does not fit into a frame") from None


async def _try_to_send(stream: FrameStream, data: bytes) -> None:
    """Send to a client that may be gone."""
    try:
        await stream.send(data)
    except Disconnected:
        pass


def _place_of(error: BaseException) -> str:
    """File and line where an error came from; its text may hold anything and is left out. Threat: T-058."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "nowhere" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
