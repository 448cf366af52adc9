"""Three renderers show the same lines in the same order, and nothing that stands in a text becomes markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.clearsign import text
from mcp_wallet_guard.clearsign.layout import Role, lines
from mcp_wallet_guard.clearsign.renderers.html import html_parts
from mcp_wallet_guard.clearsign.renderers.markdown import markdown
from mcp_wallet_guard.clearsign.renderers.plain import plain_text
from mcp_wallet_guard.confirmation import ConfirmationView, Digests, Finding, ViewEffect, ViewField

HOSTILE: Final = '</dd><script>alert("1")</script> [pay](http://x) **OK** `a` \u202e\u200b\x1b[2J & \n# Approved'


def view(note: str = HOSTILE, **changes: object) -> ConfirmationView:
    """A contract call with a memo, a nested call, and a finding of each severity."""
    quoted = text.quoted(note, limit=256)
    values: dict[str, object] = {
        "kind": "contract_call",
        "chain": "eip155:1",
        "account": "eip155:1:0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
        "intent": "Call 0x70997970C51812dc3A010C7d01b50e0d17dc79C8: Do three things",
        "level": "partial",
        "effects": (
            ViewEffect(direction="out", text="5 USDC to 0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"),
            ViewEffect(direction="control", text="The contract's code is replaced"),
        ),
        "fields": (
            ViewField(label="Memo", value=quoted, untrusted=True),
            ViewField(
                label="Inside",
                value="Call: Send",
                type="call",
                children=(
                    ViewField(label="Recipient", value="0x 3C44", type="address"),
                    ViewField(label=quoted, value="5 USDC", type="amount"),
                ),
            ),
        ),
        "findings": (
            Finding(code="b", severity="notice", text="A notice."),
            Finding(code="a", severity="danger", text="A danger."),
        ),
        "not_checked": (Finding(code="c", severity="warning", text="Nobody looked.", status="not_checked"),),
        "operation_digest": "ab" * 32,
        "digests": Digests(signing="cd" * 32),
        "expires_at": 1,
    }
    return ConfirmationView.model_validate(values | changes)


class Reader(HTMLParser):
    """Tags and texts of a fragment."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def in_order(whole: str, pieces: list[str]) -> bool:
    at = 0
    for piece in pieces:
        at = whole.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    return True


READING_ORDER = ["Do three things", "cannot be read", "A danger", "A notice", "5 USDC to", "code is replaced",
                 "Recipient", "Memo", "Nobody looked", "Operation", "Signing hash"]  # fmt: skip


def test_the_worst_comes_first_and_free_text_after_every_other_value() -> None:
    shown = view()
    parts = html_parts(shown)
    assert in_order(plain_text(shown), READING_ORDER)
    assert in_order(markdown(shown).replace("\\", ""), READING_ORDER)
    assert in_order(Reader(f"{parts.intent}{parts.findings}{parts.details}").text, READING_ORDER)


@given(note=st.text(max_size=300))
def test_no_text_leaves_printable_ascii_or_its_quotes(note: str) -> None:
    shown = view(note)
    parts = html_parts(shown)
    for rendered in (plain_text(shown), plain_text(shown, width=40), markdown(shown), str(parts.details)):
        assert re.fullmatch(r"[ -~\n]*", rendered)
    honest = Reader(str(html_parts(view("memo")).details))
    assert Reader(str(parts.details)).tags == honest.tags


def test_markup_in_a_text_is_markup_in_no_sink() -> None:
    shown = view()
    assert "<script" not in str(html_parts(shown).details)
    assert not re.search(r"(?<!\\)[\[\]<>`]|(?<!\\)\(http|://", markdown(shown).replace("**", ""))


@pytest.mark.parametrize("width", [20, 40, 59, 60, 76, 80])
def test_plain_text_keeps_to_its_width_and_says_everything(width: int) -> None:
    shown = view()
    rendered = plain_text(shown, width=width)
    assert max(map(len, rendered.split("\n"))) <= width
    squeezed = re.sub(r"\s+", "", rendered)
    for line in lines(shown):
        assert re.sub(r"\s+", "", line.value) in squeezed
        assert re.sub(r"\s+", "", line.label) in squeezed


def test_a_width_that_fits_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="20 columns"):
        plain_text(view(), width=19)


def test_what_nobody_checked_is_shown_as_that() -> None:
    assert "NOT CHECKED" in plain_text(view())
    assert "NOT CHECKED" not in plain_text(view(not_checked=()))


def test_a_clear_view_does_not_speak_of_its_level() -> None:
    assert any(line.role is Role.LEVEL for line in lines(view()))
    assert not any(line.role is Role.LEVEL for line in lines(view(level="clear")))


@pytest.mark.parametrize("level", ["decoded", "partial", "blind"])
def test_every_other_level_is_told_among_the_findings(level: str) -> None:
    shown = view(level=level)
    assert f'data-finding="{level}"' in str(html_parts(shown).findings)
    assert level.upper() in plain_text(shown)


def test_a_view_without_findings_has_no_empty_list() -> None:
    assert not str(html_parts(view(level="clear", findings=())).findings)
