"""Set-up: make a vault with a wallet and a second factor, and put settings in force, before any guard runs.

`mcp-wallet-guard init`, the demo and the tests share this path. What opens the store takes the guard's lock for its
time, so it fails with "misconfigured.already_running" beside a running guard. Threat: T-070, T-076, T-079, T-086.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn, final

from mcp_wallet_guard import mandates
from mcp_wallet_guard.approvals.factors import totp
from mcp_wallet_guard.assembly import StateFiles, build_guard, running
from mcp_wallet_guard.config.file import LoadedSettings, load_settings
from mcp_wallet_guard.config.settings import canonical, parse_settings
from mcp_wallet_guard.daemon.lock import GuardLock
from mcp_wallet_guard.danger import CheapKdf
from mcp_wallet_guard.desk import enrol
from mcp_wallet_guard.errors import InvalidInput, Misconfigured, Refused
from mcp_wallet_guard.evidence import Clock, FactorRow
from mcp_wallet_guard.keys import credentials, mnemonic, vault
from mcp_wallet_guard.keys.entropy import new_entropy
from mcp_wallet_guard.keys.kdf import DEFAULT, cheap_profile
from mcp_wallet_guard.keys.passphrases import passphrase_from_text
from mcp_wallet_guard.keys.vault import EntryKind, UnlockedVault
from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.owner import OwnedGuard
from mcp_wallet_guard.secret import Secret
from mcp_wallet_guard.stores.base import Transaction

LANGUAGE: Final = "english"
SEARCHED_ACCOUNTS: Final = 20
"""How many accounts of a phrase an address is looked for in: as far as wallets themselves look (BIP-44, gap limit)."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class NewWallet:
    """What the owner must see once, and nobody else: 24 recovery words, and the authenticator's ``otpauth://`` text.
    There are no `words` of a wallet that existed before: its owner has them."""

    address: str
    words: tuple[str, ...]
    factor_id: str
    factor_uri: str
    factor_secret: bytes

    def __repr__(self) -> str:
        return f"<NewWallet {self.address}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a NewWallet is shown once; it cannot be copied or pickled")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ExistingWallet:
    """A wallet that its owner brings along; `entropy` is None while only its address is known. Made by
    `existing_wallet`; the caller wipes it with `wipe`."""

    address: str
    entropy: Secret | None = None
    metadata: tuple[tuple[str, str | int], ...] = ()

    def wipe(self) -> None:
        """Forget the entropy. Idempotent."""
        if self.entropy is not None:
            self.entropy.wipe()


def existing_wallet(phrase: Secret, /, *, address: Address | None) -> ExistingWallet:
    """The account of a recovery phrase (English, without a BIP-39 passphrase): the one with `address`, else its first.

    Raises InvalidInput("invalid_input.mnemonic"), whose detail says which words are wrong by their places and repeats
    none, also for a phrase that is public; InvalidInput("invalid_input.account") when none of its first accounts has
    the address. Threat: T-057, T-076.
    """
    with phrase.reveal() as view:
        text = bytes(view).decode("utf-8", "replace")
    entropy = mnemonic.entropy_from_phrase(text, language=LANGUAGE)
    try:
        for index in range(1 if address is None else SEARCHED_ACCOUNTS):
            metadata = mnemonic.describe_account(entropy, index=index, language=LANGUAGE)
            if address is None or metadata["address"] == address.value:
                found = str(metadata["address"])
                return ExistingWallet(address=found, entropy=entropy, metadata=tuple(metadata.items()))
        detail = f"none of the first {SEARCHED_ACCOUNTS} accounts of this phrase has the address"
        raise InvalidInput("invalid_input.account", detail=detail)
    except BaseException:
        entropy.wipe()
        raise


def passphrase_from(text: str, /) -> Secret:
    """A passphrase from text. Raises InvalidInput("invalid_input.passphrase")."""
    return passphrase_from_text(text)


def new_vault(
    path: Path,
    /,
    *,
    passphrase: Secret,
    label: str,
    now: int,
    waiver: CheapKdf | None = None,
    existing: ExistingWallet | None = None,
) -> NewWallet:
    """A new vault file with one generated wallet, or the `existing` one, and one TOTP factor. Blocks for one scrypt
    derivation, of the default cost unless a `waiver` makes it cheap.

    The folder is made 0700 when it is missing. Raises Misconfigured("misconfigured.vault_exists").
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    profile = DEFAULT if waiver is None else cheap_profile(waiver)
    opened = vault.create_vault(path, passphrase=passphrase, profile=profile)
    try:
        if existing is None:
            address, words = add_wallet(opened, label=label, now=now)
        else:
            address, words = existing.address, ()
            add_existing(opened, existing, label=label, now=now)
        secret = totp.new_secret()
        factor_id = add_factor(opened, secret, label=label, now=now)
    finally:
        opened.lock()
    uri = totp.provisioning_uri(secret, label=label)
    return NewWallet(address=address, words=words, factor_id=factor_id, factor_uri=uri, factor_secret=secret)


def add_wallet(opened: UnlockedVault, /, *, label: str, now: int) -> tuple[str, tuple[str, ...]]:
    """Generate a wallet in an open vault and save it: its address and its 24 recovery words, for the owner's eyes."""
    entropy = new_entropy()
    try:
        metadata = mnemonic.describe_account(entropy, index=0, language=LANGUAGE)
        words = mnemonic.words_from_entropy(entropy, language=LANGUAGE)
        opened.add_entry(kind=EntryKind.BIP39_ENTROPY, label=label, metadata=metadata, secret=entropy, created_at=now)
        opened.save()
        return str(metadata["address"]), words
    finally:
        entropy.wipe()


