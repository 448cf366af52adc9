"""What is registered instead of a handler: the one function through which each guarded tool is called.

The naked function is never exposed. Whatever happens inside, a caller receives the guard's answer, a released result,
or a fixed sentence; the reason goes to the log. Threat: T-001, T-005, T-056, T-057, T-058.
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal, final

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.utilities.func_metadata import FuncMetadata
from mcp_types import CallToolResult, InputRequiredResult

from mcp_wallet_guard.errors import GuardError, Misconfigured, Tampered
from mcp_wallet_guard.exchange import Acted, Done, ReadRecord
from mcp_wallet_guard.filters.inbound import check_secrets
from mcp_wallet_guard.filters.outbound import check_released
from mcp_wallet_guard.mcp import answers
from mcp_wallet_guard.mcp.acts import Acts
from mcp_wallet_guard.mcp.arguments import Call
from mcp_wallet_guard.mcp.ceremonies import PRINCIPAL, Ceremonies
from mcp_wallet_guard.mcp.elicitation import Host
from mcp_wallet_guard.mcp.handlers import CALL, CONTEXT, Handler, run
from mcp_wallet_guard.mcp.link import GuardLink
from mcp_wallet_guard.mcp.parameters import check_questions
from mcp_wallet_guard.mcp.releasing import note_read, note_released

logger: Final = logging.getLogger(__name__)

Outcome = CallToolResult | InputRequiredResult
Wrapper = Callable[..., Awaitable[Outcome]]


@final
class Tools:
    """Makes wrappers around handlers, for one protected server."""

    def __init__(self, link: GuardLink, ceremonies: Ceremonies, acts: Acts, /) -> None:
        self._link = link
        self._ceremonies = ceremonies
        self._acts = acts

    def spending(self, handler: Handler, /) -> Wrapper:
        """The handler proposes, the guard disposes."""

        async def spend(call: Call, context: Context[Any, Any]) -> answers.Answer | InputRequiredResult:
            return await self._ceremonies.spend(
                tool=handler.name,
                arguments=call.text,
                host=Host(context, tool=handler.name),
                body=functools.partial(run, handler, call.arguments, context),
            )

        return self._answering(handler, spend)

    def acting(self, handler: Handler, /) -> Wrapper:
        """The guard clears the request, the handler carries it out."""

        async def act(call: Call, context: Context[Any, Any]) -> Acted | answers.Answer | InputRequiredResult:
            return await self._acts.act(
                tool=handler.name,
                arguments=call.arguments,
                host=Host(context, tool=handler.name),
                body=functools.partial(run, handler, call.arguments, context),
            )

        return self._answering(handler, act)

    def _answering(
        self,
        handler: Handler,
        ask: Callable[[Call, Context[Any, Any]], Awaitable[Acted | answers.Answer | InputRequiredResult]],
    ) -> Wrapper:
        async def call(call: Call, context: Context[Any, Any]) -> Outcome:
            try:
                await self._admit(call)
                outcome = await ask(call, context)
            except GuardError as error:
                _log(handler.name, error, incident=answers.new_incident())
                return answers.to_result(answers.to_refused(error))
            except Exception as error:  # noqa: BLE001  # a crash of the author's code: its text stays in the log
                incident = answers.new_incident()
                _log_crash(handler.name, error, incident=incident)
                return answers.to_result(answers.to_refused(Misconfigured("misconfigured.tool")))
            if isinstance(outcome, InputRequiredResult):
                return outcome
            return await self._released(outcome)

        return _presented(handler, call)

    def reading(self, handler: Handler, shape: Callable[[], FuncMetadata], /) -> Wrapper:
        """The handler's result is filtered and journalled before it is returned. `shape` is how the SDK would
        convert it."""

        released = ReadRecord(tool=handler.name, principal=PRINCIPAL, outcome="released")

        async def call(call: Call, context: Context[Any, Any]) -> Outcome:
            outcome: Literal["blocked", "failed", "refused"] = "refused"
            try:
                await self._admit(call)
                outcome = "failed"
                returned = await run(handler, call.arguments, context)
                result = shape().convert_result(returned)
                outcome = "blocked"
                if not note_read(released, returned=returned):
                    await self._check(result, returned=returned)
                    await self._link.record_read(released)
            except GuardError as error:
                incident = answers.new_incident()
                _log(handler.name, error, incident=incident)
                told = {"outcome": outcome, "code": error.code, "incident": incident}
                await self._link.record_quietly(released.model_copy(update=told))
                return answers.error_result(f"{error.public} (incident {incident})")
            except Exception as error:  # noqa: BLE001  # the same
                incident = answers.new_incident()
                _log_crash(handler.name, error, incident=incident)
                told = {"outcome": "failed", "incident": incident}
                await self._link.record_quietly(released.model_copy(update=told))
                return answers.error_result(answers.FAILED.format(incident=incident))
            return result

        return _presented(handler, call)

    async def _admit(self, call: Call) -> None:
        if call.refusal is not None and call.refusal.code == "invalid_input.size":
            raise call.refusal
        # A secret of the vault is named before anything else: its owner must replace it.
        check_secrets(call.raw, fingerprints=self._link.recent or await self._link.fingerprints())
        if call.refusal is not None:
            raise call.refusal

    async def _released(self, answer: Acted | answers.Answer) -> CallToolResult:
        result = answers.to_result(answer)
        try:
            await self._check(result, returned=answer)
        except GuardError as error:
            incident = answers.new_incident()
            _log("answer", error, incident=incident)
            if isinstance(answer, Acted):
                return answers.to_result(answer.model_copy(update={"result": None, "incident": incident}))
            if isinstance(answer, Done):
                return answers.to_result(answers.withheld(answer, incident=incident))
            return answers.to_result(answers.to_refused(Tampered("tampered.result")))
        return result

    async def _check(self, result: Outcome, *, returned: object = None) -> None:
        wire = result.model_dump(mode="json", by_alias=True, exclude_none=True)
        check_questions(wire)
        fingerprints = self._link.recent or await self._link.fingerprints()
        note_released(check_released(wire, fingerprints=fingerprints, returned=returned))


def _presented(handler: Handler, call: Callable[[Call, Context[Any, Any]], Awaitable[Outcome]]) -> Wrapper:
    """A function with the handler's name, text and schema, but not the handler: nobody unwraps to it."""

    async def wrapper(**keywords: Any) -> Outcome:
        checked, context = keywords.pop(CALL, None), keywords.pop(CONTEXT, None)
        is_context = type(context) is Context or isinstance(context, Context)
        if type(checked) is not Call or not is_context or keywords:
            # The SDK called without our validation: a changed SDK, or a call around it.
            raise Misconfigured("misconfigured.tool", detail=f"{handler.name!r} was called around the guard")
        return await call(checked, context)

    extra = inspect.Parameter(CONTEXT, inspect.Parameter.KEYWORD_ONLY, annotation=Context)
    parameters = [*handler.parameters, extra]
    wrapper.__name__ = handler.function.__name__
    wrapper.__qualname__ = handler.function.__qualname__
    wrapper.__module__ = handler.function.__module__
    wrapper.__doc__ = handler.function.__doc__
    # Both, always: the SDK reads the signature for the schema and the annotations for the context.
    wrapper.__signature__ = inspect.Signature(parameters, return_annotation=handler.returns)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {each.name: each.annotation for each in parameters if each.annotation is not each.empty}
    if handler.returns is not inspect.Signature.empty:
        wrapper.__annotations__["return"] = handler.returns
    return wrapper


def _log(tool: str, error: GuardError, *, incident: str) -> None:
    logger.info("tool %s: %s %s (incident %s)", tool, error.code, error.detail, incident)


def _log_crash(tool: str, error: Exception, *, incident: str) -> None:
    # The traceback passes the record filter of `records.py` like every other record.
    logger.error("tool %s failed (incident %s)", tool, incident, exc_info=error)
