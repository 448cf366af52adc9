"""A lookup that knows what a table says: the facts of one test case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp_wallet_guard.clearsign.lookup import AddressKind, AddressName, TokenName
from mcp_wallet_guard.clearsign.tree import Source
from mcp_wallet_guard.operations.values import Address, ChainId


class Known:
    """`facts` has ``native``, ``tokens``, ``names``, ``kinds``, ``collections`` and ``blocks``, by lower-case address
    (tokens on another chain than the case's by ``<chain>:<address>``). `asked` collects what was looked up."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self._facts = {
            section: {str(key).lower(): value for key, value in found.items()}
            for section, found in facts.items()
            if isinstance(found, Mapping)
        }
        self.asked: list[str] = []

    def token(self, chain: ChainId, contract: Address | None, /) -> TokenName | None:
        found = self._get("native", str(chain.number)) if contract is None else self._token(chain, contract)
        if found is None:
            return None
        source = Source(found.get("source", "config"))
        return TokenName(symbol=found["symbol"], decimals=found["decimals"], source=source)

    def name(self, chain: ChainId, address: Address, /) -> AddressName | None:
        return next(iter(self.names_of(chain, address)), None)

    def names_of(self, _chain: ChainId, address: Address, /) -> tuple[AddressName, ...]:
        found = self._get("names", address.value.lower()) or []
        return tuple(AddressName(name=name, source=Source(source)) for name, source in found)

    def kinds(self, _chain: ChainId, address: Address, /) -> frozenset[AddressKind]:
        return frozenset(AddressKind(kind) for kind in self._get("kinds", address.value.lower()) or [])

    def collection(self, _chain: ChainId, contract: Address, /) -> AddressName | None:
        found = self._get("collections", contract.value.lower())
        return None if found is None else AddressName(name=found, source=Source.CONFIG)

    def block_time(self, _chain: ChainId, height: int, /) -> int | None:
        found: int | None = self._get("blocks", str(height))
        return found

    def _token(self, chain: ChainId, contract: Address) -> Any:
        address = contract.value.lower()
        elsewhere = self._get("tokens", f"{chain.number}:{address}")
        return elsewhere if chain.number != 1 else self._get("tokens", address)

    def _get(self, section: str, key: str) -> Any:
        self.asked.append(f"{section} {key}")
        return self._facts.get(section, {}).get(key)
