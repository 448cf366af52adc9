"""Reading guard.toml from disk, and the text that `init` writes."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from mcp_wallet_guard.config.file import load_settings
from mcp_wallet_guard.config.presets import ask_everything
from mcp_wallet_guard.config.settings import parse_settings
from mcp_wallet_guard.errors import Misconfigured
from mcp_wallet_guard.evidence import Level
from mcp_wallet_guard.operations.values import Account, Address, Amount, Asset, ChainId
from mcp_wallet_guard.policy.rules import ANY
from tests.config.documents import FULL, edited

ACCOUNT = Account("main", ChainId(31337), Address("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"))
NATIVE = Asset(ACCOUNT.chain, "ETH", 18)


def test_the_vault_stands_beside_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "guard.toml").write_text(FULL, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    loaded = load_settings(Path("guard.toml"))
    assert loaded.settings == parse_settings(FULL)
    assert loaded.path == tmp_path / "guard.toml"
    assert loaded.vault_path == tmp_path / "vault.json"


def test_an_absolute_vault_is_taken_as_it_is(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "vault.json"
    (tmp_path / "guard.toml").write_text(edited('"vault.json"', f"'{elsewhere}'"), encoding="utf-8")
    assert load_settings(tmp_path / "guard.toml").vault_path == elsewhere


def test_a_file_that_cannot_be_read_is_misconfigured(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(FULL.encode() + b"# \xe9\n")
    (tmp_path / "huge.toml").write_bytes(FULL.encode() + b"#" * 70_000)
    for name, detail in (
        ("absent.toml", "guard.toml cannot be read: No such file or directory"),
        (".", "guard.toml cannot be read: Is a directory"),
        ("latin.toml", "guard.toml is not UTF-8"),
        ("huge.toml", "more than 65536 bytes"),
    ):
        with pytest.raises(Misconfigured) as refused:
            load_settings(tmp_path / name)
        assert (refused.value.code, refused.value.detail) == ("misconfigured.settings", detail)


def test_the_preset_asks_for_every_payment_at_factor() -> None:
    settings = parse_settings(
        ask_everything(
            vault="vault.json", mode="daemon", node="https://node.example/key", account=ACCOUNT, native=NATIVE,
            max_per_transaction=Amount("0.5"), page_port=8700, expires_minutes=3,
        )
    )  # fmt: skip
    policy = settings.policy
    assert policy is not None
    assert (policy.level, policy.payees, policy.max_per_transaction) == (Level.FACTOR, ANY, 5 * 10**17)
    assert (settings.account, settings.native, settings.waivers) == (ACCOUNT, NATIVE, ())
    assert (settings.approval.page_port, settings.approval.expires_minutes) == (8700, 3)
    assert (settings.mode, settings.node, settings.locked_reads) == ("daemon", "https://node.example/key", True)


@pytest.mark.parametrize("vault", ['a"b.json', "a\\b.json", "caf\u00e9.json", "a'b # c.json", "\U0001f600.json"])
def test_odd_file_names_survive_the_preset(vault: str) -> None:
    source = ask_everything(
        vault=vault, mode="embedded", node="https://node.example", account=ACCOUNT, native=NATIVE,
        max_per_transaction=Amount("1"),
    )  # fmt: skip
    assert tomllib.loads(source)["vault"] == vault


@pytest.mark.parametrize(
    ("name", "value"), [("node", "http://evil.example"), ("mode", 'daemon"\nx = "1'), ("vault", "a\x7f")]
)
def test_a_preset_that_would_not_parse_is_not_written(name: str, value: str) -> None:
    texts: dict[str, Any] = {"vault": "vault.json", "mode": "daemon", "node": "https://node.example"} | {name: value}
    with pytest.raises(Misconfigured):
        ask_everything(**texts, account=ACCOUNT, native=NATIVE, max_per_transaction=Amount("1"))
