"""Assembly: settings -> objects. The composition root, and the one table of adapters and extras.

Nothing else knows which class stands behind a Protocol. Adapters are imported here, by name, from `ADAPTERS`; an extra
that is not installed raises MissingExtra with the line that installs it. Threat: T-096.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Literal, final

from mcp_wallet_guard.approvals.links import LinkFiles, link_url
from mcp_wallet_guard.approvals.page import serve_page
from mcp_wallet_guard.chains.base import Chain
from mcp_wallet_guard.clearsign.descriptors.index import Index
from mcp_wallet_guard.clearsign.owner_lists import OwnerLists
from mcp_wallet_guard.config.file import LoadedSettings
from mcp_wallet_guard.config.settings import Settings, from_canonical
from mcp_wallet_guard.custody import Custody, CustodyParts
from mcp_wallet_guard.danger import CheapKdf
from mcp_wallet_guard.descriptor_file import DESCRIPTORS, open_index
from mcp_wallet_guard.egress import Egress
from mcp_wallet_guard.errors import InvalidInput, Misconfigured, MissingExtra
from mcp_wallet_guard.evidence import Clock
from mcp_wallet_guard.filters import fingerprints
from mcp_wallet_guard.guard import LOCAL_OWNER, Guard
from mcp_wallet_guard.keys import credentials, mnemonic, vault
from mcp_wallet_guard.keys.vault import EntryKind, KeyLabel, UnlockedVault
from mcp_wallet_guard.list_file import LISTS, open_lists
from mcp_wallet_guard.owner import OwnedGuard
from mcp_wallet_guard.pinned_url import PinnedUrl
from mcp_wallet_guard.policy.withdrawals import VenueRule
from mcp_wallet_guard.secret import Secret
from mcp_wallet_guard.signers.base import Signer
from mcp_wallet_guard.stores.base import StateStore
from mcp_wallet_guard.venues.base import Credential, Venue

NODE_TIMEOUT_SECONDS: Final = 15.0
NODE_MAX_BYTES: Final = 4 * 1024 * 1024
VENUE_TIMEOUT_SECONDS: Final = 20.0
VENUE_MAX_BYTES: Final = 16 * 1024 * 1024
LANGUAGE: Final = "english"

ADAPTERS: Final[dict[str, tuple[str, str, str | None]]] = {
    "chain:web3": ("mcp_wallet_guard.chains.web3", "Web3Chain", None),
    "shares:slip39": ("mcp_wallet_guard.keys.slip39", "Slip39", "slip39"),
    "signer:local": ("mcp_wallet_guard.signers.local", "LocalSigner", None),
    "venue:binance": ("mcp_wallet_guard.venues.binance", "BinanceVenue", None),
    "store:sqlite": ("mcp_wallet_guard.stores.sqlite", "SqliteStore", None),
}
"""Adapter -> (module, name in it, the extra that installs it or None)."""


def load(adapter: str, /) -> Any:
    """The class behind `adapter`. Raises MissingExtra, or Misconfigured for a name that is not in the table."""
    entry = ADAPTERS.get(adapter)
    if entry is None:
        raise Misconfigured("misconfigured.settings", detail="no such adapter")
    module, name, extra = entry
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError:
        if extra is None:
            raise
        raise MissingExtra(extra) from None


@final
class SystemClock:
    """The computer's wall clock, in whole unix seconds."""

    def now(self) -> int:
        """Unix seconds."""
        return int(time.time())


@final
class StateFiles:
    """Where a vault's guard keeps what: all of it beside the vault, whose path is the only root."""

    def __init__(self, vault_path: Path, /) -> None:
        self.directory: Final = vault_path.parent
        self.vault: Final = vault_path
        self.anchor: Final = vault_path.with_suffix(".anchor")
        self.database: Final = vault_path.parent / "state.db"
        self.links: Final = vault_path.parent / "links"
        self.descriptors: Final = vault_path.parent / DESCRIPTORS.file
        self.lists: Final = vault_path.parent / LISTS.file


