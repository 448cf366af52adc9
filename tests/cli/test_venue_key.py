"""``venue key``: over the terminal or a named descriptor, beside no running guard, and never shown. Threat: T-065."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from mcp_wallet_guard.assembly import KeysVault, StateFiles, open_vault
from mcp_wallet_guard.config.file import load_settings
from mcp_wallet_guard.daemon.lock import GuardLock
from mcp_wallet_guard.errors import Refused
from mcp_wallet_guard.testing.chain import SimulatedChain
from mcp_wallet_guard.testing.clock import ScriptedClock, SharedClock
from mcp_wallet_guard.testing.wallet import PASSPHRASE, MadeWallet, make_wallet, passphrase
from tests.cli.commands import Ran, run, run_on_terminal
from tests.config.test_venues import VENUE

KEY_ID = hashlib.sha256(b"a key of tests").hexdigest()
SECRET = hashlib.sha256(b"a secret of tests").hexdigest()
START = 1_800_000_000


@pytest.fixture
def made(tmp_path: Path, chain: SimulatedChain) -> MadeWallet:
    return make_wallet(tmp_path / "guard", chain=chain, clock=ScriptedClock(START), more=VENUE)


def seal(made: MadeWallet, *more: str, name: str | None = "exchange", key: str | None = f"{KEY_ID}\n{SECRET}\n") -> Ran:
    words = ("venue", "key", *([] if name is None else [name]), "--dir", str(made.directory), "--json", *more)
    return run(*words, clock=made.clock, passphrase=PASSPHRASE, key=key)


def sealed(made: MadeWallet) -> tuple[str, str]:
    loaded = load_settings(made.directory / "guard.toml")
    opened = open_vault(StateFiles(loaded.vault_path), passphrase(), waiver=loaded.settings.cheap_kdf)
    credential = KeysVault(opened).credential("exchange", now=made.clock.now())
    with credential.key_id.reveal() as first, credential.secret.reveal() as second:
        return bytes(first).decode(), bytes(second).decode()


def test_a_key_is_sealed_from_a_descriptor_and_not_repeated(made: MadeWallet) -> None:
    ran = seal(made, "--days", "30")
    assert ran.status == 0, ran
    assert ran.json == {"venue": "exchange", "expires_at": made.clock.now() + 30 * 86_400}
    assert sealed(made) == (KEY_ID, SECRET)
    assert not any(part in ran.out + ran.err for part in (KEY_ID, SECRET))


def test_a_key_is_typed_on_the_terminal_and_not_shown(made: MadeWallet, tmp_path: Path) -> None:
    clock = SharedClock.create(tmp_path / "clock", start=made.clock.now())
    words = ("venue", "key", "exchange", "--dir", str(made.directory), "--json")
    answers = [("API key", KEY_ID), ("Its secret", SECRET), ("Passphrase", PASSPHRASE)]
    ran = run_on_terminal(*words, answers=answers, clock=clock)
    assert ran.status == 0, ran
    assert sealed(made) == (KEY_ID, SECRET)
    assert not any(part in ran.screen + ran.out + ran.err for part in (KEY_ID, SECRET))


@pytest.mark.parametrize(
    ("key", "more"),
    [
        (f"{KEY_ID}\n", ()),
        (f"{KEY_ID}\n\n", ()),
        (f"{KEY_ID}\n{SECRET}\nmore\n", ()),
        (f"{KEY_ID}\nshort\n", ()),
        (f"{KEY_ID}\n{SECRET}\n", ("--days", "0")),
        (f"{KEY_ID}\n{SECRET}\n", ("--days", "367")),
    ],
)
def test_what_cannot_be_a_key_is_invalid_and_seals_nothing(made: MadeWallet, key: str, more: tuple[str, ...]) -> None:
    ran = seal(made, *more, key=key)
    assert (ran.status, ran.code) == (2, "invalid_input")
    assert KEY_ID not in ran.out + ran.err
    with pytest.raises(Refused):
        sealed(made)


def test_a_venue_that_the_settings_do_not_name_is_invalid(made: MadeWallet) -> None:
    assert (seal(made, name="kraken").code, seal(made).status) == ("invalid_input", 0)


def test_the_only_venue_needs_no_name(made: MadeWallet) -> None:
    assert seal(made, name=None).json["venue"] == "exchange"
    path = made.directory / "guard.toml"
    path.write_text(path.read_text("utf-8") + VENUE.replace('"exchange"', '"second"'), "utf-8")
    assert seal(made, name=None).code == "invalid_input"
    assert seal(made, name="second").status == 0


def test_beside_a_running_guard_nothing_is_sealed(made: MadeWallet) -> None:
    with GuardLock(made.directory):
        ran = seal(made)
    assert (ran.status, ran.code) == (6, "misconfigured.already_running")