def add_existing(opened: UnlockedVault, existing: ExistingWallet, /, *, label: str, now: int) -> None:
    """Seal an existing wallet into an open vault and save it; nothing where only its address is known.

    Raises InvalidInput("invalid_input.account") when the vault has it already.
    """
    if existing.entropy is None:
        return
    if any(entry.metadata.get("address") == existing.address for entry in opened.entries):
        raise InvalidInput("invalid_input.account", detail="the vault has this account already")
    opened.add_entry(
        kind=EntryKind.BIP39_ENTROPY, label=label, metadata=dict(existing.metadata), secret=existing.entropy,
        created_at=now,
    )  # fmt: skip
    opened.save()


def add_factor(opened: UnlockedVault, secret: bytes, /, *, label: str, now: int) -> str:
    """Seal a factor's shared secret into an open vault and save it; the entry's id names the factor.

    Raises as `check_no_factor`.
    """
    check_no_factor(opened)
    held = Secret(secret)
    try:
        entry = opened.add_entry(kind=EntryKind.TOTP_SECRET, label=label, metadata={}, secret=held, created_at=now)
        opened.save()
        return entry.id
    finally:
        held.wipe()


def add_credential(opened: UnlockedVault, /, *, venue: str, key_id: Secret, secret: Secret, now: int, days: int) -> int:
    """Seal a venue's API key for `days` in an open vault, in the place of an earlier one, and save it; when it ends, in
    unix seconds. Raises InvalidInput."""
    expires_at = now + days * 86_400
    credentials.add_credential(opened, venue=venue, key_id=key_id, secret=secret, created_at=now, expires_at=expires_at)
    opened.save()
    return expires_at


def check_no_factor(opened: UnlockedVault, /) -> None:
    """Raises Refused("factor.exists") when there is one: replacing it takes more than the passphrase (T-086)."""
    if any(entry.kind is EntryKind.TOTP_SECRET for entry in opened.entries):
        raise Refused("factor.exists")


def write_settings(path: Path, text: str, /) -> LoadedSettings:
    """Write a new guard.toml, 0600. Raises Misconfigured("misconfigured.settings") when it exists or is not valid."""
    parse_settings(text)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Misconfigured("misconfigured.settings", detail=f"cannot write guard.toml: {error.strerror}") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return load_settings(path)


async def put_in_force(loaded: LoadedSettings, passphrase: Secret, /, *, clock: Clock, code: str | None = None) -> None:
    """Bind the factors to a store that is new, and seal the settings for the first time. With a `code` the owner shows
    that the authenticator works, and approves the mandates of these settings, of which the caller showed every bound
    before. It is proven before anything is bound, and used up by the binding.

    Raises FactorRejected for another code, and may be tried again then; Refused("policy.sealed") when settings were
    sealed before: changing them takes a code (`policy apply`), and Refused("blocked.store") when the store is not new.
    """
    async with unlocked(loaded, passphrase, clock=clock) as owned:
        custody = owned.custody
        if custody.vault().sealed_settings is not None:
            raise Refused("policy.sealed")
        if custody.blocked is not None and await custody.transact(lambda tx: bool(tx.all(FactorRow))):
            raise Refused(custody.blocked)
        step = None if code is None else await owned.desk.prove_code(code)
        await bind_factors(owned, last_step=step)
        await custody.apply_settings(canonical(loaded.settings), proven=code is not None)


async def acknowledge_store(loaded: LoadedSettings, passphrase: Secret, /, *, code: str, clock: Clock) -> None:
    """The owner accepts a store that is new, foreign or behind its anchor: passphrase and a fresh code (T-070, T-079).

    After it no code of a step up to now is accepted, so a code that the lost store had seen stays used.
    """
    async with unlocked(loaded, passphrase, clock=clock) as owned:
        await owned.desk.prove_code(code)
        await bind_factors(owned)


async def bind_factors(owned: OwnedGuard, /, *, last_step: int | None = None) -> None:
    """Write or renew the factors' rows so that no code of a step up to `last_step`, or else up to now, counts; end
    every mandate, since the store may have forgotten what was paid under it; and anchor the store."""
    custody = owned.custody
    factor_ids = custody.vault().factor_ids
    step = totp.step_at(custody.clock.now()) if last_step is None else last_step

    def work(tx: Transaction) -> None:
        mandates.end_all(tx)
        for factor_id in factor_ids:
            enrol(tx, factor_id, last_step=step)

    await custody.acknowledge_store(work)


@asynccontextmanager
async def unlocked(loaded: LoadedSettings, passphrase: Secret, /, *, clock: Clock) -> AsyncIterator[OwnedGuard]:
    """A started, unlocked guard that serves nobody, under the state directory's exclusive lock."""
    with GuardLock(StateFiles(loaded.vault_path).directory):
        async with running(build_guard(loaded, clock=clock)) as owned:
            await owned.custody.unlock(passphrase)
            yield owned
