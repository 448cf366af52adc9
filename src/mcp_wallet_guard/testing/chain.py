"""SimulatedChain: a node to test against, honest until told otherwise. JSON-RPC over HTTP on loopback, a real EVM.

    async with SimulatedChain.serve(funded=[(account, 10**18)]) as chain:
        ...  # chain.url, chain.balance(account), chain.mine(), chain.lie("eth_chainId", "0x1")

It runs in a thread with an event loop of its own, so it answers whatever the caller's loop does; all its methods are
plain calls. Faults are answers of the same server, so a client meets them through a real connection.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections import Counter, deque
from contextlib import asynccontextmanager, contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Final, final

import anyio
import uvicorn
from anyio import to_thread
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mcp_wallet_guard.chains.ens import namehash
from mcp_wallet_guard.clearsign.rollups import charges_for_data
from mcp_wallet_guard.operations import erc20
from mcp_wallet_guard.operations.values import Address, BaseUnits, ChainId, keccak256
from mcp_wallet_guard.testing import names, oracle
from mcp_wallet_guard.testing.clock import ScriptedClock
from mcp_wallet_guard.testing.evm import Evm, RpcError
from mcp_wallet_guard.testing.token import creation_code

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

    from starlette.requests import Request

    from mcp_wallet_guard.evidence import Clock

CHAIN_ID: Final = ChainId(31337)
START: Final = 1_800_000_000
PRIORITY_FEE: Final = 10**9
KEPT_BODIES: Final = 4096


@final
class SimulatedChain:
    """A served chain. Make one with `serve` or `in_thread`.

    `sent` counts eth_sendRawTransaction by transaction hash (hex), also what was refused or repeated; `asked` counts
    requests by method; `bodies` are the last `KEPT_BODIES` requests as they came.
    """

    def __init__(self, *, chain_id: ChainId, clock: Clock, funded: Iterable[tuple[Address, int]]) -> None:
        self.chain_id: Final = chain_id
        self.url = ""
        self.sent: Final[Counter[str]] = Counter()
        self.asked: Final[Counter[str]] = Counter()
        self.bodies: Final[deque[bytes]] = deque(maxlen=KEPT_BODIES)
        predeployed = {oracle.ADDRESS.raw: oracle.code()} if charges_for_data(chain_id) else {}
        self._evm: Final = Evm(chain_id=chain_id, clock=clock, funded=funded, contracts=predeployed)
        self._faults = _Faults()
        self._paused = False
        self._closing = False

    @classmethod
    @asynccontextmanager
    async def serve(
        cls, *, clock: Clock | None = None, funded: Iterable[tuple[Address, int]] = (), chain_id: ChainId = CHAIN_ID
    ) -> AsyncIterator[SimulatedChain]:
        """Serve a new chain until the block ends. `funded` are (account, wei); block times come from `clock`."""
        context = cls.in_thread(clock=clock, funded=funded, chain_id=chain_id)
        chain = await to_thread.run_sync(context.__enter__)
        try:
            yield chain
        finally:
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(context.__exit__, None, None, None)

    @classmethod
    @contextmanager
    def in_thread(
        cls,
        *,
        clock: Clock | None = None,
        funded: Iterable[tuple[Address, int]] = (),
        chain_id: ChainId = CHAIN_ID,
        port: int = 0,
    ) -> Iterator[SimulatedChain]:
        """The same for callers without an event loop. Port 0 is any free one; OSError for one that is taken."""
        chain = cls(chain_id=chain_id, clock=clock or ScriptedClock(START), funded=funded)
        # The protocol is named, because asyncio turns Nagle's algorithm off for sockets of that protocol number only.
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
            chain.url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
            server = _Server(chain.app())
            thread = Thread(target=server.run, args=([listener],), name="simulated-chain", daemon=True)
            thread.start()
            try:
                if not server.ready.wait(timeout=10):
                    raise RuntimeError("the simulated chain did not start")
                yield chain
            finally:
                chain.close()
                server.stop()
                thread.join(timeout=10)

    # --- what a test looks at and does ------------------------------------------------------------------------------

    @property
    def auto_mine(self) -> bool:
        """Whether each accepted transaction is mined at once. True at the start."""
        return self._evm.auto_mine

    @auto_mine.setter
    def auto_mine(self, value: bool) -> None:
        self._evm.auto_mine = value

    def balance(self, account: Address, /) -> int:
        """In wei, at the latest block."""
        return self._evm.balance(account.raw)

    def nonce(self, account: Address, /, *, pending: bool = False) -> int:
        """Mined transactions of the account; with `pending` also those that wait."""
        return self._evm.nonce(account.raw, "pending" if pending else "latest")

    def height(self) -> int:
        """The latest block's number."""
        return self._evm.height()

    def base_fee(self) -> int:
        """The next block's base fee, in wei per gas."""
        return self._evm.base_fee()

    def fund(self, account: Address, wei: int, /) -> None:
        """Give the account `wei`, in a block of its own."""
        self._evm.fund(account.raw, wei)

    def deploy_token(self, *, decimals: int, holder: Address, units: int) -> Address:
        """Put an ERC-20 contract on the chain, all of whose `units` belong to `holder`."""
        contract = self._evm.deploy(creation_code(decimals=decimals, supply=units))
        everything = erc20.Call(function=erc20.Function.TRANSFER, party=holder, amount=BaseUnits(units))
        self._evm.send(contract, erc20.encode(everything))
        return Address.from_bytes(contract)

    def token_balance(self, token: Address, account: Address, /) -> int:
        """In the token's smallest unit."""
        return int.from_bytes(self._evm.call({"to": token.raw, "data": erc20.balance_of(account)}))

    def deploy_names(self) -> Address:
        """Put an empty name registry on the chain."""
        return Address.from_bytes(self._evm.deploy(names.registry_code()))

    def claim_name(self, registry: Address, account: Address, name: str, /) -> None:
        """What `account` calls itself from now on. It does not make the name its own."""
        reverse = namehash(f"{account.value[2:].lower()}.addr.reverse")
        self.resolve_with(registry, reverse, names.answering(names.text(name)))

    def own_name(self, registry: Address, name: str, owner: Address, /) -> None:
        """Whom `name` stands for from now on."""
        self.resolve_with(registry, namehash(name), names.answering(bytes(12) + owner.raw))

    def resolve_with(self, registry: Address, node: bytes, code: bytes, /) -> None:
        """Give a name's node a resolver of this creation code."""
        resolver = Address.from_bytes(self._evm.deploy(code))
        self._evm.send(registry.raw, names.set_resolver(node, resolver))

    def price_data(self, *, per_byte: int, per_gas: int = 0) -> None:
        """What the oracle of a rollup says from now on that data costs, in wei; `per_gas` is the operator's fee."""
        self._evm.send(oracle.ADDRESS.raw, oracle.set_prices(per_byte=per_byte, per_gas=per_gas))

    def mine(self, blocks: int = 1, /) -> None:
        """Mine what waits, then empty blocks."""
        for _ in range(blocks):
            self._evm.mine()

    # --- faults -----------------------------------------------------------------------------------------------------

    def lie(self, method: str, result: object, /) -> None:
        """Answer `method` with `result` from now on; a callable gets the request's params and the honest result."""
        self._faults.lies[method] = result

    def fail(self, method: str, /, *, code: int = -32000, message: str = "internal error") -> None:
        """Answer `method` with a JSON-RPC error from now on; nothing is executed."""
        self._faults.errors[method] = (code, message)

    def reply(self, method: str, body: bytes, /, *, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """Answer `method` with these bytes from now on; nothing is executed."""
        self._faults.raw[method] = (body, status, headers or {})

    def lose_broadcasts(self, count: int = 1, /) -> None:
        """Accept the next `count` raw transactions, then answer with status 504, as if the answer was lost."""
        self._faults.lost = count

    def delay(self, seconds: float, /) -> None:
        """Answer everything this much later."""
        self._faults.delay = seconds

    def pause(self) -> None:
        """Answer nothing until `resume`: requests hang."""
        self._paused = True

    def resume(self) -> None:
        """End `pause`."""
        self._paused = False

    def honest(self) -> None:
        """Drop all lies, failures, delays and losses that were arranged, and resume."""
        self._faults = _Faults()
        self._paused = False

    # --- the server -------------------------------------------------------------------------------------------------

    def app(self) -> Starlette:
        """The ASGI application, for serving it in another way."""
        return Starlette(routes=[Route("/{path:path}", self._respond, methods=["POST"])])

    def close(self) -> None:
        """Let requests go that `pause` or `delay` holds."""
        self._closing = True

    async def _respond(self, request: Request) -> Response:
        body = await request.body()
        self.bodies.append(body)
        try:
            call = json.loads(body)
            method, params, number = call["method"], list(call.get("params", [])), call["id"]
        except (ValueError, KeyError, TypeError):
            return JSONResponse({"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "invalid request"}})
        self.asked[method] += 1
        faults = self._faults
        await self._hold(faults.delay)
        if method in faults.raw:
            reply, status, headers = faults.raw[method]
            return Response(reply, status, headers)
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": number}
        try:
            answer["result"] = self._answer(faults, method, params)
        except RpcError as error:
            answer["error"] = {"code": error.code, "message": error.message}
        if method == "eth_sendRawTransaction" and faults.lost > 0:
            faults.lost -= 1
            return Response(status_code=504)
        return JSONResponse(answer)

    async def _hold(self, seconds: float) -> None:
        until = anyio.current_time() + seconds
        # Polled, because `resume` and `close` are called from other threads than this loop's.
        while not self._closing and (self._paused or anyio.current_time() < until):  # noqa: ASYNC110
            await anyio.sleep(0.005)

    def _answer(self, faults: _Faults, method: str, params: list[Any]) -> object:
        if method in faults.errors:
            raise RpcError(*faults.errors[method])
        lie = faults.lies.get(method, _HONEST)
        if lie is not _HONEST and not callable(lie):
            return lie
        result = self._honest(method, params)
        return lie(params, result) if callable(lie) else result

    def _honest(self, method: str, params: list[Any]) -> object:
        handler = _METHODS.get(method)
        if handler is None:
            raise RpcError(-32601, f"the method {method} does not exist/is not available")
        if method == "eth_sendRawTransaction":
            self.sent[_transaction_hash(params)] += 1
        try:
            with self._evm.lock:
                return handler(self._evm, self.chain_id, params)
        except (ValueError, TypeError, IndexError, KeyError, AttributeError):
            raise RpcError(-32602, "invalid params") from None


_HONEST: Final = object()


@final
class _Faults:
    def __init__(self) -> None:
        self.lies: Final[dict[str, object]] = {}
        self.errors: Final[dict[str, tuple[int, str]]] = {}
        self.raw: Final[dict[str, tuple[bytes, int, dict[str, str]]]] = {}
        self.lost = 0
        self.delay = 0.0


@final
class _Server(uvicorn.Server):
    def __init__(self, app: Starlette) -> None:
        super().__init__(
            uvicorn.Config(
                app, loop="asyncio", http="h11", ws="none", lifespan="off", log_config=None, access_log=False,
                timeout_graceful_shutdown=1,
            )
        )  # fmt: skip
        self.ready: Final = Event()
        self._stopped: Final = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def stop(self) -> None:
        """End at once, from another thread. uvicorn's own way takes a quarter of a second, for every test."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stopped.set)

    async def main_loop(self) -> None:
        await self._stopped.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 (uvicorn's signature)
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)  # the turn in which connections learn that they are gone

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        self.ready.set()


def _bytes(text: str) -> bytes:
    if not text.startswith("0x"):
        raise ValueError("not hex data")
    return bytes.fromhex(text[2:])


def _address(text: str) -> bytes:
    raw = _bytes(text)
    if len(raw) != 20:
        raise ValueError("not an address")
    return raw


def _block(params: list[Any], at: int) -> str | int:
    tag = params[at] if len(params) > at else "latest"
    return tag if tag in {"latest", "pending", "safe", "finalized", "earliest"} else int(tag, 16)


def _mined(params: list[Any], at: int) -> str | int:
    """The block whose state is asked for; there is no pending state beside the nonce."""
    block = _block(params, at)
    return "latest" if block == "pending" else block


def _number(evm: Evm, params: list[Any], at: int) -> int:
    block = _block(params, at)
    if isinstance(block, int):
        return block
    return 0 if block == "earliest" else evm.height()


def _call(params: list[Any]) -> dict[str, Any]:
    fields = params[0]
    call: dict[str, Any] = {"to": _address(fields["to"])} if fields.get("to") else {}
    if fields.get("from"):
        call["from"] = _address(fields["from"])
    data = fields.get("input", fields.get("data"))
    return call | {"data": _bytes(data or "0x"), "value": int(fields.get("value", "0x0"), 16)}


def _transaction_hash(params: list[Any]) -> str:
    try:
        return "0x" + keccak256(_bytes(params[0])).hex()
    except (ValueError, TypeError, IndexError, AttributeError):
        return "invalid"


_METHODS: Final[dict[str, Callable[[Evm, ChainId, list[Any]], object]]] = {
    "eth_chainId": lambda _, chain, __: hex(chain.number),
    "net_version": lambda _, chain, __: str(chain.number),
    "web3_clientVersion": lambda *_: "simulated-chain",
    "eth_blockNumber": lambda evm, _, __: hex(evm.height()),
    "eth_getBalance": lambda evm, _, p: hex(evm.balance(_address(p[0]), _mined(p, 1))),
    "eth_getTransactionCount": lambda evm, _, p: hex(evm.nonce(_address(p[0]), _block(p, 1))),
    "eth_accounts": lambda evm, _, __: ["0x" + evm.faucet.hex()],
    "eth_sendTransaction": lambda evm, _, p: "0x" + evm.send_unlocked(_call(p)).hex(),
    "eth_getCode": lambda evm, _, p: "0x" + evm.code(_address(p[0]), _mined(p, 1)).hex(),
    "eth_getStorageAt": lambda evm, _, p: "0x" + evm.storage(_address(p[0]), int(p[1], 16)).hex(),
    "eth_getLogs": lambda evm, _, p: evm.logs(_address(p[0]["address"]), [t and _bytes(t) for t in p[0]["topics"]]),
    "eth_gasPrice": lambda evm, _, __: hex(evm.base_fee() + PRIORITY_FEE),
    "eth_maxPriorityFeePerGas": lambda *_: hex(PRIORITY_FEE),
    "eth_feeHistory": lambda evm, _, p: evm.fee_history(int(str(p[0]), 0), _number(evm, p, 1)),
    "eth_estimateGas": lambda evm, _, p: hex(evm.estimate(_call(p))),
    "eth_call": lambda evm, _, p: "0x" + evm.call(_call(p)).hex(),
    "eth_sendRawTransaction": lambda evm, _, p: "0x" + evm.submit(_bytes(p[0])).hex(),
    "eth_getTransactionByHash": lambda evm, _, p: evm.transaction(_bytes(p[0])),
    "eth_getTransactionReceipt": lambda evm, _, p: evm.receipt(_bytes(p[0])),
    "eth_getBlockByNumber": lambda evm, _, p: evm.block(_number(evm, p, 0), full=bool(p[1:] and p[1])),
}
