"""What travels between a guard and those who ask it: proposals, answers, receipts, requests. Values only.

Nothing in here is believed because it says so: a proposal asks, an answer tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, final

from pydantic import Field, TypeAdapter

from mcp_wallet_guard.confirmation import ConfirmationView
from mcp_wallet_guard.evidence import PAYLOAD, Model
from mcp_wallet_guard.operations.hashes import Bytes32, Signature

MAX_WAIT_SECONDS: Final = 50.0
"""The longest that a call waits for a person: common clients give up on it after 60 seconds."""


@final
class Receipt(Model):
    """What a done spend returns: allow-listed fields only, all of them the guard's own or checked by it."""

    operation: str
    chain: str
    account: str
    to: str
    amount: str
    symbol: str
    transaction_hash: str
    block_number: int | None = None
    fee: str | None = None


@final
class SignatureReceipt(Model):
    """What a signed statement returns: the signature, and what it is over. All fields are the guard's own.

    `signature` is r, s and v: 65 bytes. v is 27 or 28, and of an authorization the y parity, 0 or 1, as transactions of
    EIP-7702 carry it. `signing` is the hash that was signed; `domain` and `message` are the two of EIP-712 behind it.
    Of an authorization there are also the `delegate` and the `nonce` that was signed, in decimal digits.
    """

    operation: str
    chain: str
    account: str
    kind: Literal["message", "typed_data", "authorization"]
    signature: Signature
    signing: Bytes32
    domain: Bytes32 | None = None
    message: Bytes32 | None = None
    delegate: str | None = None
    nonce: str | None = None


@final
class WithdrawalReceipt(Model):
    """What a withdrawal from a venue returns. All but the last two fields are the guard's own; `venue_id` and
    `venue_transaction` are the venue's words. `request_sha256` is of the exact string that was signed; `received` is
    the amount without the fee that the owner was shown."""

    operation: str
    venue: str
    network: str
    to: str
    memo: str | None
    amount: str
    fee: str
    received: str
    symbol: str
    order_id: str
    request_sha256: str
    venue_id: str | None = None
    venue_transaction: str | None = None


@final
class Done(Model):
    """The payment was signed and sent, or the statement was signed. `outcome`: `mined`, `sent`, `failed` (reverted),
    `signed` (a statement, whose signature is in `signed`), `unknown` or another end. Of a withdrawal, whose receipt is
    `withdrawal`, `sent` says that the venue took it, `completed` and `failed` how it says that it ended.

    `repeated` is true when this call found an earlier, equal one and nothing was paid again. `incident` is set when the
    receipt was withheld because it held a secret, and names the journal's entry or that of the server's log.
    """

    status: Literal["done"] = "done"
    operation: str
    outcome: Literal[
        "mined", "sent", "signed", "completed", "failed", "replaced", "unknown", "burned", "signed_but_invalid"
    ]
    repeated: bool = False
    receipt: Receipt | None = None
    signed: SignatureReceipt | None = None
    withdrawal: WithdrawalReceipt | None = None
    incident: str | None = None
    message: str


@final
class Pending(Model):
    """A person must act, outside this conversation. Nothing in here approves anything.

    `url` is the approval page with the opaque id: it opens nothing until that browser is paired or gives a code.
    `operation` is an opaque id; call the same tool with the same arguments again after the person approved.
    """

    status: Literal["pending"] = "pending"
    operation: str
    queued: bool = False
    approved: bool = False
    expires_at: int
    url: str | None = None
    message: str


@final
class RefusedAnswer(Model):
    """The guard did not do it. `code` and `message` come from the fixed catalogue."""

    status: Literal["refused"] = "refused"
    code: str
    message: str
    operation: str | None = None


Answer = Annotated[Done | Pending | RefusedAnswer, Field(discriminator="status")]
ANSWER: Final[TypeAdapter[Done | Pending | RefusedAnswer]] = TypeAdapter(Answer, config=PAYLOAD)


