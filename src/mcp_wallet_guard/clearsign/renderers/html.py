"""A view as parts of an HTML document, without styles or scripts: a page puts them where it wants. Threat: T-022."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

from mcp_wallet_guard.clearsign.layout import Line, Role, lines
from mcp_wallet_guard.clearsign.markup import Html, join, tag
from mcp_wallet_guard.confirmation import ConfirmationView

_FINDINGS: Final = frozenset({Role.LEVEL, Role.DANGER, Role.WARNING, Role.NOTICE})
_LEADS: Final = {"Amount": "lead amount", "Payee": "lead payee", "Address": "lead payee"}
"""Fields that a page may show large."""
_SEVERITY: Final = {Role.NOTICE: "Note", Role.WARNING: "Warning", Role.DANGER: "Danger"}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class HtmlParts:
    """`intent` is one paragraph, `findings` a list or nothing, `details` a description list of all other lines.

    Elements carry ``data-intent``, ``data-finding`` (its code) and ``data-field`` (its label); what stands inside a
    group or a call has ``data-depth``.
    """

    intent: Html
    findings: Html
    details: Html


def html_parts(view: ConfirmationView, /) -> HtmlParts:
    """The view as HTML, in the order of the layout; a page puts the findings before the details."""
    laid = lines(view)
    items = [_item(line) for line in laid if line.role in _FINDINGS]
    details = (_entry(line) for line in laid if line.role not in _FINDINGS | {Role.INTENT})
    return HtmlParts(
        intent=tag("p", view.intent, data_intent=True),
        findings=tag("ul", *items, class_="findings") if items else join(),
        details=tag("dl", *details),
    )


def _item(line: Line) -> Html:
    strong = tag("strong", f"{_SEVERITY.get(line.role, line.label)}: ")
    kind = "danger" if line.role is Role.LEVEL else line.role.value
    return tag("li", strong, line.value, class_=kind, data_finding=line.name)


def _entry(line: Line) -> Html:
    value = tag("dd", line.value, data_field=line.name, dir="ltr")
    kind = line.role.value if line.role is not Role.FIELD else _LEADS.get(line.name, False)
    depth = str(min(line.depth, 9)) if line.depth else False
    return tag("div", tag("dt", line.label), value, class_=kind, data_depth=depth)
