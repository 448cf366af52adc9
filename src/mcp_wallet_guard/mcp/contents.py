"""Resources and prompts: reads, like tools that read. Found, checked, run, measured, filtered, journalled.

A read goes by this registry, never by the SDK's: what was registered around the guard, earlier or later, is not run
for a URI that looks served. Threat: T-056, T-057, T-058, T-060, T-106, T-107.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, final

from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ResourceNotFoundError
from mcp.shared.exceptions import MCPError
from mcp.shared.uri_template import UriTemplate
from mcp_types import INTERNAL_ERROR, GetPromptResult, InputRequiredResult, PromptMessage

from mcp_wallet_guard.errors import GuardError, Locked, Refused
from mcp_wallet_guard.exchange import ReadRecord
from mcp_wallet_guard.filters.inbound import check_arguments
from mcp_wallet_guard.filters.outbound import check_released
from mcp_wallet_guard.mcp import answers
from mcp_wallet_guard.mcp.ceremonies import PRINCIPAL
from mcp_wallet_guard.mcp.handlers import Handler, run
from mcp_wallet_guard.mcp.labels import Label, labelled
from mcp_wallet_guard.mcp.link import GuardLink
from mcp_wallet_guard.mcp.parameters import check_questions
from mcp_wallet_guard.mcp.releasing import FixedError, note_read
from mcp_wallet_guard.mcp.rendering import messages_of, size_of, text_or_bytes, wire_of
from mcp_wallet_guard.mcp.texts import Texts
from mcp_wallet_guard.mcp.uris import capture, check_uri

logger: Final = logging.getLogger(__name__)

DEFAULT_MAX_BYTES: Final = 256 * 1024
MOST_BYTES: Final = 4 * 1024 * 1024
"""The outbound filter reads 8 Mi characters, and bytes travel as base64."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """One resource, template or prompt that is served. `key` is its URI, template or name; a prompt has no `uri`."""

    key: str
    uri: UriTemplate | None
    label: Label
    max_bytes: int
    handler: Handler
    texts: Texts
    mime_type: str | None = None
    description: str | None = None
    meta: dict[str, Any] | None = None

    @property
    def record(self) -> str:
        """What the journal calls it: what its author wrote, never what a caller sent."""
        return self.key if self.uri is not None else f"prompt:{self.key}"

    def body_of(self, returned: object, /) -> str | bytes | list[PromptMessage]:
        """What is sent of a handler's result. Raises whatever the conversion does."""
        return messages_of(returned) if self.uri is None else text_or_bytes(returned)

    def texts_in(self, sent: Mapping[str, Any], /) -> Mapping[str, Any]:
        """The texts of the handler's parameters in a request. Raises InvalidInput for a bad URI."""
        if self.uri is None:
            return sent
        check_uri(sent["uri"])
        return capture(self.uri, sent["uri"])


