"""A wallet in a process of its own, for others to look into its memory: `python signing_process.py VAULT`.

Unlocks the vault, signs ten times with its account, and says so. The key is never given to it. Then, each time that it
is told to go on, it holds the key in another way: in memory of its own, in the interpreter's, and as a wallet without
this library does, in Python's bytes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import anyio

from mcp_wallet_guard.keys.memory import OwnMemory
from mcp_wallet_guard.keys.mnemonic import account_key
from mcp_wallet_guard.keys.passphrases import passphrase_from_text
from mcp_wallet_guard.keys.vault import unlock_vault
from mcp_wallet_guard.secret import Secret, keep_secrets_in
from mcp_wallet_guard.signers.local import LocalSigner
from tests.keys.vaults import PASSPHRASE, WAIVER
from tests.signers.operations import signable, transfer


def said(*words: object) -> None:
    """Say it, and wait until somebody has looked."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()
    sys.stdin.readline()


def main(path: Path) -> None:
    vault = unlock_vault(path, passphrase=passphrase_from_text(PASSPHRASE), waiver=WAIVER)
    entry = vault.entries[0]
    signer = LocalSigner(vault, entry.id)
    for amount in range(10):
        anyio.run(signer.sign, signable(transfer(signer.info.address, value=amount + 1)))
    said("signed")

    def key() -> Secret:
        return vault.derived(entry.id, "account", lambda entropy: account_key(entropy, entry.metadata))

    memory = OwnMemory()
    heap = keep_secrets_in(memory)
    held = key()
    said("own memory", *(measure.name for measure in memory.measures if measure.state == "active"))
    held.wipe()
    keep_secrets_in(heap)
    held = key()
    said("heap")
    held.wipe()
    said("wiped")
    with key().reveal() as view:
        naive = bytes(view)
    said("naive", len(naive))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
