"""The pipeline: one table of states, ten steps, and what an equal call gets. Read this file first.

    PROPOSED -> HELD -> FROZEN -> APPROVED -> CONSUMED -> SIGNED -> SENT -> SETTLED | UNKNOWN
    and REFUSED, EXPIRED, SUPERSEDED out of every state before CONSUMED

    step            made by                              proof
    1 validate      operations.intents.resolve           (a value: Effect)
    2 authorize     check_authorized                     Authorized
    - freeze        operations.frozen.freeze             (a value: FrozenOperation)
    3 decode        clearsign.view.check_decoded         Decoded
    4 policy        policy.engine.check_permitted        Permitted
    5 confirm       check_confirmed                      Confirmed
    6 second factor check_proven                         Proven
    7 execute       check_signable, in the consume       Signable
      of an action  check_runnable, in the consume       Runnable
      to a venue    check_sendable, in the consume       Sendable
    8 verify        signers.check.check_signature        Signed
    9 filter        filters.outbound.check_released      Released
    10 journal      stores.Transaction.append            (an entry)

Everything that affects a transition is in this file. It is sans-IO: no clock, no randomness, no storage; `guard.py`
drives it. Proofs are made from stored evidence again on every resume, and a stored state name is believed only when
the row's other columns agree with it. Threat: T-001, T-006, T-007, T-009, T-014, T-016, T-099.
"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from operator import attrgetter
from typing import Final

from mcp_wallet_guard.errors import (
    AlreadyUsed,
    Declined,
    Expired,
    FactorRejected,
    NotAuthorized,
    RateLimited,
    Refused,
    Tampered,
)
from mcp_wallet_guard.evidence import EVIDENCE, ApprovalRow, Evidence, Level, OperationRow, State
from mcp_wallet_guard.operations.frozen import KIND_ACTION
from mcp_wallet_guard.operations.requests import request_of
from mcp_wallet_guard.proofs import (
    Authorized,
    Confirmed,
    Decoded,
    Permitted,
    Proven,
    Runnable,
    Sendable,
    Signable,
    exactly,
    mint,
)

SIGN_WITHIN_SECONDS: Final = 120
"""How long an approval with nobody waiting is good for: the next identical call must come within it."""
REPEAT_SECONDS: Final = 600
"""How long a finished or declined effect answers an equal call."""
MAX_OPEN_PER_PRINCIPAL: Final = 16


class Move(StrEnum):
    """What can happen to an operation."""

    HOLD = "hold"
    FREEZE = "freeze"
    REFREEZE = "refreeze"
    APPROVE = "approve"
    CONSUME = "consume"
    SIGN = "sign"
    SEND = "send"
    SETTLE = "settle"
    REPORT = "report"
    LOSE = "lose"
    BURN = "burn"
    REFUSE = "refuse"
    EXPIRE = "expire"
    SUPERSEDE = "supersede"


_WAYS_OUT: Final = {
    Move.REFUSE: State.REFUSED,
    Move.EXPIRE: State.EXPIRED,
    Move.SUPERSEDE: State.SUPERSEDED,
}

TABLE: Final[dict[State, dict[Move, State]]] = {
    State.PROPOSED: {Move.HOLD: State.HELD, Move.FREEZE: State.FROZEN, **_WAYS_OUT},
    State.HELD: {Move.FREEZE: State.FROZEN, **_WAYS_OUT},
    State.FROZEN: {Move.APPROVE: State.APPROVED, Move.REFREEZE: State.FROZEN, **_WAYS_OUT},
    State.APPROVED: {Move.CONSUME: State.CONSUMED, Move.REFREEZE: State.FROZEN, **_WAYS_OUT},
    # After the approval is consumed nothing is refused any more: it ends signed, burned or unknown.
    State.CONSUMED: {
        Move.SIGN: State.SIGNED,
        Move.REPORT: State.SETTLED,
        Move.BURN: State.SETTLED,
        Move.LOSE: State.UNKNOWN,
    },
    State.SIGNED: {Move.SEND: State.SENT, Move.SETTLE: State.SETTLED, Move.LOSE: State.UNKNOWN},
    State.SENT: {Move.SETTLE: State.SETTLED, Move.LOSE: State.UNKNOWN},
    State.UNKNOWN: {Move.SEND: State.SENT, Move.SETTLE: State.SETTLED},
    State.SETTLED: {},
    State.REFUSED: {},
    State.EXPIRED: {},
    State.SUPERSEDED: {},
}

ENDS: Final = frozenset(state for state, moves in TABLE.items() if not moves)
OPEN: Final = frozenset({State.PROPOSED, State.HELD, State.FROZEN, State.APPROVED})
SPENT: Final = frozenset(State) - OPEN - {State.REFUSED, State.EXPIRED, State.SUPERSEDED}
FROZEN_COLUMNS: Final = (
    "nonce",
    "unsigned_bytes",
    "digest",
    "view",
    "view_hash",
    "facts",
    "policy_revision",
)
_frozen_columns: Final = attrgetter(*FROZEN_COLUMNS)


def state_of(row: OperationRow, /) -> State:
    """The row's state, believed only if every other column agrees. Raises Tampered("tampered.operation")."""
    try:
        state = State(row.state)
    except ValueError:
        raise Tampered("tampered.operation", detail="unknown state") from None
    missing = _frozen_columns(row).count(None)
    whole, bare = missing == 0, missing == len(FROZEN_COLUMNS)
    needs_frozen = state in SPENT or state in {State.FROZEN, State.APPROVED}
    needs_approved = state in SPENT or state is State.APPROVED
    signed = (row.signed_bytes is not None, row.transaction_hash is not None)
    agrees = (
        (whole if needs_frozen else whole or bare)
        and (bare or state not in {State.PROPOSED, State.HELD})
        and (row.approved_at is not None or not needs_approved)
        and (row.approved_at is None or (whole and state is not State.FROZEN))
        and (signed == (True, True) if state in {State.SIGNED, State.SENT} else signed[0] == signed[1])
        and (signed == (False, False) or state in SPENT - {State.CONSUMED})
        and (row.outcome is not None) == (state in {State.SETTLED, State.UNKNOWN})
        and (row.code is not None) == (state in {State.REFUSED, State.EXPIRED, State.SUPERSEDED})
    )
    if not agrees:
        raise Tampered("tampered.operation", detail=f"the row does not stand as {state.value}")
    return state


