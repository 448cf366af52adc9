"""The deposit contract of Ethereum's proof of stake. Source: consensus specifications, "Deposit contract"."""

from __future__ import annotations

from typing import Final

from mcp_wallet_guard.clearsign.decoders import places
from mcp_wallet_guard.clearsign.decoders.draft import Draft, malformed
from mcp_wallet_guard.clearsign.decoders.functions import Functions
from mcp_wallet_guard.operations.values import Address

DEPOSIT: Final = Functions("Ethereum deposit contract")
_SIZES: Final = (48, 32, 96)


@DEPOSIT.reads(
    "deposit(bytes pubkey,bytes withdrawal_credentials,bytes signature,bytes32 deposit_data_root)",
    title="Deposit a validator's stake",
    payable=True,
)
def deposit(draft: Draft, pubkey: bytes, credentials: bytes, signature: bytes, _root: bytes) -> None:
    if tuple(map(len, (pubkey, credentials, signature))) != _SIZES:
        raise malformed("the size of a key, of credentials or of a signature")
    draft.is_at(places.DEPOSIT)
    prefix = credentials[0]
    if prefix in {1, 2} and not any(credentials[1:12]):
        draft.says("#.withdrawal_credentials", f"withdrawn to {Address.from_bytes(credentials[12:])}")
    elif prefix == 0:
        draft.says("#.withdrawal_credentials", "withdrawn by a BLS key of which this is the hash")
    else:
        raise malformed("withdrawal credentials of no known kind")
