"""``status``: vault, factor, policy, what waits, and what guard.toml says otherwise."""

from __future__ import annotations

import time

from mcp_wallet_guard.assembly import StateFiles, open_vault
from mcp_wallet_guard.exchange import Pending
from mcp_wallet_guard.testing.wallet import MadeWallet, passphrase
from tests.cli.commands import daemon, run
from tests.cli.test_approval import PAYEE, pay


def status(config: str) -> list[str]:
    return run("status", "--config", config).out.splitlines()


def test_a_locked_guard_tells_what_the_vault_file_says_in_the_open(
    made: MadeWallet, config: str, running: None
) -> None:
    lines = status(config)
    vault = run("status", "--config", config, "--json").json["vault"]

    assert lines[0] == "The wallet is locked."
    assert f"Vault:    {made.loaded.vault_path}, wallets: 1" in lines
    assert [line for line in lines if line.startswith("Factor:   one-time codes (main), since 20")]
    assert "Policy:   revision 1" in lines
    assert not [line for line in lines if line.startswith("Waiting:")]
    assert (vault["wallets"], vault["policy_revision"], len(vault["factors"])) == (1, 1, 1)
    assert set(vault["factors"][0]) == {"id", "label", "created_at"}


def test_what_waits_is_listed_without_its_match_code(made: MadeWallet, config: str, unlocked: None) -> None:
    assert "Waiting:  0" in status(config)
    answer = pay(made)
    assert isinstance(answer, Pending)

    lines = status(config)
    ran = run("status", "--config", config, "--json")

    at = lines.index("Waiting:  1")
    assert lines[at + 1].strip().startswith("Send 0.1 ETH to 0x7070")
    assert lines[at + 1].endswith(f"({answer.operation})")
    (request,) = ran.json["requests"]
    assert (request["operation"], set(request)) == (answer.operation, {"operation", "intent", "tool", "expires_at"})
    assert PAYEE in request["intent"].replace(" ", "")


def test_looking_while_nothing_waits_does_not_keep_the_vault_open(
    made: MadeWallet, config: str, unlocked: None
) -> None:
    for _ in range(4):
        made.clock.advance(10 * 60)
        run("status", "--config", config)

    until = time.monotonic() + 10
    while not run("status", "--config", config, "--json").json["locked"] and time.monotonic() < until:
        time.sleep(0.1)
    assert run("status", "--config", config, "--json").json["locked"] is True


def test_a_vault_without_a_factor_or_a_policy_names_what_is_missing(made: MadeWallet, config: str) -> None:
    opened = open_vault(StateFiles(made.loaded.vault_path), passphrase(), waiver=made.loaded.settings.cheap_kdf)
    opened.remove_entry(made.new.factor_id)
    opened.save()
    opened.lock()

    with daemon(made):
        assert "mcp-wallet-guard factor enrol" in "".join(line for line in status(config) if line.startswith("Factor:"))


def test_settings_that_cannot_be_read_are_told_beside_the_rest(made: MadeWallet, config: str, unlocked: None) -> None:
    made.loaded.path.write_text("this is no TOML", encoding="utf-8")

    lines = status(config)

    assert lines[0] == "The wallet is unlocked."
    assert [line for line in lines if line.startswith("Settings: guard.toml is not valid. not TOML")]
    assert run("status", "--config", config, "--json").json["vault"] is None