@final
class KeysVault:
    """Implements `custody.OpenVault` over `keys.vault.UnlockedVault`."""

    def __init__(self, opened: UnlockedVault, /) -> None:
        self._vault: Final = opened
        self._fingerprints: fingerprints.FingerprintSet | None = None

    @property
    def sealed_settings(self) -> tuple[int, bytes] | None:
        """Revision and canonical bytes."""
        sealed = self._vault.settings
        return None if sealed is None else (sealed.revision, sealed.canonical)

    @property
    def fingerprints(self) -> fingerprints.FingerprintSet:
        """Digests of every secret: entropies, phrases, seeds, the keys of each account's path, factor secrets."""
        if self._fingerprints is None:
            self._fingerprints = _fingerprints(self._vault)
        return self._fingerprints

    @property
    def factor_ids(self) -> tuple[str, ...]:
        """The enrolled second factors, oldest first."""
        return tuple(entry.id for entry in self._vault.entries if entry.kind is EntryKind.TOTP_SECRET)

    def key(self, label: str, /) -> Secret:
        """One derived key."""
        return self._vault.subkey(KeyLabel(label))

    def factor_secret(self, factor_id: str, /) -> Secret:
        """The shared secret of a factor."""
        return self._vault.open_entry(factor_id)

    def credential(self, venue: str, /, *, now: int) -> Credential:
        """The API key of a venue."""
        key_id, secret = credentials.open_credential(self._vault, venue, now=now)
        return Credential(key_id=key_id, secret=secret)

    def signer(self, settings: Settings, /) -> Signer:
        """The local signer of the settings' account."""
        for entry in self._vault.entries:
            if entry.kind is EntryKind.BIP39_ENTROPY and entry.metadata.get("address") == str(settings.account.address):
                signer: Signer = load("signer:local")(self._vault, entry.id)
                return signer
        raise Misconfigured("misconfigured.settings", detail="account.address: the vault has no key for it")

    def seal_settings(self, canonical: bytes, /) -> int:
        """Seal and save."""
        revision = self._vault.seal_settings(canonical).revision
        self._vault.save()
        return revision

    def lock(self) -> None:
        """Wipe the keys."""
        self._vault.lock()


def build_guard(
    loaded: LoadedSettings,
    /,
    *,
    clock: Clock,
    running_as: Literal["daemon", "embedded"] | None = None,
    faults: Callable[[str], None] | None = None,
) -> OwnedGuard:
    """A guard over the files beside the vault that `loaded` names. Locked, not started: see `running`.

    `running_as` is how it is hosted; where the sealed settings say otherwise, it does not spend.
    """
    files = StateFiles(loaded.vault_path)
    waiver = loaded.settings.cheap_kdf
    store: StateStore = load("store:sqlite")(files.database, faults=faults)
    parts = CustodyParts(
        store=store,
        open_vault=lambda passphrase: KeysVault(open_vault(files, passphrase, waiver=waiver)),
        peek_settings=lambda: _peek(files),
        make_chain=make_chain,
        open_descriptors=lambda settings: _descriptors(files, settings),
        open_lists=lambda settings: _lists(files, settings),
        make_venue=make_venue,
        edited_settings=loaded.settings,
        anchor_path=files.anchor,
        clock=clock,
        running_as=running_as,
    )
    guard = Guard(Custody(parts), LinkFiles(files.links), principals=frozenset({LOCAL_OWNER}))

    def check_passphrase(passphrase: Secret) -> None:
        open_vault(files, passphrase, waiver=waiver).lock()

    return OwnedGuard(guard, check_passphrase=check_passphrase)


@asynccontextmanager
async def running(owned: OwnedGuard, /) -> AsyncIterator[OwnedGuard]:
    """Start a guard, and flush, lock and close it at the end."""
    await owned.custody.start()
    try:
        yield owned
    finally:
        await owned.aclose()