def advance(row: OperationRow, move: Move, /, *, at: int, **changes: object) -> OperationRow:
    """The row after `move`, with `changes` to its columns. `at` is unix seconds.

    Raises AlreadyUsed for a second consume or sign, Refused's kinds for a closed operation, Tampered for a row whose
    columns do not agree with its state before or after the move.
    """
    state = state_of(row)
    after = TABLE[state].get(move)
    if after is None:
        raise _closed(state)
    if move is Move.REFREEZE:
        changes = {"approved_at": None, **changes}
    moved = replace(row, state=after.value, changed_at=at, **changes)  # type: ignore[arg-type]  # columns by name
    state_of(moved)
    return moved


def _closed(state: State) -> Refused:
    if state is State.EXPIRED:
        return Expired("expired")
    if state is State.SUPERSEDED:
        return Expired("superseded")
    if state is State.REFUSED:
        return Declined("declined")
    return AlreadyUsed("already_used")


# --- what an equal call gets --------------------------------------------------------------------------------------


class Equal(StrEnum):
    """What an earlier, equal operation means for a new call."""

    JOIN = "join"
    EXECUTE = "execute"
    REPEAT = "repeat"
    DECLINED = "declined"
    BLOCKED = "blocked"
    NONE = "none"


def standing(row: OperationRow, /, *, now: int) -> Equal:
    """What a call equal to `row` by effect hash gets at `now`.

    Only done and unknown outcomes come back as repeated; a decline answers for ten minutes; what expired or was refused
    by policy starts anew.
    """
    state = state_of(row)
    if state in OPEN and is_expired(row, now=now):
        return Equal.NONE
    if state is State.APPROVED:
        return Equal.EXECUTE
    if state in OPEN:
        return Equal.JOIN
    if state is State.UNKNOWN:
        return Equal.BLOCKED
    recent = now - row.changed_at < REPEAT_SECONDS
    if state is State.SETTLED:
        # A burned approval paid nothing: the person was told, and asking again is the way to go on.
        return Equal.REPEAT if recent and row.outcome != "burned" else Equal.NONE
    if state in SPENT:
        return Equal.REPEAT
    if state is State.REFUSED and row.code == "declined" and recent:
        return Equal.DECLINED
    return Equal.NONE


