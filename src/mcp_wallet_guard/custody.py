"""Custody: locked or unlocked, what is in force, and whether spending is blocked.

`Custody` owns the unlocked vault's keys and the store. Everything that signs goes through `session()`, which raises
while the vault is locked, the store is not the one that the anchor names, or the settings name another vault.
Threat: T-016, T-070, T-099.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TypeVar, final

import anyio
import anyio.to_thread

from mcp_wallet_guard.chains.base import Chain
from mcp_wallet_guard.config.settings import Settings, canonical, difference, from_canonical
from mcp_wallet_guard.danger import Waiver
from mcp_wallet_guard.errors import GuardError, Locked, PolicyDenied, Refused
from mcp_wallet_guard.evidence import Clock
from mcp_wallet_guard.filters.fingerprints import FingerprintSet
from mcp_wallet_guard.journal.events import Event, Kind
from mcp_wallet_guard.secret import Secret
from mcp_wallet_guard.signers.base import Signer
from mcp_wallet_guard.stores.anchor import Anchor, AnchorState, compare, read_anchor, write_anchor
from mcp_wallet_guard.stores.base import StateStore, Transaction

A = TypeVar("A")
T = TypeVar("T")


class OpenVault(Protocol):
    """What unlocking yields, as values and callables: this room never sees the vault itself."""

    @property
    def sealed_settings(self) -> tuple[int, bytes] | None:
        """Revision and canonical bytes of the settings in force."""
        ...

    @property
    def fingerprints(self) -> FingerprintSet:
        """Digests of every secret in the vault."""
        ...

    @property
    def factor_ids(self) -> tuple[str, ...]:
        """The enrolled second factors."""
        ...

    def key(self, label: str, /) -> Secret:
        """A derived key: ``rows``, ``match-codes``, ``pairing`` or ``anchor``."""
        ...

    def factor_secret(self, factor_id: str, /) -> Secret:
        """The shared secret of one factor; the caller wipes it."""
        ...

    def signer(self, settings: Settings, /) -> Signer:
        """The signer of the settings' account. Raises Misconfigured when the vault has no such key."""
        ...

    def seal_settings(self, canonical: bytes, /) -> int:
        """Seal and save; returns the new revision."""
        ...

    def lock(self) -> None:
        """Wipe the keys. Idempotent."""
        ...


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What an unlocked guard works with."""

    vault: OpenVault
    settings: Settings
    revision: int
    signer: Signer
    chain: Chain
    match_key: Secret
    pairing_key: Secret


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CustodyParts:
    """What `assembly` puts in. `open_vault` blocks for one scrypt derivation; `peek_settings` reads the sealed settings
    of the vault file without a key, so they are unauthenticated until the first unlock."""

    store: StateStore
    open_vault: Callable[[Secret], OpenVault]
    peek_settings: Callable[[], bytes | None]
    make_chain: Callable[[Settings], Chain]
    edited_settings: Settings
    anchor_path: Path
    clock: Clock
    waivers: tuple[Waiver, ...]


@final
class Custody:
    """Locked or unlocked. All methods are for one event loop; unlocking and locking are serialised."""

    def __init__(self, parts: CustodyParts, /) -> None:
        self._parts: Final = parts
        self._lock: Final = anyio.Lock()
        self._session: Session | None = None
        self._vault: OpenVault | None = None
        self._read_chain: tuple[bytes, Chain] | None = None
        self._unlocked_at = 0
        self._used_at = 0
        self.blocked: str | None = None
        self.in_force: Settings | None = None
        self.fingerprints = FingerprintSet()
        self.on_unlock: list[Callable[[], Awaitable[None]]] = []

    @property
    def clock(self) -> Clock:
        """The guard's clock."""
        return self._parts.clock

    @property
    def store(self) -> StateStore:
        """The guard's store."""
        return self._parts.store

    @property
    def waivers(self) -> tuple[str, ...]:
        """The protections that were waived, with their reasons."""
        return tuple(f"{waiver.code}: {waiver.reason}" for waiver in self._parts.waivers)

    @property
    def is_locked(self) -> bool:
        """Whether the keys are wiped."""
        return self._vault is None

    async def start(self) -> None:
        """Open the store and journal the start and every waiver. The vault stays locked."""
        now = self.clock.now()
        await self.store.open(now=now)
        await self.store.append_unsealed(Event(kind=Kind.GUARD_STARTED, at=now, data={}))
        for waiver in self._parts.waivers:
            data = {"waiver": waiver.code, "reason": waiver.reason}
            await self.store.append_unsealed(Event(kind=Kind.WAIVER, at=now, data=data))

    async def unlock(self, passphrase: Secret, /) -> None:
        """One scrypt derivation in a worker thread; then the store, the anchor and the settings are verified.

        Raises VaultError, Tampered, Unavailable; the guard stays locked then.
        """
        async with self._lock:
            vault = await anyio.to_thread.run_sync(self._parts.open_vault, passphrase)
            await self._close_vault()
            try:
                await self._open(vault)
            except BaseException:
                vault.lock()
                await self._close_vault()
                raise
        for hook in self.on_unlock:
            await hook()

    async def lock(self) -> None:
        """Wipe the keys. Open operations stay in the store. Idempotent."""
        async with self._lock:
            try:
                if self._vault is not None:
                    await self.transact(_journal(Event(kind=Kind.GUARD_LOCKED, at=self.clock.now(), data={})))
            except GuardError:
                # A store that takes no entry, or was tampered with, must not keep the keys in memory.
                pass
            finally:
                await self._close_vault()

    async def tick(self) -> None:
        """Lock after the settings' idle time or absolute age. Called about once a second, and by tests."""
        if self._session is None:
            return
        now, limits = self.clock.now(), self._session.settings.lock
        idle = now - self._used_at >= limits.idle_minutes * 60
        if idle or now - self._unlocked_at >= limits.max_hours * 3600:
            await self.lock()

    def session(self) -> Session:
        """The unlocked session, for anything that approves or signs.

        Raises Locked; Refused("blocked.store", "blocked.vault"); PolicyDenied("policy.missing").
        """
        session = self.unlocked()
        if self.blocked is not None:
            raise Refused(self.blocked)
        if difference_of_vault(session.settings, self._parts.edited_settings):
            raise Refused("blocked.vault")
        self._used_at = self.clock.now()
        return session

    def unlocked(self) -> Session:
        """The session even while spending is blocked. Raises Locked, PolicyDenied("policy.missing")."""
        if self._vault is None:
            raise Locked
        if self._session is None:
            raise PolicyDenied("policy.missing")
        return self._session

    def vault(self) -> OpenVault:
        """The open vault, for factors and sealing. Raises Locked."""
        if self._vault is None:
            raise Locked
        return self._vault

    def settings_for_reads(self) -> Settings:
        """The settings that reads run on: those in force, else the vault file's, which only an unlock authenticates.

        Raises Locked when the settings refuse reads while locked, PolicyDenied when nothing was ever sealed.
        """
        if self.in_force is None:
            sealed = self._parts.peek_settings()
            if sealed is None:
                raise PolicyDenied("policy.missing")
            self.in_force = from_canonical(sealed)
        if self._vault is None and not self.in_force.locked_reads:
            raise Locked
        return self.in_force

    def chain_for_reads(self) -> Chain:
        """The chain that reads use."""
        if self._session is not None:
            return self._session.chain
        settings = self.settings_for_reads()
        key = canonical(settings)
        if self._read_chain is None or self._read_chain[0] != key:
            self._read_chain = (key, self._parts.make_chain(settings))
        return self._read_chain[1]

    def differences(self) -> tuple[str, ...]:
        """What guard.toml says and the sealed settings do not: it changes nothing until `policy apply`."""
        if self.in_force is None:
            return ()
        return difference(self.in_force, self._parts.edited_settings)

    @property
    def revision(self) -> int | None:
        """The revision of the settings in force, None while locked or before the first sealing."""
        return None if self._session is None else self._session.revision

    def check_applicable(self, text: bytes, /) -> None:
        """Raises Tampered, Misconfigured or Locked when `apply_settings` could not put `text` in force."""
        self.vault().signer(from_canonical(text))

    async def in_thread(self, call: Callable[[A], T], argument: A, /) -> T:
        """Run a blocking call of one argument in a worker thread."""
        return await anyio.to_thread.run_sync(call, argument)

    async def transact(self, work: Callable[[Transaction], T], /) -> T:
        """One durable transaction. Raises Locked, Tampered, Unavailable."""
        return await self.store.transact(work, now=self.clock.now())

    async def move_anchor(self) -> None:
        """Write the store's head to the anchor file. After a consume's commit and before its signature."""
        head = self.store.head
        if head is None or self._vault is None:
            raise Locked
        anchor = Anchor(store_id=head.store_id, journal=head.journal)
        key = self._vault.key("anchor")
        try:
            await anyio.to_thread.run_sync(lambda: write_anchor(self._parts.anchor_path, anchor, key))
        finally:
            key.wipe()

    async def apply_settings(self, text: bytes, /) -> None:
        """Seal canonical settings, journal the change, and put them in force. The caller verified a factor."""
        settings = from_canonical(text)
        vault = self.vault()
        signer = vault.signer(settings)
        revision = await anyio.to_thread.run_sync(vault.seal_settings, text)
        data = {"revision": revision, "settings": text.decode("utf-8")}
        await self.transact(_journal(Event(kind=Kind.POLICY_APPLIED, at=self.clock.now(), data=data)))
        await self._put_in_force(vault, settings, revision, signer)
        if self.blocked is None:
            await self.move_anchor()

    async def acknowledge_store(self, bind: Callable[[Transaction], None], /) -> None:
        """The owner accepts the store as it is: run `bind`, which must burn all earlier code steps, and anchor it."""
        await self.transact(bind)
        self.blocked = None
        await self.move_anchor()

    async def aclose(self) -> None:
        """Lock and close store and connections. Idempotent."""
        await self.lock()
        if self._read_chain is not None:
            await self._read_chain[1].aclose()
            self._read_chain = None
        await self.store.close()

    async def _open(self, vault: OpenVault) -> None:
        now = self.clock.now()
        rows = vault.key("rows")
        self._vault = vault
        try:
            await self.store.unseal(rows, now=now)
        finally:
            rows.wipe()
        await self._check_anchor(vault)
        self._unlocked_at = self._used_at = now
        self.fingerprints = vault.fingerprints
        sealed = vault.sealed_settings
        if sealed is not None:
            settings = from_canonical(sealed[1])
            await self._put_in_force(vault, settings, sealed[0], vault.signer(settings))
        data = {"blocked": self.blocked, "differences": list(self.differences())}
        await self.transact(_journal(Event(kind=Kind.GUARD_UNLOCKED, at=now, data=data)))

    async def _check_anchor(self, vault: OpenVault) -> None:
        key = vault.key("anchor")
        try:
            anchor = await anyio.to_thread.run_sync(lambda: read_anchor(self._parts.anchor_path, key))
        finally:
            key.wipe()
        state = await compare(anchor, self.store)
        self.blocked = "blocked.store" if state.blocks else None
        if state is AnchorState.AHEAD:
            await self.move_anchor()
        if self.blocked is not None:
            event = Event(kind=Kind.STORE_BLOCKED, at=self.clock.now(), data={"anchor": state.value})
            await self.transact(_journal(event))

    async def _put_in_force(self, vault: OpenVault, settings: Settings, revision: int, signer: Signer) -> None:
        chain = self._parts.make_chain(settings)
        previous, self._session = (
            self._session,
            Session(
                vault=vault,
                settings=settings,
                revision=revision,
                signer=signer,
                chain=chain,
                match_key=vault.key("match-codes"),
                pairing_key=vault.key("pairing"),
            ),
        )
        self.in_force = settings
        if previous is not None:
            await _end(previous)

    async def _close_vault(self) -> None:
        session, self._session = self._session, None
        vault, self._vault = self._vault, None
        if session is not None:
            await _end(session)
        if vault is not None:
            vault.lock()
            await self.store.seal()


def difference_of_vault(sealed: Settings, edited: Settings, /) -> bool:
    """Whether guard.toml names another vault than the sealed settings do."""
    return sealed.vault != edited.vault


def _journal(event: Event) -> Callable[[Transaction], None]:
    return lambda tx: tx.append(event)


async def _end(session: Session) -> None:
    session.match_key.wipe()
    session.pairing_key.wipe()
    await session.chain.aclose()
