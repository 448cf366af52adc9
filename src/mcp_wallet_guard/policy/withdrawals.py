"""What may be withdrawn from a venue: to whom on which network, how much at once and within a window, for what fee.

Default deny in each of these. A network's rule and an address's entry are both needed; the memo belongs to the address,
since at an exchange it is the memo that says whose the money is. Always asked, and always with a second factor.
Threat: T-001, T-018, T-019, T-120.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, final

from mcp_wallet_guard.canonical import canonical_bytes
from mcp_wallet_guard.errors import InvalidInput, Misconfigured, OverBudget, PolicyDenied
from mcp_wallet_guard.operations import binance
from mcp_wallet_guard.operations.names import is_entry_name
from mcp_wallet_guard.operations.values import Address, Amount
from mcp_wallet_guard.operations.withdrawals import ExchangeWithdrawal, is_memo, is_venue_address
from mcp_wallet_guard.policy.limits import Limit, Spent, check_limit

MAX_VENUES: Final = 8
MAX_NETWORKS: Final = 64
MAX_DECIMALS: Final = 18
MemoRule = Literal["required", "optional", "none"]
Form = Literal["evm", "tron", "bitcoin", "xrp", "solana", "other"]
FORMS: Final[dict[Form, re.Pattern[str]]] = {
    "evm": re.compile(r"0x[0-9a-fA-F]{40}"),
    "tron": re.compile(r"T[1-9A-HJ-NP-Za-km-z]{33}"),
    "bitcoin": re.compile(r"bc1[02-9ac-hj-np-z]{8,87}|[13][1-9A-HJ-NP-Za-km-z]{25,34}"),
    "xrp": re.compile(r"r[1-9A-HJ-NP-Za-km-z]{24,34}"),
    "solana": re.compile(r"[1-9A-HJ-NP-Za-km-z]{32,44}"),
    "other": re.compile(r".+"),
}
"""What the addresses of a network look like. Of ``evm`` the EIP-55 checksum is required too."""
_LIMIT_TAG: Final = "mcp-wallet-guard/withdrawal-limit/v1"


@final
@dataclass(frozen=True)
class NetworkRule:
    """One asset on one network of a venue. Amounts are in its smallest unit; `fee` None: the venue is asked for it."""

    asset: str
    network: str
    decimals: int
    cap: int
    amount: int
    limit: Limit
    max_fee: int
    fee: int | None
    memo: MemoRule
    form: Form

    def units(self, amount: Amount, /) -> int:
        """`amount` in the smallest unit. Raises InvalidInput("invalid_input.precision")."""
        whole, _, part = amount.text.partition(".")
        if len(part) > self.decimals:
            raise InvalidInput("invalid_input.precision")
        return int(whole + part.ljust(self.decimals, "0"))

    def text(self, units: int, /) -> str:
        """The exact decimal that `units` are."""
        digits = str(units).rjust(self.decimals + 1, "0")
        whole, part = digits[: len(digits) - self.decimals], digits[len(digits) - self.decimals :]
        return Amount(f"{whole}.{part}" if part else whole).text

    def check_fits(self, spent: Spent, /, *, units: int) -> None:
        """Raises OverBudget("over_budget") when one more withdrawal of `units` does not fit into the window."""
        check_limit(self.limit, spent, units=0)
        if spent.units + units > self.amount:
            raise OverBudget("over_budget", detail=f"{spent.units} and {units} units are above {self.amount}")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where withdrawals may go: a name of the owner's for exactly this address on this network, with this memo."""

    name: str
    network: str
    address: str
    memo: str | None = None


