"""The approval page's documents: pure functions from requests to HTML, no scripts, nothing from elsewhere.

Element names and ``data-`` attributes that a reader may rely on are specified in docs/formats/approval-page.md.
Sentences are ours; view text is escaped by `markup`. Threat: T-015, T-021, T-022, T-109.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from mcp_wallet_guard.approvals.base import Continuation
from mcp_wallet_guard.approvals.style import INTEGRITY
from mcp_wallet_guard.ceremony import SIGN_WITHIN_SECONDS
from mcp_wallet_guard.clearsign import text
from mcp_wallet_guard.clearsign.markup import Html, document, join, tag
from mcp_wallet_guard.clearsign.renderers.html import html_parts
from mcp_wallet_guard.exchange import ApprovalRequest

_NOUNS: Final = {
    "action": "request",
    "contract_call": "contract call",
    "message": "message",
    "typed_data": "message",
    "delegation": "delegation",
    "exchange_withdrawal": "withdrawal",
}
"""Kind of a view -> what is approved, where that is no payment."""
VIEW_CHANGED: Final = (
    "What is asked changed after you opened the page. Nothing was approved. Read it again before you answer."
)


def unpaired_page(*, alert: str | None = None) -> bytes:
    """What a browser sees that is not paired: the same for every address, with nothing of the wallet in it."""
    return _page(
        "Pair this browser",
        _alert(alert),
        tag("h1", "Pair this browser"),
        tag("p", "To see what waits for your approval, open the link from your own links folder, or type a code."),
        tag(
            "form",
            _text_input("code", "Code from your authenticator app", numeric=True),
            tag("button", "Pair", type="submit", class_="wide"),
            method="post",
            action="/pair",
            autocomplete="off",
        ),
        tag("p", "This uses the code up: approving afterwards takes the next one.", class_="soft"),
        tag(
            "p",
            "Paired already and followed a link from another site? ",
            tag("a", "Open this page again", href=""),
            class_="soft",
        ),
    )


def list_page(requests: tuple[ApprovalRequest, ...], /, *, now: int) -> bytes:
    """Everything that waits for this person, oldest first."""
    items = (
        tag(
            "li",
            tag("a", request.view.intent, href=f"/a/{request.operation}"),
            tag("span", f"{_asked_by(request)}; {_ends(request.expires_at, now=now)}", class_="soft"),
        )
        for request in requests
    )
    body = tag("ul", *items, class_="requests") if requests else tag("p", "Nothing is waiting.")
    return _page("Waiting for your approval", tag("h1", "Waiting for your approval"), body)


def request_page(request: ApprovalRequest, /, *, csrf: str, now: int, alert: str | None = None) -> bytes:
    """The findings, the whole view in its order, and only then the match code and the form that takes it."""
    parts = html_parts(request.view)
    title = f"Approve this {_NOUNS.get(request.view.kind, 'payment')}?"
    return _page(
        title,
        _alert(alert),
        tag("h1", title),
        parts.intent,
        parts.findings,
        parts.details,
        tag("p", f"{_asked_by(request)}; {_ends(request.expires_at, now=now)}.", class_="soft"),
        _confirm(request, csrf),
        tag(
            "form",
            _hidden(request, csrf),
            tag("button", "Decline", type="submit", class_="quiet wide"),
            method="post",
            action=f"/a/{request.operation}/decline",
        ),
    )


def approved_page(continuation: Continuation, /) -> bytes:
    """What happens next, plainly."""
    if continuation is Continuation.NOW:
        sentence = "It is being signed now, because the call that asked for it is waiting."
    else:
        minutes = SIGN_WITHIN_SECONDS // 60
        sentence = (
            f"Nothing is signed yet. The next identical call within {minutes} minutes signs it, once. "
            "Without such a call it lapses."
        )
    return _page(
        "Approved",
        tag("h1", "Approved"),
        tag("p", sentence, role="status", data_continuation=continuation.value),
        tag("p", tag("a", "What else is waiting", href="/")),
    )


def declined_page() -> bytes:
    """The person said no."""
    return _page(
        "Declined",
        tag("h1", "Declined"),
        tag("p", "Nothing was signed. The same request is refused for ten minutes.", role="status"),
        tag("p", tag("a", "What else is waiting", href="/")),
    )


def error_page(sentence: str, /) -> bytes:
    """A sentence of ours or of the catalogue, and the way back. Nothing of the request is repeated."""
    return _page(
        "Not done",
        tag("h1", "Not done"),
        tag("p", sentence, role="alert"),
        tag("p", tag("a", "Back to what is waiting", href="/")),
    )


def _page(title: str, *content: Html) -> bytes:
    return document(
        tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("title", f"{title} - wallet guard"),
            tag("link", rel="stylesheet", href="/style.css", integrity=INTEGRITY),
        ),
        tag("body", tag("div", "Wallet guard, on this computer", class_="brand"), tag("main", *content)),
    )


def _confirm(request: ApprovalRequest, csrf: str) -> Html:
    return tag(
        "form",
        tag(
            "p",
            "If all of this is right, type this match code: ",
            tag("strong", request.match_code, data_match_code=True),
            class_="match",
        ),
        _hidden(request, csrf),
        tag(
            "div",
            tag("div", _text_input("match_code", "Match code", numeric=False)),
            tag("div", _text_input("code", "Code from your authenticator app", numeric=True))
            if request.needs_code
            else join(),
            class_="codes",
        ),
        tag("button", "Approve", type="submit", class_="wide"),
        method="post",
        action=f"/a/{request.operation}/approve",
        autocomplete="off",
        class_="confirm",
    )


def _hidden(request: ApprovalRequest, csrf: str) -> Html:
    return join(
        tag("input", type="hidden", name="csrf", value=csrf),
        tag("input", type="hidden", name="view_hash", value=request.view_hash),
    )


def _text_input(name: str, label: str, *, numeric: bool) -> Html:
    field = tag(
        "input",
        type="text",
        id=name,
        name=name,
        required=True,
        maxlength="16",
        autocomplete="one-time-code" if numeric else "off",
        inputmode="numeric" if numeric else "text",
        autocapitalize="off" if numeric else "characters",
        spellcheck="false",
    )
    return join(tag("label", label, for_=name), field)


def _alert(sentence: str | None) -> Html:
    return join() if sentence is None else tag("p", sentence, class_="alert", role="alert")


def _asked_by(request: ApprovalRequest) -> str:
    tool, principal = text.quoted(request.tool, limit=64), text.quoted(request.principal, limit=64)
    return f"Asked through the tool {tool} by {principal}"


def _ends(expires_at: int, *, now: int) -> str:
    at = datetime.fromtimestamp(expires_at, UTC).strftime("%H:%M UTC")
    minutes = (expires_at - now) // 60
    return f"open until {at}, less than a minute" if minutes < 1 else f"open until {at}, {minutes} min left"
