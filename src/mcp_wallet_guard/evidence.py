"""What is persisted: facts, records. Values only; no authority. Views are in `confirmation.py`, what travels in
`exchange.py`.

Evidence is what came from outside and was verified: an answer, a code's time step, a signature. It is stored; proofs
(`proofs.py`) are derived from it again on every resume. Rows hold ``str``, ``int``, ``bytes`` and ``None`` only, one
column per field, so that every store keeps them alike and a MAC covers all of them. `v` is a payload's schema version.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from enum import IntEnum, StrEnum
from typing import Annotated, Any, ClassVar, Final, Literal, Protocol, final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, TypeAdapter

from mcp_wallet_guard.canonical import canonical_bytes
from mcp_wallet_guard.operations.values import Amount


class Clock(Protocol):
    """Where time comes from. `now` is whole unix seconds."""

    def now(self) -> int: ...


class Level(IntEnum):
    """Assurance levels: what stands behind an answer. Each includes what the ones below it prove."""

    NONE = 0
    HOST = 1
    PRESENT = 2
    FACTOR = 3
    HARDWARE = 4


class State(StrEnum):
    """States of an operation. Which edges exist is `ceremony.TABLE`'s business."""

    PROPOSED = "proposed"
    HELD = "held"
    FROZEN = "frozen"
    APPROVED = "approved"
    CONSUMED = "consumed"
    SIGNED = "signed"
    SENT = "sent"
    SETTLED = "settled"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"


class Channel(StrEnum):
    """Through what an answer came, and whether that browser was paired."""

    TERMINAL = "terminal"
    PAGE = "page"
    UNPAIRED_PAGE = "unpaired_page"
    MANDATE = "mandate"
    """No person now: one who approved a mandate before. `Desk` takes no answer that claims it."""


# pydantic would keep the short texts that it reads from JSON, 16,384 of them, as long as the process lives.
PAYLOAD: Final = ConfigDict(defer_build=True, cache_strings="keys", hide_input_in_errors=True)


class Model(BaseModel):
    """A frozen payload at an edge: unknown keys refused, no coercion, errors repeat no input, no text kept."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", strict=True, **PAYLOAD)


def _wei(value: object) -> object:
    return int(value) if type(value) is str and re.fullmatch(r"0|[1-9][0-9]{0,77}", value) else value


Wei = Annotated[int, Field(ge=0), BeforeValidator(_wei), PlainSerializer(str, return_type=str, when_used="json")]
"""Wei: an int here, decimal text in JSON, whose numbers are exact only up to 2**53."""


@final
class TokenFacts(Model):
    """A token as the settings pin it, and how many of its smallest units the node says that the account holds."""

    address: str
    symbol: str
    decimals: int
    balance: Wei


@final
class NameClaim(Model):
    """What an address calls itself on the chain. `stands_for` is the address that this name has there, None for none;
    `normal` is whether it is in its normal form (ENSIP-15). It is a name only if it `holds`."""

    address: str
    name: Annotated[str, Field(min_length=1, max_length=255)]
    normal: bool
    stands_for: str | None

    @property
    def holds(self) -> bool:
        """Whether the name is normal, and gives the address back."""
        return self.normal and self.stands_for == self.address


@final
class Facts(Model):
    """What was known about the outside when the operation was frozen, collected once.

    `collected_at` is unix seconds, `balance` and `base_fee` are wei, `nonce` is the account's next one. `token` is the
    one that the bytes call, `payee_claim` what a payee calls itself for whom the owner has no name. A node's word is a
    fact for display and may only tighten a decision. `data_fee` is what the chain's oracle estimates for the data, in
    wei, None on a chain that charges nothing for it. `known` is the RFC 8785 text of `clearsign.risks.known.Known`:
    what the checks may know. Of a contract call alone, `names` is that of `clearsign.knowledge.Names`, and
    `descriptors` what was taken of ERC-7730 files.
    """

    v: Literal[1] = 1
    collected_at: int
    chain: str
    nonce: Annotated[int, Field(ge=0)]
    balance: Wei
    base_fee: Wei
    payee_has_code: bool
    payee_name: str | None = None
    payee_claim: NameClaim | None = None
    symbol: str
    decimals: int
    token: TokenFacts | None = None
    data_fee: Wei | None = None
    names: str | None = None
    known: str | None = None
    descriptors: Annotated[tuple[str, ...], Field(max_length=64)] = ()


@final
class StatementFacts(Model):
    """What was known when a statement was frozen: no node is asked about one. Unix seconds; `names` and `known` as in
    `Facts`."""

    v: Literal[1] = 1
    collected_at: int
    chain: str
    names: str
    known: str


@final
class VenueFacts(Model):
    """What was known about a withdrawal when it was frozen, beside what its request says.

    `destination` is the owner's name for the address, `form` and `memo_rule` what the settings say of the network.
    `fee` is what the venue takes of the amount; `listed` whether the venue's own address book has the address, None
    when it was not asked. A venue's word is a fact for display and may only tighten a decision.
    """

    v: Literal[1] = 1
    collected_at: int
    destination: str
    form: str
    memo_rule: Literal["required", "optional", "none"]
    fee: Amount
    fee_source: Literal["venue", "settings"]
    listed: bool | None = None


FrozenFacts = Facts | StatementFacts | VenueFacts
"""What was known of a payment, a statement or a withdrawal when it was frozen."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Obligations:
    """What policy still asks for: the assurance level and how many people; or nothing more, by the mandate with this
    id. Raises ValueError for a mandate beside a level that somebody must show."""

    level: Level
    approvers: int = 1
    mandate: str | None = None

    def __post_init__(self) -> None:
        if self.mandate is not None and self.level is not Level.NONE:
            raise ValueError("nobody is asked under a mandate")


