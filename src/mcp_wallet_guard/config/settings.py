"""Settings: guard.toml as one frozen value, its canonical form for the vault, and what an edit changed.

`policy apply` seals `canonical(settings)` into the vault; from then on that copy is in force, and an edited file only
makes `difference` speak. Pure: reading the file is `config.file`. Specified in docs/formats/settings.md.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal, final

from pydantic import ValidationError

from mcp_wallet_guard import danger, strict_json
from mcp_wallet_guard.canonical import canonical_bytes
from mcp_wallet_guard.clearsign import text
from mcp_wallet_guard.config.document import ApprovalTable, Document, LockTable, PayeeTable
from mcp_wallet_guard.errors import GuardError, InvalidInput, Misconfigured, Tampered
from mcp_wallet_guard.evidence import Level
from mcp_wallet_guard.operations.values import Account, Amount, Asset, BaseUnits, ChainId
from mcp_wallet_guard.policy.rules import ANY, AnyPayee, Payee, Policy

VERSION: Final = 1
MAX_BYTES: Final = 65_536
_PRIVATE: Final = frozenset({"chain.node"})


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
        _ = (self.native, self.account, self.policy, self.lower_level, self.cheap_kdf)

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

    @cached_property
    def native(self) -> Asset:
        """The chain's currency, with pinned decimals."""
        return Asset(self.chain, self.document.chain.symbol, self.document.chain.decimals)

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
        decimals = self.document.chain.decimals
        fee = None if table.max_fee is None else self._units("policy.max_fee", table.max_fee, decimals)
        cap = self._units("policy.max_per_transaction", table.max_per_transaction, decimals)
        try:
            return Policy(
                payees=_payees(table.payees),
                max_per_transaction=cap,
                level=Level[table.level.upper()],
                max_fee=fee,
                waiver=self.lower_level,
            )
        except Misconfigured as error:
            raise _invalid(f"policy.{error.detail}") from None

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


def difference(sealed: Settings, edited: Settings, /) -> tuple[str, ...]:
    """The changed keys, sorted, with old and new value where these are public. Empty when nothing changed."""
    old, new = _flat(sealed), _flat(edited)
    return tuple(_change(key, old.get(key), new.get(key)) for key in sorted(old | new) if old.get(key) != new.get(key))


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


def _line_of(error: tomllib.TOMLDecodeError) -> str:
    # The message may quote a piece of the file; only the position is taken from it.
    position = str(error).rpartition("(")[2].rstrip(")")
    return f" ({position})" if position.startswith("at ") else ""


def _flat(settings: Settings) -> dict[str, str]:
    flat: dict[str, str] = {}
    body = settings.document.model_dump(mode="json", exclude_none=True)
    policy = body.get("policy", {})
    if isinstance(policy.get("payees"), list):
        policy["payees"] = {payee["name"]: payee["address"] for payee in policy["payees"]}
    _walk("", body, flat)
    return flat


def _walk(path: str, value: Any, flat: dict[str, str]) -> None:
    if isinstance(value, dict):
        for key, child in value.items():
            _walk(f"{path}.{key}" if path else key, child, flat)
    else:
        flat[path] = str(value)


def _change(key: str, old: str | None, new: str | None) -> str:
    if key in _PRIVATE:
        return f"{key}: changed (values not shown)"
    before, after = ("(not set)" if value is None else text.quoted(value, limit=200) for value in (old, new))
    return f"{key}: {before} -> {after}"


def _invalid(detail: str) -> Misconfigured:
    return Misconfigured("misconfigured.settings", detail=detail)
