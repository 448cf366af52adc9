"""Settings: guard.toml as one frozen value, its canonical form for the vault, and what an edit changed.

`policy apply` seals `canonical(settings)` into the vault; from then on that copy is in force, and an edited file only
makes `difference` speak. Pure: reading the file is `config.file`. Specified in docs/formats/settings.md.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, final

from pydantic import ValidationError

from mcp_wallet_guard import danger, strict_json
from mcp_wallet_guard.canonical import canonical_bytes
from mcp_wallet_guard.clearsign import text
from mcp_wallet_guard.clearsign.tree import Clarity
from mcp_wallet_guard.config.document import (
    ApprovalTable,
    ContractTable,
    Document,
    LimitTable,
    LockTable,
    MandateTable,
    PayeeTable,
)
from mcp_wallet_guard.config.known_chains import ENS_CHAINS, ENS_REGISTRY
from mcp_wallet_guard.config.venues import seconds as _seconds
from mcp_wallet_guard.config.venues import venue_rules
from mcp_wallet_guard.errors import GuardError, InvalidInput, Misconfigured, Tampered
from mcp_wallet_guard.evidence import Level
from mcp_wallet_guard.operations.intents import Effect, Spend, pinned, resolve
from mcp_wallet_guard.operations.statements import Statement, StatementEffect, resolve_statement
from mcp_wallet_guard.operations.values import Account, Address, Amount, Asset, BaseUnits, ChainId
from mcp_wallet_guard.policy.contracts import ContractRule
from mcp_wallet_guard.policy.limits import Limit
from mcp_wallet_guard.policy.mandates import Mandate
from mcp_wallet_guard.policy.rules import ANY, ActionRule, AnyPayee, Payee, Policy, TokenRule
from mcp_wallet_guard.policy.withdrawals import VenueRule

VERSION: Final = 1
MAX_BYTES: Final = 65_536


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FeeLimits:
    """The operator's ceilings. Fees are wei per gas."""

    max_fee_per_gas: int
    max_priority_fee_per_gas: int
    max_gas: int


