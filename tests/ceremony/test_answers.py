"""The evidence column: verified answers to exactly this digest and view, or nothing at all.

Threat: T-001, T-006, T-007.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from mcp_wallet_guard.ceremony import answers_of, check_confirmed, check_proven
from mcp_wallet_guard.errors import Tampered
from mcp_wallet_guard.evidence import Evidence, Level
from tests.ceremony.steps import (
    NOW,
    OTHER_BYTES,
    OTHER_VIEW,
    OURS,
    answer,
    approval,
    bare,
    permitted,
    stored,
)

HONEST: dict[str, Any] = answer().model_dump(mode="json")
DIGEST = OURS.operation.digest.hex()
VIEW = OURS.view_hash.hex()


def refused_everywhere(evidence: str) -> None:
    """No reader of the column believes it, and all say so in the same way."""
    row = approval(evidence=evidence)
    for reader in (
        lambda: answers_of(row),
        lambda: check_confirmed(OURS, permitted(), row, now=NOW),
        lambda: check_proven(OURS, permitted(), row),
    ):
        with pytest.raises(Tampered) as refused:
            reader()
        assert refused.value.code == "tampered.operation"


def test_answers_come_back_in_order_as_they_were_stored() -> None:
    given = (answer(), bare(Level.PRESENT, approver="second"), answer(factor_step=1))
    assert answers_of(approval(*given)) == given
    assert answers_of(approval()) == ()
    assert answers_of(approval(answer(about=OTHER_VIEW), about=OTHER_VIEW)) == (answer(about=OTHER_VIEW),)


@pytest.mark.parametrize("level", Level)
def test_every_level_that_exists_may_stand_in_an_answer(level: Level) -> None:
    assert answers_of(approval(bare(level)))[0].level == level


@pytest.mark.parametrize(
    "evidence",
    [
        "", " ", "[", "{}", "null", "true", "0", '"yes"', "approved", "[null]", "[{}]", "[[]]", "[] []", "[]x", "[1]",
        "[" * 3000 + "]" * 3000, "[NaN]", "\ud800", stored(answer())[:-1], stored(answer()) + "]",
        stored(answer()).replace('"v"', "'v'"), json.dumps(HONEST),
    ],
)  # fmt: skip
def test_what_is_no_list_of_answers_is_tampered(evidence: str) -> None:
    """Threat: T-001."""
    refused_everywhere(evidence)


@pytest.mark.parametrize(
    "missing", [name for name in HONEST if name not in {"v", "factor_id", "factor_step", "mandate"}]
)
def test_an_answer_without_one_of_its_fields_is_tampered(missing: str) -> None:
    refused_everywhere(json.dumps([{name: value for name, value in HONEST.items() if name != missing}]))


@pytest.mark.parametrize(
    "change",
    [
        {"approved": True}, {"v": 2}, {"v": 0}, {"channel": "chat"}, {"channel": "PAGE"}, {"channel": None},
        {"level": "3"}, {"level": 3.5}, {"level": True}, {"level": None}, {"at": "now"}, {"approver": 1},
        {"approver": None}, {"factor_step": "1"}, {"factor_step": True}, {"factor_id": 7}, {"view_hash": None},
    ],
)  # fmt: skip
def test_an_answer_with_an_unknown_key_or_a_value_of_another_type_is_tampered(change: dict[str, Any]) -> None:
    """Threat: T-001."""
    refused_everywhere(json.dumps([HONEST | change]))


@pytest.mark.parametrize("level", [-1, 5, 7, 99, 2**31, 10**30])
def test_an_answer_of_a_level_that_does_not_exist_is_tampered(level: int) -> None:
    """Threat: T-001."""
    refused_everywhere(json.dumps([HONEST | {"level": level}]))
    refused_everywhere(json.dumps([HONEST, HONEST | {"level": level}]))


OTHERS: dict[str, Evidence] = {
    **{f"another {name}": answer(about) for name, about in OTHER_BYTES.items()},
    "another view": answer(OTHER_VIEW),
    "another digest": answer(operation_digest="00" * 32),
    "another view alone": answer(view_hash="00" * 32),
    "the hashes exchanged": answer(operation_digest=VIEW, view_hash=DIGEST),
    "upper case": answer(operation_digest=DIGEST.upper()),
    "a prefix": answer(operation_digest=DIGEST[:-2]),
    "0x": answer(view_hash="0x" + VIEW),
    "nothing": answer(operation_digest="", view_hash=""),
}


@pytest.mark.parametrize("name", OTHERS)
def test_an_answer_to_something_else_is_tampered_wherever_it_stands(name: str) -> None:
    """Threat: T-006, T-007, T-008."""
    for answers in ((OTHERS[name],), (answer(), OTHERS[name]), (OTHERS[name], answer())):
        refused_everywhere(stored(*answers))


def test_answers_to_this_view_are_none_to_a_row_that_names_another() -> None:
    """Threat: T-006, T-007."""
    for row in (approval(answer(), digest=b"x" * 32), approval(answer(), view_hash=b"x" * 32)):
        with pytest.raises(Tampered):
            answers_of(row)


def test_what_was_stored_is_not_repeated_in_the_error() -> None:
    for evidence in ("zzz-from-outside", json.dumps([HONEST | {"approver": ["zzz-from-outside"]}])):
        with pytest.raises(Tampered) as refused:
            answers_of(approval(evidence=evidence))
        assert "zzz" not in refused.value.detail + refused.value.public
        assert refused.value.__suppress_context__
