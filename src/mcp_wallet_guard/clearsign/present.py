"""A tree of parts as a person reads it: the view's fields and effects, with names and units from a `Lookup`.

Amounts are exact and in full, addresses are in full, and what nobody trusted named is a number of units of an address.
Texts from outside are quoted, escaped and capped. Pure. Threat: T-006, T-021, T-022, T-040.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, Literal

from mcp_wallet_guard.clearsign import dates, text
from mcp_wallet_guard.clearsign.lookup import Lookup, TokenName
from mcp_wallet_guard.clearsign.tree import (
    CONTROLS,
    TRUSTED,
    AssetKind,
    AssetRef,
    Bound,
    Clarity,
    Consequence,
    Direction,
    Part,
    PartKind,
    Raw,
    Shown,
    ShownKind,
    Source,
)
from mcp_wallet_guard.confirmation import FieldType, SourceName, ViewEffect, ViewField, ViewParty, spelled
from mcp_wallet_guard.operations.values import Address, Amount, Asset, BaseUnits, ChainId

TEXT_LIMIT: Final = 256
SYMBOL_LIMIT: Final = 16
BYTES_SHOWN: Final = 256
"""Bytes that are shown in full; of longer ones the beginning, the length and the SHA-256."""
_HEAD: Final = 64

_BOUNDS: Final[dict[Bound, Literal["exact", "at_most", "at_least"]]] = {
    Bound.EXACT: "exact",
    Bound.AT_MOST: "at_most",
    Bound.AT_LEAST: "at_least",
}
# Python 3.11 finds a member of an enumeration, and its value, ten times slower than a name of the module.
_DIRECTIONS: Final = {direction: direction.value for direction in Direction}
_TYPES: Final[dict[ShownKind, FieldType]] = {kind: kind.value for kind in ShownKind}
_SOURCES: Final[dict[Source, SourceName]] = {source: source.value for source in Source}
_OUTSIDE: Final = frozenset({Source.DESCRIPTOR, Source.NODE})
_OURS: Final = TRUSTED | {Source.BYTES}
_DESCRIPTOR: Final = Source.DESCRIPTOR
"""Its texts are escaped where they are read, those of messages and of nodes are not."""
_GROUP: Final = ShownKind.GROUP
_AMOUNT: Final = ShownKind.AMOUNT
_COUNTED: Final = frozenset({ShownKind.AMOUNT, ShownKind.NFT})
_CURRENCIES: Final = frozenset({AssetKind.NATIVE, AssetKind.ERC20})
_NUMBERED: Final = frozenset({AssetKind.ERC721, AssetKind.ERC1155})
_COLLECTIONS: Final = _NUMBERED | {AssetKind.ERC6909}
_BOUND_WORDS: Final = {Bound.EXACT: "", Bound.AT_MOST: "at most ", Bound.AT_LEAST: "at least "}
_VERBS: Final = {
    PartKind.CALL: "Call",
    PartKind.DELEGATECALL: "Run the code of",
    PartKind.CREATE: "Create a contract",
}


class Presenter:
    """Presents parts for one `account`, with what `lookup` knows."""

    def __init__(self, lookup: Lookup, /, *, account: Address) -> None:
        self._lookup: Final = lookup
        self._account: Final = account
        # The same few addresses stand in sentence, effects and fields.
        self._parties: Final[dict[tuple[int | None, str], ViewParty]] = {}
        self._collections: Final[dict[tuple[int, str], str]] = {}

    def fields(self, part: Part, /) -> tuple[ViewField, ...]:
        """Every value of `part`, and of all parts inside it."""
        # The members of a message that nobody here knows have the names that its author gave them.
        theirs = part.kind is PartKind.TYPED_DATA and part.clarity is not Clarity.CLEAR
        own = tuple(self._field(shown, part.chain, theirs=theirs) for shown in part.shown)
        if not part.parts:
            return own
        placed = {id(shown.part) for shown in _flat(part.shown) if shown.part is not None}
        return own + tuple(self._call(each) for each in part.parts if id(each) not in placed)

    def effects(self, part: Part, /) -> tuple[ViewEffect, ...]:
        """What `part` and all parts inside it do, in order."""
        return tuple(self._effect(each, inner) for inner in part.walk() for each in inner.consequences)

    def money(self, asset: AssetRef, amount: int | None, /, *, unlimited: bool = False) -> str:
        """An amount with its unit, exactly."""
        name = self._token(asset)
        unit = self._unit(asset, name)
        if amount is None:
            return f"all {unit}" if asset.token_id is None else unit
        if asset.kind in _NUMBERED and asset.token_id is not None:
            return unit if amount == 1 else f"{amount} of {unit}"
        if name is None or name.decimals is None or name.source not in TRUSTED:
            shown = f"{amount} {'unit' if amount == 1 else 'units'} of {unit}"
        else:
            shown = f"{_decimal(amount, name.decimals)} {unit}"
        return f"without limit ({shown})" if unlimited else shown

    def party(self, chain: ChainId | None, address: Address, /) -> ViewParty:
        """Who `address` is."""
        key = (None if chain is None else chain.number, address.value)
        found = self._parties.get(key)
        if found is None:
            found = self._parties[key] = self._party(chain, address)
        return found

    def address(self, chain: ChainId | None, address: Address, /) -> str:
        """An address in groups of four, with its name and, if that is not the owner's word, who says so."""
        party = self.party(chain, address)
        if party.relation == "self":
            return f"{_grouped(address.value)} (this account)"
        if party.name is None:
            return _grouped(address.value)
        return f"{_grouped(address.value)} {party.name if party.relation == 'known' else _says(party)}"

    def headline(self, part: Part, /) -> str:
        """One sentence of ours about `part`."""
        title = part.title or "data that nobody here can read"
        if part.target is None:
            return title
        verb = _VERBS.get(part.kind)
        return title if verb is None else f"{verb} {part.target.value}: {title}"

    def _party(self, chain: ChainId | None, address: Address) -> ViewParty:
        if address == self._account:
            return _self(address.value)
        name = None if chain is None else self._lookup.name(chain, address)
        if name is None:
            return _nameless(address.value)
        known = name.source in TRUSTED
        return ViewParty(
            address=address.value,
            name=text.quoted(name.name, limit=text.NAME_LIMIT),
            name_source=_SOURCES[name.source],
            relation="known" if known else "unknown",
        )

    def _token(self, asset: AssetRef) -> TokenName | None:
        if asset.kind in _CURRENCIES:
            return self._lookup.token(asset.chain, asset.contract)
        return None

    def _unit(self, asset: AssetRef, name: TokenName | None) -> str:
        if asset.contract is None:
            return name.symbol if name is not None else "units of the chain's native currency"
        if asset.kind in _COLLECTIONS:
            collection = self._collection(asset.chain, asset.contract)
            return collection if asset.token_id is None else f"{collection} #{asset.token_id}"
        if name is None:
            return f"the unknown token {asset.contract.value}"
        if name.source in TRUSTED:
            return name.symbol
        return f"the token {asset.contract.value} that calls itself {text.quoted(name.symbol, limit=SYMBOL_LIMIT)}"

    def _collection(self, chain: ChainId, contract: Address) -> str:
        found = self._collections.get((chain.number, contract.value))
        if found is None:
            known = self._lookup.collection(chain, contract)
            called = "" if known is None else f" {text.quoted(known.name, limit=text.NAME_LIMIT)}"
            found = self._collections[chain.number, contract.value] = f"the collection {contract.value}{called}"
        return found

    def _effect(self, consequence: Consequence, part: Part) -> ViewEffect:
        asset = consequence.asset
        name = None if asset is None else self._token(asset)
        trusted = name is not None and name.decimals is not None and name.source in TRUSTED
        amount = None
        if trusted and name is not None and consequence.amount is not None:
            amount = _decimal(consequence.amount, name.decimals or 0)
        owner, other = consequence.owner, consequence.counterparty
        return ViewEffect.made(
            {
                "direction": _DIRECTIONS[consequence.direction],
                "text": self._effect_text(consequence, part),
                "asset": None if asset is None else asset.id,
                "amount": amount,
                "raw": None if consequence.amount is None else str(consequence.amount),
                "bound": _BOUNDS[consequence.bound],
                "decimals": name.decimals if trusted and name is not None else None,
                "symbol": name.symbol if trusted and name is not None else None,
                "symbol_source": _SOURCES[name.source] if trusted and name is not None else None,
                "owner": None if owner is None else self.party(part.chain, owner),
                "counterparty": None if other is None else self.party(part.chain, other),
                "unlimited": consequence.unlimited,
                "expires_at": spelled(consequence.expires_at),
                "control": consequence.control,
                "path": part.path,
            }
        )

    def _effect_text(self, consequence: Consequence, part: Part) -> str:
        who = "somebody" if consequence.counterparty is None else self._short(part.chain, consequence.counterparty)
        if consequence.direction is Direction.CONTROL:
            words = CONTROLS.get(consequence.control or "", "Control over something changes")
            subject = "" if part.target is None else f" (contract {part.target.value})"
            return words + ("" if consequence.counterparty is None else f": {who}") + subject
        asset = consequence.asset or AssetRef(chain=part.chain or ChainId(1))
        money = self.money(asset, consequence.amount, unlimited=consequence.unlimited)
        money = _BOUND_WORDS[consequence.bound] + money
        own = consequence.owner is None or consequence.owner == self._account
        whose = "" if own or consequence.owner is None else f" of {self._short(part.chain, consequence.owner)}"
        if consequence.direction is Direction.ALLOW:
            ends = "" if consequence.expires_at is None else f", until {dates.date(consequence.expires_at)}"
            return f"{who} may take {money}{whose}{ends}"
        if consequence.direction is Direction.IN:
            return f"{money}{'' if own else f', for {whose[4:]}'}"
        return f"{money}{whose} to {who}"

    def _short(self, chain: ChainId | None, address: Address) -> str:
        party = self.party(chain, address)
        if party.relation == "self":
            return "this account"
        if party.name is None:
            return address.value
        return f"{address.value} {party.name}" if party.relation == "known" else f"{address.value} ({_says(party)})"

    def _call(self, part: Part) -> ViewField:
        target = None if part.target is None else part.target.value
        return ViewField(
            label="Inside",
            value=self.headline(part),
            path=part.path,
            type="call",
            raw=target,
            source="bytes",
            children=self.fields(part),
        )

    def _field(self, shown: Shown, chain: ChainId | None, *, theirs: bool) -> ViewField:
        children: tuple[ViewField, ...] = ()
        if shown.children:
            children = tuple([self._field(child, chain, theirs=theirs) for child in shown.children])
        value, outside = self._value(shown, chain)
        if shown.part is not None:
            children += self.fields(shown.part)
        label = shown.label
        if shown.source is _DESCRIPTOR:
            label = text.requoted(label, limit=text.NAME_LIMIT)
        elif theirs or shown.source in _OUTSIDE:
            label = text.quoted(label, limit=text.NAME_LIMIT)
        return ViewField.made(
            {
                "label": label,
                "value": value,
                "path": shown.path,
                "type": _TYPES[shown.kind],
                "raw": _raw(shown.raw),
                "source": _SOURCES[shown.source],
                "untrusted": outside,
                "children": children,
            }
        )

    def _value(self, shown: Shown, chain: ChainId | None) -> tuple[str, bool]:
        """The value as safe text, and whether it is text from outside."""
        if shown.part is not None:
            return self.headline(shown.part), False
        if shown.kind is _GROUP:
            return "", False
        raw = shown.raw
        if type(raw) is int and shown.text is None:
            return self._number(shown, raw), False
        if isinstance(raw, Address):
            return self.address(chain, raw), False
        if shown.text is not None and not (shown.kind is _AMOUNT and shown.asset is not None):
            if shown.source in _OURS:
                return shown.text, False
            quote = text.requoted if shown.source is _DESCRIPTOR else text.quoted
            return quote(shown.text, limit=TEXT_LIMIT), True
        if isinstance(raw, bool):
            return "yes" if raw else "no", False
        if isinstance(raw, int):
            return self._number(shown, raw), False
        if isinstance(raw, bytes):
            return _bytes(raw), False
        return text.quoted(raw or "", limit=TEXT_LIMIT), True

    def _number(self, shown: Shown, raw: int) -> str:
        if shown.asset is not None and shown.kind in _COUNTED:
            return self.money(shown.asset, raw, unlimited=shown.unlimited)
        if shown.kind is ShownKind.DATE and raw >= 0:
            return dates.date(raw)
        if shown.kind is ShownKind.DURATION and raw >= 0:
            return dates.duration(raw)
        if shown.kind is ShownKind.CHAIN:
            return f"eip155:{raw}" if raw else "every chain"
        return str(raw)


