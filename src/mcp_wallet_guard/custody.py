"""Custody: locked or unlocked, what is in force, and whether spending is blocked.

`Custody` owns the unlocked vault's keys and the store. Everything that signs goes through `session()`, which raises
while the vault is locked, the store is not the one that the anchor names, or the settings name another vault.
Threat: T-016, T-070, T-099.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeVar, final

import anyio
import anyio.to_thread

from mcp_wallet_guard import mandates
from mcp_wallet_guard.chains.base import Chain
from mcp_wallet_guard.clearsign.descriptors.index import Index
from mcp_wallet_guard.clearsign.owner_lists import OwnerLists
from mcp_wallet_guard.config.difference import difference
from mcp_wallet_guard.config.settings import Settings, from_canonical
from mcp_wallet_guard.danger import Waiver
from mcp_wallet_guard.errors import GuardError, Locked, Misconfigured, PolicyDenied, Refused
from mcp_wallet_guard.evidence import Clock
from mcp_wallet_guard.filters.fingerprints import FingerprintSet
from mcp_wallet_guard.journal.events import Event, Kind
from mcp_wallet_guard.policy.withdrawals import VenueRule
from mcp_wallet_guard.secret import Secret
from mcp_wallet_guard.session import OpenVault, Session
from mcp_wallet_guard.signers.base import Signer
from mcp_wallet_guard.stores.anchor import AnchorFile, anchor_of, compare
from mcp_wallet_guard.stores.base import CLOCK_TOLERANCE_SECONDS, StateStore, Transaction
from mcp_wallet_guard.venues.base import Venue

T = TypeVar("T")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CustodyParts:
    """What `assembly` puts in. `open_vault` blocks for one scrypt derivation; `peek_settings` reads the sealed settings
    of the vault file without a key, so they are unauthenticated until the first unlock. `open_lists` gives None where
    the lists are not those that the settings pin. `running_as` is how this guard
    is hosted, None where nobody is served."""

    store: StateStore
    open_vault: Callable[[Secret], OpenVault]
    peek_settings: Callable[[], bytes | None]
    make_chain: Callable[[Settings], Chain]
    open_descriptors: Callable[[Settings], Index | None]
    open_lists: Callable[[Settings], OwnerLists | None]
    make_venue: Callable[[VenueRule], Venue]
    edited_settings: Settings
    anchor_path: Path
    clock: Clock
    running_as: Literal["daemon", "embedded"] | None


@final
class Custody:
    """Locked or unlocked. All methods are for one event loop; unlocking and locking are serialised."""

    def __init__(self, parts: CustodyParts, /) -> None:
        self._parts: Final = parts
        self._lock: Final = anyio.Lock()
        self._session: Session | None = None
        self._vault: OpenVault | None = None
        self._anchor: AnchorFile | None = None
        self._unlocked_at = 0
        self._used_at = 0
        self.blocked: str | None = None
        self.in_force: Settings | None = None
        self._edited = parts.edited_settings
        self.fingerprints: FingerprintSet = FingerprintSet()
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
        return tuple(f"{waiver.code}: {waiver.reason}" for waiver in self._waivers())

    def _waivers(self) -> tuple[Waiver, ...]:
        """Those of guard.toml, which act on this run, and those of the settings in force."""
        in_force = () if self.in_force is None else self.in_force.waivers
        named = {(waiver.code, waiver.reason): waiver for waiver in (*self._parts.edited_settings.waivers, *in_force)}
        return tuple(named.values())

    @property
    def is_locked(self) -> bool:
        """Whether the keys are wiped."""
        return self._vault is None

    async def start(self) -> None:
        """Open the store and journal the start and every waiver. The vault stays locked."""
        now = self.clock.now()
        await self.store.open()
        await self.store.append_unsealed(Event(kind=Kind.GUARD_STARTED, at=now, data={}))
        for waiver in self._waivers():
            await self.store.append_unsealed(_waived(waiver, now))

    async def unlock(self, passphrase: Secret, /) -> None:
        """One scrypt derivation in a worker thread; then the store, the anchor and the settings are verified.

        Raises VaultError, Tampered, Unavailable; the guard stays locked then.
        """
        async with self._lock:
            vault = await anyio.to_thread.run_sync(self._parts.open_vault, passphrase)
            try:
                await self._close_vault()
                await self._open(vault)
            except BaseException:
                vault.lock()
                with anyio.CancelScope(shield=True):
                    await self._close_vault()
                raise
        try:
            for hook in self.on_unlock:
                await hook()
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self.lock()
            raise

    async def lock(self) -> None:
        """Wipe the keys. Open operations stay in the store. Idempotent."""
        async with self._lock:
            await self._lock_now()

    async def tick(self) -> None:
        """Lock after the settings' idle time or absolute age. Called about once a second, and by tests."""
        if not self._is_due():
            return
        async with self._lock:
            if self._is_due():  # an unlock may have come while this waited: its time has only begun
                await self._lock_now()

    def _is_due(self) -> bool:
        if self._vault is None:
            return False
        settings = self._edited if self._session is None else self._session.settings
        now, limits = self.clock.now(), settings.lock
        idle = now - self._used_at >= limits.idle_minutes * 60
        back = now < self._unlocked_at - CLOCK_TOLERANCE_SECONDS  # else a clock set back would keep the keys in memory
        return idle or back or now - self._unlocked_at >= limits.max_hours * 3600

    async def _lock_now(self) -> None:
        with anyio.CancelScope(shield=True):
            try:
                if self._vault is not None:
                    event = Event(kind=Kind.GUARD_LOCKED, at=self.clock.now(), data={})
                    await self._transact_own(_journal(event))
            except GuardError:
                pass  # a store that takes no entry, or was tampered with, must not keep the keys in memory
            finally:
                await self._close_vault()

    def session(self) -> Session:
        """The unlocked session, for anything that approves or signs.

        Raises Locked; Refused("blocked.store", "blocked.vault", and such); PolicyDenied("policy.missing").
        """
        self.vault()
        if (session := self._session) is None:
            raise PolicyDenied("policy.missing")
        self.counting_vault()
        if session.settings.vault != self._edited.vault:
            raise Refused("blocked.vault")
        if self._parts.running_as not in {None, session.settings.mode}:
            raise Refused("blocked.mode")
        if session.lists is None:
            raise Refused("blocked.lists")
        return session

    def touch(self) -> None:
        """The owner is here, or what the owner approved is paid: idle time starts again. What an agent asks does not
        count, or it could keep the vault open by asking."""
        self._used_at = self.clock.now()

    @asynccontextmanager
    async def undisturbed(self, session: Session, /) -> AsyncIterator[None]:
        """No lock, unlock or `policy apply` comes between what is done in here: from the consume to the stored bytes.

        Raises Locked, or PolicyDenied("policy.changed") when `session` is not the one in force any more. Threat: T-099.
        """
        async with self._lock:
            if self.session() is not session:
                raise PolicyDenied("policy.changed", detail="the settings changed while the node was asked")
            self.touch()
            yield

    def vault(self) -> OpenVault:
        """The open vault, for factors and sealing. Raises Locked."""
        if self._vault is None:
            raise Locked
        return self._vault

    def counting_vault(self) -> OpenVault:
        """The open vault, while the store is the one that counted the codes. Raises Locked, Refused("blocked.store"):
        a store that was put back would take a used code again (Threat: T-070, T-079)."""
        vault = self.vault()
        if self.blocked is not None:
            raise Refused(self.blocked)
        return vault

    def settings_for_reads(self) -> Settings:
        """The settings that reads run on: those in force, else the vault file's, which only an unlock authenticates.

        Raises Locked when the settings refuse reads while locked, PolicyDenied when nothing was ever sealed.
        """
        settings = self.public_settings()
        if self._vault is None and not settings.locked_reads:
            raise Locked
        return settings

    def public_settings(self) -> Settings:
        """The same for what is no secret of a locked wallet: its chain and account. Raises PolicyDenied."""
        if self.in_force is None:
            sealed = self._parts.peek_settings()
            if sealed is None:
                raise PolicyDenied("policy.missing")
            self.in_force = from_canonical(sealed)
        return self.in_force

    @property
    def session_for_reads(self) -> Session | None:
        """The session also while spending is blocked, None while locked."""
        return self._session

    def make_chain(self, settings: Settings, /) -> Chain:
        """A new connection to the node that `settings` pin; the caller closes it."""
        return self._parts.make_chain(settings)

    def differences(self) -> tuple[str, ...]:
        """What guard.toml says and the sealed settings do not: it changes nothing until `policy apply`."""
        return () if self.in_force is None else difference(self.in_force, self._edited)

    @property
    def revision(self) -> int | None:
        """The revision of the settings in force, None while locked or before the first sealing."""
        return None if self._session is None else self._session.revision

    async def check_applicable(self, text: bytes, /) -> None:
        """Raises Tampered, Misconfigured (also for lists that are not there), Locked or Refused("blocked.store") when
        `apply_settings` could not put `text` in force: an older store does not know which codes were used."""
        settings = from_canonical(text)
        self.counting_vault().signer(settings)
        if await anyio.to_thread.run_sync(self._parts.open_lists, settings) is None:
            raise Misconfigured("misconfigured.lists")

    async def transact(self, work: Callable[[Transaction], T], /, *, long: bool = False) -> T:
        """One durable transaction; see `StateStore` for `long`. Raises Locked, Tampered, Unavailable."""
        return await self.store.transact(work, now=self.clock.now(), long=long)

    async def transact_anchored(self, work: Callable[[Transaction], T], /) -> T:
        """`transact` what must not be undone by putting an older store back: each consume, before its signature, and
        each code and attempt that is counted. The caller goes on after the anchor file names it (T-070, T-079)."""
        if (anchor := self._anchor) is None:
            raise Locked
        # In the store's own turn: no other head comes between, and sealing the store waits for it.
        return await self.store.transact(work, now=self.clock.now(), then=lambda head: anchor.write(anchor_of(head)))

    async def _transact_own(self, work: Callable[[Transaction], T], /) -> T:
        """What the guard itself writes down. It moves the anchor on, and repairs one that a crash left behind its
        store; not while blocked, when an anchor that does not belong to the store is the evidence."""
        return await (self.transact_anchored if self.blocked is None else self.transact)(work)

    async def apply_settings(self, text: bytes, /, *, proven: bool) -> None:
        """Seal canonical settings, journal the change, and put them in force.

        `proven` says that the caller verified a second factor for exactly these: then their mandates are approved.
        Raises as `check_applicable`. What is approved already was approved under other settings and is refused.
        """
        async with self._lock:
            await self.check_applicable(text)
            settings, vault = from_canonical(text), self.vault()
            signer = vault.signer(settings)
            revision = await anyio.to_thread.run_sync(vault.seal_settings, text)

            def work(tx: Transaction) -> None:
                _journal_applied(tx, revision, text)
                if proven:
                    mandates.approve(tx, settings)

            await self.transact_anchored(work)
            await self._put_in_force(vault, settings, revision, signer)
            self._edited = settings  # what guard.toml says by now: its owner applied it

    async def acknowledge_store(self, bind: Callable[[Transaction], None], /) -> None:
        """The owner accepts the store as it is: run `bind`, which must burn all earlier code steps, and anchor it."""

        def work(tx: Transaction) -> None:
            bind(tx)
            tx.append(Event(kind=Kind.STORE_ACKNOWLEDGED, at=tx.now, data={}))

        await self.transact_anchored(work)
        self.blocked = None

    async def aclose(self) -> None:
        """Lock and close store and connections. Idempotent."""
        await self.lock()
        await self.store.close()

    async def _open(self, vault: OpenVault) -> None:
        now = self.clock.now()
        rows = vault.key("rows")
        try:
            await self.store.unseal(rows, now=now)
        finally:
            rows.wipe()
        self._anchor = AnchorFile(self._parts.anchor_path, vault.key("anchor"))
        await self._check_anchor(self._anchor)
        self._vault = vault
        self._unlocked_at = self._used_at = now
        self.fingerprints = vault.fingerprints
        sealed = vault.sealed_settings
        if sealed is not None:
            settings = from_canonical(sealed[1])
            await self._put_in_force(vault, settings, sealed[0], vault.signer(settings))
        data = {"blocked": self.blocked, "differences": list(self.differences()), "revision": self.revision}
        unlocked = Event(kind=Kind.GUARD_UNLOCKED, at=now, data=data)

        def work(tx: Transaction) -> None:
            if sealed is not None:
                _journal_applied(tx, *sealed)
            tx.append(unlocked)

        await self._transact_own(work)

    async def _check_anchor(self, anchor: AnchorFile) -> None:
        state = await compare(await anyio.to_thread.run_sync(anchor.read), self.store)
        self.blocked = "blocked.store" if state.blocks else None
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
                venues={rule.name: self._parts.make_venue(rule) for rule in settings.venues},
                match_key=vault.key("match-codes"),
                pairing_key=vault.key("pairing"),
                descriptors=await anyio.to_thread.run_sync(self._parts.open_descriptors, settings),
                lists=await anyio.to_thread.run_sync(self._parts.open_lists, settings),
            ),
        )
        self.in_force = settings
        if previous is not None:
            await previous.aclose()
        for waiver in settings.waivers:
            await self.transact(_journal(_waived(waiver, self.clock.now())))

    async def _close_vault(self) -> None:
        session, self._session = self._session, None
        vault, self._vault = self._vault, None
        anchor, self._anchor = self._anchor, None
        if vault is not None:
            vault.lock()
        await self.store.seal()
        if anchor is not None:
            anchor.close()
        if session is not None:
            await session.aclose()


def _journal_applied(tx: Transaction, revision: int, text: bytes) -> None:
    """Journal the settings in force once: at `policy apply`, or at the unlock after a crash that came just before it,
    and in a store that is new."""
    subject = f"policy:{revision}"
    if not tx.entries(subject):
        data = {"revision": revision, "settings": text.decode("utf-8")}
        tx.append(Event(kind=Kind.POLICY_APPLIED, at=tx.now, subject=subject, data=data))


def _waived(waiver: Waiver, now: int) -> Event:
    return Event(kind=Kind.WAIVER, at=now, data={"waiver": waiver.code, "reason": waiver.reason})


def _journal(event: Event) -> Callable[[Transaction], None]:
    return lambda tx: tx.append(event)
