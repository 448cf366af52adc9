"""The public registry's descriptors and cases, as they lie beside this repository."""

from __future__ import annotations

import gzip
import json
import posixpath
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from mcp_wallet_guard.clearsign.descriptors.contexts import Container
from mcp_wallet_guard.clearsign.descriptors.index import Index
from mcp_wallet_guard.clearsign.descriptors.rendered import Rendered
from mcp_wallet_guard.clearsign.descriptors.telling import tell_call, tell_message
from mcp_wallet_guard.operations import rlp
from mcp_wallet_guard.operations.typed_data import parse_typed_data
from mcp_wallet_guard.operations.values import Address, ChainId
from tests.clearsign.descriptors.known import Known

FILE = Path(__file__).parents[3].parent / "shared" / "vectors" / "erc7730" / "registry-2026-08-20.json.gz"
UNTOLD = {"registry/rarible/testsv2/eip712-rarible-exchange-v2-meta-tx.tests.json": "salt in place of a chain"}
"""The case that is not told, and why: docs/formats/descriptors.md."""
MENDED = frozenset({"registry/permit/testsv2/eip712-permit-avalanche_c_chain-yetiswap.tests.json"})
"""The case whose domain lacks a member that it declares, so that it has no hash: see there as well."""

_OTHER_CURRENCIES = {
    14: "FLR",
    19: "SGB",
    56: "BNB",
    100: "xDAI",
    137: "POL",
    146: "S",
    250: "FTM",
    42220: "CELO",
    43114: "AVAX",
}


@dataclass(frozen=True)
class Case:
    name: str
    raw: Mapping[str, Any]
    facts: Mapping[str, Any]

    @property
    def expected(self) -> Any:
        return self.raw["expected"]

    def run(self, index: Index) -> Rendered | None:
        return self.job(index)()

    def job(self, index: Index) -> Callable[[], Rendered | None]:
        """What tells it, with all that comes before it done."""
        lookup = AnyChain(Known(self.facts))
        if "data" in self.raw:
            # In 18 cases addresses have wrong checksums, which a hash does not see.
            typed = parse_typed_data(json.dumps(_mended(self.name, self.raw["data"])), any_address_case=True)
            return partial(tell_message, index, typed=typed, signer=None, lookup=lookup)
        chain, to, value, data = transaction(self.raw["rawTx"])
        sender = self.raw.get("from")
        container = Container(
            chain=ChainId(chain),
            to=Address.from_bytes(to),
            sender=None if sender is None else Address.from_bytes(bytes.fromhex(sender[2:])),
            value=value,
        )
        return partial(tell_call, index, data=data, container=container, lookup=lookup)


class AnyChain(Known):
    """The registry's tokens are known on every chain."""

    def __init__(self, known: Known) -> None:
        super().__init__(known._facts)

    def _token(self, _chain: ChainId, contract: Address) -> Any:
        return self._get("tokens", contract.value.lower())


@lru_cache(maxsize=1)
def document() -> Any:
    return json.loads(gzip.decompress(FILE.read_bytes()))


def files() -> dict[str, bytes]:
    return {name: json.dumps(each, ensure_ascii=False).encode() for name, each in document()["descriptors"].items()}


def cases() -> Iterator[Case]:
    for name, each in document()["testsv2"].items():
        facts = each.get("dataProvider", {})
        names = {key: [[name, "config"]] for key, name in facts.get("addressNames", {}).items()}
        for key, ens in facts.get("ensNames", {}).items():
            names[key] = [*names.get(key, []), [ens, "ens"]]
        known = {
            "native": {number: {"symbol": _OTHER_CURRENCIES.get(number, "ETH"), "decimals": 18} for number in chains()},
            "tokens": facts.get("tokens", {}),
            "names": names,
            "collections": facts.get("nftCollectionNames", {}),
            "blocks": facts.get("blockTimestamps", {}),
        }
        for raw in each["tests"]:
            yield Case(name, raw, known)


@lru_cache(maxsize=1)
def chains() -> frozenset[int]:
    contexts = (each.get("context", {}) for each in document()["descriptors"].values())
    inner = (context.get("contract") or context.get("eip712") or {} for context in contexts)
    return frozenset(each["chainId"] for one in inner for each in one.get("deployments", []))


def shape(found: Rendered) -> dict[str, Any]:
    """As the registry writes what it expects."""
    fields = [
        {"label": line.label, "value": line.text if line.call is None else shape(line.call)} for line in found.lines
    ]
    whole = {"intent": found.intent, "owner": found.owner, "fields": fields}
    return whole if found.interpolated is None else {**whole, "interpolatedIntent": found.interpolated}


def descriptor_of(name: str) -> str:
    """The file of the descriptor that a file of cases is about."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), document()["testsv2"][name]["descriptor"]))


def transaction(raw: str) -> tuple[int, bytes, int, bytes]:
    """Chain, callee, value and data of an unsigned transaction; a few are signed."""
    data = bytes.fromhex(raw[2:])
    kind = data[0] if data[0] < 0x80 else 0
    items = rlp.decode(data[1:] if kind else data)
    assert isinstance(items, list)
    fields = [item for item in items if isinstance(item, bytes)]
    if kind:
        at = 5 if kind == 2 else 4
        return int.from_bytes(fields[0]), fields[at], int.from_bytes(fields[at + 1]), fields[at + 2]
    number = int.from_bytes(fields[6])
    signed = any(fields[7])
    return ((number - 35) // 2 if signed else number), fields[3], int.from_bytes(fields[4]), fields[5]


def _mended(name: str, raw: Any) -> Any:
    """Typed data as it would have to be: those of `MENDED` without what their domain declares and does not have."""
    if name not in MENDED:
        return raw
    has = raw["domain"].keys()
    declared = [each for each in raw["types"]["EIP712Domain"] if each["name"] in has]
    return {**raw, "types": {**raw["types"], "EIP712Domain": declared}}
