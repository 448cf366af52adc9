"""What the checks say of a payment: the same ones, on the same reading of the bytes, as for any other transaction.

Findings only warn or refuse: a node's word may add one, never remove one. Threat: T-021, T-025, T-028.
"""

from __future__ import annotations

from typing import final

from mcp_wallet_guard.clearsign.contract_calls import read_frozen_transaction
from mcp_wallet_guard.clearsign.reading import Reading
from mcp_wallet_guard.clearsign.risks.known import Known
from mcp_wallet_guard.clearsign.risks.table import told
from mcp_wallet_guard.clearsign.tree import AssetKind
from mcp_wallet_guard.confirmation import Finding
from mcp_wallet_guard.operations.frozen import FrozenOperation
from mcp_wallet_guard.operations.values import Address, Asset


def judged(reading: Reading, known: Known, /) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """What is raised, the worst first, and what could not be checked."""
    raised, unchecked = told(reading, known)
    return tuple([each.finding() for each in raised]), tuple([each.finding() for each in unchecked])


def read_payment(operation: FrozenOperation, /, *, token: Asset | None) -> Reading:
    """What a payment with `token` does. Raises PolicyDenied("policy.undecodable") for bytes that do not parse."""
    return read_frozen_transaction(operation, _Pinned(token))


@final
class _Pinned:
    """Knows one token, which the owner pinned: see `decoders.base.Knowledge`."""

    __slots__ = ("_token",)

    def __init__(self, token: Asset | None, /) -> None:
        self._token = token

    def kind_of(self, contract: Address, /) -> AssetKind | None:
        return AssetKind.ERC20 if self._token is not None and self._token.address == contract else None

    def underlying_of(self, _vault: Address, /) -> Address | None:
        return None
