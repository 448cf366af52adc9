"""Chain: the network side of one EVM chain. Everything a node says is a claim.

The chain id is pinned at construction and compared on every preparation; fee ceilings are the operator's. A node may
make the guard refuse, never make it sign something else. Threat: T-039, T-042.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, final

from mcp_wallet_guard.clearsign.descriptors.contexts import Creation
from mcp_wallet_guard.clearsign.risks.known import AccountClaim
from mcp_wallet_guard.clearsign.simulated import SimulationOutcome
from mcp_wallet_guard.evidence import NameClaim
from mcp_wallet_guard.operations.evm import Eip1559
from mcp_wallet_guard.operations.intents import Effect
from mcp_wallet_guard.operations.values import Address, Asset, BaseUnits, ChainId
from mcp_wallet_guard.proofs import Signed


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ChainFacts:
    """A node's claims at one moment. `balance` and `base_fee` are wei; `pending_nonce` counts the node's pool.

    `token_balance` is in the smallest unit of the token that was asked about, None when none was. `data_fee` is what
    `Chain.data_fee` says of the transaction in question, `names` what `Chain.name_claim` says of its parties.
    `priority_fee` (wei per gas) and `estimated_gas` are what `Chain.prepare` took from the node for it, None for a
    transaction that it did not make.
    """

    nonce: int
    pending_nonce: int
    balance: BaseUnits
    base_fee: int
    payee_has_code: bool
    token_balance: BaseUnits | None = None
    data_fee: BaseUnits | None = None
    names: tuple[NameClaim, ...] = ()
    block_gas_limit: int | None = None
    priority_fee: int | None = None
    estimated_gas: int | None = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """A mined transaction. `fee` is wei."""

    outcome: Literal["mined", "failed"]
    block_number: int
    fee: int


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class UnsignedCall:
    """What a transaction would do, for a simulation. `to` is None for a creation; `value` is wei, fees are wei per
    gas."""

    sender: Address
    to: Address | None
    value: int
    data: bytes
    gas: int
    max_fee_per_gas: int
    max_priority_fee_per_gas: int


class Chain(Protocol):
    """One chain. All methods raise Unavailable ("unavailable.node", "unavailable.node_lied")."""

    @property
    def chain_id(self) -> ChainId:
        """The pinned chain."""
        ...

    async def facts(self, *, account: Address, payee: Address, token: Asset | None = None) -> ChainFacts:
        """Check the chain id, then collect claims about the account and the payee.

        With a pinned `token` also the account's holding of it. Raises Unavailable("unavailable.node_lied") when the
        node contradicts its pin: no contract there, or other decimals. Threat: T-040.
        """
        ...

    async def prepare(self, effect: Effect, /, *, nonce: int, facts: ChainFacts) -> Eip1559:
        """The unsigned transaction for `effect` with `nonce`, estimated gas, and fees under the ceilings."""
        ...

    def check_fees(self, tx: Eip1559, /) -> None:
        """Raises PolicyDenied("policy.cap") when `tx` offers more per gas, or more gas, than the ceilings."""
        ...

    async def data_fee(self, tx: Eip1559, /) -> BaseUnits | None:
        """What the chain says that it would take for the data of `tx`, beside the gas: wei, None on a chain that takes
        nothing. An oracle that does not answer is Unavailable, never nothing."""
        ...

    async def name_claim(self, address: Address, /) -> NameClaim | None:
        """What `address` calls itself in the name registry that this chain was set up with; None for nothing, without
        one, and whatever goes wrong: a payment does not wait for a name."""
        ...

    async def account_claim(self, address: Address, /, *, makers: tuple[Creation, ...] = ()) -> AccountClaim:
        """Whether `address` has code, which code it runs if it is a proxy of EIP-1967, and which of `makers` named it
        in their event. What the node does not know or cannot say is None, or not among them. A claim may only add
        findings, and bind a descriptor to what is never clear by it."""
        ...

    async def broadcast(self, signed: Signed, /) -> None:
        """Send the signed bytes. "Already known" is success. An error does not mean that it was not sent."""
        ...

    async def settlement(self, transaction_hash: bytes, /) -> Settlement | None:
        """What became of it: None while unmined or unknown to the node."""
        ...

    async def transaction_count(self, account: Address, /) -> int:
        """The account's mined nonce."""
        ...

    async def balance(self, account: Address, /) -> BaseUnits:
        """In wei, at the latest block."""
        ...

    async def token_balance(self, account: Address, token: Asset, /) -> BaseUnits:
        """In the smallest unit of the pinned `token`. Raises as `facts`."""
        ...

    async def simulate(self, call: UnsignedCall, /, *, again: bool) -> SimulationOutcome | None:
        """What the node says that `call` would do now, None where it cannot say. `again` asks in another setting, so
        that a contract which behaves under simulation is noticed. It may only add findings.
        """
        ...

    async def aclose(self) -> None:
        """Close connections. Idempotent."""
        ...
