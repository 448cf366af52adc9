"""[[venues]] of guard.toml as the values that policy decides by."""

from __future__ import annotations

from typing import Final

from mcp_wallet_guard.config.document import VenueAssetTable, VenueTable
from mcp_wallet_guard.errors import InvalidInput, Misconfigured
from mcp_wallet_guard.operations.values import UINT256_MAX, Amount
from mcp_wallet_guard.policy.limits import Limit
from mcp_wallet_guard.policy.withdrawals import Destination, NetworkRule, VenueRule

_SECONDS: Final = {"m": 60, "h": 3_600, "d": 86_400}


def seconds(window: str, /) -> int:
    """A window such as ``90m``, ``24h`` or ``7d``."""
    return int(window[:-1]) * _SECONDS[window[-1]]


def venue_rules(tables: tuple[VenueTable, ...], /) -> tuple[VenueRule, ...]:
    """Raises Misconfigured("misconfigured.settings"); its detail names the key."""
    if len({table.name for table in tables}) != len(tables):
        raise _invalid("venues: a name is there twice")
    return tuple(_venue(table) for table in tables)


def _venue(table: VenueTable) -> VenueRule:
    return VenueRule(
        name=table.name,
        kind=table.kind,
        origin=table.url,
        label=table.account,
        wallet=table.wallet,
        window_ms=table.window_seconds * 1_000,
        networks=tuple(_network(table.name, each) for each in table.assets),
        destinations=tuple(
            Destination(name=each.name, network=each.network, address=each.address, memo=each.memo)
            for each in table.addresses
        ),
    )


def _network(venue: str, table: VenueAssetTable) -> NetworkRule:
    key = f"venues.{venue}.assets.{table.asset}.{table.network}"
    amounts = {
        name: _units(f"{key}.{name}", getattr(table, name), table.decimals)
        for name in ("max_per_withdrawal", "amount", "max_fee")
    }
    if not amounts["max_per_withdrawal"] or not amounts["amount"]:
        raise _invalid(f"{key}: is not a positive amount")
    fee = None if table.fee == "ask" else _units(f"{key}.fee", table.fee, table.decimals)
    if fee is not None and fee > amounts["max_fee"]:
        raise _invalid(f"{key}.fee: is above max_fee")
    try:
        limit = Limit(seconds(table.window), count=table.count)
    except Misconfigured as error:
        raise _invalid(f"{key}.{error.detail}") from None
    return NetworkRule(
        asset=table.asset,
        network=table.network,
        decimals=table.decimals,
        cap=amounts["max_per_withdrawal"],
        amount=amounts["amount"],
        limit=limit,
        max_fee=amounts["max_fee"],
        fee=fee,
        memo=table.memo,
        form=table.form,
    )


def _units(key: str, amount: Amount, decimals: int) -> int:
    whole, _, part = amount.text.partition(".")
    units = int(whole + part.ljust(decimals, "0"))
    if len(part) > decimals or units > UINT256_MAX:
        raise _invalid(f"{key}: {InvalidInput('invalid_input.precision').public}")
    return units


def _invalid(detail: str) -> Misconfigured:
    return Misconfigured("misconfigured.settings", detail=detail)
