"""A wallet of a test and what it sends: effects, and signed bytes as the signer's check would pass them on."""

from __future__ import annotations

from typing import Final

from eth_account import Account as EthAccount
from eth_keys.datatypes import PrivateKey

from mcp_wallet_guard.config.settings import FeeLimits
from mcp_wallet_guard.operations import evm
from mcp_wallet_guard.operations.frozen import freeze
from mcp_wallet_guard.operations.intents import Effect
from mcp_wallet_guard.operations.values import Account, Address, ChainId
from mcp_wallet_guard.proofs import Signed, mint

KEY: Final = PrivateKey(b"\x42" * 32)
SENDER: Final = Address(EthAccount.from_key(KEY).address)
PAYEE: Final = Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
ETHER: Final = 10**18
GWEI: Final = 10**9
CHAIN: Final = ChainId(31337)
LIMITS: Final = FeeLimits(max_fee_per_gas=100 * GWEI, max_priority_fee_per_gas=2 * GWEI, max_gas=500_000)


def effect(*, to: Address = PAYEE, value: int = ETHER // 10, data: bytes = b"", chain: ChainId = CHAIN) -> Effect:
    account = Account(name="main", chain=chain, address=SENDER)
    return Effect(kind="transfer", account=account, to=to, value=value, data=data, reference=None)


def signed(tx: evm.Eip1559, *, key: PrivateKey = KEY) -> Signed:
    """`tx`, signed by `key`. Tests of signers have the check that makes this proof for real."""
    account = Account(name="main", chain=tx.chain, address=SENDER)
    what = Effect(kind="transfer", account=account, to=tx.to, value=tx.value, data=tx.data, reference=None)
    operation = freeze(what, tx, expires_at=1_800_000_600)
    signature = key.sign_msg_hash(operation.signing_hashes[0])
    raw = evm.encode_signed(tx, y_parity=signature.v, r=signature.r, s=signature.s)
    return mint(Signed, operation=operation, signed_bytes=raw, transaction_hash=evm.transaction_hash(raw))


def transaction(*, nonce: int = 0, value: int = ETHER // 10, max_fee: int = 3 * GWEI, gas: int = 21_000) -> evm.Eip1559:
    return evm.Eip1559(
        chain=CHAIN, nonce=nonce, max_priority_fee_per_gas=GWEI, max_fee_per_gas=max_fee, gas=gas, to=PAYEE, value=value
    )  # fmt: skip
