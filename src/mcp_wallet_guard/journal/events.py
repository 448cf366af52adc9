"""Journal entries: what happened, in an order that cannot be edited unnoticed.

An entry holds no secret by construction: `data` is JSON of digests, codes, views and public chain data. `rows` names
each stored row that the same transaction changed, with its MAC, or None where it was dropped. Specified in
docs/formats/journal.md. Threat: T-088, T-089.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, final

from mcp_wallet_guard.canonical import canonical_bytes

VERSION: Final = 1
MAX_DATA_BYTES: Final = 65_536
GENESIS: Final = bytes(32)
MAX_TIME: Final = 2**53 - 1
SUBJECT: Final = re.compile(r"[A-Za-z0-9:._-]{0,128}")


class Kind(StrEnum):
    """Every kind of event. Stable across releases."""

    STORE_CREATED = "store.created"
    STORE_ACKNOWLEDGED = "store.acknowledged"
    STORE_BLOCKED = "store.blocked"
    GUARD_STARTED = "guard.started"
    GUARD_UNLOCKED = "guard.unlocked"
    GUARD_LOCKED = "guard.locked"
    WAIVER = "guard.waiver"
    POLICY_APPLIED = "policy.applied"
    MANDATE_APPROVED = "mandate.approved"
    MANDATE_ENDED = "mandate.ended"
    FACTOR_ENROLLED = "factor.enrolled"
    FACTOR_ATTEMPT = "factor.attempt"
    FACTOR_USED = "factor.used"
    FACTOR_LOCKED_OUT = "factor.locked_out"
    FACTOR_UNLOCKED = "factor.unlocked"
    PAIRED = "approval.paired"
    PROPOSED = "operation.proposed"
    HELD = "operation.held"
    FROZEN = "operation.frozen"
    APPROVED = "operation.approved"
    CONSUMED = "operation.consumed"
    SIGNED = "operation.signed"
    SENT = "operation.sent"
    SETTLED = "operation.settled"
    UNKNOWN = "operation.unknown"
    REFUSED = "operation.refused"
    EXPIRED = "operation.expired"
    SUPERSEDED = "operation.superseded"
    RETIRED = "operation.retired"
    READ = "tool.read"
    INCIDENT = "filter.incident"
    TAMPERED = "guard.tampered"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something to journal. `subject` is an operation id, a factor id or empty; `at` is unix seconds.

    `data` is copied, so that what the caller does to its own afterwards changes nothing (Threat: T-097), and
    `canonical_data` is what is written: its RFC 8785 form. Raises ValueError for anything outside the format, data of
    more than MAX_DATA_BYTES in canonical form included.
    """

    kind: Kind
    at: int
    subject: str = ""
    data: dict[str, Any]
    canonical_data: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if type(self.kind) is not Kind:
            raise ValueError("an event has a kind")
        if type(self.at) is not int or not 0 <= self.at <= MAX_TIME:
            raise ValueError("an event has a time")
        if type(self.subject) is not str or SUBJECT.fullmatch(self.subject) is None:
            raise ValueError("a subject is a short identifier")
        if type(self.data) is not dict:
            raise ValueError("an event's data is an object")
        data = canonical_bytes(self.data)
        if len(data) > MAX_DATA_BYTES:
            raise ValueError("an event's data is too large")
        object.__setattr__(self, "data", json.loads(data))
        object.__setattr__(self, "canonical_data", data)


RowChange = tuple[str, str, str | None]
"""(table, key, MAC in hex), the MAC None when the row was dropped."""
