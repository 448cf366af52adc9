"""All that a server sends, on its way out: results, errors, notifications, requests to the client.

A result with a hit is replaced whole; a notification with a hit is dropped; an error keeps its number and gets the
standard's own sentence. A form that asks for a code or a passphrase is not sent. Threat: T-005, T-057, T-058, T-060.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextvars import ContextVar, Token
from typing import Any, Final, Literal, final

from mcp.server.session import ServerSession
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import MCPError, NoBackChannelError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    PARSE_ERROR,
    MissingRequiredClientCapabilityErrorData,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from mcp_wallet_guard.errors import GuardError
from mcp_wallet_guard.exchange import ReadRecord
from mcp_wallet_guard.filters.fingerprints import FingerprintSet
from mcp_wallet_guard.filters.outbound import check_released, search
from mcp_wallet_guard.mcp.answers import new_incident
from mcp_wallet_guard.mcp.link import GuardLink
from mcp_wallet_guard.mcp.parameters import check_question, check_questions
from mcp_wallet_guard.proofs import Released

logger: Final = logging.getLogger(__name__)

_SENTENCES: Final = {
    PARSE_ERROR: "Parse error",
    INVALID_REQUEST: "Invalid request",
    METHOD_NOT_FOUND: "Method not found",
    INVALID_PARAMS: "Invalid request parameters",
    MISSING_REQUIRED_CLIENT_CAPABILITY: "The client lacks a required capability",
}
_ENVELOPE: Final = frozenset({"resultType", "_meta"})
_COMPLETE: Final = {"resultType": "complete"}
_CONTENT: Final = frozenset({"resources/read", "prompts/get", "completion/complete"})
"""Results that are an author's data. Without fingerprints they stay; the others are the guard's or constant text."""


@final
class Noted:
    """What the wrappers of one request told about it: results that they checked, and reads to be journalled."""

    __slots__ = ("reads", "released", "returned")

    def __init__(self) -> None:
        self.released: Final[list[Released]] = []
        self.reads: list[ReadRecord] = []
        self.returned: Final[list[object]] = []

    def take_reads(self) -> list[ReadRecord]:
        """The reads that nobody journalled yet, for the caller to do so."""
        reads, self.reads = self.reads, []
        return reads


_NOTED: Final[ContextVar[Noted | None]] = ContextVar("mcp_wallet_guard_noted", default=None)


def note_released(released: Released, /) -> None:
    """Tell the request under way that a tool's wrapper has checked this result already."""
    noted = _NOTED.get()
    if noted is not None:
        noted.released.append(released)


def note_read(record: ReadRecord, /, *, returned: object) -> bool:
    """Leave a read's check and its line in the journal to the request under way. `returned` is what its handler
    returned. False when there is none: a call around the server's middleware."""
    noted = _NOTED.get()
    if noted is None:
        return False
    noted.reads.append(record)
    noted.returned.append(returned)
    return True


@final
class Noting:
    """One request, as a block: what `note_released` and `note_read` hear in it."""

    __slots__ = ("_token",)

    def __enter__(self) -> Noted:
        noted = Noted()
        self._token: Token[Noted | None] = _NOTED.set(noted)
        return noted

    def __exit__(self, *_: object) -> None:
        _NOTED.reset(self._token)


@final
class FixedError(MCPError):
    """An error in our own words, whose incident the log has already."""


