"""A real EVM with a pool of pending transactions: eth-tester's py-evm backend, spoken to in JSON-RPC's terms.

Blocks take their time from the given clock. All methods may be called from any thread, one at a time.
"""

from __future__ import annotations

from threading import RLock
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, final

from eth.vm.forks.berlin.transactions import TypedTransaction
from eth_keys.datatypes import PrivateKey
from eth_tester.backends.pyevm import PyEVMBackend
from eth_tester.backends.pyevm.main import get_default_genesis_params
from eth_tester.backends.pyevm.serializers import (
    serialize_block,
    serialize_transaction,
    serialize_transaction_receipt,
)
from eth_tester.exceptions import TransactionFailed
from eth_utils.exceptions import ValidationError
from rlp.exceptions import RLPException  # type: ignore[import-untyped]

from mcp_wallet_guard.operations.rlp import encode, encode_int
from mcp_wallet_guard.operations.values import keccak256

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mcp_wallet_guard.evidence import Clock
    from mcp_wallet_guard.operations.values import Address, ChainId

FAUCET: Final = PrivateKey((1).to_bytes(32, "big"))
"""Holds the coins that `fund` gives away. Its key is the number one: never use it on a chain that matters."""


class RpcError(Exception):
    """What a node answers instead of a result."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code: Final = code
        self.message: Final = message


@final
class Evm:
    """One chain in memory. `funded` are the accounts that have wei from the start, `contracts` the code that stands at
    an address from the start."""

    def __init__(
        self,
        *,
        chain_id: ChainId,
        clock: Clock,
        funded: Iterable[tuple[Address, int]],
        contracts: Mapping[bytes, bytes] = MappingProxyType({}),
    ) -> None:
        self.lock: Final = RLock()
        self.auto_mine = True
        self._clock: Final = clock
        self._pool: Final[dict[bytes, Any]] = {}
        self._mined: Final[dict[bytes, tuple[int, int]]] = {}
        self._faucet: Final[bytes] = FAUCET.public_key.to_canonical_address()
        balances = {self._faucet: 2**100} | {account.raw: wei for account, wei in funded}
        self._backend: Final = PyEVMBackend(
            genesis_parameters=get_default_genesis_params({"timestamp": clock.now()}),
            genesis_state={
                account: {"balance": wei, "nonce": 0, "code": b"", "storage": {}} for account, wei in balances.items()
            }
            | {address: {"balance": 0, "nonce": 1, "code": code, "storage": {}} for address, code in contracts.items()},
        )
        self._chain: Final = self._backend.chain
        type(self._chain).chain_id = chain_id.number  # the class is made anew for each backend

    # --- state ----------------------------------------------------------------------------------------------------

    def balance(self, account: bytes, block: str | int = "latest") -> int:
        """In wei."""
        with self.lock:
            return int(self._backend.get_balance(account, block))

    def nonce(self, account: bytes, block: str | int = "latest") -> int:
        """Mined transactions; with "pending" also those of the pool that can follow them."""
        with self.lock:
            nonce = int(self._backend.get_nonce(account, "latest" if block == "pending" else block))
            waiting = {tx.nonce for tx in self._pool.values() if tx.sender == account} if block == "pending" else set()
            while nonce in waiting:
                nonce += 1
            return nonce

    def code(self, account: bytes, block: str | int = "latest") -> bytes:
        """The contract's code, empty for a plain account."""
        with self.lock:
            return bytes(self._backend.get_code(account, block))

    def storage(self, account: bytes, slot: int) -> bytes:
        """The 32 bytes in one slot."""
        with self.lock:
            return int(self._chain.get_vm().state.get_storage(account, slot)).to_bytes(32)

    def logs(self, emitter: bytes, topics: list[bytes | None]) -> list[dict[str, Any]]:
        """Every mined log of `emitter` whose topics begin like these, None for any."""
        with self.lock:
            blocks = [self._chain.get_canonical_block_by_number(number) for number in range(self.height() + 1)]
            receipts = [each for block in blocks for each in block.get_receipts(self._chain.chaindb)]
            found = [log for receipt in receipts for log in receipt.logs if log.address == emitter]
            named = [(log.address, [int(topic).to_bytes(32) for topic in log.topics]) for log in found]
            return [
                {"address": "0x" + address.hex(), "topics": ["0x" + topic.hex() for topic in has]}
                for address, has in named
                if len(has) >= len(topics) and all(a in {None, b} for a, b in zip(topics, has, strict=False))
            ]

    def height(self) -> int:
        """The number of the latest mined block."""
        with self.lock:
            return int(self._chain.header.block_number) - 1

    def base_fee(self) -> int:
        """Of the next block, in wei per gas."""
        with self.lock:
            return int(self._chain.header.base_fee_per_gas)

    # --- transactions ---------------------------------------------------------------------------------------------

    def submit(self, raw: bytes) -> bytes:
        """Take signed bytes into the pool, and mine them at once with `auto_mine`. The transaction's hash.

        Raises RpcError with the words of go-ethereum.
        """
        with self.lock:
            tx = self._decoded(raw)
            if tx.hash in self._pool:
                raise RpcError(-32000, "already known")
            if tx.nonce < self.nonce(tx.sender):
                raise RpcError(-32000, "nonce too low")
            self._make_room(tx)
            self._pool[tx.hash] = tx
            if self.auto_mine:
                self.mine()
            return bytes(tx.hash)

    def mine(self) -> None:
        """One block with everything in the pool that can be in it."""
        with self.lock:
            self._set_time()
            progress = True
            while progress:
                progress = any(self._apply(tx) for tx in sorted(self._pool.values(), key=lambda tx: tx.nonce))
            self._seal()

    def fund(self, account: bytes, wei: int) -> None:
        """Give `wei` from the faucet, in a block of its own."""
        self._from_faucet(account, value=wei)

    @property
    def faucet(self) -> bytes:
        """The account that gives coins away: the one that this node has unlocked, as development chains do."""
        return self._faucet

    def send_unlocked(self, transaction: dict[str, Any]) -> bytes:
        """Send from the unlocked account, in a block of its own; the transaction's hash. Raises RpcError."""
        if transaction.get("from") != self._faucet or not transaction.get("to"):
            raise RpcError(-32000, "unknown account")
        return self._from_faucet(transaction["to"], value=transaction["value"], data=transaction["data"])

    def deploy(self, code: bytes) -> bytes:
        """Make a contract from the faucet, in a block of its own; its address."""
        with self.lock:
            nonce = self.nonce(self._faucet)
            self._from_faucet(b"", data=code, gas=1_000_000)
            return contract_address(self._faucet, nonce)

    def send(self, to: bytes, data: bytes) -> None:
        """Call a contract from the faucet, in a block of its own."""
        self._from_faucet(to, data=data, gas=200_000)

    def call(self, transaction: dict[str, Any]) -> bytes:
        """Execute without effect; the returned data."""
        with self.lock, _Failures():
            return bytes(self._backend.call({"from": self._faucet} | transaction))

    def estimate(self, transaction: dict[str, Any]) -> int:
        """The gas that the transaction takes."""
        with self.lock, _Failures():
            return int(self._backend.estimate_gas({"from": self._faucet} | transaction))

    # --- history --------------------------------------------------------------------------------------------------

    def transaction(self, digest: bytes) -> dict[str, Any] | None:
        """A mined or pending transaction in JSON-RPC form, or None."""
        with self.lock:
            block, tx, index = self._find(digest)
            if tx is None:
                return None
            fields = serialize_transaction(block or self._chain.get_block(), tx, index, block is None)
            fields["input"] = fields.pop("data")
            return _object(fields)

    def receipt(self, digest: bytes) -> dict[str, Any] | None:
        """The receipt of a mined transaction, or None."""
        with self.lock:
            block, tx, index = self._find(digest)
            if block is None:
                return None
            receipts = block.get_receipts(self._chain.chaindb)
            fields = serialize_transaction_receipt(block, receipts, tx, index, False, self._chain.get_vm())
            del fields["state_root"]
            fields["logs_bloom"] = receipts[index].bloom
            return _object(fields)

    def block(self, number: int, *, full: bool = False) -> dict[str, Any] | None:
        """A mined block in JSON-RPC form, or None."""
        with self.lock:
            if not 0 <= number <= self.height():
                return None
            return _object(serialize_block(self._chain.get_canonical_block_by_number(number), full, False))

    def fee_history(self, count: int, newest: int) -> dict[str, Any]:
        """Base fees and fullness of `count` blocks up to `newest`, and the base fee after them."""
        with self.lock:
            numbers = range(max(0, newest - count + 1), newest + 1)
            headers = [self._chain.get_canonical_block_header_by_number(number) for number in numbers]
            after = self.base_fee()
            if newest < self.height():
                after = self._chain.get_canonical_block_header_by_number(newest + 1).base_fee_per_gas
            return {
                "oldestBlock": hex(numbers.start),
                "baseFeePerGas": [hex(header.base_fee_per_gas) for header in headers] + [hex(after)],
                "gasUsedRatio": [header.gas_used / header.gas_limit for header in headers],
            }

    # --- inside ---------------------------------------------------------------------------------------------------

    def _from_faucet(self, to: bytes, *, value: int = 0, data: bytes = b"", gas: int = 100_000) -> bytes:
        with self.lock:
            self._set_time()
            price = 2 * self.base_fee() + 1
            digest: bytes = self._backend.send_transaction(
                {
                    "from": self._faucet, "to": to, "value": value, "gas": gas, "data": data,
                    "max_fee_per_gas": price, "max_priority_fee_per_gas": 1,
                }
            )  # fmt: skip
            self._seal()
            self._mined[digest] = (self.height(), 0)
            return digest

    def _decoded(self, raw: bytes) -> Any:
        try:
            tx = self._chain.get_vm().get_transaction_builder().decode(raw)
            tx.validate()
            sender = tx.sender
        except (ValidationError, RLPException, ValueError, TypeError, IndexError) as error:
            raise RpcError(-32000, f"rlp or signature: {type(error).__name__}") from None
        if tx.chain_id != self._chain.chain_id:
            raise RpcError(-32000, "invalid chain id for signer")
        if tx.gas < tx.intrinsic_gas:
            raise RpcError(-32000, "intrinsic gas too low")
        price = tx.max_fee_per_gas if isinstance(tx, TypedTransaction) else tx.gas_price
        if self.balance(sender) < tx.value + tx.gas * price:
            raise RpcError(-32000, "insufficient funds for gas * price + value")
        return tx

    def _make_room(self, tx: Any) -> None:
        for other in list(self._pool.values()):
            if (other.sender, other.nonce) == (tx.sender, tx.nonce):
                if tx.max_fee_per_gas * 10 < other.max_fee_per_gas * 11:
                    raise RpcError(-32000, "replacement transaction underpriced")
                del self._pool[other.hash]

    def _apply(self, tx: Any) -> bool:
        if tx.hash not in self._pool:
            return False
        if tx.nonce < self._chain.get_vm().state.get_nonce(tx.sender):
            del self._pool[tx.hash]
            return False
        try:
            block, _, _ = self._chain.apply_transaction(tx)
        except ValidationError:
            return False  # its turn comes when the nonce before it, the balance or the base fee allows
        del self._pool[tx.hash]
        self._mined[tx.hash] = (block.number, len(block.transactions) - 1)
        return True

    def _set_time(self) -> None:
        parent = self._chain.get_canonical_block_header_by_number(self.height())
        self._chain.set_header_timestamp(max(self._clock.now(), parent.timestamp + 1))

    def _seal(self) -> None:
        self._backend.mine_blocks(1)

    def _find(self, digest: bytes) -> tuple[Any, Any, int]:
        """(block, transaction, index); block is None for a pending one, both are None for an unknown one."""
        if digest in self._pool:
            return None, self._pool[digest], 0
        if digest not in self._mined:
            return None, None, 0
        number, index = self._mined[digest]
        block = self._chain.get_canonical_block_by_number(number)
        return block, block.transactions[index], index


