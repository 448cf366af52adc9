"""Web3Chain: one EVM chain through web3 and `Egress`. A node may make it refuse; it cannot make it overpay.

The nonce comes from the caller, fees stay under the operator's ceilings, the chain id is compared with the pinned one
before anything else is believed, and what was sent is known by our own hash. Threat: T-039, T-042, T-046, T-057.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from eth_typing import ChecksumAddress, HexStr
from web3 import AsyncWeb3
from web3.exceptions import TransactionNotFound, Web3Exception
from web3.types import RPCEndpoint, TxParams, Wei

from mcp_wallet_guard.chains import contracts, data_fees, ens
from mcp_wallet_guard.chains.base import ChainFacts, Settlement, UnsignedCall
from mcp_wallet_guard.chains.rpc import EgressProvider, NodeError
from mcp_wallet_guard.chains.shapes import garbled, lied
from mcp_wallet_guard.chains.simulation import simulate
from mcp_wallet_guard.config.settings import FeeLimits
from mcp_wallet_guard.errors import InvalidInput, PolicyDenied, Unavailable
from mcp_wallet_guard.operations import erc20
from mcp_wallet_guard.operations.evm import Eip1559
from mcp_wallet_guard.operations.intents import contract_of
from mcp_wallet_guard.operations.values import BaseUnits
from mcp_wallet_guard.proofs import Signed, exactly

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping
    from typing import Any, Literal, TypeVar

    from mcp_wallet_guard.clearsign.descriptors.contexts import Creation
    from mcp_wallet_guard.clearsign.risks.known import AccountClaim
    from mcp_wallet_guard.clearsign.simulated import SimulationOutcome
    from mcp_wallet_guard.egress import Egress
    from mcp_wallet_guard.evidence import NameClaim
    from mcp_wallet_guard.operations.intents import Effect
    from mcp_wallet_guard.operations.values import Address, Asset, ChainId
    from mcp_wallet_guard.pinned_url import PinnedUrl

    T = TypeVar("T")

__all__ = ["FeeLimits", "Web3Chain"]

GAS_TRANSFER: Final = 21_000
DEFAULT_PRIORITY_FEE: Final = 10**9
NAME_GAS: Final = 2_000_000


@final
class Web3Chain:
    """Implements `chains.base.Chain`. Answers are claims of one node; see `chains.rpc` for how they are read."""

    def __init__(
        self, *, chain_id: ChainId, node: PinnedUrl, egress: Egress, limits: FeeLimits, names: Address | None = None
    ) -> None:
        """`names` is the registry of names to be asked, None for none."""
        self._chain_id: Final = chain_id
        self._egress: Final = egress
        self._limits: Final = limits
        self._names: Final = names
        # No middleware: web3's defaults resolve names, invent gas prices and pad estimates.
        self._provider: Final = EgressProvider(node=node, egress=egress)
        self._eth: Final = AsyncWeb3(self._provider, middleware=[]).eth

    @property
    def chain_id(self) -> ChainId:
        """The pinned chain."""
        return self._chain_id

    async def facts(self, *, account: Address, payee: Address, token: Asset | None = None) -> ChainFacts:
        """See `Chain.facts`. Raises Unavailable("unavailable.node_lied") when the node is on another chain."""
        await self._check_chain_id()
        nonce = await self.transaction_count(account)
        pending = int(await _ask(self._eth.get_transaction_count(_checksummed(account), "pending")))
        if pending < nonce:
            raise garbled("fewer pending than mined transactions")
        balance = await self.balance(account)
        code = await _ask(self._eth.get_code(_checksummed(payee), "latest"))
        block = await _ask(self._eth.get_block("latest"))
        return ChainFacts(
            nonce=nonce,
            pending_nonce=pending,
            balance=balance,
            base_fee=int(block["baseFeePerGas"]),
            payee_has_code=len(code) > 0,
            token_balance=None if token is None else await self.token_balance(account, token),
            block_gas_limit=int(block["gasLimit"]) if "gasLimit" in block else None,
        )

    async def prepare(self, effect: Effect, /, *, nonce: int, facts: ChainFacts) -> Eip1559:
        """See `Chain.prepare`. The fee cap is twice the base fee plus a tip, or the ceiling if that is less.

        Raises Unavailable while the base fee alone is above the ceiling, PolicyDenied("policy.cap") when the call needs
        more gas than the ceiling, InvalidInput("invalid_input.chain") for another chain's effect.
        """
        if effect.account.chain != self._chain_id:
            raise InvalidInput("invalid_input.chain")
        await self._check_chain_id()
        if facts.base_fee > self._limits.max_fee_per_gas:
            raise Unavailable(detail="the base fee is above the ceiling for fees")
        tip = min(await self._priority_fee(), self._limits.max_priority_fee_per_gas)
        fee = min(2 * facts.base_fee + tip, self._limits.max_fee_per_gas)
        return Eip1559(
            chain=self._chain_id,
            nonce=nonce,
            max_priority_fee_per_gas=min(tip, fee),
            max_fee_per_gas=fee,
            gas=await self._gas(effect, facts),
            to=effect.to,
            value=effect.value,
            data=effect.data,
        )

    def check_fees(self, tx: Eip1559, /) -> None:
        """See `Chain.check_fees`."""
        limits = self._limits
        if (
            tx.max_fee_per_gas > limits.max_fee_per_gas
            or tx.max_priority_fee_per_gas > limits.max_priority_fee_per_gas
            or tx.gas > limits.max_gas
        ):
            raise PolicyDenied("policy.cap", detail="the fee or the gas is above the operator's ceiling")

    async def data_fee(self, tx: Eip1559, /) -> BaseUnits | None:
        """See `Chain.data_fee`. Threat: T-042."""
        oracle = data_fees.oracle_of(self._chain_id)
        if oracle is None:
            return None
        fee = data_fees.number(await self._call(oracle.address, oracle.data_call(tx)))
        if oracle.in_ether:
            fee = data_fees.within(fee * data_fees.number(await self._call(oracle.address, data_fees.TOKEN_RATIO)))
        if oracle.has_operator:
            fee += await self._operator_fee(oracle, tx)
        return BaseUnits(fee)

    async def _operator_fee(self, oracle: data_fees.Oracle, tx: Eip1559) -> int:
        try:
            answer = await self._eth.call(_call(oracle.address, oracle.operator_call(tx)), "latest")
        except NodeError as error:
            if error.revert is not None:
                return 0  # an oracle of before Isthmus: there is no such fee
            raise garbled(f"the node answered with error {error.code}") from None
        except Web3Exception as error:
            raise garbled(f"web3 could not read the answer ({type(error).__name__})") from None
        return data_fees.number(bytes(answer))

    async def _call(self, contract: Address, calldata: bytes) -> bytes:
        return bytes(await _ask(self._eth.call(_call(contract, calldata), "latest")))

    async def name_claim(self, address: Address, /) -> NameClaim | None:
        """See `Chain.name_claim`."""
        if self._names is None:
            return None
        return await ens.claim_of(address, registry=self._names, call=self._try)

    async def account_claim(self, address: Address, /, *, makers: tuple[Creation, ...] = ()) -> AccountClaim:
        """See `Chain.account_claim`."""
        return await contracts.claim_of(address, makers=makers, ask=self._answer)

    async def _answer(self, method: str, params: list[Any]) -> Any:
        """The answer, None from a node that does not have the method or does not manage. A lie is no such answer."""
        try:
            return (await self._provider.make_request(RPCEndpoint(method), params))["result"]
        except NodeError:
            return None
        except Unavailable as error:
            if error.code == "unavailable.node_lied":
                raise
            return None

    async def _try(self, contract: Address, calldata: bytes) -> bytes | None:
        """What a call gives within a bound of gas, None for whatever else: also for one that asks us to look elsewhere
        (EIP-3668), which is a revert like any other."""
        call = _call(contract, calldata) | TxParams(gas=NAME_GAS)
        try:
            return bytes(await self._eth.call(call, "latest"))
        except (NodeError, Web3Exception, Unavailable):
            return None

    async def broadcast(self, signed: Signed, /) -> None:
        """See `Chain.broadcast`. Success is our own hash, returned or known to the node already."""
        if exactly(Signed, signed).operation.account.chain != self._chain_id:
            raise InvalidInput("invalid_input.chain")
        ours = signed.transaction_hash
        try:
            theirs = bytes(await self._eth.send_raw_transaction(signed.signed_bytes))
        except NodeError as error:
            code, known = error.code, error.already_known
        except Web3Exception:
            code, known = 0, False
        else:
            if theirs != ours:
                raise lied("another transaction hash than ours")
            return
        # "Nonce too low" is what a node says of a transaction that it mined: asking for our hash settles it.
        if not known and not await self._knows(ours):
            raise garbled(f"the node did not take the transaction (error {code})")

    async def settlement(self, transaction_hash: bytes, /) -> Settlement | None:
        """See `Chain.settlement`."""
        try:
            receipt = await _ask(self._eth.get_transaction_receipt(_hex(transaction_hash)))
        except TransactionNotFound:
            return None
        if bytes(receipt["transactionHash"]) != transaction_hash:
            raise lied("another transaction's receipt")
        outcome: Literal["mined", "failed"] = "mined" if receipt["status"] == 1 else "failed"
        return Settlement(
            outcome=outcome,
            block_number=int(receipt["blockNumber"]),
            fee=int(receipt["gasUsed"]) * int(receipt["effectiveGasPrice"]) + self._data_fee_in(receipt),
        )

    def _data_fee_in(self, receipt: Mapping[str, Any]) -> int:
        """What the chain took for data, where it charges for it and its receipts say so. web3 leaves it as it came."""
        return 0 if data_fees.oracle_of(self._chain_id) is None else int(receipt.get("l1Fee", "0x0"), 16)

    async def transaction_count(self, account: Address, /) -> int:
        """See `Chain.transaction_count`."""
        return int(await _ask(self._eth.get_transaction_count(_checksummed(account), "latest")))

    async def balance(self, account: Address, /) -> BaseUnits:
        """See `Chain.balance`."""
        return BaseUnits(int(await _ask(self._eth.get_balance(_checksummed(account), "latest"))))

    async def token_balance(self, account: Address, token: Asset, /) -> BaseUnits:
        """See `Chain.token_balance`. The node may confirm the pinned decimals, it cannot supply them."""
        contract = contract_of(token)
        if not await _ask(self._eth.get_code(_checksummed(contract), "latest")):
            raise lied("no contract where a token is pinned")
        decimals = await self._view(contract, erc20.DECIMALS)
        if decimals is not None and decimals != token.decimals:
            raise lied("other decimals than the pinned ones")
        held = await self._view(contract, erc20.balance_of(account))
        if held is None:
            raise garbled("no balance of a pinned token")
        return BaseUnits(held)

    async def _view(self, contract: Address, data: bytes) -> int | None:
        """The one number that a call gives, None when it gives something else or fails."""
        try:
            answer = bytes(await self._eth.call(_call(contract, data), "latest"))
        except (NodeError, Web3Exception):
            return None
        return int.from_bytes(answer) if len(answer) == 32 else None

    async def simulate(self, call: UnsignedCall, /, *, again: bool) -> SimulationOutcome | None:
        """See `Chain.simulate`. Through eth_simulateV1, else debug_traceCall, else eth_call."""
        await self._check_chain_id()
        return await simulate(self._provider, call, chain=self._chain_id, again=again)

    async def aclose(self) -> None:
        """Close the connections of the `Egress` that this chain was given."""
        await self._egress.aclose()

    async def _check_chain_id(self) -> None:
        if await _ask(self._eth.chain_id) != self._chain_id.number:
            raise lied("another chain id than the pinned one")

    async def _priority_fee(self) -> int:
        try:
            return int(await self._eth.max_priority_fee)
        except (NodeError, Web3Exception):
            return DEFAULT_PRIORITY_FEE  # not every node has the method; the ceiling applies all the same

    async def _gas(self, effect: Effect, facts: ChainFacts) -> int:
        if not effect.data and not facts.payee_has_code:
            return GAS_TRANSFER
        estimate = int(
            await _ask(
                self._eth.estimate_gas(
                    {
                        "from": _checksummed(effect.account.address),
                        "to": _checksummed(effect.to),
                        "value": Wei(effect.value),
                        "data": HexStr("0x" + effect.data.hex()),
                    }
                )
            )
        )
        if estimate < GAS_TRANSFER:
            raise lied("less gas than any transaction takes")
        if estimate > self._limits.max_gas:
            raise PolicyDenied("policy.cap", detail="the call needs more gas than the operator's ceiling")
        return min(estimate + estimate // 5, self._limits.max_gas)

    async def _knows(self, transaction_hash: bytes) -> bool:
        try:
            found = await _ask(self._eth.get_transaction(_hex(transaction_hash)))
        except TransactionNotFound:
            return False
        return bytes(found["hash"]) == transaction_hash


async def _ask(answer: Awaitable[T]) -> T:
    """The answer, with the node's and web3's errors turned into ours. TransactionNotFound means null: it passes."""
    try:
        return await answer
    except TransactionNotFound:
        raise
    except NodeError as error:
        reason = f"the node answered with error {error.code}"
    except Web3Exception as error:
        reason = f"web3 could not read the answer ({type(error).__name__})"
    raise garbled(reason)


def _call(contract: Address, calldata: bytes) -> TxParams:
    return {"to": _checksummed(contract), "data": _hex(calldata)}


def _checksummed(address: Address) -> ChecksumAddress:
    return ChecksumAddress(address.value)  # type: ignore[arg-type]  # an Address is checksummed; its type is only a name for that


def _hex(raw: bytes) -> HexStr:
    return HexStr("0x" + raw.hex())
