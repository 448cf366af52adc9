"""A chain that answers at once, so that a benchmark measures the guard and not a node."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, final

from mcp_wallet_guard.chains.base import ChainFacts, Settlement, UnsignedCall
from mcp_wallet_guard.clearsign.descriptors.contexts import Creation
from mcp_wallet_guard.clearsign.risks.known import AccountClaim
from mcp_wallet_guard.clearsign.simulated import SimulationOutcome
from mcp_wallet_guard.evidence import NameClaim
from mcp_wallet_guard.operations.evm import Eip1559
from mcp_wallet_guard.operations.intents import Effect
from mcp_wallet_guard.operations.values import Address, Asset, BaseUnits, ChainId
from mcp_wallet_guard.proofs import Signed

if TYPE_CHECKING:
    from mcp_wallet_guard.testing.wallet import GuardedWallet


@final
class StandInChain:
    """Implements `chains.base.Chain` without a network: what is sent is mined when `mine` is called."""

    def __init__(self, chain_id: ChainId) -> None:
        self.chain_id = chain_id
        self.nonce = 0
        self.sent: bytes | None = None
        self.mined: bytes | None = None

    def mine(self) -> None:
        """A block with what was sent."""
        if self.sent is not None:
            self.sent, self.mined = None, self.sent
            self.nonce += 1

    async def facts(self, *, account: Address, payee: Address, token: Asset | None = None) -> ChainFacts:
        return ChainFacts(
            nonce=self.nonce,
            pending_nonce=self.nonce,
            balance=BaseUnits(10**24),
            base_fee=10**9,
            payee_has_code=False,
        )

    async def prepare(self, effect: Effect, /, *, nonce: int, facts: ChainFacts) -> Eip1559:
        return Eip1559(
            chain=self.chain_id,
            nonce=nonce,
            max_priority_fee_per_gas=10**9,
            max_fee_per_gas=3 * 10**9,
            gas=21_000,
            to=effect.to,
            value=effect.value,
            data=effect.data,
        )

    def check_fees(self, tx: Eip1559, /) -> None:
        """Everything is cheap here."""

    async def broadcast(self, signed: Signed, /) -> None:
        self.sent = signed.transaction_hash

    async def settlement(self, transaction_hash: bytes, /) -> Settlement | None:
        return Settlement(outcome="mined", block_number=1, fee=1) if transaction_hash == self.mined else None

    async def transaction_count(self, account: Address, /) -> int:
        return self.nonce

    async def balance(self, account: Address, /) -> BaseUnits:
        return BaseUnits(10**24)

    async def token_balance(self, account: Address, token: Asset, /) -> BaseUnits:
        return BaseUnits(10**24)

    async def simulate(self, call: UnsignedCall, /, *, again: bool) -> SimulationOutcome | None:
        return None

    async def data_fee(self, tx: Eip1559, /) -> BaseUnits | None:
        return None

    async def name_claim(self, address: Address, /) -> NameClaim | None:
        return None

    async def account_claim(self, address: Address, /, *, makers: tuple[Creation, ...] = ()) -> AccountClaim:
        return AccountClaim(address=address)

    async def aclose(self) -> None:
        """Nothing to close."""


def stand_in(wallet: GuardedWallet) -> StandInChain:
    """Put a stand-in where the unlocked guard's chain is. Nobody waits for a block."""
    wallet.owned.guard.executor.settle_seconds = 0
    custody = wallet.owned.custody
    chain = StandInChain(custody.session().settings.chain)
    custody._session = replace(custody.session(), chain=chain)  # noqa: SLF001  # a guard has no door for this
    return chain
