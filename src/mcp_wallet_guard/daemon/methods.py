"""`METHODS`: role -> name -> method. The one table of what exists on which socket.

A method that is not in a role's table does not exist for that role: there is no permission to forget and no flag to
set. Nothing in the table of `mcp` approves, unlocks, applies or exports. Threat: T-001, T-110.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Generic, Literal, TypeVar, final

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from mcp_wallet_guard.answers import GuardStatus, LogPage, LogReport
from mcp_wallet_guard.approvals.base import Continuation
from mcp_wallet_guard.daemon.base import Role, ServedGuard
from mcp_wallet_guard.daemon.wire import canonical_bytes
from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.evidence import Channel, Model
from mcp_wallet_guard.exchange import (
    ACT_ANSWER,
    ACTED_ANSWER,
    ANSWER,
    MAX_HISTORY,
    MAX_RESULT,
    Acted,
    ActionProposal,
    ActOutcome,
    ApprovalRequest,
    Done,
    HistoryEntry,
    MayAct,
    Pending,
    Proposal,
    ReadRecord,
    RefusedAnswer,
    WalletInfo,
)
from mcp_wallet_guard.filters.fingerprints import to_json
from mcp_wallet_guard.operations.actions import MAX_BODY
from mcp_wallet_guard.secret import Secret

MAX_WAIT_SECONDS: Final = 600
MAX_ENTRIES: Final = 1000
"""Characters of an action, and of what its tool returned."""

A = TypeVar("A", bound=Model)
R = TypeVar("R")

Name = Annotated[str, Field(min_length=1, max_length=256)]
Typed = Annotated[str, Field(max_length=64, repr=False)]
Hex = Annotated[str, Field(pattern=r"^(?:[0-9a-f]{2})*$")]


# --- arguments ----------------------------------------------------------------------------------------------------


class Arguments(Model):
    """Base of all arguments; bytes travel as base64. What a person typed is left out of the repr."""

    model_config: ClassVar[ConfigDict] = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")


@final
class Nothing(Arguments):
    pass


@final
class ProposeArguments(Arguments):
    principal: Name
    tool: Name
    intent: Annotated[dict[Name, str], Field(max_length=16)]
    wait_milliseconds: Annotated[int, Field(ge=0, le=MAX_WAIT_SECONDS * 1000)]


@final
class ActArguments(Arguments):
    principal: Name
    body: Annotated[str, Field(min_length=1, max_length=MAX_BODY)]
    wait_milliseconds: Annotated[int, Field(ge=0, le=MAX_WAIT_SECONDS * 1000)]


@final
class ActedArguments(Arguments):
    operation: Name
    principal: Name
    outcome: ActOutcome
    result: Annotated[str | None, Field(max_length=MAX_RESULT, repr=False)]


@final
class OwnOperation(Arguments):
    operation: Name
    principal: Name


@final
class BalanceArguments(Arguments):
    address: Name | None
    token: Name | None = None


@final
class HistoryArguments(Arguments):
    last: Annotated[int, Field(ge=1, le=MAX_HISTORY)]


@final
class RecordArguments(Arguments):
    record: ReadRecord


@final
class OperationArguments(Arguments):
    operation: Name


@final
class ApproveArguments(Arguments):
    operation: Name
    view_hash: Name
    match_code: Typed
    code: Annotated[str | None, Field(max_length=64, repr=False)]
    channel: Literal[Channel.TERMINAL]


@final
class DeclineArguments(Arguments):
    operation: Name
    channel: Literal[Channel.TERMINAL]


@final
class LinkArguments(Arguments):
    operation: Name
    link_secret: Annotated[str, Field(max_length=256, repr=False)]


@final
class CodeArguments(Arguments):
    code: Typed


@final
class TokenArguments(Arguments):
    token: Annotated[str, Field(max_length=256, repr=False)]


@final
class PolicyArguments(Arguments):
    settings: Annotated[bytes, Field(repr=False)]
    code: Typed


@final
class LogArguments(Arguments):
    last: Annotated[int, Field(ge=1, le=MAX_ENTRIES)]
    about: Name | None


def check_terminal(channel: Channel, /) -> Literal[Channel.TERMINAL]:
    """The one channel that exists here. Raises InvalidInput for a page's."""
    if channel is not Channel.TERMINAL:
        raise InvalidInput("invalid_input")
    return channel