@final
class _Failures:
    """Turns the EVM's failures into what a node answers."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, TransactionFailed):
            raise RpcError(3, "execution reverted") from None
        if isinstance(error, ValidationError):
            raise RpcError(-32000, "insufficient funds or invalid call") from None


def contract_address(sender: bytes, nonce: int) -> bytes:
    """Where a contract lands that `sender` creates with `nonce`. Source: Ethereum yellow paper, section 7."""
    return keccak256(encode([sender, encode_int(nonce)]))[-20:]


def _object(fields: dict[str, Any]) -> dict[str, Any]:
    if "logs_bloom" in fields:
        fields["logs_bloom"] = int(fields["logs_bloom"]).to_bytes(256, "big")
    wire = {_camel(name): _wire(value) for name, value in fields.items()}
    if wire.get("to") == "0x":
        wire["to"] = None  # a contract creation
    return wire


def _wire(value: Any) -> Any:
    if isinstance(value, bytes | bytearray):
        return "0x" + bytes(value).hex()
    if isinstance(value, int) and not isinstance(value, bool):
        return hex(value)
    if isinstance(value, dict):
        return {_camel(name): _wire(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_wire(item) for item in value]
    return value


def _camel(name: str) -> str:
    if name == "coinbase":
        return "miner"
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
