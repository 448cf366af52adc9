"""Step 2: a configured principal with room for one more question. Threat: T-001, T-014."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_wallet_guard.ceremony import MAX_OPEN_PER_PRINCIPAL, check_authorized
from mcp_wallet_guard.errors import NotAuthorized, RateLimited
from mcp_wallet_guard.proofs import Authorized


def authorized(**changes: Any) -> Authorized:
    values: dict[str, Any] = {
        "principal": "local", "tool": "pay", "effect_hash": b"e" * 32, "principals": frozenset({"local", "ci"}),
        "open_operations": 0,
    }  # fmt: skip
    return check_authorized(**(values | changes))


def test_a_configured_principal_gets_a_proof_of_who_what_and_through_which_tool() -> None:
    for principal in ("local", "ci"):
        proof = authorized(principal=principal)
        assert type(proof) is Authorized
        assert (proof.principal, proof.tool, proof.effect_hash) == (principal, "pay", b"e" * 32)


@pytest.mark.parametrize("principal", ["", "LOCAL", "local ", "loca", "localci", "mallory"])
def test_anybody_else_is_not_authorized(principal: str) -> None:
    """Threat: T-014."""
    with pytest.raises(NotAuthorized) as refused:
        authorized(principal=principal)
    assert (refused.value.code, refused.value.detail) == ("not_authorized", f"principal {principal!r}")
    assert refused.value.public == "This caller may not use this tool."


def test_without_principals_nobody_is_authorized() -> None:
    with pytest.raises(NotAuthorized):
        authorized(principals=frozenset())


def test_sixteen_operations_of_a_principal_are_open_at_most() -> None:
    assert MAX_OPEN_PER_PRINCIPAL == 16
    for opened in range(16):
        authorized(open_operations=opened)
    for opened in (16, 17, 10_000):
        with pytest.raises(RateLimited) as refused:
            authorized(open_operations=opened)
        assert refused.value.code == "rate_limited"


def test_a_stranger_is_not_told_about_the_limit() -> None:
    with pytest.raises(NotAuthorized):
        authorized(principal="mallory", open_operations=16)
