"""JSON-RPC through `Egress`, as a web3 provider. Every answer is reduced to known fields of known form first.

web3's own formatters read ``"-0x1"``, ``12`` or ``true`` as numbers; here a method that is not in `_ANSWERS` cannot be
asked, and of an answer only what its entry there accepts reaches web3. Nothing that a node wrote as text gets past this
file. Source: Ethereum execution APIs (quantities and data), JSON-RPC 2.0. Threat: T-042, T-057.
"""

from __future__ import annotations

import re
from itertools import count
from typing import TYPE_CHECKING, Any, Final, final

from web3.providers.async_base import AsyncBaseProvider

from mcp_wallet_guard.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from web3.types import RPCEndpoint, RPCResponse

    from mcp_wallet_guard.egress import Egress
    from mcp_wallet_guard.pinned_url import PinnedUrl

METHOD_NOT_FOUND: Final = -32601
MAX_DATA_BYTES: Final = 65_536
_QUANTITY: Final = re.compile(r"0x(?:0|[1-9a-f][0-9a-f]{0,63})")
_HASH: Final = re.compile(r"0x[0-9a-f]{64}")
_BYTES: Final = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_KNOWN_WORDS: Final = ("already known", "known transaction", "already imported", "already exists", "alreadyknown")


@final
class NodeError(Exception):
    """The node answered with a JSON-RPC error. Its text stays out: only what it means to us is kept."""

    def __init__(self, *, code: int, already_known: bool) -> None:
        super().__init__(f"JSON-RPC error {code}")
        self.code: Final = code
        self.already_known: Final = already_known


def lied(what: str, /) -> Unavailable:
    """The error for a claim that cannot be true. `what` is ours, never the node's."""
    return Unavailable("unavailable.node_lied", detail=what)


def garbled(what: str, /) -> Unavailable:
    """The error for an answer that is none. `what` is ours, never the node's."""
    return Unavailable("unavailable.node", detail=what)


@final
class EgressProvider(AsyncBaseProvider):
    """A web3 provider whose only way out is `Egress`, to one pinned node."""

    # EIP-3668 would let a contract name URLs for web3 to fetch, past `Egress` (T-046).
    global_ccip_read_enabled = False

    def __init__(self, *, node: PinnedUrl, egress: Egress) -> None:
        super().__init__()
        self._node: Final = node
        self._egress: Final = egress
        self._ids: Final = count(1)

    async def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Ask. Raises NodeError for a JSON-RPC error, Unavailable for everything that is no proper answer."""
        accept = _ANSWERS[method]
        number = next(self._ids)
        request = {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}
        answer = await self._egress.post_json(self._node, request)
        return {"jsonrpc": "2.0", "id": number, "result": accept(_result(answer, number))}

    def __repr__(self) -> str:
        return f"<EgressProvider {self._node}>"


def _result(answer: object, number: int) -> object:
    if not isinstance(answer, dict) or answer.get("jsonrpc") != "2.0":
        raise garbled("not a JSON-RPC answer")
    if "error" in answer and answer["error"] is not None:
        raise _node_error(answer["error"])
    if type(answer.get("id")) is not int or answer["id"] != number or "result" not in answer:
        raise garbled("not the answer to this request")
    return answer["result"]


def _node_error(error: object) -> NodeError | Unavailable:
    if not isinstance(error, dict) or type(error.get("code")) is not int or not isinstance(error.get("message"), str):
        return garbled("not a JSON-RPC error object")
    message = error["message"].lower()
    return NodeError(code=error["code"], already_known=any(words in message for words in _KNOWN_WORDS))


def _quantity(limit: int, /) -> Callable[[object], str]:
    def accept(value: object) -> str:
        if not isinstance(value, str) or _QUANTITY.fullmatch(value) is None or int(value, 16) > limit:
            raise lied("a quantity that cannot be")
        return value

    return accept


def _hash(value: object) -> str:
    if not isinstance(value, str) or _HASH.fullmatch(value) is None:
        raise lied("a hash that is none")
    return value


def _data(value: object) -> str:
    if not isinstance(value, str) or len(value) > 2 * MAX_DATA_BYTES + 2 or _BYTES.fullmatch(value) is None:
        raise lied("bytes that are none")
    return value


def _fields(**accept: Callable[[object], str]) -> Callable[[object], dict[str, str] | None]:
    """An object or null; of the object exactly these fields, all of them required."""

    def reduce(value: object) -> dict[str, str] | None:
        if value is None:
            return None
        if not isinstance(value, dict):
            raise lied("not an object")
        return {name: check(value.get(name)) for name, check in accept.items()}

    return reduce


_UINT64: Final = 2**64 - 1
_PRICE: Final = 2**72 - 1  # wei per gas: 4,700 ether for one unit of gas is beyond every real chain

_ANSWERS: Final[dict[str, Callable[[object], Any]]] = {
    "eth_chainId": _quantity(_UINT64),
    "eth_getTransactionCount": _quantity(_UINT64 - 1),  # EIP-2681
    "eth_getBalance": _quantity(2**128 - 1),
    "eth_getCode": _data,
    "eth_call": _data,
    "eth_getBlockByNumber": _fields(baseFeePerGas=_quantity(_PRICE)),
    "eth_maxPriorityFeePerGas": _quantity(_PRICE),
    "eth_estimateGas": _quantity(2**32 - 1),
    "eth_sendRawTransaction": _hash,
    "eth_getTransactionByHash": _fields(hash=_hash),
    "eth_getTransactionReceipt": _fields(
        transactionHash=_hash,
        blockNumber=_quantity(_UINT64),
        status=_quantity(1),
        gasUsed=_quantity(2**32 - 1),
        effectiveGasPrice=_quantity(_PRICE),
    ),
}
