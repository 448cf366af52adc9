"""The confirmation view: what a person reads before saying yes, as values.

Specified in docs/formats/confirmation-view-v1.md. Every text is one line of printable ASCII that `clearsign` made;
`raw` members are exact and for programs. `clearsign.view` makes the values, stores keep them, renderers show them.
"""

from __future__ import annotations

from typing import Final, Literal, final

from mcp_wallet_guard.evidence import Model

Kind = Literal[
    "transfer", "token_transfer", "token_approval", "contract_call", "message", "typed_data", "delegation", "action",
    "exchange_withdrawal",
]  # fmt: skip
Severity = Literal["notice", "warning", "danger"]
SourceName = Literal["bytes", "ours", "config", "list", "history", "descriptor", "ens", "node"]
FieldType = Literal[
    "amount", "address", "date", "duration", "integer", "flag", "enum", "text", "bytes", "nft", "chain", "call",
    "group", "fee",
]  # fmt: skip
MAX_NUMBER: Final = 2**53 - 1
"""The largest number that RFC 8785 can spell. A larger one stands in the fields alone, as text."""


def spelled(number: int | None, /) -> int | None:
    """`number`, or None where no JSON number says it."""
    return number if number is not None and number <= MAX_NUMBER else None


SEVERITIES: Final[tuple[Severity, ...]] = ("danger", "warning", "notice")
"""Worst first."""


@final
class ViewField(Model):
    """One line of a view. `label` is ours, or a descriptor's in quotes; `value` is safe text; `path` says where it
    stands in the bytes (``@.`` the transaction, ``#.`` its arguments). `raw` is exact: decimal digits, or 0x and hex.
    `untrusted` texts come from outside, and stand in quotes. A group or a call has `children`."""

    label: str
    value: str
    path: str = ""
    type: FieldType = "text"
    raw: str | None = None
    source: SourceName = "ours"
    untrusted: bool = False
    children: tuple[ViewField, ...] = ()


@final
class ViewParty(Model):
    """Somebody: the full checksummed address, a name in quotes if there is one, and who says so."""

    address: str
    name: str | None = None
    name_source: SourceName | None = None
    relation: Literal["self", "known", "first_time", "unknown"] = "unknown"


@final
class ViewEffect(Model):
    """One thing that happens. `text` says all of it. `asset` is CAIP-19, `raw` the amount in its smallest unit.

    `amount` and `symbol` are None where nobody trusted knows the decimals; `raw` is None where the bytes set no number.
    """

    direction: Literal["out", "in", "allow", "control"]
    text: str
    asset: str | None = None
    amount: str | None = None
    raw: str | None = None
    bound: Literal["exact", "at_most", "at_least"] = "exact"
    decimals: int | None = None
    symbol: str | None = None
    symbol_source: SourceName | None = None
    owner: ViewParty | None = None
    counterparty: ViewParty | None = None
    unlimited: bool = False
    expires_at: int | None = None
    control: str | None = None
    path: str = ""

    @property
    def lowers(self) -> bool:
        """Whether the number says that somebody may take less than before: nothing, or at most what it was."""
        less = self.raw == "0" or (self.raw is None and self.bound == "at_most")
        return self.direction == "allow" and less and not self.unlimited


@final
class ViewFee(Model):
    """The most that the fee can be: decimal text with the symbol, and `raw` in the smallest unit. `and_data` says that
    the chain adds a fee for data, which no signature caps; `data_estimate` is what the chain says of it, `data_counted`
    what limits count for it, both in the smallest unit, and None where nobody asked."""

    max: str
    raw: str
    asset: str
    and_data: bool = False
    data_estimate: str | None = None
    data_counted: str | None = None


@final
class Finding(Model):
    """Something a person should know before saying yes. `text` is our sentence; `path` is the part that it is about.

    `evidence` says what it was concluded from. What could not be checked has the status `not_checked`.
    """

    code: str
    severity: Severity
    text: str
    path: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    evidence: Literal["bytes", "list", "history", "node", "simulation"] = "bytes"
    status: Literal["raised", "not_checked"] = "raised"


@final
class Digests(Model):
    """Hashes to compare with what a device shows, in hex without a prefix: `signing` is what is signed."""

    signing: str | None = None
    calldata: str | None = None
    eip712_domain: str | None = None
    eip712_message: str | None = None
    safe_tx_hash: str | None = None
    descriptor: str | None = None


@final
class ConfirmationView(Model):
    """What a person reads, as a pure function of (frozen bytes, facts).

    `intent` is one sentence from our own template; `fields` come in the fixed order of their kind; `findings` by
    severity; `not_checked` names what nobody could check.
    """

    v: Literal[1] = 1
    kind: Kind
    chain: str
    account: str
    intent: str
    level: Literal["clear", "decoded", "partial", "blind"] = "clear"
    effects: tuple[ViewEffect, ...] = ()
    fields: tuple[ViewField, ...]
    fee: ViewFee | None = None
    nonce: int | None = None
    findings: tuple[Finding, ...]
    not_checked: tuple[Finding, ...] = ()
    operation_digest: str
    digests: Digests = Digests()
    expires_at: int
