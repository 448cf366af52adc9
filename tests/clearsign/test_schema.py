"""The published JSON Schema is the view's own."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest

from mcp_wallet_guard.clearsign.view import render_view, view_schema
from tests.clearsign.transfers import effect, facts, freeze

COMMITTED = Path(__file__).parents[2] / "docs" / "formats" / "confirmation-view-v1.schema.json"


def test_the_committed_schema_is_current() -> None:
    expected = json.dumps(view_schema(), indent=2, sort_keys=True) + "\n"
    assert COMMITTED.read_text(encoding="utf-8") == expected, (
        f"stale: json.dumps(view_schema(), indent=2, sort_keys=True) is what {COMMITTED.name} must hold"
    )


def test_a_view_is_valid_under_the_schema_and_one_with_an_unknown_member_is_not() -> None:
    view = json.loads(render_view(freeze(effect()), facts(payee_name=None)).model_dump_json())
    validator = jsonschema.Draft202012Validator(view_schema())
    validator.validate(view)
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(view | {"approved": True})
