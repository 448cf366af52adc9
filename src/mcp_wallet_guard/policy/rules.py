"""Policy as values: who may be paid, how much at once, and what a person must show.

A policy grants, nothing else does: what it does not name is denied, and no policy means that every spend is denied.
Its revision is given when it is sealed, not here.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Final, final

from mcp_wallet_guard.canonical import canonical_bytes
from mcp_wallet_guard.clearsign.recipients import nobodys
from mcp_wallet_guard.danger import LowerLevel
from mcp_wallet_guard.errors import Misconfigured
from mcp_wallet_guard.evidence import Level
from mcp_wallet_guard.operations.names import is_entry_name, is_tool_name
from mcp_wallet_guard.operations.values import UINT256_MAX, Address, Asset, BaseUnits
from mcp_wallet_guard.policy.contracts import MAX_CONTRACTS, ContractRule, check_contracts
from mcp_wallet_guard.policy.limits import MAX_LIMITS, Limit
from mcp_wallet_guard.policy.mandates import MAX_MANDATES, Mandate
from mcp_wallet_guard.policy.withdrawals import VenueRule

MAX_PAYEES: Final = 256
MAX_TOKENS: Final = 64
_ACTION_TAG: Final = "mcp-wallet-guard/action-limit/v1"


@final
class AnyPayee(Enum):
    """The type of `ANY`."""

    ANY = "any"


ANY: Final = AnyPayee.ANY
"""Every address may be paid that somebody can own."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Payee:
    """An entry of the address book. `name`: 1 to 40 letters, digits, spaces, ``.``, ``_``, ``-``."""

    name: str
    address: Address

    def __post_init__(self) -> None:
        if not is_entry_name(self.name):
            raise _invalid("payees: a name is 1 to 40 letters, digits, spaces, dots, underscores, hyphens")
        address: object = self.address  # callers without a type checker exist
        if type(address) is not Address or nobodys(self.address) is not None:
            raise _invalid("payees: an address is one that somebody can own")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRule:
    """What may be done with one pinned token: at most `cap` of its smallest units in one payment or approval."""

    token: Asset
    cap: BaseUnits

    def __post_init__(self) -> None:
        token: object = self.token
        if type(token) is not Asset or token.address is None:
            raise _invalid("tokens: not a pinned token")
        _check_limit(f"tokens.{self.token.symbol}", self.cap)