_grouped: Final = lru_cache(maxsize=256)(text.grouped)


def _says(party: ViewParty) -> str:
    return f"{party.name}, says {party.name_source}"


@lru_cache(maxsize=16)
def _self(address: str) -> ViewParty:
    return ViewParty(address=address, relation="self")


@lru_cache(maxsize=256)
def _nameless(address: str) -> ViewParty:
    return ViewParty(address=address)


@lru_cache(maxsize=256)
def _decimal(amount: int, decimals: int) -> str:
    return Amount.from_base_units(BaseUnits(amount), _unit(decimals)).text


@lru_cache(maxsize=78)
def _unit(decimals: int) -> Asset:
    return Asset(ChainId(1), "X", decimals)


def _flat(shown: tuple[Shown, ...]) -> Iterator[Shown]:
    for one in shown:
        yield one
        if one.children:
            yield from _flat(one.children)


def _bytes(raw: bytes) -> str:
    if not raw:
        return "nothing"
    size = f"{len(raw)} {'byte' if len(raw) == 1 else 'bytes'}"
    if len(raw) <= BYTES_SHOWN:
        return f"{size}: 0x{raw.hex()}"
    return f"{size}: 0x{raw[:_HEAD].hex()} ... SHA-256 {hashlib.sha256(raw).hexdigest()}"


def _raw(raw: Raw) -> str | None:
    if type(raw) is int:
        return str(raw)
    if raw is None:
        return None
    if isinstance(raw, bool):
        return str(int(raw))
    if isinstance(raw, Address):
        return raw.value
    if isinstance(raw, int):
        return str(raw)
    return "0x" + (raw if isinstance(raw, bytes) else raw.encode("utf-8", "surrogatepass")).hex()