@final
class Contents:
    """All resources and prompts of one protected server that are served."""

    def __init__(self, link: GuardLink, /) -> None:
        self._link = link
        self.resources: Final[dict[str, Content]] = {}
        self.prompts: Final[dict[str, Content]] = {}

    def add(self, content: Content, /) -> None:
        """From now on this is served."""
        (self.prompts if content.uri is None else self.resources)[content.key] = content

    def resource_at(self, uri: str, /) -> Content | None:
        """What is served at `uri`: the resource of exactly this URI, else the first template that it is an instance
        of. Whether its values may be taken is told by the read."""
        if uri in self.resources:
            return self.resources[uri]
        return next((each for each in self.resources.values() if each.uri and each.uri.match(uri) is not None), None)

    async def read(self, uri: str, context: Context[Any, Any], /) -> list[ReadResourceContents] | InputRequiredResult:
        """Read a resource. Raises Refused("unclassified") for what is not served, InvalidInput for a bad URI or value,
        Locked for private data, Refused("too_large"), GuardError of the link, and FixedError for a crash."""
        content = self.resource_at(uri)
        if content is None:
            raise Refused("unclassified")
        result = await self._served(content, {"uri": uri}, context)
        if isinstance(result, InputRequiredResult):
            return result
        meta = labelled(content.meta, content.label)
        return [ReadResourceContents(content=result, mime_type=content.mime_type, meta=meta)]

    async def render(
        self, name: str, arguments: Mapping[str, Any] | None, context: Context[Any, Any], /
    ) -> GetPromptResult | InputRequiredResult:
        """Render a prompt. Raises as `read`."""
        content = self.prompts.get(name)
        if content is None:
            raise Refused("unclassified")
        result = await self._served(content, dict(arguments or {}), context)
        if isinstance(result, InputRequiredResult):
            return result
        meta = labelled(content.meta, content.label)
        return GetPromptResult(description=content.description, messages=result, meta=meta)

    async def admit(self, content: Content, /) -> None:
        """Raises Locked for private data that may not be read now, GuardError when the guard cannot be asked."""
        if content.label != "private":
            return
        async with self._link.port() as port:
            info = await port.info()
        if not info.private_reads:
            raise Locked

    async def _served(self, content: Content, sent: dict[str, Any], context: Context[Any, Any]) -> Any:
        outcome: Literal["blocked", "failed", "refused"] = "refused"
        released = ReadRecord(tool=content.record, principal=PRINCIPAL, outcome="released")
        failure: Exception
        try:
            arguments = await self._checked(content, sent)
            await self.admit(content)
            outcome = "failed"
            returned = await run(content.handler, arguments, context)
            body = returned if isinstance(returned, InputRequiredResult) else content.body_of(returned)
            outcome = "blocked"
            if size_of(body) > content.max_bytes:
                raise Refused("too_large")
            if not note_read(released, returned=returned):
                await self._release(body, returned=returned)
                await self._link.record_read(released)
        except Exception as error:  # noqa: BLE001  # everything is turned into fixed words
            failure = await self._failed(released, error, outcome=outcome)
        else:
            return body
        # Outside the except block: no traceback of the original error travels with this one.
        raise failure

    async def _checked(self, content: Content, sent: dict[str, Any]) -> dict[str, Any]:
        fingerprints = self._link.recent or await self._link.fingerprints()
        check_arguments(sent, fingerprints=fingerprints)
        texts = content.texts_in(sent)
        if content.uri is not None:
            # A secret of the vault is named as one however the URI spells it: its owner must replace it.
            check_arguments(texts, fingerprints=fingerprints)
        return content.texts.validated(texts)

    async def _release(self, body: Any, *, returned: object) -> None:
        """A read around the server's middleware: nobody checks it after this."""
        wire = wire_of(body)
        check_questions(wire)
        check_released(wire, fingerprints=self._link.recent or await self._link.fingerprints(), returned=returned)

    async def _failed(
        self, read: ReadRecord, error: Exception, *, outcome: Literal["blocked", "failed", "refused"]
    ) -> Exception:
        """What is raised instead of `error`, after log and journal have it."""
        incident, code = answers.new_incident(), error.code if isinstance(error, GuardError) else None
        told = {"outcome": outcome if code else "failed", "code": code, "incident": incident}
        await self._link.record_quietly(read.model_copy(update=told))
        if isinstance(error, GuardError):
            logger.info("%s: %s %s (incident %s)", read.tool, error.code, error.detail, incident)
            return error
        if isinstance(error, MCPError | ResourceNotFoundError):
            # Ways to say "there is none" or "your client cannot": the middleware keeps the number, not the words.
            logger.info("%s failed: %s (incident %s)", read.tool, type(error).__name__, incident)
            return error
        logger.error("%s failed (incident %s)", read.tool, incident, exc_info=error)
        return FixedError(code=INTERNAL_ERROR, message=f"The server failed (incident {incident}).")