# --- the methods --------------------------------------------------------------------------------------------------


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Method(Generic[A, R]):
    """One row of the table.

    `ordered`: finished before the next frame is read. `finishes`: a client that goes away or cancels does not stop it.
    `seconds`: how long a client waits for the reply, beyond the time that it asked the guard to wait. Exactly one of
    `run` and `run_with_secret` is set; the second is for methods that a passphrase follows, and must not keep it.
    """

    name: str
    arguments: type[A]
    result: TypeAdapter[R]
    run: Callable[[ServedGuard, A], Awaitable[R]] | None = None
    run_with_secret: Callable[[ServedGuard, A, Secret], Awaitable[R]] | None = None
    ordered: bool = False
    finishes: bool = False
    stops: bool = False
    seconds: float = 60.0

    @property
    def takes_secret(self) -> bool:
        return self.run_with_secret is not None

    def parse_arguments(self, value: dict[str, Any], /) -> A:
        """Raises InvalidInput; the reason stays out of it."""
        try:
            return self.arguments.model_validate_json(canonical_bytes(value))
        except ValidationError:
            raise InvalidInput("invalid_input") from None

    def result_to_json(self, value: R, /) -> Any:
        """Raises ValueError for a value that is not of the result's type."""
        return self.result.dump_python(value, mode="json", warnings="error")

    def parse_result(self, value: Any, /) -> R:
        """Raises InvalidInput."""
        try:
            return self.result.validate_json(canonical_bytes(value))
        except ValidationError:
            raise InvalidInput("invalid_input") from None


async def _propose(guard: ServedGuard, a: ProposeArguments) -> Done | Pending | RefusedAnswer:
    proposal = Proposal(principal=a.principal, tool=a.tool, intent=dict(a.intent))
    return await guard.propose(proposal, wait_seconds=a.wait_milliseconds / 1000)


async def _fingerprints(guard: ServedGuard, _: Nothing) -> dict[str, Any]:
    return to_json(await guard.fingerprints())


async def _approve(guard: ServedGuard, a: ApproveArguments) -> Continuation:
    return await guard.approve(
        a.operation, view_hash=a.view_hash, match_code=a.match_code, code=a.code, channel=Channel.TERMINAL
    )


async def _act(guard: ServedGuard, a: ActArguments) -> MayAct | Acted | Pending | RefusedAnswer:
    proposal = ActionProposal(principal=a.principal, body=a.body)
    return await guard.act(proposal, wait_seconds=a.wait_milliseconds / 1000)


async def _acted(guard: ServedGuard, a: ActedArguments) -> Acted | RefusedAnswer:
    return await guard.acted(a.operation, principal=a.principal, outcome=a.outcome, result=a.result)


_NONE: Final[TypeAdapter[None]] = TypeAdapter(None)
_STATUS: Final = TypeAdapter(GuardStatus)
_TEXT: Final = TypeAdapter(str)
_SLOW: Final = 180.0
"""Seconds: a key derivation at its ceiling on a slow machine, or a long journal."""

PROPOSE: Final = Method(name="propose", arguments=ProposeArguments, result=ANSWER, run=_propose)
ACT: Final = Method(name="act", arguments=ActArguments, result=ACT_ANSWER, run=_act)
ACTED: Final = Method(name="acted", arguments=ActedArguments, result=ACTED_ANSWER, run=_acted, finishes=True)
STATUS: Final = Method(
    name="status",
    arguments=OwnOperation,
    result=ANSWER,
    run=lambda g, a: g.status(a.operation, principal=a.principal),
)
OUTCOME: Final = Method(
    name="outcome",
    arguments=OwnOperation,
    result=ANSWER,
    run=lambda g, a: g.outcome(a.operation, principal=a.principal),
)
INFO: Final = Method(name="info", arguments=Nothing, result=TypeAdapter(WalletInfo), run=lambda g, _: g.info())
BALANCE: Final = Method(
    name="balance",
    arguments=BalanceArguments,
    result=_TEXT,
    run=lambda g, a: g.balance(a.address, token=a.token),
)
_PAST: Final = TypeAdapter(tuple[HistoryEntry, ...])
HISTORY: Final = Method(name="history", arguments=HistoryArguments, result=_PAST, run=lambda g, a: g.history(a.last))
FINGERPRINTS: Final = Method(
    name="fingerprints", arguments=Nothing, result=TypeAdapter(dict[str, Any]), run=_fingerprints
)
RECORD_READ: Final = Method(
    name="record_read",
    arguments=RecordArguments,
    result=_NONE,
    run=lambda g, a: g.record_read(a.record),
    ordered=True,
)