@final
@dataclass(frozen=True)
class Settings:
    """What a guard is set up for. All is derived from the validated document, once; equal documents are equal."""

    document: Document

    def __post_init__(self) -> None:
        limits = self.fee_limits
        if limits.max_fee_per_gas == 0 or limits.max_priority_fee_per_gas > limits.max_fee_per_gas:
            raise _invalid("chain.max_fee_per_gas_gwei: is zero or below max_priority_fee_gwei")
        if self.document.chain.ens and self.ens_registry is None:
            raise _invalid("chain.ens: this chain has no registry of its own, so chain.ens_registry names one")
        self._check_tokens()
        _ = (self.native, self.account, self.venues, self.policy, self.lower_level, self.cheap_kdf)
        self._check_names()

    @property
    def vault(self) -> str:
        """The vault's path as written: relative to the file. The only root of trust."""
        return self.document.vault

    @property
    def mode(self) -> Literal["daemon", "embedded"]:
        """Where the guard lives."""
        return self.document.mode

    @property
    def node(self) -> str:
        """The node's URL. May hold an API key: never log it."""
        return self.document.chain.node

    @cached_property
    def chain(self) -> ChainId:
        """The pinned chain."""
        return ChainId(self.document.chain.id)

    @property
    def ens_registry(self) -> Address | None:
        """The registry that is asked what addresses call themselves; None where nobody is asked."""
        table = self.document.chain
        if not table.ens:
            return None
        return table.ens_registry or (ENS_REGISTRY if table.id in ENS_CHAINS else None)

    @cached_property
    def native(self) -> Asset:
        """The chain's currency, with pinned decimals."""
        return Asset(self.chain, self.document.chain.symbol, self.document.chain.decimals)

    @cached_property
    def tokens(self) -> tuple[Asset, ...]:
        """The pinned ERC-20 tokens."""
        return tuple(Asset(self.chain, each.symbol, each.decimals, each.address) for each in self.document.tokens)

    @cached_property
    def address_book(self) -> tuple[Payee, ...]:
        """Everybody who has a name: the contacts and the policy's payees."""
        table = self.document.policy
        payees = () if table is None or table.payees == "any" else table.payees
        entries = (*payees, *self.document.contacts)
        return tuple(dict.fromkeys(Payee(name=each.name, address=each.address) for each in entries))

    @cached_property
    def known_addresses(self) -> tuple[tuple[str, Address], ...]:
        """All that another address may be mistaken for, with a name: the address book, the account, the tokens."""
        book = ((entry.name, entry.address) for entry in self.address_book)
        tokens = ((token.symbol, token.address) for token in self.tokens if token.address is not None)
        return (*book, (self.account.name, self.account.address), *tokens)

    def effect(self, intent: Spend, /) -> Effect:
        """What `intent` would do with this account. Raises as `operations.intents.resolve`."""
        return resolve(intent, account=self.account, native=self.native, tokens=self.tokens)

    def stated(self, intent: Statement, /) -> StatementEffect:
        """What `intent` would have this account sign. Raises as `operations.statements.resolve_statement`."""
        return resolve_statement(intent, account=self.account)

    def name_of(self, address: Address, /) -> str | None:
        """The address book's name for `address`, or None."""
        return next((entry.name for entry in self.address_book if entry.address == address), None)

    def token_named(self, name: str, /) -> Asset:
        """The pinned token with this symbol or address. Raises InvalidInput("invalid_input.token")."""
        return pinned(self.tokens, name)

    def token_at(self, contract: Address, /) -> Asset | None:
        """The pinned token whose contract this is, or None."""
        return next((token for token in self.tokens if token.address == contract), None)

    @cached_property
    def account(self) -> Account:
        """The pinned account."""
        return Account(self.document.account.name, self.chain, self.document.account.address)

    @cached_property
    def fee_limits(self) -> FeeLimits:
        """The fee ceilings in wei per gas, and the gas ceiling."""
        table = self.document.chain
        return FeeLimits(
            max_fee_per_gas=self._units("chain.max_fee_per_gas_gwei", table.max_fee_per_gas_gwei, 9),
            max_priority_fee_per_gas=self._units("chain.max_priority_fee_gwei", table.max_priority_fee_gwei, 9),
            max_gas=table.max_gas,
        )

    @cached_property
    def policy(self) -> Policy | None:
        """The policy, or None: then every spend is refused with "policy.missing"."""
        table = self.document.policy
        if table is None:
            return None
        decimals = self.native.decimals
        try:
            return Policy(
                payees=_payees(table.payees),
                max_per_transaction=self._units("max_per_transaction", table.max_per_transaction, decimals),
                level=Level[table.level.upper()],
                max_fee=None if table.max_fee is None else self._units("max_fee", table.max_fee, decimals),
                tokens=tuple(self._token_rule(symbol, cap) for symbol, cap in sorted(table.tokens.items())),
                approvals=table.approvals == "capped",
                limits=tuple(self._limit(f"limits.{number}", limit) for number, limit in enumerate(table.limits)),
                mandates=tuple(self._mandate(f"mandates.{each.name}", each) for each in table.mandates),
                actions=tuple(
                    ActionRule(each.tool, Limit(_seconds(each.window), count=each.count)) for each in table.actions
                ),
                contracts=tuple(_contract(each) for each in table.contracts),
                messages=table.messages == "ask",
                typed_data=table.typed_data != "refuse",
                described=table.typed_data == "described",
                delegates=table.delegates,
                venues=self.venues,
                waiver=self.lower_level,
            )
        except Misconfigured as error:
            raise _invalid(f"policy.{error.detail}") from None

    @cached_property
    def venues(self) -> tuple[VenueRule, ...]:
        """The venues that may be withdrawn from."""
        return venue_rules(self.document.venues)

    @property
    def approval(self) -> ApprovalTable:
        """How long a person has, and where the page listens."""
        return self.document.approval

    @property
    def lock(self) -> LockTable:
        """When the vault locks itself."""
        return self.document.lock

    @property
    def locked_reads(self) -> bool:
        """Whether the chain is read while the vault is locked."""
        return self.document.lock.locked_reads == "allow"

    @property
    def descriptors(self) -> str | None:
        """The hash of the installed descriptors that may be used; None for none."""
        return self.document.descriptors.pin

    @property
    def lists(self) -> str | None:
        """The hash of the installed lists that are consulted; None for none."""
        return self.document.lists.pin

    @property
    def lower_level(self) -> danger.LowerLevel | None:
        """The waiver for a level below `FACTOR`."""
        reason = self.document.danger.lower_level
        return None if reason is None else danger.lower_level(reason=reason)

    @property
    def cheap_kdf(self) -> danger.CheapKdf | None:
        """The waiver for a scrypt cost below the floor."""
        reason = self.document.danger.cheap_kdf
        return None if reason is None else danger.cheap_kdf(reason=reason)

    @property
    def waivers(self) -> tuple[danger.Waiver, ...]:
        """All waivers, for the journal."""
        return tuple(waiver for waiver in (self.lower_level, self.cheap_kdf) if waiver is not None)

    def _token_rule(self, symbol: str, cap: Amount) -> TokenRule:
        token = self.token_named(symbol)
        return TokenRule(token=token, cap=self._units(f"tokens.{symbol}", cap, token.decimals))

    def _asset(self, symbol: str, key: str) -> Asset:
        asset = next((each for each in (self.native, *self.tokens) if each.symbol == symbol), None)
        if asset is None:
            raise _invalid(f"{key}.asset: is neither the chain's symbol nor one of [[tokens]]")
        return asset

    def _limit(self, key: str, table: LimitTable) -> Limit:
        asset = None if table.asset is None else self._asset(table.asset, key)
        if table.amount is not None and asset is None:
            raise _invalid(f"{key}.amount: is of no asset")
        return Limit(
            seconds=_seconds(table.window),
            asset=asset,
            amount=table.amount and asset and self._units(f"{key}.amount", table.amount, asset.decimals),
            count=table.count,
            payees=None if table.group is None else self._group(table.group, key),
        )

    def _mandate(self, key: str, table: MandateTable) -> Mandate:
        asset, payees = self._asset(table.asset, key), self._group(table.group, key)
        amount = self._units(f"{key}.amount", table.amount, asset.decimals)
        return Mandate(
            name=table.name,
            tools=frozenset(table.tools),
            asset=asset,
            payees=payees,
            cap=self._units(f"{key}.max_per_transaction", table.max_per_transaction, asset.decimals),
            max_fee=self._units(f"{key}.max_fee", table.max_fee, self.native.decimals),
            budget=Limit(_seconds(table.window), asset=asset, amount=amount, count=table.count, payees=payees),
            seconds=table.valid_days * 86_400,
        )

    def _group(self, name: str, key: str) -> frozenset[Address]:
        known = {entry.name: entry.address for entry in self.address_book}
        members = {} if self.document.policy is None else self.document.policy.groups
        if not set(members.get(name, (None,))) <= known.keys():
            raise _invalid(f"{key}.group: is no group of payees and contacts")
        return frozenset(known[member] for member in members[name])

    def _check_tokens(self) -> None:
        symbols = [self.native.symbol, *(token.symbol for token in self.tokens)]
        if len({symbol.casefold() for symbol in symbols}) != len(symbols):
            raise _invalid("tokens: a symbol is there twice")
        if len({token.address for token in self.tokens}) != len(self.tokens):
            raise _invalid("tokens: an address is there twice")
        table = self.document.policy
        if table is not None and not table.tokens.keys() <= {token.symbol for token in self.tokens}:
            raise _invalid("policy.tokens: a symbol that [[tokens]] does not pin")

    def _check_names(self) -> None:
        """A name means one address, and an address has one name: also over contacts and payees."""
        book = self.address_book
        if len({entry.name.casefold() for entry in book}) != len(book):
            raise _invalid("contacts: a name is there twice, or is a payee's with another address")
        if len({entry.address for entry in book}) != len(book):
            raise _invalid("contacts: an address is there twice, or is a payee's with another name")
        # What is sent to a token's contract is nobody's.
        if any(self.token_at(entry.address) is not None for entry in book):
            raise _invalid("contacts and payees: an address is a token's contract")
        contracts = () if self.document.policy is None else self.document.policy.contracts
        named = {entry.name.casefold(): entry.address for entry in book}
        if any(named.get(each.name.casefold(), each.address) != each.address for each in contracts):
            raise _invalid("policy.contracts: a name is that of a payee or contact with another address")

    def _units(self, key: str, amount: Amount, decimals: int) -> BaseUnits:
        try:
            return amount.base_units(Asset(self.chain, "unit", decimals))
        except InvalidInput as error:
            raise _invalid(f"{key}: {error.public}") from None


