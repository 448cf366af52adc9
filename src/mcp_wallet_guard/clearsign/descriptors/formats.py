"""The formats of single values: what a person reads instead of a number, an address or bytes.

Symbols, decimals and names come through a `Lookup` alone and only from sources that are trusted; what nobody knows is
shown exactly as it is signed, with a note. Source: ERC-7730, "Field formats". Threat: T-040.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

from mcp_wallet_guard.clearsign.descriptors import chains, interoperable, quantities
from mcp_wallet_guard.clearsign.descriptors.contexts import Container
from mcp_wallet_guard.clearsign.descriptors.descriptor import Descriptor
from mcp_wallet_guard.clearsign.descriptors.limits import LABEL_LIMIT, MAX_ENTRIES, NAME_LIMIT, refuse
from mcp_wallet_guard.clearsign.descriptors.model import FormatName, Reference
from mcp_wallet_guard.clearsign.descriptors.parsing import check_text
from mcp_wallet_guard.clearsign.descriptors.paths import Node, Path
from mcp_wallet_guard.clearsign.descriptors.scope import Arguments, Scope, as_address, as_int, entry
from mcp_wallet_guard.clearsign.descriptors.text import safe
from mcp_wallet_guard.clearsign.lookup import AddressKind, AddressName, Lookup, TokenName
from mcp_wallet_guard.clearsign.tree import TRUSTED, AssetKind, AssetRef, Raw, ShownKind, Source
from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations.erc20 import is_unlimited
from mcp_wallet_guard.operations.values import Address, ChainId

NOTES: Final[dict[str, str]] = {
    "descriptor.type": "A value is not of the type that its format is for, so it is shown as it is",
    "descriptor.token_unknown": "Unknown token: the amount is in its smallest unit",
    "descriptor.token_word": "The token's symbol and decimals are the descriptor's own words",
    "descriptor.native_unknown": "The chain's currency is not known: the amount is in its smallest unit",
    "descriptor.collection_unknown": "Unknown collection: only the token's number is shown",
    "descriptor.chain_unknown": "The chain's name is not known",
    "descriptor.date_unknown": "The date cannot be told, so the number is shown",
    "descriptor.enum_unknown": "The descriptor has no words for this value, so it is shown as it is",
    "descriptor.address_kind": "The address is known to be something else than the descriptor says",
    "descriptor.sender": "The descriptor says that this address stands for the sender",
    "descriptor.threshold": "Words stand in place of an amount that is a limit in effect",
    "descriptor.encrypted": "The value is encrypted, and is not decrypted here",
    "descriptor.call_unknown": "A call inside is shown as its bytes",
    "descriptor.sentence": "The descriptor's sentence could not be filled, so its plain intent stands",
    "descriptor.hidden_more": "More values are left out than are listed",
}
"""Code -> our words for what a person should know about a rendering."""

_SOURCES: Final = {
    "local": frozenset({Source.OURS, Source.CONFIG, Source.LIST, Source.HISTORY}),
    "ens": frozenset({Source.ENS}),
}
"""The standard's names for sources of names -> ours; others mean nothing here."""
_VERIFIED: Final = TRUSTED | {Source.ENS}
_OWN_TOKEN: Final = Path("$", ("metadata", "token"))
_GOES_ON: Final = re.compile(r"[^A-Za-z]*[0-9]|[eE][0-9+-]")
_UNESCAPED: Final = frozenset({Source.OURS, Source.CONFIG})


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Formatted:
    """What is shown for a value. `note` is a code of `NOTES`."""

    text: str
    kind: ShownKind
    raw: Raw
    asset: AssetRef | None = None
    unlimited: bool = False
    note: str | None = None


def raw(node: Node, /, *, note: str | None = None) -> Formatted:
    """A leaf as it is signed, in full."""
    match node:
        case bool():
            return Formatted(text=str(node).lower(), kind=ShownKind.FLAG, raw=node, note=note)
        case int():
            return Formatted(text=str(node), kind=ShownKind.INTEGER, raw=node, note=note)
        case Address():
            return Formatted(text=node.value, kind=ShownKind.ADDRESS, raw=node, note=note)
        case bytes():
            return Formatted(text="0x" + node.hex(), kind=ShownKind.BYTES, raw=bytes(node), note=note)
        case str():
            return Formatted(text=safe(node), kind=ShownKind.TEXT, raw=str(node), note=note)
        case _:
            return refuse("a format is of one value, not of a struct")


