"""JSON-RPC through `Egress`, as a web3 provider. Every answer is reduced to known fields of known form first.

web3's own formatters read ``"-0x1"``, ``12`` or ``true`` as numbers; here a method that is not in `_ANSWERS` cannot be
asked, and of an answer only what its entry there accepts reaches web3. Nothing that a node wrote as text gets past this
file. Source: Ethereum execution APIs (quantities and data), JSON-RPC 2.0. Threat: T-042, T-057.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, Final, final

from web3.providers.async_base import AsyncBaseProvider

from mcp_wallet_guard.chains import data_fees
from mcp_wallet_guard.chains.shapes import data, fields, garbled, hash_of_32, logs, optional, quantity, word
from mcp_wallet_guard.chains.traces import returned, simulated, traced
from mcp_wallet_guard.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from web3.types import RPCEndpoint, RPCResponse

    from mcp_wallet_guard.egress import Egress
    from mcp_wallet_guard.pinned_url import PinnedUrl

METHOD_NOT_FOUND: Final = -32601
EXECUTION_REVERTED: Final = 3
_KNOWN_WORDS: Final = ("already known", "known transaction", "already imported", "already exists", "alreadyknown")


@final
class NodeError(Exception):
    """The node answered with a JSON-RPC error. Its text stays out: only what it means to us is kept.

    `revert` is what a call that failed returned, empty where it returned nothing, None where no call failed.
    """

    def __init__(self, *, code: int, already_known: bool, revert: bytes | None = None) -> None:
        super().__init__(f"JSON-RPC error {code}")
        self.code: Final = code
        self.already_known: Final = already_known
        self.revert: Final = revert


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
    failed = error["code"] == EXECUTION_REVERTED or message.startswith("execution reverted")
    return NodeError(
        code=error["code"],
        already_known=any(words in message for words in _KNOWN_WORDS),
        revert=returned(error.get("data")) if failed else None,
    )


_UINT64: Final = 2**64 - 1
_EXACT: Final = 2**53 - 1  # the highest number that JSON, in which it is frozen, says exactly
_PRICE: Final = 2**72 - 1  # wei per gas: 4,700 ether for one unit of gas is beyond every real chain

_ANSWERS: Final[dict[str, Callable[[object], Any]]] = {
    "eth_chainId": quantity(_UINT64),
    "eth_getTransactionCount": quantity(_EXACT),  # EIP-2681 allows more than any account will ever send
    "eth_getBalance": quantity(2**128 - 1),
    "eth_getCode": data,
    "eth_getStorageAt": word,
    "eth_getLogs": logs,
    "eth_call": data,
    "eth_getBlockByNumber": fields(baseFeePerGas=quantity(_PRICE), gasLimit=optional(quantity(_EXACT))),
    "eth_maxPriorityFeePerGas": quantity(_PRICE),
    "eth_estimateGas": quantity(2**32 - 1),
    "eth_simulateV1": simulated,
    "debug_traceCall": traced,
    "eth_sendRawTransaction": hash_of_32,
    "eth_getTransactionByHash": fields(hash=hash_of_32),
    "eth_getTransactionReceipt": fields(
        transactionHash=hash_of_32,
        blockNumber=quantity(_UINT64),
        status=quantity(1),
        gasUsed=quantity(2**32 - 1),
        effectiveGasPrice=quantity(_PRICE),
        l1Fee=optional(quantity(data_fees.MOST)),
    ),
}