def is_expired(row: OperationRow, /, *, now: int) -> bool:
    """Whether an open operation is past its absolute expiry, or an approval past the time to use it."""
    if now >= row.expires_at:
        return True
    return row.approved_at is not None and now >= row.approved_at + SIGN_WITHIN_SECONDS


def is_retired(row: OperationRow, /, *, now: int) -> bool:
    """Whether nothing depends on the row any more, so that the journal alone keeps it."""
    return state_of(row) in ENDS and now - row.changed_at >= REPEAT_SECONDS


# --- the steps whose proofs are made here -------------------------------------------------------------------------


def check_authorized(
    *, principal: str, tool: str, effect_hash: bytes, principals: frozenset[str], open_operations: int
) -> Authorized:
    """Step 2. `open_operations` counts the principal's open ones, without the one that this call may join.

    Raises NotAuthorized for a principal that is not configured, RateLimited for too many open operations.
    """
    if principal not in principals:
        raise NotAuthorized(detail=f"principal {principal!r}")
    if open_operations >= MAX_OPEN_PER_PRINCIPAL:
        raise RateLimited
    return mint(Authorized, principal=principal, tool=tool, effect_hash=effect_hash)


def check_confirmed(decoded: Decoded, permitted: Permitted, approval: ApprovalRow, /, *, now: int) -> Confirmed:
    """Step 5: enough distinct people answered yes to exactly this digest and view, in time.

    Raises Expired, AlreadyUsed, Declined (not enough answers), Refused("policy.changed") or Tampered (an answer to
    something else).
    """
    exactly(Decoded, decoded)
    exactly(Permitted, permitted)
    digest = decoded.operation.digest
    if (permitted.operation_digest, permitted.view_hash) != (digest, decoded.view_hash):
        raise Tampered("tampered.operation", detail="the policy decided about something else")
    if (approval.digest, approval.view_hash) != (digest, decoded.view_hash):
        raise Tampered("tampered.operation", detail="the approval is for something else")
    if approval.policy_revision != permitted.policy_revision:
        raise Refused("policy.changed")
    if approval.consumed_at is not None:
        raise AlreadyUsed
    if now >= approval.expires_at or now >= decoded.operation.expires_at:
        raise Expired
    answers = answers_of(approval)
    obligations = permitted.obligations
    if {answer.mandate for answer in answers} - {obligations.mandate}:
        raise Declined("declined", detail="an answer by another mandate, or by one where a person is asked")
    if len({answer.approver for answer in answers}) < max(1, obligations.approvers):
        raise Declined("declined", detail="not enough answers")
    level = min(Level(answer.level) for answer in answers)
    if level < min(obligations.level, Level.PRESENT):
        raise Declined("declined", detail="answers below the level")
    return mint(Confirmed, operation_digest=digest, view_hash=decoded.view_hash, level=level)


def check_proven(decoded: Decoded, permitted: Permitted, approval: ApprovalRow, /) -> Proven:
    """Step 6: every counted answer carries the factor that the obligations ask for, used up for this approval alone.

    Raises FactorRejected, Tampered.
    """
    exactly(Decoded, decoded)
    exactly(Permitted, permitted)
    digest = decoded.operation.digest
    if permitted.operation_digest != digest or approval.digest != digest:
        raise Tampered("tampered.operation", detail="the factor was given for something else")
    answers = answers_of(approval)
    if not answers:
        raise FactorRejected
    level = min(_proven_level(answer) for answer in answers)
    if level < permitted.obligations.level:
        raise FactorRejected(detail=f"level {int(level)} below {int(permitted.obligations.level)}")
    return mint(Proven, operation_digest=digest, level=level)


