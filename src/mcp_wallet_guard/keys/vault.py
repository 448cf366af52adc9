"""The vault: one file that holds a wallet's keys under one passphrase.

    vault = unlock_vault(path, passphrase=passphrase)
    secret = vault.open_entry(vault.entries[0].id)

Changes are made in memory and become durable with `save`, all or none. Functions that take a passphrase run scrypt
once and block for about a second: call them in a worker thread. One guard holds a vault at a time, which is its
lock file's to ensure; a vault changed by somebody else is never overwritten. Format: docs/formats/vault.md.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NoReturn, final

from pydantic import ValidationError

from mcp_wallet_guard.errors import InvalidInput, Locked
from mcp_wallet_guard.keys import sealing
from mcp_wallet_guard.keys.file import create_file, read_file, replace_file
from mcp_wallet_guard.keys.format import (
    FMT,
    SECRET_SIZES,
    VERSION,
    Entry,
    EntryKind,
    Settings,
    VaultFile,
    parse,
    render,
)
from mcp_wallet_guard.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mcp_wallet_guard.danger import CheapKdf
    from mcp_wallet_guard.keys.kdf import KdfProfile


__all__ = [
    "EntryInfo",
    "EntryKind",
    "KeyLabel",
    "SealedSettings",
    "UnlockedVault",
    "VaultInfo",
    "create_vault",
    "read_public",
    "unlock_vault",
]


class KeyLabel(StrEnum):
    """What a subkey is for. One purpose, one key."""

    ROWS = "rows"
    MATCH_CODES = "match-codes"
    FINGERPRINTS = "fingerprints"
    PAIRING = "pairing"
    ANCHOR = "anchor"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class EntryInfo:
    """What a vault says in the open about one secret. `created_at` is unix seconds; `metadata` is read-only."""

    id: str
    kind: EntryKind
    label: str
    created_at: int
    metadata: Mapping[str, str | int]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SealedSettings:
    """The settings in force: their canonical JSON, and how often they were sealed."""

    revision: int
    canonical: bytes


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class VaultInfo:
    """What a vault file says without a passphrase. Nothing in it is authenticated: show it, decide nothing by it."""

    id: str
    generation: int
    slot_kinds: tuple[str, ...]
    entries: tuple[EntryInfo, ...]
    settings: SealedSettings | None


def create_vault(
    path: Path, /, *, passphrase: Secret, profile: KdfProfile, draw: sealing.Draw = secrets.token_bytes
) -> UnlockedVault:
    """A new, empty vault on the disk. `draw` is the random source.

    Raises Misconfigured: `misconfigured.vault_exists`, `misconfigured.permissions`; Unavailable when the disk fails.
    """
    vmk = Secret(bytearray(sealing.draw_exactly(draw, 32)))
    vault_id = sealing.draw_exactly(draw, 16).hex()
    slot = sealing.make_slot(vault_id=vault_id, vmk=vmk, passphrase=passphrase, profile=profile, draw=draw)
    draft = VaultFile(
        fmt=FMT, v=VERSION, id=vault_id, gen=1, slots=(slot,), entries=(), settings=None,
        mac="0" * 64, checksum="0" * 64,
    )  # fmt: skip
    raw = _finish(vmk, draft)
    try:
        create_file(path, raw, verify=lambda data: _check_opens(vmk, data))
    except BaseException:
        vmk.wipe()
        raise
    return UnlockedVault(path=path, raw=raw, vmk=vmk, draw=draw)


def unlock_vault(
    path: Path,
    /,
    *,
    passphrase: Secret,
    waiver: CheapKdf | None = None,
    draw: sealing.Draw = secrets.token_bytes,
) -> UnlockedVault:
    """Open a vault. Without a `waiver` a file whose scrypt cost is below the floor stays closed (Threat: T-067).

    Raises VaultError: `vault.damaged`, `vault.format`, `vault.cannot_unlock` (wrong passphrase or edited file, not
    told apart); Misconfigured: `misconfigured.vault_missing`, `misconfigured.permissions`. Never writes.
    """
    raw = read_file(path)
    file = parse(raw)
    vmk = sealing.open_slot(file.slots[0], vault_id=file.id, passphrase=passphrase, waiver=waiver)
    try:
        sealing.check_file_mac(vmk, file)
    except BaseException:
        vmk.wipe()
        raise
    return UnlockedVault(path=path, raw=raw, vmk=vmk, draw=draw)


def read_public(path: Path, /) -> VaultInfo:
    """What the file says, unauthenticated. Raises as `unlock_vault` does for everything but the passphrase."""
    file = parse(read_file(path))
    return VaultInfo(
        id=file.id,
        generation=file.gen,
        slot_kinds=tuple(slot.kind for slot in file.slots),
        entries=tuple(_info(entry) for entry in file.entries),
        settings=_sealed(file),
    )


@final
class UnlockedVault:
    """An open vault: made by `create_vault` and `unlock_vault`. Not for use by two threads at once.

    After `lock` everything but `id`, `generation` and `is_locked` raises Locked.
    """

    __slots__ = ("_derived", "_draw", "_file", "_is_locked", "_path", "_raw", "_vmk")

    def __init__(self, *, path: Path, raw: bytes, vmk: Secret, draw: sealing.Draw) -> None:
        """Takes over `vmk`. `raw` is the file on the disk, already authenticated."""
        self._path: Final = path
        self._raw = raw
        self._file = parse(raw)
        self._vmk: Final = vmk
        self._draw: Final = draw
        self._derived: Final[dict[tuple[str, str], Entry]] = {}
        self._is_locked = False

    @property
    def id(self) -> str:
        """Names the vault for ever: 32 hex digits."""
        return self._file.id

    @property
    def generation(self) -> int:
        """Grows by one with each `save`. An older copy put back has a smaller one (Threat: T-070)."""
        return self._file.gen

    @property
    def is_locked(self) -> bool:
        """Whether `lock` was called."""
        return self._is_locked

    @property
    def entries(self) -> tuple[EntryInfo, ...]:
        """In the order of their adding."""
        self._key()
        return tuple(_info(entry) for entry in self._file.entries)

    @property
    def settings(self) -> SealedSettings | None:
        """The settings sealed last, or None before the first sealing."""
        self._key()
        return _sealed(self._file)

    def subkey(self, label: KeyLabel, /) -> Secret:
        """The 32-byte key of one purpose. The caller wipes it."""
        return sealing.subkey(self._key(), vault_id=self.id, label=KeyLabel(label).value)

    def open_entry(self, entry_id: str, /) -> Secret:
        """One secret. The caller wipes it. Raises InvalidInput when there is no such entry."""
        return sealing.open_entry(self._key(), self._find(entry_id), vault_id=self.id)

    def derived(self, entry_id: str, name: str, derive: Callable[[Secret], Secret], /) -> Secret:
        """What `derive` makes of one secret, made once and then kept in memory, sealed as entries are: a derivation
        that costs milliseconds is not worth a key in the clear. `name` tells derivations of one entry apart. The
        caller wipes the result. Raises Locked, and InvalidInput when there is no such entry."""
        vmk, entry = self._key(), self._find(entry_id)
        kept = self._derived.get((entry_id, name))
        if kept is not None:
            return sealing.open_entry(vmk, kept, vault_id=self.id)
        secret = self.open_entry(entry_id)
        try:
            made = derive(secret)
        finally:
            secret.wipe()
        self._derived[entry_id, name] = sealing.seal_entry(
            vmk, made, vault_id=self.id, kind=entry.kind, label=name, metadata={}, created_at=0, draw=self._draw
        )
        return made

    def add_entry(
        self, *, kind: EntryKind, label: str, metadata: Mapping[str, str | int], secret: Secret, created_at: int
    ) -> EntryInfo:
        """Seal `secret` as a new entry; not durable before `save`. `label` and `metadata` are public.

        Raises InvalidInput for a size that the kind does not have, or a label or metadata outside the format.
        """
        if len(secret) not in SECRET_SIZES[EntryKind(kind)]:
            raise InvalidInput(detail="the secret has a size that its kind does not have")
        try:
            entry = sealing.seal_entry(
                self._key(), secret, vault_id=self.id, kind=kind, label=label, metadata=metadata,
                created_at=created_at, draw=self._draw,
            )  # fmt: skip
            self._file = self._file.replace(entries=(*self._file.entries, entry))
        except ValidationError:
            raise InvalidInput(detail="a vault entry is not valid") from None
        return _info(entry)

    def remove_entry(self, entry_id: str, /) -> None:
        """Forget one secret; not durable before `save`, and the ``.bak`` file keeps it until the save after."""
        self._key()
        gone = self._find(entry_id)
        self._file = self._file.replace(entries=tuple(entry for entry in self._file.entries if entry is not gone))
        for place in [place for place in self._derived if place[0] == entry_id]:
            del self._derived[place]

    def seal_settings(self, canonical: bytes, /) -> SealedSettings:
        """Put `canonical` (RFC 8785 JSON in UTF-8, at most 256 KiB) in force, one revision up; not durable
        before `save`. Raises InvalidInput when it is too large or not text."""
        self._key()
        revision = self._file.settings.revision + 1 if self._file.settings else 1
        try:
            sealed = Settings(revision=revision, text=canonical.decode("utf-8"))
        except (ValidationError, UnicodeDecodeError):
            raise InvalidInput("invalid_input.size", detail="the settings cannot be sealed") from None
        self._file = self._file.replace(settings=sealed)
        return SealedSettings(revision=revision, canonical=canonical)

    def change_passphrase(self, passphrase: Secret, /, *, profile: KdfProfile) -> None:
        """Wrap the same keys under a new passphrase; not durable before `save`. The cost is the caller's, never the
        old file's. Older copies still open with the old passphrase."""
        slot = sealing.make_slot(
            vault_id=self.id, vmk=self._key(), passphrase=passphrase, profile=profile, draw=self._draw
        )
        self._file = self._file.replace(slots=(slot,))

    def save(self) -> None:
        """Write all changes, one generation up, keeping the old file as ``.bak``. After an error the changes
        are still only in memory and the file is the old one, unless the folder alone could not be synchronised:
        lock this vault then and open the file again.

        Raises Misconfigured("misconfigured.already_running") when the file is not the one that was read or written
        last; Unavailable("unavailable.store") when the disk is full or fails; InvalidInput above 1 MiB.
        """
        raw = _finish(self._key(), self._file.replace(gen=self._file.gen + 1))
        replace_file(self._path, raw, expected=self._raw, verify=lambda data: _check_opens(self._vmk, data))
        self._file, self._raw = parse(raw), raw

    def lock(self) -> None:
        """Wipe the master key. Idempotent. Secrets handed out before are their holders' to wipe."""
        self._is_locked = True
        self._derived.clear()
        self._vmk.wipe()

    def __repr__(self) -> str:
        return f"<UnlockedVault {self.id}{' locked' if self._is_locked else ''}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a vault cannot be copied or pickled")

    def _key(self) -> Secret:
        if self._is_locked:
            raise Locked
        return self._vmk

    def _find(self, entry_id: str) -> Entry:
        for entry in self._file.entries:
            if entry.id == entry_id:
                return entry
        raise InvalidInput(detail="the vault has no such entry")


def _sealed(file: VaultFile) -> SealedSettings | None:
    sealed = file.settings
    return None if sealed is None else SealedSettings(revision=sealed.revision, canonical=sealed.text.encode("utf-8"))


def _finish(vmk: Secret, draft: VaultFile) -> bytes:
    return render(draft.replace(mac=sealing.file_mac(vmk, draft)))


def _check_opens(vmk: Secret, raw: bytes) -> None:
    """Raises VaultError unless these bytes are a whole vault under `vmk`, every entry included."""
    file = parse(raw)
    sealing.check_file_mac(vmk, file)
    for entry in file.entries:
        sealing.open_entry(vmk, entry, vault_id=file.id).wipe()


def _info(entry: Entry) -> EntryInfo:
    return EntryInfo(
        id=entry.id,
        kind=entry.kind,
        label=entry.label,
        created_at=entry.created_at,
        metadata=MappingProxyType(dict(entry.metadata)),
    )