@final
@dataclass(frozen=True)
class ActionRule:
    """A tool that may be asked for, at most as often as `limit` counts. Raises Misconfigured."""

    tool: str
    limit: Limit

    def __post_init__(self) -> None:
        if not is_tool_name(self.tool):
            raise _invalid("actions: tool: is no name of a tool")
        if self.limit.count is None or self.limit.asset is not None or self.limit.payees is not None:
            raise _invalid("actions: count: is needed, and nothing else is counted")

    @cached_property
    def id(self) -> str:
        """Names what was counted: the tool and the window. Another count forgives nothing."""
        body = canonical_bytes([_ACTION_TAG, self.tool, self.limit.seconds])
        return hashlib.sha256(body).hexdigest()[:32]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the owner allows to be asked. Limits are wei; `level` is asked of a person for every spend.

    `tokens` are those that may be spent at all; `approvals` says whether others may be allowed to take of them;
    `limits` are over time; `mandates` are what may be approved in advance;
    `actions` are tools that do something themselves; `contracts` may be called, `venues` withdrawn from. `messages` and
    `typed_data` say whether such may be signed at all, `described` whether typed data may that a descriptor alone tells
    of one of `contracts`; `delegates` are contracts whose code the account may get.

    A level below `FACTOR` takes a waiver; one below `PRESENT` proves no person and is never accepted.
    Raises Misconfigured("misconfigured.settings") for anything that grants nothing or too much by accident.
    """

    payees: tuple[Payee, ...] | AnyPayee
    max_per_transaction: BaseUnits
    level: Level
    max_fee: BaseUnits | None = None
    tokens: tuple[TokenRule, ...] = ()
    approvals: bool = False
    limits: tuple[Limit, ...] = ()
    mandates: tuple[Mandate, ...] = ()
    actions: tuple[ActionRule, ...] = ()
    contracts: tuple[ContractRule, ...] = ()
    messages: bool = False
    typed_data: bool = False
    described: bool = False
    delegates: tuple[Address, ...] = ()
    venues: tuple[VenueRule, ...] = ()
    waiver: LowerLevel | None = None

    def __post_init__(self) -> None:
        self._check_payees()
        self._check_tokens()
        self._check_limits()
        self._check_mandates()
        self._check_actions()
        check_contracts(self.contracts)
        self._check_statements()
        _check_limit("max_per_transaction", self.max_per_transaction)
        if self.max_fee is not None:
            _check_limit("max_fee", self.max_fee)
        if type(self.level) is not Level or self.level < Level.PRESENT:
            raise _invalid("level: proves no person")
        if self.level < Level.FACTOR and type(self.waiver) is not LowerLevel:
            raise _invalid("level: below factor needs danger.lower_level")

    def _check_payees(self) -> None:
        if self.payees is ANY:
            return
        if type(self.payees) is not tuple or not 1 <= len(self.payees) <= MAX_PAYEES:
            raise _invalid(f"payees: 1 to {MAX_PAYEES} entries, or any")
        if any(type(payee) is not Payee for payee in self.payees):
            raise _invalid("payees: an entry is not a payee")
        for seen in ({p.name.casefold() for p in self.payees}, {p.address for p in self.payees}):
            if len(seen) != len(self.payees):
                raise _invalid("payees: a name or an address is there twice")

    def _check_tokens(self) -> None:
        if type(self.tokens) is not tuple or len(self.tokens) > MAX_TOKENS:
            raise _invalid(f"tokens: at most {MAX_TOKENS}")
        if any(type(rule) is not TokenRule for rule in self.tokens):
            raise _invalid("tokens: an entry is not a rule")
        if len({rule.token.address for rule in self.tokens}) != len(self.tokens):
            raise _invalid("tokens: a token is there twice")

    def _check_limits(self) -> None:
        if type(self.limits) is not tuple or len(self.limits) > MAX_LIMITS:
            raise _invalid(f"limits: at most {MAX_LIMITS}")
        if any(type(limit) is not Limit for limit in self.limits):
            raise _invalid("limits: an entry is not a limit")
        if len({limit.id for limit in self.limits}) != len(self.limits):
            raise _invalid("limits: two are of the same asset, window and payees")

    def _check_mandates(self) -> None:
        if type(self.mandates) is not tuple or len(self.mandates) > MAX_MANDATES:
            raise _invalid(f"mandates: at most {MAX_MANDATES}")
        if any(type(mandate) is not Mandate for mandate in self.mandates):
            raise _invalid("mandates: an entry is not a mandate")
        if len({mandate.name.casefold() for mandate in self.mandates}) != len(self.mandates):
            raise _invalid("mandates: a name is there twice")

    def _check_actions(self) -> None:
        if type(self.actions) is not tuple or len(self.actions) > MAX_LIMITS:
            raise _invalid(f"actions: at most {MAX_LIMITS}")
        if any(type(rule) is not ActionRule for rule in self.actions):
            raise _invalid("actions: an entry is not a rule")
        if len({rule.tool for rule in self.actions}) != len(self.actions):
            raise _invalid("actions: a tool is there twice")

    def _check_statements(self) -> None:
        if any(type(each) is not bool for each in (self.messages, self.typed_data, self.described)):
            raise _invalid("messages, typed_data: neither true nor false")
        if self.described and not self.typed_data:
            raise _invalid("typed_data: what a descriptor tells is typed data, too")
        if type(self.delegates) is not tuple or len(self.delegates) > MAX_CONTRACTS:
            raise _invalid(f"delegates: at most {MAX_CONTRACTS}")
        addresses: tuple[object, ...] = self.delegates
        if any(not isinstance(each, Address) or nobodys(each) is not None for each in addresses):
            raise _invalid("delegates: an address is one that a contract can have")
        if len(set(self.delegates)) != len(self.delegates):
            raise _invalid("delegates: an address is there twice")

    def action_rule(self, tool: str, /) -> ActionRule | None:
        """How often this tool may be asked for, None when it may not."""
        return next((rule for rule in self.actions if rule.tool == tool), None)

    def contract_rule(self, address: Address, /) -> ContractRule | None:
        """How this contract may be called, None when it may not."""
        return next((rule for rule in self.contracts if rule.address == address), None)

    def token_rule(self, contract: Address, /) -> TokenRule | None:
        """What may be done with the token of this contract, None when nothing may."""
        return next((rule for rule in self.tokens if rule.token.address == contract), None)

    def allows_payee(self, address: Address, /) -> bool:
        """Whether `address` may be paid: named in the policy, or any that somebody can own, which no token's contract
        is. Threat: T-025."""
        if nobodys(address) is not None or self.token_rule(address) is not None:
            return False
        return self.payees is ANY or any(payee.address == address for payee in self.payees)


def _check_limit(name: str, units: int) -> None:
    if type(units) is not int or not 1 <= units <= UINT256_MAX:
        raise _invalid(f"{name}: is not a positive amount")


def _invalid(detail: str) -> Misconfigured:
    return Misconfigured("misconfigured.settings", detail=detail)
