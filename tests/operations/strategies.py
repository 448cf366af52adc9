"""Hypothesis strategies for transactions, and one honest example of everything."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

from mcp_wallet_guard.operations import evm
from mcp_wallet_guard.operations.intents import Effect
from mcp_wallet_guard.operations.values import UINT256_MAX, Account, Address, Asset, ChainId

CHAIN: Final = ChainId(31337)
ETH: Final = Asset(CHAIN, "ETH", 18)
SENDER: Final = Address("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266")
PAYEE: Final = Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
STRANGER: Final = Address("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC")
ACCOUNT: Final = Account(name="main", chain=CHAIN, address=SENDER)
EFFECT: Final = Effect(kind="transfer", account=ACCOUNT, to=PAYEE, value=10**17, data=b"", reference=None)
TRANSACTION: Final = evm.Eip1559(
    chain=CHAIN, nonce=7, max_priority_fee_per_gas=10**9, max_fee_per_gas=3 * 10**9, gas=21_000, to=PAYEE, value=10**17
)  # fmt: skip

addresses = st.binary(min_size=20, max_size=20).map(Address.from_bytes)
chains = st.integers(1, 2**64 - 1).map(ChainId)


def up_to(limit: int) -> st.SearchStrategy[int]:
    """Numbers of every length up to `limit`, edges included."""
    return st.sampled_from([0, 1, 127, 128, 255, 256, limit]) | st.integers(0, limit.bit_length()).flatmap(
        lambda bits: st.integers(0, min(limit, 2**bits))
    )


@st.composite
def transactions(draw: st.DrawFn) -> evm.Eip1559:
    fee = draw(up_to(UINT256_MAX))
    return evm.Eip1559(
        chain=draw(chains),
        nonce=draw(up_to(evm.UINT64_MAX - 1)),
        max_priority_fee_per_gas=draw(up_to(fee)) if fee > 256 else fee,
        max_fee_per_gas=fee,
        gas=draw(up_to(evm.GAS_MAX)),
        to=draw(addresses),
        value=draw(up_to(UINT256_MAX)),
        data=draw(st.binary(max_size=80) | st.sampled_from([bytes(55), bytes(56), bytes(255), bytes(70_000)])),
    )