class Formatter:
    """Formats leaves with the facts that one rendering may use."""

    __slots__ = ("_container", "_descriptor", "_lookup", "_table")

    def __init__(self, *, descriptor: Descriptor, container: Container, lookup: Lookup) -> None:
        self._descriptor = descriptor
        self._container = container
        self._lookup = lookup
        self._table: dict[FormatName, Callable[[Node, Arguments, Scope], Formatted]] = {
            FormatName.AMOUNT: self._amount,
            FormatName.TOKEN_AMOUNT: self._token_amount,
            FormatName.NFT_NAME: self._nft,
            FormatName.DATE: self._date,
            FormatName.DURATION: self._duration,
            FormatName.UNIT: self._unit,
            FormatName.ENUM: self._enum,
            FormatName.CHAIN_ID: self._chain_name,
            FormatName.ADDRESS_NAME: self._address,
            FormatName.TOKEN_TICKER: self._ticker,
            FormatName.INTEROPERABLE: self._interoperable,
        }

    def format(self, name: FormatName, node: Node, arguments: Arguments, scope: Scope) -> Formatted:
        """Raises InvalidInput("invalid_input.descriptor") where a parameter leads nowhere."""
        formatter = self._table.get(name)
        return raw(node) if formatter is None else formatter(node, arguments, scope)

    def chain(self, arguments: Arguments) -> ChainId | None:
        """The chain that a format names, or that of the container."""
        if "chainId" not in arguments and "chainIdPath" not in arguments:
            return self._container.chain
        number = as_int(arguments.get("chainId", "chainIdPath"))
        return ChainId(number) if number is not None and 0 < number < 2**64 else None

    def _amount(self, node: Node, _arguments: Arguments, _scope: Scope) -> Formatted:
        number = as_int(node)
        if number is None:
            return raw(node, note="descriptor.type")
        return self._units(number, self._container.chain, None, note="descriptor.native_unknown")

    def _token_amount(self, node: Node, arguments: Arguments, _scope: Scope) -> Formatted:
        number = as_int(node)
        if number is None:
            return raw(node, note="descriptor.type")
        chain, own = self.chain(arguments), _is_own(arguments)
        token = self._container.to if own else as_address(arguments.get("token", "tokenPath"))
        if token is None:
            return raw(number, note="descriptor.token_unknown")
        if token in arguments.addresses("nativeCurrencyAddress") and not self._is_known(chain, token):
            token = None
        shown = self._units(number, chain, token, note="descriptor.token_unknown", own=own)
        threshold = as_int(arguments.get("threshold"))
        if threshold is None or number < threshold or shown.note == "descriptor.token_unknown":
            return shown
        message = safe(arguments.text("message", "Unlimited"), limit=LABEL_LIMIT)
        symbol = shown.text.partition(" ")[2]
        note = shown.note if is_unlimited(number) else "descriptor.threshold"
        return Formatted(
            text=f"{message} {symbol}", kind=shown.kind, raw=number, asset=shown.asset, unlimited=True, note=note
        )

    def _units(
        self, number: int, chain: ChainId | None, token: Address | None, *, note: str, own: bool = False
    ) -> Formatted:
        """An amount of a token, or of the chain's currency for None. `own`: the descriptor asks to be believed."""
        if chain is None:
            return raw(number, note=note)
        kind = AssetKind.NATIVE if token is None else AssetKind.ERC20
        asset = AssetRef(chain=chain, kind=kind, contract=token)
        word: str | None = None
        name = self._token(chain, token)
        said = self._descriptor.token if own and name is None else None
        if said is not None:
            word = "descriptor.token_word"
            name = TokenName(symbol=said.symbol, decimals=said.decimals, source=Source.DESCRIPTOR)
        if name is None or name.decimals is None:
            return Formatted(text=str(number), kind=ShownKind.AMOUNT, raw=number, asset=asset, note=note)
        text = f"{quantities.decimal(number, decimals=name.decimals)} {_shown(name.symbol, name.source)}"
        return Formatted(text=text, kind=ShownKind.AMOUNT, raw=number, asset=asset, note=word)

    def _token(self, chain: ChainId, token: Address | None) -> TokenName | None:
        found = self._lookup.token(chain, token)
        return found if found is not None and found.source in TRUSTED else None

    def _is_known(self, chain: ChainId | None, token: Address) -> bool:
        """Whether a trusted source knows the address as a token: then it is not the chain's currency."""
        return chain is not None and self._token(chain, token) is not None

    def _nft(self, node: Node, arguments: Arguments, _scope: Scope) -> Formatted:
        number = as_int(node)
        if number is None:
            return raw(node, note="descriptor.type")
        chain, contract = self._container.chain, as_address(arguments.get("collection", "collectionPath"))
        if chain is None or contract is None:
            return raw(number, note="descriptor.collection_unknown")
        asset = AssetRef(chain=chain, kind=AssetKind.ERC721, contract=contract, token_id=number)
        name = self._lookup.collection(chain, contract)
        if name is None or name.source not in _VERIFIED:
            note = "descriptor.collection_unknown"
            return Formatted(text=str(number), kind=ShownKind.NFT, raw=number, asset=asset, note=note)
        return Formatted(
            text=f"{_shown(name.name, name.source)} #{number}", kind=ShownKind.NFT, raw=number, asset=asset
        )

    def _date(self, node: Node, arguments: Arguments, _scope: Scope) -> Formatted:
        number = seconds = as_int(node)
        if number is None:
            return raw(node, note="descriptor.type")
        if arguments.text("encoding", "timestamp") == "blockheight":
            chain = self._container.chain
            seconds = None if chain is None or number < 0 else self._lookup.block_time(chain, number)
        text = None if seconds is None else quantities.date(seconds)
        if text is None:
            return raw(number, note="descriptor.date_unknown")
        return Formatted(text=text, kind=ShownKind.DATE, raw=number)

    def _duration(self, node: Node, _arguments: Arguments, _scope: Scope) -> Formatted:
        number = as_int(node)
        if number is None:
            return raw(node, note="descriptor.type")
        return Formatted(text=quantities.duration(number), kind=ShownKind.DURATION, raw=number)

    def _unit(self, node: Node, arguments: Arguments, _scope: Scope) -> Formatted:
        number, decimals = as_int(node), as_int(arguments.get("decimals")) or 0
        if number is None:
            return raw(node, note="descriptor.type")
        if not 0 <= decimals <= quantities.MAX_DECIMALS:
            refuse("a unit has 0 to 255 decimals")
        base = safe(arguments.text("base", ""), limit=NAME_LIMIT)
        if _GOES_ON.match(base):
            refuse("a unit's name goes on with the number before it")
        text = quantities.unit(number, base=base, decimals=decimals, prefix=arguments.get("prefix") is True)
        return Formatted(text=text, kind=ShownKind.INTEGER, raw=number)

    def _enum(self, node: Node, arguments: Arguments, scope: Scope) -> Formatted:
        reference = arguments.param("$ref")
        table = scope.section(reference.path) if isinstance(reference, Reference) else None
        if type(table) is not dict or len(table) > MAX_ENTRIES:
            refuse("an enumeration is not there")
        shown = raw(node)
        word = entry(table, node, scope.work)
        if word is None:
            return raw(node, note="descriptor.enum_unknown")
        return Formatted(text=safe(check_text(word), limit=LABEL_LIMIT), kind=ShownKind.ENUM, raw=shown.raw)

    def _chain_name(self, node: Node, _arguments: Arguments, _scope: Scope) -> Formatted:
        number = as_int(node)
        if number is None:
            return raw(node, note="descriptor.type")
        name = chains.NAMES.get(number)
        if name is None:
            return raw(number, note="descriptor.chain_unknown")
        return Formatted(text=name, kind=ShownKind.CHAIN, raw=number)

    def _address(self, node: Node, arguments: Arguments, _scope: Scope) -> Formatted:
        address = as_address(node)
        if address is None:
            return raw(node, note="descriptor.type")
        if address in arguments.addresses("senderAddress"):
            return Formatted(text="Sender", kind=ShownKind.ADDRESS, raw=address, note=_sender_note(address))
        name, note = self._name(self._container.chain, address, arguments)
        text = address.value if name is None else _shown(name.name, name.source)
        return Formatted(text=text, kind=ShownKind.ADDRESS, raw=address, note=note)

    def _name(
        self, chain: ChainId | None, address: Address, arguments: Arguments
    ) -> tuple[AddressName | None, str | None]:
        """The best name of the sources that are asked for, and a note when the address is of another kind."""
        if chain is None:
            return None, None
        known, wanted = self._lookup.kinds(chain, address), arguments.texts("types")
        if wanted and known and known.isdisjoint(AddressKind(each) for each in wanted):
            return None, "descriptor.address_kind"
        sources = arguments.texts("sources")
        orders = [_VERIFIED] if sources is None else [_SOURCES.get(each, frozenset()) for each in sources]
        names = self._lookup.names_of(chain, address)
        for order in orders:
            for name in names:
                if name.source in order:
                    return name, None
        return None, None

    def _ticker(self, node: Node, arguments: Arguments, _scope: Scope) -> Formatted:
        address, chain = as_address(node), self.chain(arguments)
        if address is None:
            return raw(node, note="descriptor.type")
        name = None if chain is None else self._token(chain, address)
        if name is None:
            return raw(address, note="descriptor.token_unknown")
        return Formatted(text=_shown(name.symbol, name.source), kind=ShownKind.ADDRESS, raw=address)

    def _interoperable(self, node: Node, arguments: Arguments, _scope: Scope) -> Formatted:
        if not isinstance(node, bytes):
            return raw(node, note="descriptor.type")
        try:
            found = interoperable.parse(bytes(node))
        except InvalidInput:
            return raw(node, note="descriptor.type")
        if found.evm is None:
            return Formatted(text=found.name(), kind=ShownKind.ADDRESS, raw=bytes(node))
        if found.evm in arguments.addresses("senderAddress"):
            return Formatted(text="Sender", kind=ShownKind.ADDRESS, raw=bytes(node), note=_sender_note(found.evm))
        name, note = self._name(found.evm_chain, found.evm, arguments)
        shown = None if name is None else _shown(name.name, name.source)
        return Formatted(text=found.name(shown), kind=ShownKind.ADDRESS, raw=bytes(node), note=note)