@final
class Settled(Model):
    """What became of an operation that a tool proposed, for its author's `on_settled`. Allow-listed fields only.

    `outcome`: `mined`, `signed` (a statement), `completed` (by a venue), `failed` (reverted, or by a venue), `replaced`
    by another transaction of the account, `burned` or `signed_but_invalid` (nothing was sent), or `refused` (declined,
    expired, superseded, denied: `code` says which, from the catalogue). `receipt`, `signed` or `withdrawal` is there
    for what was done, unless it was withheld because it held a secret.
    """

    operation: str
    tool: str
    outcome: Literal["mined", "signed", "completed", "failed", "replaced", "burned", "signed_but_invalid", "refused"]
    code: str | None = None
    receipt: Receipt | None = None
    signed: SignatureReceipt | None = None
    withdrawal: WithdrawalReceipt | None = None


@final
class HistoryEntry(Model):
    """One payment that the guard signed and sent, as it knows it: allow-listed fields only, no text of a caller.

    `at` is unix seconds: when the guard sent it. `outcome`: `mined`, `sent` (not mined yet), `failed` (reverted),
    `replaced` by another transaction of the account, or `unknown` (nobody said whether the chain has it). `fee` is
    known once the chain decided. All other fields are None while the outcome is unknown, and where the receipt was
    withheld because it held a secret.
    """

    operation: str
    at: int
    outcome: Literal["mined", "sent", "failed", "replaced", "unknown"]
    to: str | None = None
    amount: str | None = None
    symbol: str | None = None
    transaction_hash: str | None = None
    fee: str | None = None


MAX_HISTORY: Final = 100
"""Payments that one question about the past tells."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A tool's request: who, through which tool, and the intent as `operations.intents.to_json` writes it."""

    principal: str
    tool: str
    intent: dict[str, str]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ActionProposal:
    """A tool's request to do something itself: who, and `operations.actions.Action.body` as text."""

    principal: str
    body: str


MAX_RESULT: Final = 16_384
"""Characters of a tool's result, as JSON, that are kept for an equal call. A longer one is given once and not kept."""


@final
class MayAct(Model):
    """The owner approved exactly this, once: the server runs the tool now, and tells the guard how it ended."""

    status: Literal["may_act"] = "may_act"
    operation: str


@final
class Acted(Model):
    """The tool ran, once. `outcome`: `carried_out`, `failed` (it raised; it may have had an effect), or `unknown`
    (nobody said how it ended).

    `result` is what the tool returned, filtered; None where that was nothing, or is withheld, which `incident` names.
    """

    status: Literal["acted"] = "acted"
    operation: str
    outcome: Literal["carried_out", "failed", "unknown"]
    repeated: bool = False
    result: Any = None
    incident: str | None = None
    message: str


ActOutcome = Literal["carried_out", "failed", "unknown"]
ActAnswer = Annotated[MayAct | Acted | Pending | RefusedAnswer, Field(discriminator="status")]
ACT_ANSWER: Final[TypeAdapter[MayAct | Acted | Pending | RefusedAnswer]] = TypeAdapter(ActAnswer, config=PAYLOAD)

ACT_RESULT: Final[TypeAdapter[Acted | Pending | RefusedAnswer]] = TypeAdapter(
    Annotated[Acted | Pending | RefusedAnswer, Field(discriminator="status")], config=PAYLOAD
)
"""What an acting tool answers over MCP."""
ActedAnswer = Annotated[Acted | RefusedAnswer, Field(discriminator="status")]
ACTED_ANSWER: Final[TypeAdapter[Acted | RefusedAnswer]] = TypeAdapter(ActedAnswer, config=PAYLOAD)


@final
class ApprovalRequest(Model):
    """What an approval channel shows a person. `match_code` goes to that channel alone, never to MCP."""

    operation: str
    view: ConfirmationView
    text: str
    view_hash: str
    match_code: str
    level: int
    needs_code: bool
    expires_at: int
    tool: str
    principal: str


@final
class TokenInfo(Model):
    """A pinned token."""

    symbol: str
    address: str
    decimals: int


@final
class WalletInfo(Model):
    """Public facts about the guarded wallet, for tools' convenience: what the sealed settings pin.

    `private_reads` says whether private data may be read now: not while locked, unless the settings allow it.
    """

    chain: str
    account: str
    symbol: str
    decimals: int
    tokens: tuple[TokenInfo, ...] = ()
    locked: bool
    private_reads: bool


@final
class ReadRecord(Model):
    """One call of a reading tool, for the journal: no arguments and no results. No field has a blank in it."""

    tool: str
    principal: str
    outcome: Literal["released", "blocked", "failed", "refused"]
    code: str | None = None
    incident: str | None = None
