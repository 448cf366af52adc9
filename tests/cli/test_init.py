"""``init``: a wallet from nothing, and nothing at all when something is wrong."""

from __future__ import annotations

import json
import resource
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from mcp_wallet_guard.config.file import load_settings
from mcp_wallet_guard.config.settings import canonical
from mcp_wallet_guard.keys.vault import read_public
from tests.cli.commands import Ran, code_on, run, run_on_terminal, run_without_terminal

REASON = "a wallet for one test"
PASSPHRASE = "correct horse battery staple"
GOOD = {
    "--chain-id": "31337",
    "--node": "http://127.0.0.1:1/",
    "--max-per-transaction": "0.5",
    "--kdf": "cheap",
    "--danger-cheap-kdf": REASON,
}


def words(folder: Path, **changes: str) -> list[str]:
    options = GOOD | {f"--{name.replace('_', '-')}": value for name, value in changes.items()}
    return ["init", "--dir", str(folder), "--json", *(word for pair in options.items() for word in pair)]


def initialise(folder: Path, **changes: str) -> Ran:
    return run(*words(folder, **changes), passphrase=PASSPHRASE, with_secrets=True)


def test_init_makes_a_wallet_whose_policy_is_in_force(folder: Path) -> None:
    ran = initialise(folder / "guard", account="savings", symbol="POL", max_per_transaction="0.25")

    assert ran.status == 0, ran
    loaded = load_settings(Path(ran.json["config"]))
    public = read_public(loaded.vault_path)
    assert ran.json["address"] == loaded.settings.account.address.value == public.entries[0].metadata["address"]
    assert (loaded.settings.account.name, loaded.settings.native.symbol) == ("savings", "POL")
    assert public.settings is not None
    assert public.settings.canonical == canonical(loaded.settings)
    assert (folder / "guard").stat().st_mode & 0o777 == 0o700
    assert loaded.path.stat().st_mode & 0o777 == 0o600


def test_recovery_words_and_factor_go_to_the_named_descriptor_and_nowhere_else(folder: Path) -> None:
    ran = initialise(folder / "guard")

    shown = json.loads(ran.secrets)
    assert len(shown["words"].split()) == 24
    assert shown["factor_uri"].startswith("otpauth://totp/")
    secret = shown["factor_uri"].split("secret=")[1].split("&")[0]
    for place in (
        ran.out,
        ran.err,
        *(path.read_bytes().decode("latin-1") for path in (folder / "guard").iterdir() if path.is_file()),
    ):
        assert shown["words"] not in place
        assert secret not in place


def test_on_a_terminal_the_passphrase_is_typed_twice_and_the_words_are_shown_there_only(folder: Path) -> None:
    typed: list[tuple[str, Any]] = [
        ("New passphrase", PASSPHRASE),
        ("The same again", PASSPHRASE),
        ("the code that the app shows", code),
    ]

    ran = run_on_terminal(*words(folder / "guard"), answers=typed)

    assert ran.status == 0, ran
    assert "Recovery words of" in ran.screen
    assert "otpauth://totp/" in ran.screen
    assert PASSPHRASE not in ran.screen
    assert "otpauth" not in ran.out + ran.err
    assert ran.json["address"] in ran.screen


def code(screen: str) -> str:
    return code_on(screen, at=int(time.time()))


def test_two_different_passphrases_make_no_vault(folder: Path) -> None:
    ran = run_on_terminal(
        *words(folder / "guard"), answers=[("New passphrase", PASSPHRASE), ("The same again", PASSPHRASE + "r")]
    )

    assert (ran.status, ran.code) == (2, "invalid_input.passphrase")
    assert not (folder / "guard").exists()


def test_without_a_terminal_or_a_descriptor_for_the_words_nothing_is_made(folder: Path) -> None:
    ran = run_without_terminal(*words(folder / "guard"), stdin=f"{PASSPHRASE}\n{PASSPHRASE}\n")

    assert (ran.status, ran.code) == (5, "unavailable.terminal")
    assert not (folder / "guard").exists()