def parse_settings(source: str, /) -> Settings:
    """From the text of guard.toml.

    Raises Misconfigured("misconfigured.settings"); its detail names each key and what was expected, no value.
    """
    if len(source.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise _invalid(f"more than {MAX_BYTES} bytes")
    try:
        tables = tomllib.loads(source)
        as_json = json.dumps(tables, allow_nan=False)
    except tomllib.TOMLDecodeError as error:
        raise _invalid(f"not TOML{_line_of(error)}") from None
    except (TypeError, ValueError, RecursionError):
        raise _invalid("a value is neither text, a whole number, true, false, a list nor a table") from None
    return _validate(as_json)


def canonical(settings: Settings, /) -> bytes:
    """RFC 8785 JSON of every key, defaults written out: what the vault seals. One byte string per meaning."""
    body = settings.document.model_dump(mode="json", exclude_none=True)
    return canonical_bytes({"settings": body, "v": VERSION})


def from_canonical(data: bytes, /) -> Settings:
    """Strict inverse of `canonical`. Raises Tampered("tampered.settings") for any other bytes."""
    try:
        payload = strict_json.loads(data) if len(data) <= 2 * MAX_BYTES else None
        settings = _validate(json.dumps(payload["settings"]))  # type: ignore[index]  # None and lists raise TypeError
        if canonical(settings) == data:
            return settings
    except (GuardError, ValueError, TypeError, KeyError, RecursionError):
        pass
    raise Tampered("tampered.settings")


def _validate(as_json: str) -> Settings:
    try:
        return Settings(Document.model_validate_json(as_json))
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        raise _invalid("; ".join(_problem(p["loc"], p["msg"]) for p in problems[:10])) from None


def _problem(location: tuple[int | str, ...], message: str) -> str:
    parts = [str(p) for p in location if p not in {"literal['any']", "tuple[PayeeTable, ...]"}]
    path = ".".join(part if text.is_plain(part) and len(part) <= 40 else text.quoted(part, limit=40) for part in parts)
    return f"{path or 'guard.toml'}: {message.removeprefix('Value error, ')}"


def _payees(entries: Literal["any"] | tuple[PayeeTable, ...]) -> tuple[Payee, ...] | AnyPayee:
    return ANY if entries == "any" else tuple(Payee(name=entry.name, address=entry.address) for entry in entries)


def _contract(table: ContractTable) -> ContractRule:
    return ContractRule(
        name=table.name,
        address=table.address,
        readable=Clarity(table.readable),
        control=table.control == "ask",
    )


def _line_of(error: tomllib.TOMLDecodeError) -> str:
    # The message may quote a piece of the file; only the position is taken from it.
    position = str(error).rpartition("(")[2].rstrip(")")
    return f" ({position})" if position.startswith("at ") else ""


def _invalid(detail: str) -> Misconfigured:
    return Misconfigured("misconfigured.settings", detail=detail)
