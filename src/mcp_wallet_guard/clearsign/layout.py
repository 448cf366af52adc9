"""The order in which a view is read, the same on every surface: the sentence, what is dangerous, what happens, every
value, and free text last, so that no length of it pushes anything away.

A layout is a list of lines without any markup; a renderer escapes them for its sink. Pure. Threat: T-021, T-022.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, final

from mcp_wallet_guard.clearsign import text
from mcp_wallet_guard.confirmation import SEVERITIES, ConfirmationView, Finding, ViewField

LEVELS: Final = {
    "decoded": "The function is known, but what its values mean is not.",
    "partial": "A part of this cannot be read.",
    "blind": "This cannot be read: nobody knows what it does.",
}
"""Level -> what a person is told; nothing for a clear one."""

OWN_FIELDS: Final = frozenset({"transfer", "token_transfer", "token_approval", "action", "exchange_withdrawal"})
"""Kinds whose fields say all that their effects do."""

_DEEPEST: Final = 6
"""Further in, lines are not indented further: a call inside many others leaves room for its value."""
_DIRECTIONS: Final = {"out": "Leaves", "in": "Arrives", "allow": "Allows", "control": "Control"}
_DIGESTS: Final = (
    ("signing", "Signing hash"),
    ("calldata", "Calldata hash"),
    ("eip712_domain", "Domain hash"),
    ("eip712_message", "Message hash"),
    ("safe_tx_hash", "Safe hash"),
    ("descriptor", "Descriptor"),
)


class Role(StrEnum):
    """What a line is."""

    INTENT = "intent"
    LEVEL = "level"
    DANGER = "danger"
    WARNING = "warning"
    NOTICE = "notice"
    EFFECT = "effect"
    FIELD = "field"
    UNCHECKED = "unchecked"
    DIGEST = "digest"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line: `value` is safe text, `depth` how far it is indented. `name` is the finding's code or the field's
    label, for programs that read a page."""

    role: Role
    label: str
    value: str
    name: str = ""
    depth: int = 0


def lines(view: ConfirmationView, /) -> tuple[Line, ...]:
    """All lines of `view`, in reading order. Every member that a person needs is in exactly one of them."""
    return tuple(_lines(view))


def _lines(view: ConfirmationView) -> Iterator[Line]:
    yield Line(role=Role.INTENT, label="", value=view.intent)
    if view.level in LEVELS:
        yield Line(role=Role.LEVEL, label=view.level.upper(), value=LEVELS[view.level], name=view.level)
    for severity in SEVERITIES:
        yield from (_finding(each) for each in view.findings if each.severity == severity)
    if view.kind not in OWN_FIELDS:
        for effect in view.effects:
            label = _DIRECTIONS[effect.direction]
            yield Line(role=Role.EFFECT, label=label, value=effect.text, name=effect.direction)
    free = [field for field in view.fields if _is_free(field)]
    for field in (*(each for each in view.fields if each not in free), *free):
        yield from _field(field, 0)
    for reason, subjects in _unchecked(view).items():
        yield Line(role=Role.UNCHECKED, label="NOT CHECKED", value=reason + "; ".join(subjects), name="not_checked")
    yield _digest("Operation", view.operation_digest)
    for name, label in _DIGESTS:
        digest = getattr(view.digests, name)
        # A payment's own two hashes are in the tree, for a device; on a page they would be 128 digits to nobody.
        if digest is not None and view.kind not in OWN_FIELDS:
            yield _digest(label, digest)


def _digest(label: str, digest: str) -> Line:
    return Line(role=Role.DIGEST, label=label, value=text.grouped(digest), name=label)


def _unchecked(view: ConfirmationView) -> dict[str, list[str]]:
    """Why something was not checked -> what that was, so that one missing source is one line."""
    found: dict[str, list[str]] = {}
    for each in view.not_checked:
        reason, colon, subject = each.text.removesuffix(".").partition(":")
        because = reason.removeprefix("Not checked, because ")
        subjects = found.setdefault(because + (f"{colon} " if colon else ""), [])
        if subject.strip() not in subjects:
            subjects.append(subject.strip())
    return found


def _finding(finding: Finding) -> Line:
    return Line(role=Role(finding.severity), label=finding.severity.upper(), value=finding.text, name=finding.code)


def _is_free(field: ViewField) -> bool:
    return field.untrusted and field.type in {"text", "bytes"}


def _field(field: ViewField, depth: int) -> Iterator[Line]:
    depth = min(depth, _DEEPEST)
    yield Line(role=Role.FIELD, label=field.label, value=field.value, name=field.label, depth=depth)
    for child in field.children:
        yield from _field(child, depth + 1)