def check_signable(
    *,
    authorized: Authorized,
    decoded: Decoded,
    permitted: Permitted,
    confirmed: Confirmed,
    proven: Proven,
    principal: str,
) -> Signable:
    """Step 7: the only maker of `Signable`. Its only caller consumes the approval in the same transaction.

    Raises TypeError for anything but the exact proofs, Tampered when they are not all about one operation, or about one
    that is not signed.
    """
    _check_together(authorized, decoded, permitted, confirmed, proven, principal)
    operation = decoded.operation
    return mint(Signable, operation=operation, signing_hashes=operation.signing_hashes)


def check_runnable(
    *,
    authorized: Authorized,
    decoded: Decoded,
    permitted: Permitted,
    confirmed: Confirmed,
    proven: Proven,
    principal: str,
) -> Runnable:
    """Step 7 of an action: the only maker of `Runnable`. Raises as `check_signable`, and Tampered for anything that is
    signed."""
    _check_together(authorized, decoded, permitted, confirmed, proven, principal)
    if decoded.operation.kind != KIND_ACTION:
        raise Tampered("tampered.operation", detail="not an action")
    return mint(Runnable, operation=decoded.operation)


def check_sendable(
    *,
    authorized: Authorized,
    decoded: Decoded,
    permitted: Permitted,
    confirmed: Confirmed,
    proven: Proven,
    principal: str,
    now: int,
) -> Sendable:
    """Step 7 of a withdrawal: the only maker of `Sendable`, with `now` in the request's open place. Raises as
    `check_signable`, and Tampered for anything but a withdrawal with a second factor behind it, and outside its time.
    """
    _check_together(authorized, decoded, permitted, confirmed, proven, principal)
    if min(confirmed.level, proven.level) < Level.PRESENT or proven.level < Level.FACTOR:
        raise Tampered("tampered.operation", detail="a withdrawal without a second factor")
    return mint(Sendable, operation=decoded.operation, text=request_of(decoded.operation).filled(now))


def _check_together(
    authorized: Authorized,
    decoded: Decoded,
    permitted: Permitted,
    confirmed: Confirmed,
    proven: Proven,
    principal: str,
) -> None:
    exactly(Authorized, authorized)
    exactly(Decoded, decoded)
    exactly(Permitted, permitted)
    exactly(Confirmed, confirmed)
    exactly(Proven, proven)
    operation = decoded.operation
    digests = {permitted.operation_digest, confirmed.operation_digest, proven.operation_digest}
    views = {permitted.view_hash, confirmed.view_hash}
    if digests != {operation.digest} or views != {decoded.view_hash}:
        raise Tampered("tampered.operation", detail="the proofs are about different operations")
    if authorized.effect_hash != operation.effect_hash or authorized.principal != principal:
        raise Tampered("tampered.operation", detail="another caller or another effect")
    if min(confirmed.level, proven.level) < permitted.obligations.level:
        raise Tampered("tampered.operation", detail="proofs below the level that policy asks for")


def answers_of(approval: ApprovalRow, /) -> tuple[Evidence, ...]:
    """The verified answers of an approval. Raises Tampered when one is for another digest or view, or of no level."""
    try:
        answers = EVIDENCE.validate_json(approval.evidence)
        for answer in answers:
            Level(answer.level)  # raises for a level that does not exist
    except ValueError:
        raise Tampered("tampered.operation", detail="the evidence does not parse") from None
    for answer in answers:
        if (answer.operation_digest, answer.view_hash) != (approval.digest.hex(), approval.view_hash.hex()):
            raise Tampered("tampered.operation", detail="an answer to something else")
    return answers


def _proven_level(answer: Evidence) -> Level:
    """What an answer really stands for: a factor counts only with the step that it used up."""
    level = Level(answer.level)
    return level if answer.factor_step is not None else min(level, Level.PRESENT)