def test_a_second_init_leaves_the_vault_as_it_is(folder: Path) -> None:
    first = initialise(folder / "guard")
    before = Path(first.json["vault"]).read_bytes()

    second = initialise(folder / "guard")

    assert (second.status, second.code) == (6, "misconfigured.vault_exists")
    assert Path(first.json["vault"]).read_bytes() == before
    assert second.secrets == ""


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        pytest.param({"max_per_transaction": "0,5"}, 2, "invalid_input.amount", id="an amount with a comma"),
        pytest.param({"max_per_transaction": "1e3"}, 2, "invalid_input.amount", id="an amount with an exponent"),
        pytest.param({"max_per_transaction": "-1"}, 2, "invalid_input.amount", id="an amount below zero"),
        pytest.param({"chain_id": "0"}, 2, "invalid_input.chain", id="chain zero"),
        pytest.param({"chain_id": "one"}, 2, "invalid_input", id="a chain that is no number"),
        pytest.param({"node": "http://example.org/"}, 6, "misconfigured.settings", id="plain http to a stranger"),
        pytest.param({"node": "ftp://127.0.0.1/"}, 6, "misconfigured.settings", id="another scheme"),
        pytest.param({"account": "Main Account"}, 2, "invalid_input.account", id="an account's name with a blank"),
        pytest.param({"symbol": "E$"}, 2, "invalid_input", id="a symbol with a sign"),
        pytest.param({"decimals": "99"}, 2, "invalid_input", id="too many decimals"),
        pytest.param({"danger_cheap_kdf": "short"}, 2, "invalid_input", id="a reason that is none"),
        pytest.param({"kdf": "default"}, 2, "invalid_input", id="a reason without the waiver"),
        pytest.param({"secrets_fd": "1"}, 2, "invalid_input", id="secrets to standard output"),
        pytest.param({"secrets_fd": "99999"}, 2, "invalid_input", id="a descriptor that is not open"),
    ],
)
def test_bad_input_is_named_and_leaves_nothing_behind(
    folder: Path, changes: dict[str, str], status: int, code: str
) -> None:
    ran = run(*words(folder / "guard", **changes), passphrase=PASSPHRASE, with_secrets="secrets_fd" not in changes)

    assert (ran.status, ran.code) == (status, code), ran
    assert ran.err.startswith("error: ")
    assert not (folder / "guard").exists()


def test_a_cheap_vault_needs_a_reason(folder: Path) -> None:
    without = [word for word in words(folder / "guard") if word not in {"--danger-cheap-kdf", REASON}]

    assert run(*without, passphrase=PASSPHRASE, with_secrets=True).code == "invalid_input"


@pytest.mark.parametrize("passphrase", ["short", " " * 20, "with\ncontrol characters", ""])
def test_a_passphrase_that_is_none_makes_no_vault(folder: Path, passphrase: str) -> None:
    ran = run(*words(folder / "guard"), passphrase=passphrase, with_secrets=True)

    assert (ran.status, ran.code) == (2, "invalid_input.passphrase")
    assert not (folder / "guard").exists()


def test_words_that_could_not_be_shown_are_an_error_that_says_what_to_do(folder: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        ran = run(*words(folder / "guard", secrets_fd=str(full.fileno())), passphrase=PASSPHRASE)

    assert (ran.status, ran.code) == (5, "unavailable")
    assert "begin again" in ran.json["error"]["detail"]


def test_a_full_disk_leaves_no_half_vault(folder: Path) -> None:
    def no_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    with (folder / "secrets").open("w") as secrets:
        ran = run_without_terminal(
            *words(folder / "guard"), "--passphrase-fd", "0", "--secrets-fd", str(secrets.fileno()),
            limits=no_room, stdin=PASSPHRASE, keep=[secrets.fileno()],
        )  # fmt: skip

    assert ran.status == 5, ran
    assert ran.code.startswith("unavailable")
    assert list((folder / "guard").iterdir()) == []
