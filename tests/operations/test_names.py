"""Which names a tool, a payee and a mandate may have."""

from __future__ import annotations

import pytest

from mcp_wallet_guard.operations.names import is_entry_name, is_tool_name


@pytest.mark.parametrize("name", ["a", "7", "pay_invoice", "Pay.v2-x_", "a" * 64])
def test_a_tool_has_a_plain_name(name: str) -> None:
    assert is_tool_name(name)


@pytest.mark.parametrize("name", ["", "_pay", ".pay", "-pay", "pay now", "päy", "pay\n", "a" * 65])
def test_no_tool_has_another(name: str) -> None:
    assert not is_tool_name(name)


@pytest.mark.parametrize("name", ["B", "Bob", "Bob the 2nd", "a.b_c-d", "b" * 40])
def test_an_entry_has_a_name_that_reads_as_one(name: str) -> None:
    assert is_entry_name(name)


@pytest.mark.parametrize("name", ["", " Bob", "Bob ", "Bob.", "-Bob", "Bób", "Bob\n", "Bob\tB", "b" * 41])
def test_no_entry_has_another(name: str) -> None:
    assert not is_entry_name(name)