@final
class Evidence(Model):
    """One verified answer. `factor_step` is the TOTP time step that this answer used up, for this approval alone.
    `mandate` is the id of the mandate whose use this is, with the level `NONE`: nobody was asked."""

    v: Literal[1] = 1
    channel: Channel
    approver: str
    operation_digest: str
    view_hash: str
    level: int
    at: int
    factor_id: str | None = None
    factor_step: int | None = None
    mandate: str | None = None


EVIDENCE: Final[TypeAdapter[tuple[Evidence, ...]]] = TypeAdapter(tuple[Evidence, ...], config=PAYLOAD)

Column = str | int | bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Base of the stored records. `table` names them, `key` is the value of the first column."""

    table: ClassVar[str]

    @property
    def key(self) -> str:
        """The primary key: the first field."""
        return str(next(iter(self.columns().values())))

    def columns(self) -> dict[str, Column]:
        """Column name -> value, in order."""
        return asdict(self)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class OperationRow(Row):
    """One thing that was asked, from proposal to settlement. Times are unix seconds; JSON columns are RFC 8785."""

    table: ClassVar[str] = "operations"
    id: str
    state: str
    principal: str
    tool: str
    intent: str
    effect_hash: bytes
    account: str
    created_at: int
    changed_at: int
    expires_at: int
    approved_at: int | None = None
    nonce: int | None = None
    unsigned_bytes: bytes | None = None
    digest: bytes | None = None
    view: str | None = None
    view_hash: bytes | None = None
    facts: str | None = None
    policy_revision: int | None = None
    signed_bytes: bytes | None = None
    transaction_hash: bytes | None = None
    outcome: str | None = None
    code: str | None = None
    receipt: str | None = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRow(Row):
    """A single-use capability for one operation. `evidence` is JSON of verified answers; nothing says "approved".
    `mandate` is the id of the one that it was made under, None when a person is asked."""

    table: ClassVar[str] = "approvals"
    operation: str
    digest: bytes
    view_hash: bytes
    policy_revision: int
    principal: str
    expires_at: int
    level: int
    approvers: int
    link_hash: bytes
    match_salt: bytes
    evidence: str = "[]"
    consumed_at: int | None = None
    mandate: str | None = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRow(Row):
    """The nonce queue of one account: `holder` is the operation that holds the next nonce unsigned, or None.

    `next_nonce` is one above the highest nonce that this guard signed; a node may not take it below that (T-039).
    """

    table: ClassVar[str] = "accounts"
    account: str
    next_nonce: int
    holder: str | None = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationRow(Row):
    """What a consumed approval takes from the limits. `units` is decimal text in the asset's smallest unit, `fee` in
    wei."""

    table: ClassVar[str] = "reservations"
    operation: str
    asset: str
    units: str
    fee: str
    at: int
    state: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRow(Row):
    """What one limit has counted, as `policy.limits.Spent` writes it."""

    table: ClassVar[str] = "limits"
    id: str
    spent: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MandateRow(Row):
    """A mandate that its owner approved with a second factor, by its id, which names all its bounds. Unix seconds."""

    table: ClassVar[str] = "mandates"
    id: str
    name: str
    approved_at: int
    expires_at: int


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FactorRow(Row):
    """State of one second factor. `last_step` is the highest time step used or burned; times are unix seconds."""

    table: ClassVar[str] = "factors"
    id: str
    kind: str
    last_step: int
    failures: int = 0
    locked: int = 0
    unpaired_failures: int = 0
    unpaired_since: int = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PairingRow(Row):
    """A paired browser: the hash of its cookie's secret, in hex, and when the pairing ends."""

    table: ClassVar[str] = "pairings"
    token_hash: str
    expires_at: int


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PartnersRow(Row):
    """Whom an account dealt with, as `partners` writes it."""

    table: ClassVar[str] = "partners"
    account: str
    seen: str


ROWS: Final[tuple[type[Row], ...]] = (
    OperationRow, ApprovalRow, AccountRow, ReservationRow, LimitRow, MandateRow, FactorRow, PairingRow, PartnersRow,
)  # fmt: skip


def canonical(payload: Any, /) -> str:
    """RFC 8785 JSON text of a payload made of JSON types or a `Model`."""
    if isinstance(payload, BaseModel):
        payload = payload.model_dump(mode="json")
    return canonical_bytes(payload).decode("utf-8")