@final
@dataclass(frozen=True)
class VenueRule:
    """One venue, and all that may be asked of it. `origin` has neither path nor query nor user name.

    Raises Misconfigured("misconfigured.settings") for what grants nothing, or something twice.
    """

    name: str
    kind: Literal["binance"]
    origin: str
    label: str
    wallet: Literal["spot", "funding"]
    window_ms: int
    networks: tuple[NetworkRule, ...]
    destinations: tuple[Destination, ...]

    def __post_init__(self) -> None:
        if not is_entry_name(self.label):
            raise _invalid(self.name, "account: 1 to 40 letters, digits, spaces, dots, underscores, hyphens")
        keys = {(each.asset, each.network) for each in self.networks}
        if len(keys) != len(self.networks):
            raise _invalid(self.name, "assets: one is there twice on one network")
        for seen in (
            {each.name.casefold() for each in self.destinations},
            {(each.network, each.address, each.memo) for each in self.destinations},
        ):
            if len(seen) != len(self.destinations):
                raise _invalid(self.name, "addresses: a name or an address is there twice")
        for each in self.destinations:
            self._check_destination(each)

    def _check_destination(self, destination: Destination) -> None:
        rules = [rule for rule in self.networks if rule.network == destination.network]
        if not rules:
            raise _invalid(self.name, "addresses: a network of no asset")
        if not is_entry_name(destination.name) or not is_venue_address(destination.address):
            raise _invalid(self.name, "addresses: a name or an address that cannot be one")
        if destination.memo is not None and not is_memo(destination.memo):
            raise _invalid(self.name, "addresses: a memo that cannot be one")
        for rule in rules:
            if not is_of_form(destination.address, rule.form):
                raise _invalid(self.name, f"addresses: {destination.name}: not one of its network's")
            if rule.memo == ("required" if destination.memo is None else "none"):
                raise _invalid(self.name, f"addresses: {destination.name}: its network says otherwise about the memo")

    def limit_id(self, rule: NetworkRule, /) -> str:
        """Names what was counted: venue, asset, network and window. Another amount or count forgives nothing."""
        body = [_LIMIT_TAG, self.name, rule.asset, rule.network, rule.limit.seconds]
        return hashlib.sha256(canonical_bytes(body)).hexdigest()[:32]

    @property
    def endpoint(self) -> str:
        """Where a withdrawal is sent."""
        return self.origin + binance.PATH

    @cached_property
    def by_network(self) -> dict[tuple[str, str], NetworkRule]:
        """(asset, network) -> its rule."""
        return {(rule.asset, rule.network): rule for rule in self.networks}


def is_of_form(address: str, form: Form, /) -> bool:
    """Whether `address` looks like one of a network of this form."""
    if FORMS[form].fullmatch(address) is None:
        return False
    if form == "evm":
        try:
            Address.parse(address)
        except InvalidInput:
            return False
    return True


def check_withdrawal(
    venues: tuple[VenueRule, ...], withdrawal: ExchangeWithdrawal, /
) -> tuple[VenueRule, NetworkRule, Destination]:
    """What the owner's settings say of what is asked, before the venue is asked anything.

    Raises PolicyDenied: "policy.venue", "policy.venue_address", "policy.venue_memo", "policy.cap"; InvalidInput
    ("invalid_input.precision").
    """
    venue = next((each for each in venues if each.name == withdrawal.venue), None)
    if venue is None:
        raise PolicyDenied("policy.venue", detail="no such venue")
    rule = venue.by_network.get((withdrawal.asset, withdrawal.network))
    if rule is None:
        raise PolicyDenied("policy.venue", detail="no such asset on this network")
    if rule.memo == ("required" if withdrawal.memo is None else "none"):
        raise PolicyDenied("policy.venue_memo")
    asked = (withdrawal.network, withdrawal.to, withdrawal.memo)
    destination = next((d for d in venue.destinations if (d.network, d.address, d.memo) == asked), None)
    if destination is None:
        raise PolicyDenied("policy.venue_address")
    if rule.units(withdrawal.amount) > rule.cap:
        raise PolicyDenied(
            "policy.cap", detail=f"{withdrawal.amount} is above {rule.text(rule.cap)} for one withdrawal"
        )
    return venue, rule, destination


def check_fee(rule: NetworkRule, amount: Amount, fee: Amount, /, *, shown: Amount | None = None) -> None:
    """Raises PolicyDenied("policy.venue_fee") for a fee above the ceiling or above the one `shown`, or one that leaves
    nothing to arrive."""
    units = rule.units(fee)
    most = rule.max_fee if shown is None else min(rule.max_fee, rule.units(shown))
    if units > most or units >= rule.units(amount):
        raise PolicyDenied("policy.venue_fee", detail=f"a fee of {fee} {rule.asset}")


def _invalid(venue: str, detail: str) -> Misconfigured:
    return Misconfigured("misconfigured.settings", detail=f"venues.{venue}.{detail}")