@asynccontextmanager
async def hosted(
    loaded: LoadedSettings, /, *, clock: Clock, running_as: Literal["daemon", "embedded"]
) -> AsyncIterator[OwnedGuard]:
    """A started guard with its approval page on 127.0.0.1. The caller holds the state directory's lock.

    Raises Misconfigured("misconfigured.mode") when the vault's settings were sealed for the other way of running: an
    edited guard.toml must not move the guard into a process that a host controls.
    """
    sealed = _peek(StateFiles(loaded.vault_path))
    if sealed is not None and from_canonical(sealed).mode != running_as:
        raise Misconfigured("misconfigured.mode")
    async with (
        running(build_guard(loaded, clock=clock, running_as=running_as)) as owned,
        serve_page(owned.desk, clock=clock, port=loaded.settings.approval.page_port) as port,
    ):
        base = f"http://127.0.0.1:{port}"
        owned.page_address = base
        owned.guard.page_url = lambda operation: f"{base}/a/{operation}"
        owned.desk.link_url = lambda operation, secret: link_url(base, operation=operation, secret=secret)
        yield owned


def open_vault(files: StateFiles, passphrase: Secret, /, *, waiver: CheapKdf | None) -> UnlockedVault:
    """Unlock the vault file. Blocks for one scrypt derivation."""
    return vault.unlock_vault(files.vault, passphrase=passphrase, waiver=waiver)


def _descriptors(files: StateFiles, settings: Settings) -> Index | None:
    """The installed descriptors if they are those that the settings pin. Without them, a call that needs one cannot be
    read, and is refused as such: a file that was changed stops no payment."""
    if settings.descriptors is None:
        return None
    try:
        return open_index(files.descriptors, settings.descriptors)
    except (Misconfigured, InvalidInput):
        return None


def _lists(files: StateFiles, settings: Settings) -> OwnerLists | None:
    """The installed lists if they are those that the settings pin, None if they are not: a wallet whose block list
    somebody took away does not spend without it."""
    if settings.lists is None:
        return OwnerLists()
    try:
        return open_lists(files.lists, settings.lists)
    except (Misconfigured, InvalidInput):
        return None


def make_chain(settings: Settings, /) -> Chain:
    """The chain that the settings pin, over its own egress."""
    chain: Chain = load("chain:web3")(
        chain_id=settings.chain,
        node=PinnedUrl.parse(settings.node),
        egress=Egress(timeout_seconds=NODE_TIMEOUT_SECONDS, max_response_bytes=NODE_MAX_BYTES),
        limits=settings.fee_limits,
        names=settings.ens_registry,
    )
    return chain


def make_venue(rule: VenueRule, /) -> Venue:
    """The venue that a rule names, over its own egress."""
    egress = Egress(timeout_seconds=VENUE_TIMEOUT_SECONDS, max_response_bytes=VENUE_MAX_BYTES)
    venue: Venue = load(f"venue:{rule.kind}")(origin=rule.origin, egress=egress)
    return venue


def _peek(files: StateFiles) -> bytes | None:
    sealed = vault.read_public(files.vault).settings
    return None if sealed is None else sealed.canonical


def _fingerprints(opened: UnlockedVault) -> fingerprints.FingerprintSet:
    found: list[bytes] = []
    for entry in opened.entries:
        secret = opened.open_entry(entry.id)
        with secret.reveal() as view:
            is_text = entry.kind is EntryKind.API_CREDENTIAL
            found.extend(credentials.recognisable(bytes(view)) if is_text else [bytes(view)])
        if entry.kind is EntryKind.BIP39_ENTROPY:
            words = " ".join(mnemonic.words_from_entropy(secret, language=LANGUAGE))
            found.append(words.encode())
            # Each level of the path too: an extended key of one of them is as good as the account's own.
            for derived in mnemonic.account_secrets(secret, entry.metadata):
                with derived.reveal() as view:
                    found.append(bytes(view))
                derived.wipe()
        secret.wipe()
    key = opened.subkey(KeyLabel.FINGERPRINTS)
    with key.reveal() as view:
        built = fingerprints.build(found, key=bytes(view))
    key.wipe()
    return built
