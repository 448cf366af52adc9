"""Payloads that are read from JSON: none of their text stays behind in the process."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from mcp.server.mcpserver.utilities.func_metadata import func_metadata

from mcp_wallet_guard.daemon.methods import ApproveArguments
from mcp_wallet_guard.evidence import EVIDENCE, Channel, Evidence, canonical
from mcp_wallet_guard.exchange import ANSWER, RefusedAnswer
from mcp_wallet_guard.mcp.arguments import guarded
from mcp_wallet_guard.mcp.handlers import CALL

TEXT = "a text short enough for a cache"


def approve_arguments() -> str:
    text = canonical({"operation": "o", "view_hash": "v", "match_code": "m", "code": TEXT, "channel": "terminal"})
    return str(ApproveArguments.model_validate_json(text).code)


def evidence() -> str:
    given = Evidence(
        channel=Channel.PAGE, approver=TEXT, operation_digest="d", view_hash="v", level=3, at=1_800_000_000
    )
    return EVIDENCE.validate_json(f"[{canonical(given)}]")[0].approver


def answer() -> str:
    read = ANSWER.validate_json(canonical(RefusedAnswer(code="c", message=TEXT)))
    assert isinstance(read, RefusedAnswer)
    return read.message


def tool_arguments() -> str:
    def note(text: str) -> None:
        """A tool."""

    shape = guarded(func_metadata(note), strict=True, output_schema=None)
    return str(shape.validate_arguments({"text": TEXT})[CALL].arguments["text"])


@pytest.mark.parametrize("read", [approve_arguments, evidence, answer, tool_arguments])
def test_a_text_that_was_read_is_not_kept_for_the_next_time(read: Callable[[], str]) -> None:
    """A cached text comes back as the same object: a code, a payee or a pasted secret would outlive its use."""
    first, second = read(), read()

    assert first == second == TEXT
    assert first is not second
