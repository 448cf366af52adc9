"""A venue's API key in the vault: one entry, sealed whole, dated, replaced by the next one. Threat: T-057, T-065."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from mcp_wallet_guard.errors import InvalidInput, Refused
from mcp_wallet_guard.filters import fingerprints
from mcp_wallet_guard.filters.outbound import is_clean
from mcp_wallet_guard.keys.credentials import add_credential, open_credential, recognisable
from mcp_wallet_guard.keys.vault import EntryKind, UnlockedVault
from mcp_wallet_guard.secret import Secret
from tests.keys.vaults import new_vault, unlock

DAY = 86_400
NOW = 1_800_000_000
KEY_ID = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"


def add(vault: UnlockedVault, *, key_id: str = KEY_ID, secret: str = SECRET, days: int = 30, at: int = NOW) -> None:
    add_credential(
        vault,
        venue="binance",
        key_id=Secret(key_id.encode()),
        secret=Secret(secret.encode()),
        created_at=at,
        expires_at=at + days * DAY,
    )


def opened(vault: UnlockedVault, now: int = NOW) -> tuple[str, str]:
    parts = open_credential(vault, "binance", now=now)
    with parts[0].reveal() as first, parts[1].reveal() as second:
        return bytes(first).decode(), bytes(second).decode()


def test_it_is_sealed_whole_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "vault.json"
    vault = new_vault(path)
    add(vault)
    vault.save()
    raw = path.read_bytes()
    assert KEY_ID.encode() not in raw
    assert SECRET.encode() not in raw
    assert opened(unlock(path)) == (KEY_ID, SECRET)


def test_it_ends_on_its_date_and_is_replaced(tmp_path: Path) -> None:
    vault = new_vault(tmp_path / "vault.json")
    with pytest.raises(Refused) as missing:
        opened(vault)
    assert missing.value.code == "venue.no_key"
    add(vault)
    assert opened(vault, NOW + 30 * DAY - 1) == (KEY_ID, SECRET)
    for now in (NOW + 30 * DAY, NOW + 300 * DAY, NOW - 2 * DAY):
        with pytest.raises(Refused) as ended:
            opened(vault, now)
        assert ended.value.code == "venue.key_expired"
    add(vault, secret=SECRET[::-1], at=NOW + 30 * DAY)
    assert opened(vault, NOW + 30 * DAY) == (KEY_ID, SECRET[::-1])
    assert [each.kind for each in vault.entries].count(EntryKind.API_CREDENTIAL) == 1, "the earlier one is gone"


@pytest.mark.parametrize(
    "change",
    [
        {"key_id": "short"}, {"secret": "short"}, {"secret": "x" * 257}, {"secret": "with a blank in the middle"},
        {"secret": "a-line-feed\nin-the-middle"},
        {"secret": "an!exclamation!mark!in!it"}, {"key_id": "k" * 23},
        {"secret": "n\u00f6t-ascii-but-long-enough"},
        {"days": 0}, {"days": 367},
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_a_key_is_refused_and_keeps_the_earlier_one(tmp_path: Path, change: dict[str, object]) -> None:
    vault = new_vault(tmp_path / "vault.json")
    add(vault)
    with pytest.raises(InvalidInput):
        add(vault, **change)  # type: ignore[arg-type]  # that is the point
    assert opened(vault) == (KEY_ID, SECRET)


@pytest.mark.parametrize(
    "secret",
    [
        SECRET,
        hashlib.sha256(b"hex").hexdigest(),
        hashlib.sha256(b"upper").hexdigest().upper(),
        base64.b64encode(hashlib.sha256(b"base64").digest()).decode(),
        base64.b64encode(hashlib.sha512(b"long").digest()).decode(),
        base64.urlsafe_b64encode(hashlib.sha256(b"url").digest()).decode().rstrip("="),
        "550e8400-e29b-41d4-a716-446655440000",
        base64.b32encode(hashlib.sha256(b"base32").digest()).decode().rstrip("="),
        hashlib.sha256(b"short").hexdigest()[:24] + "Zq",
    ],
)
def test_whatever_it_is_made_of_it_is_recognised_as_it_is_written(secret: str) -> None:
    known = fingerprints.build(recognisable(f"{KEY_ID}\n{secret}".encode()), key=b"k" * 32)
    for text in (secret, f"the secret is {secret}.", f'{{"secret":"{secret}"}}', secret.encode().hex()):
        assert not is_clean(text, fingerprints=known), text
    assert is_clean("an honest sentence about an order that was sent", fingerprints=known)