def _sender_note(address: Address) -> str | None:
    """A note, unless nobody can hold the address: contracts use 0, 1, 2 and their like as signs."""
    return "descriptor.sender" if any(address.raw[:-2]) else None


def _is_own(arguments: Arguments) -> bool:
    """Whether the token is ``$.metadata.token``: the bound contract, in the descriptor's own words."""
    param = arguments.param("token") or arguments.param("tokenPath")
    return isinstance(param, Reference) and param.path == _OWN_TOKEN


def encrypted(node: Node, label: str, /) -> Formatted:
    """What stands for a ciphertext: the descriptor's words, and the ciphertext itself beside them."""
    shown = raw(node)
    text = safe(label, limit=LABEL_LIMIT)
    return Formatted(text=text, kind=shown.kind, raw=shown.raw, note="descriptor.encrypted")


def is_speakable(node: Node, shown: Formatted, /) -> bool:
    """Whether a value may stand inside a sentence: a text of the signed data only as one word, since it could go on
    with the sentence."""
    if not isinstance(node, str) or shown.kind is not ShownKind.TEXT:
        return True
    return 0 < len(shown.text) <= NAME_LIMIT and shown.text == node and " " not in node


def _shown(name: str, source: Source) -> str:
    """A name or symbol. What the owner wrote stays as it is."""
    return name if source in _UNESCAPED else safe(name, limit=NAME_LIMIT)