REQUESTS: Final = Method(
    name="requests",
    arguments=Nothing,
    result=TypeAdapter(tuple[ApprovalRequest, ...]),
    run=lambda g, _: g.requests(),
    finishes=True,
)
REQUEST: Final = Method(
    name="request",
    arguments=OperationArguments,
    result=TypeAdapter(ApprovalRequest),
    run=lambda g, a: g.request(a.operation),
    finishes=True,
)
APPROVE: Final = Method(
    name="approve", arguments=ApproveArguments, result=TypeAdapter(Continuation), run=_approve, finishes=True
)
DECLINE: Final = Method(
    name="decline",
    arguments=DeclineArguments,
    result=_NONE,
    run=lambda g, a: g.decline(a.operation, channel=Channel.TERMINAL),
    finishes=True,
)
PAIR_BY_LINK: Final = Method(
    name="pair_by_link",
    arguments=LinkArguments,
    result=_TEXT,
    run=lambda g, a: g.pair_by_link(a.operation, a.link_secret),
    finishes=True,
)
PAIR_BY_CODE: Final = Method(
    name="pair_by_code",
    arguments=CodeArguments,
    result=_TEXT,
    run=lambda g, a: g.pair_by_code(a.code),
    finishes=True,
)
IS_PAIRED: Final = Method(
    name="is_paired",
    arguments=TokenArguments,
    result=TypeAdapter(bool),
    run=lambda g, a: g.is_paired(a.token),
    finishes=True,
)
UNLOCK: Final = Method(
    name="unlock",
    arguments=Nothing,
    result=_STATUS,
    run_with_secret=lambda g, _, secret: g.unlock(secret),
    finishes=True,
    seconds=_SLOW,
)
LOCK: Final = Method(name="lock", arguments=Nothing, result=_STATUS, run=lambda g, _: g.lock(), finishes=True)
CONTROL_STATUS: Final = Method(
    name="control_status",
    arguments=Nothing,
    result=_STATUS,
    run=lambda g, _: g.control_status(),
    finishes=True,
)
APPLY_POLICY: Final = Method(
    name="apply_policy",
    arguments=PolicyArguments,
    result=_STATUS,
    run=lambda g, a: g.apply_policy(a.settings, code=a.code),
    finishes=True,
    seconds=_SLOW,
)
UNLOCK_FACTOR: Final = Method(
    name="unlock_factor",
    arguments=CodeArguments,
    result=_STATUS,
    run_with_secret=lambda g, a, secret: g.unlock_factor(secret, code=a.code),
    finishes=True,
    seconds=_SLOW,
)
VERIFY_LOG: Final = Method(
    name="verify_log",
    arguments=Nothing,
    result=TypeAdapter(LogReport),
    run=lambda g, _: g.verify_log(),
    finishes=True,
    seconds=_SLOW,
)
READ_LOG: Final = Method(
    name="read_log",
    arguments=LogArguments,
    result=TypeAdapter(LogPage),
    run=lambda g, a: g.read_log(last=a.last, about=a.about),
    finishes=True,
    seconds=_SLOW,
)
SHUT_DOWN: Final = Method(
    name="shut_down",
    arguments=Nothing,
    result=_NONE,
    run=lambda g, _: g.shut_down(),
    finishes=True,
    stops=True,
)

AnyMethod = Method[Any, Any]
METHODS: Final[dict[Role, dict[str, AnyMethod]]] = {
    Role.MCP: {
        m.name: m
        for m in (PROPOSE, ACT, ACTED, STATUS, OUTCOME, INFO, BALANCE, HISTORY, FINGERPRINTS, RECORD_READ)
    },
    Role.CONTROL: {
        m.name: m
        for m in (
            REQUESTS, REQUEST, APPROVE, DECLINE, PAIR_BY_LINK, PAIR_BY_CODE, IS_PAIRED,
            UNLOCK, LOCK, CONTROL_STATUS, APPLY_POLICY, UNLOCK_FACTOR, VERIFY_LOG, READ_LOG, SHUT_DOWN,
        )
    },
}  # fmt: skip
