"""The signer whose key is in the vault.

The key stands in the clear for one signature: opened, used from its own buffer, wiped. It is
derived from the entry's entropy at the first one; until the vault is locked it is kept sealed, as the entropy is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from mcp_wallet_guard.errors import InvalidInput, Tampered
from mcp_wallet_guard.keys.mnemonic import account_key
from mcp_wallet_guard.keys.vault import EntryKind
from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.proofs import Signable, exactly
from mcp_wallet_guard.signers.backend import load_backend
from mcp_wallet_guard.signers.base import SignerInfo

if TYPE_CHECKING:
    from mcp_wallet_guard.keys.vault import UnlockedVault
    from mcp_wallet_guard.secret import Secret


@final
class LocalSigner:
    """Signs for one BIP-39 entry of an unlocked vault. See `Signer` for what it promises.

    Raises InvalidInput when the vault has no such account, Locked when the vault is locked, Misconfigured when no
    safe library is installed.
    """

    def __init__(self, vault: UnlockedVault, entry_id: str, /) -> None:
        entry = next((entry for entry in vault.entries if entry.id == entry_id), None)
        if entry is None or entry.kind is not EntryKind.BIP39_ENTROPY:
            raise InvalidInput("invalid_input.account", detail="the vault has no such account")
        address = Address.parse(entry.metadata.get("address"))
        self._vault: Final = vault
        self._entry: Final = entry
        self._backend: Final = load_backend()
        self._info: Final = SignerInfo(address=address, kind="local", can_display=False)

    @property
    def info(self) -> SignerInfo:
        return self._info

    async def sign(self, signable: Signable, /) -> bytes:
        operation = exactly(Signable, signable).operation
        hashes = operation.signing_hashes
        if signable.signing_hashes != hashes or len(hashes) != 1 or operation.account.address != self.info.address:
            raise Tampered("tampered.operation")
        # A tenth of a millisecond once the key is derived: less than the way to another thread and back.
        key = self._vault.derived(self._entry.id, "account", self._derive)
        try:
            return self._backend.sign(key, hashes[0])
        finally:
            key.wipe()

    def _derive(self, entropy: Secret) -> Secret:
        return account_key(entropy, self._entry.metadata)