@final
class Releaser:
    """Step 9 for one protected server."""

    def __init__(self, link: GuardLink, /) -> None:
        self._link = link
        self._usual: tuple[str, FingerprintSet] | None = None

    async def result(self, wire: dict[str, Any], noted: Noted, /, *, method: str, version: str) -> dict[str, Any]:
        """`wire` as it was checked, its reads journalled. For a tool a hit gives an error result without structured
        content, since a client validates that; for anything else it raises MCPError. The same for a form that may not
        be asked (T-005), and for a read that the journal does not take."""
        reads = noted.take_reads()
        try:
            if "inputRequests" in wire:
                check_questions(wire)
            checked = await self._checked(wire, noted, needs_guard=method in _CONTENT)
            for record in reads:
                await self._link.record_read(record)
        except GuardError as error:
            incident = new_incident()
            await self.unreleased(reads, "blocked", code=error.code, incident=incident)
            return _withheld(error, method=method, version=version, incident=incident)
        return checked

    async def unreleased(
        self,
        reads: list[ReadRecord],
        outcome: Literal["blocked", "failed"],
        /,
        *,
        code: str | None = None,
        incident: str | None = None,
    ) -> None:
        """Journal reads whose results did not leave. Raises nothing: nothing more is refused."""
        for read in reads:
            told = read.model_copy(update={"outcome": outcome, "code": code, "incident": incident})
            await self._link.record_quietly(told)

    async def _checked(self, wire: dict[str, Any], noted: Noted, *, needs_guard: bool) -> dict[str, Any]:
        # What a wrapper checked and nobody changed since is not searched twice; only the envelope is new.
        if noted.released:
            body = _body(wire)
            for each in noted.released:
                if (known := _body(each.payload)) == body:
                    envelope = {name: wire[name] for name in _ENVELOPE if name in wire}
                    return {**known, **await self._enveloped(envelope, needs_guard=needs_guard)}
        released = await self._released(wire, needs_guard=needs_guard, returned=noted.returned)
        payload: dict[str, Any] = released.payload
        return payload

    async def _enveloped(self, envelope: dict[str, Any], *, needs_guard: bool) -> dict[str, Any]:
        if self._is_usual(envelope):
            return envelope
        payload: dict[str, Any] = (await self._released(envelope, needs_guard=needs_guard)).payload
        return payload

    def error(self, error: BaseException, /, *, method: str) -> MCPError:
        """An MCPError with a sentence of the standard or of ours, never the text of `error`."""
        if isinstance(error, FixedError):
            return error
        if isinstance(error, GuardError):
            return MCPError(code=INVALID_PARAMS, message=error.public, data={"code": error.code})
        if isinstance(error, ValidationError):
            return MCPError(code=INVALID_PARAMS, message=_SENTENCES[INVALID_PARAMS])
        if isinstance(error, MCPError) and error.error.code in _SENTENCES:
            code = error.error.code
            return MCPError(code=code, message=_SENTENCES[code], data=_data(error))
        incident = new_incident()
        logger.error("%s failed (incident %s)", method, incident, exc_info=error)
        return MCPError(code=INTERNAL_ERROR, message=f"The server failed (incident {incident}).")

    def guard_session(self, session: ServerSession, /) -> None:
        """From here on the session's messages pass here, both those of the request and the unrelated ones."""
        outbound, connection = session._request_outbound, session._connection  # noqa: SLF001  # see server_adapter
        if not isinstance(connection.outbound, Channel):
            connection.outbound = Channel(connection.outbound, releaser=self)
        if not isinstance(outbound, Channel):
            # The session was made for this one request. It is never exchanged for another: whoever holds it is bound.
            guarded: Any = Channel(outbound, releaser=self)
            session._request_outbound = guarded  # noqa: SLF001  # the same

    async def message(self, params: Mapping[str, Any] | None, /, *, method: str) -> bool:
        """Whether a message of the server may be sent."""
        if params is None:
            return True
        try:
            await self._released(dict(params), needs_guard=True)
        except GuardError:
            logger.warning("a message %s was withheld (incident %s)", method, new_incident())
            return False
        return True

    def _is_usual(self, envelope: dict[str, Any]) -> bool:
        """Whether exactly this was searched for the same secrets: a server puts one envelope around all its results."""
        if envelope == _COMPLETE or not envelope:
            return True
        fingerprints, spelled = self._link.recent, repr(envelope)
        if fingerprints is None:
            return False
        if self._usual != (spelled, fingerprints):
            try:
                search(envelope, fingerprints=fingerprints)
            except GuardError:
                return False
            self._usual = (spelled, fingerprints)
        return True

    async def _released(self, payload: object, *, needs_guard: bool, returned: object = None) -> Released:
        """Raises Tampered for a hit, and what the link raises for a guard that is needed and cannot be reached."""
        try:
            fingerprints = self._link.recent or await self._link.fingerprints()
        except GuardError:
            if needs_guard:
                raise
            fingerprints = self._link.known
        return check_released(payload, fingerprints=fingerprints, returned=returned)


@final
class Channel:
    """An outgoing channel of the SDK, request-scoped or of the connection, that filters."""

    def __init__(self, inner: Any, /, *, releaser: Releaser) -> None:
        self._inner = inner
        self._releaser = releaser

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        """Ask the client, unless the question holds a secret. Raises Misconfigured for a form that asks for one."""
        check_question(method, params)
        if not await self._releaser.message(params, method=method):
            raise NoBackChannelError(method)
        answer: dict[str, Any] = await self._inner.send_raw_request(method, params, opts)
        return answer

    async def notify(self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None) -> None:
        """Tell the client, unless the message holds a secret."""
        if await self._releaser.message(params, method=method):
            await self._inner.notify(method, params, opts)

    async def progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        """Report progress; a message that holds a secret is left out."""
        if message is not None and not await self._releaser.message({"message": message}, method="progress"):
            message = None
        await self._inner.progress(progress, total, message)


def _withheld(reason: GuardError, /, *, method: str, version: str, incident: str) -> dict[str, Any]:
    logger.warning("a result of %s was withheld: %s (incident %s)", method, reason.detail or reason.code, incident)
    text = f"{reason.public} (incident {incident})"
    if method != "tools/call":
        raise FixedError(code=INTERNAL_ERROR, message=text)
    replaced: dict[str, Any] = {"content": [{"type": "text", "text": text}], "isError": True}
    if version in MODERN_PROTOCOL_VERSIONS:
        replaced["resultType"] = "complete"
    return replaced


def _body(wire: dict[str, Any]) -> dict[str, Any]:
    """`wire` without what the SDK puts around every result."""
    return {name: value for name, value in wire.items() if name not in _ENVELOPE}


def _data(error: MCPError) -> Any:
    if error.error.code != MISSING_REQUIRED_CLIENT_CAPABILITY:
        return None
    try:
        parsed = MissingRequiredClientCapabilityErrorData.model_validate(error.error.data)
    except ValidationError:
        return None
    return parsed.model_dump(mode="json", by_alias=True, exclude_none=True)
