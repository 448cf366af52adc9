"""A frozen transfer and a ticket to sign it, for tests of signers."""

from __future__ import annotations

from mcp_wallet_guard.operations.evm import Eip1559
from mcp_wallet_guard.operations.frozen import FrozenOperation, freeze
from mcp_wallet_guard.operations.intents import Effect
from mcp_wallet_guard.operations.values import Account, Address, ChainId
from mcp_wallet_guard.proofs import Signable, mint

CHAIN = ChainId(31337)
PAYEE = Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")


def transfer(sender: Address, *, value: int = 10**17, nonce: int = 0) -> FrozenOperation:
    account = Account(name="main", chain=CHAIN, address=sender)
    effect = Effect(kind="transfer", account=account, to=PAYEE, value=value, data=b"", reference=None)
    tx = Eip1559(
        chain=CHAIN, nonce=nonce, max_priority_fee_per_gas=10**9, max_fee_per_gas=2 * 10**9, gas=21_000,
        to=PAYEE, value=value,
    )  # fmt: skip
    return freeze(effect, tx, expires_at=1_790_000_600)


def signable(operation: FrozenOperation, *, hashes: tuple[bytes, ...] | None = None) -> Signable:
    """What the ceremony makes when every other proof is there. `hashes` forges what is to be signed."""
    return mint(Signable, operation=operation, signing_hashes=hashes or operation.signing_hashes)
