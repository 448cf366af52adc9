"""The normal form of names, by cases of ENSIP-15 (retyped from its text and its published test set)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.chains.ens_names import MAX_BYTES, is_normal

NORMAL = {
    "plain": "vitalik.eth",
    "digits": "1234.eth",
    "dollar": "$eth",
    "leading underscores": "__ab.eth",
    "hyphens": "a-b-.eth",
    "emoji": "\U0001f680\U0001f680.eth",
    "keycap": "1\u20e3.eth",
    "flag": "\U0001f1fa\U0001f1f8.eth",
    "joined emoji": "\U0001f468\u200d\U0001f33e.eth",
    "greek": "\u03be\u03b5\u03bd\u03bf\u03c2.eth",
    "cyrillic of its own": "\u0434\u0430.eth",
    "han": "\u4e2d\u6587.eth",
    "japanese": "\u3042\u30a2\u4e9c.eth",
    "latin with a mark": "caf\u00e9.eth",
    "apostrophe inside": "a\u2019b.eth",
}
OTHERWISE = {
    "empty": "",
    "no label": "a..eth",
    "upper case": "A.eth",
    "blank": "a b",
    "apostrophe of ASCII": "a'b",
    "underscore inside": "a_b",
    "label extension": "xn--ls8h.eth",
    "zero width": "a\u200bb",
    "zero width joiner in text": "a\u200db",
    "emoji style": "\u2764\ufe0f.eth",
    "fence first": "\u2019ab.eth",
    "fence twice": "a\u2019\u2019b.eth",
    "mark first": "\u0301a.eth",
    "mark after emoji": "\U0001f680\u0301.eth",
    "not composed": "cafe\u0301.eth",
    "two scripts": "b\u0456tcoin.eth",
    "whole confusable": "\u0430\u0440\u0435.eth",
    "full width": "\uff41.eth",
    "direction": "a\u202eb",
    "surrogate": "\ud800.eth",
    "private use": "\ue000.eth",
    "unassigned": "\U000e0fff.eth",
    "too many marks": "\u0631\u0610\u0611\u0612\u0613\u0614.eth",
    "long": "a" * (MAX_BYTES + 1),
}


@pytest.mark.parametrize("name", NORMAL.values(), ids=NORMAL)
def test_it_is_normal(name: str) -> None:
    assert is_normal(name)


@pytest.mark.parametrize("name", OTHERWISE.values(), ids=OTHERWISE)
def test_it_is_not_normal(name: str) -> None:
    assert not is_normal(name)


@given(st.text(min_size=1, max_size=12))
def test_any_text_has_an_answer_and_what_is_normal_hides_nothing(text: str) -> None:
    if is_normal(text):
        assert text == text.lower() or not text.isascii()
        assert not set(text) & set(" \t\n\u200b\u200e\u200f\u202a\u202e\ufe0f\u2066")
