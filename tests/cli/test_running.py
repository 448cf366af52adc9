"""``start``, ``stop``, ``unlock``, ``lock``, ``status``, and what they say when the guard's files are not well."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from mcp_wallet_guard.answers import GuardStatus, LimitStatus
from mcp_wallet_guard.cli.running import status_report
from mcp_wallet_guard.keys import format as vault_format
from mcp_wallet_guard.testing.clock import ScriptedClock
from mcp_wallet_guard.testing.wallet import PASSPHRASE, MadeWallet
from tests.cli.commands import daemon, line, run, run_on_terminal, run_without_terminal, serving, unlock

CONTROL = ["stop", "unlock", "lock", "status", "requests"]
SET_UP = [
    pytest.param(["store", "acknowledge"], id="store acknowledge"),
    pytest.param(["wallet", "create", "--label", "two"], id="wallet create"),
    pytest.param(["factor", "enrol"], id="factor enrol"),
    pytest.param(["start"], id="start"),
]


def test_a_guard_starts_is_unlocked_locked_and_stopped(made: MadeWallet, config: str) -> None:
    with serving(line("start", "--config", config, "--json")) as process:
        before = run("status", "--config", config, "--json").json
        opened = run("unlock", "--config", config, "--json", passphrase=PASSPHRASE)
        closed = run("lock", "--config", config, "--json")
        stopped = run("stop", "--config", config, "--json")

        assert process.wait(timeout=120) == 0

    assert (before["locked"], opened.json["locked"], closed.json["locked"]) == (True, False, True)
    assert opened.json["policy_revision"] == 1
    assert opened.json["page_url"].startswith("http://127.0.0.1:")
    assert opened.json["waivers"][0].startswith("CheapKdf: ")
    assert stopped.json == {"stopped": True}
    assert run("status", "--config", config, "--json").code == "not_running"


def test_start_says_once_on_standard_output_that_it_listens_and_ends_well_at_sigterm(config: str) -> None:
    with serving(line("start", "--config", config)) as process:
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        assert process.stderr is not None
        more, err = process.stdout.read(), process.stderr.read()
        status = process.wait(timeout=120)

    assert status == 0, err
    assert "warning: protection was lowered: CheapKdf" in err
    assert more == "Unlock it in another terminal: mcp-wallet-guard unlock\n"


@pytest.mark.parametrize("command", CONTROL)
def test_without_a_guard_a_command_says_how_to_start_one(config: str, command: str) -> None:
    ran = run_without_terminal(command, "--config", config, "--json")

    assert (ran.status, ran.code) == (3, "not_running")
    assert "mcp-wallet-guard start" in ran.err


@pytest.mark.parametrize("words", SET_UP)
def test_beside_a_running_guard_set_up_commands_refuse(config: str, running: None, words: list[str]) -> None:
    is_start = words == ["start"]
    ran = run(
        *words, "--config", config, "--json",
        passphrase=None if is_start else PASSPHRASE,
        code="123456" if words[0] == "store" else None,
        with_secrets=words[0] in {"wallet", "factor"},
    )  # fmt: skip

    assert (ran.status, ran.code) == (6, "misconfigured.already_running")
    assert ran.secrets == ""


def test_a_wrong_passphrase_unlocks_nothing(config: str, running: None) -> None:
    ran = run("unlock", "--config", config, "--json", passphrase="not the passphrase")

    assert (ran.status, ran.code) == (7, "vault.cannot_unlock")
    assert run("status", "--config", config, "--json").json["locked"] is True


def test_the_passphrase_is_asked_on_the_terminal_without_echo(config: str, running: None) -> None:
    ran = run_on_terminal("unlock", "--config", config, "--json", answers=[("Passphrase: ", PASSPHRASE)])

    assert ran.status == 0, ran
    assert ran.json["locked"] is False
    assert PASSPHRASE not in ran.screen


def test_a_passphrase_on_standard_input_is_not_taken(config: str, running: None) -> None:
    ran = run_without_terminal("unlock", "--config", config, "--json", stdin=f"{PASSPHRASE}\n")

    assert (ran.status, ran.code) == (5, "unavailable.terminal")
    assert run("status", "--config", config, "--json").json["locked"] is True


def test_a_guard_locks_itself_when_it_is_idle(config: str, unlocked: None, clock: ScriptedClock) -> None:
    clock.advance(16 * 60)

    until = time.monotonic() + 10
    while not run("status", "--config", config, "--json").json["locked"] and time.monotonic() < until:
        time.sleep(0.1)

    assert run("status", "--config", config, "--json").json["locked"] is True


def test_a_damaged_vault_is_named_and_left_as_it_is(made: MadeWallet, config: str) -> None:
    path = made.loaded.vault_path
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)

    for words in (["start"], ["wallet", "address"]):
        ran = run(*words, "--config", config, "--json")
        assert (ran.status, ran.code) == (7, "vault.damaged")
    assert path.read_bytes() == raw


def test_an_edited_vault_reads_like_a_wrong_passphrase_and_is_left_as_it_is(
    made: MadeWallet, config: str, running: None
) -> None:
    path = made.loaded.vault_path
    file = vault_format.parse(path.read_bytes())
    edited = vault_format.render(file.model_copy(update={"gen": file.gen + 1}))
    path.write_bytes(edited)

    ran = run("unlock", "--config", config, "--json", passphrase=PASSPHRASE)

    assert (ran.status, ran.code) == (7, "vault.cannot_unlock")
    assert path.read_bytes() == edited


def test_an_unknown_key_in_guard_toml_is_named(made: MadeWallet, config: str) -> None:
    made.loaded.path.write_text(made.loaded.path.read_text().replace("[lock]", "[lock]\nnever = true"))

    ran = run("start", "--config", config, "--json")

    assert (ran.status, ran.code) == (6, "misconfigured.settings")
    assert "lock.never" in ran.json["error"]["detail"]
    assert "lock.never" in ran.err


def test_a_broken_guard_toml_does_not_keep_its_owner_from_locking(
    made: MadeWallet, config: str, unlocked: None
) -> None:
    made.loaded.path.write_text("this is no TOML")

    assert run("lock", "--config", config, "--json").json["locked"] is True
    assert run("policy", "apply", "--config", config, "--json").code == "misconfigured.settings"


def test_an_edited_guard_toml_is_named_and_not_in_force(made: MadeWallet, config: str) -> None:
    made.loaded.path.write_text(made.loaded.path.read_text().replace('"0.5"', '"0.6"'))

    with daemon(made):
        unlock(made.loaded.path)
        ran = run("status", "--config", config)

    assert 'policy.max_per_transaction: "0.5" -> "0.6"' in ran.out
    assert "mcp-wallet-guard policy apply" in ran.out


def test_no_settings_and_no_vault_are_told_apart(folder: Path, made: MadeWallet, config: str) -> None:
    assert run("start", "--dir", str(folder / "nowhere"), "--json").code == "misconfigured.settings"
    made.loaded.vault_path.unlink()

    ran = run("start", "--config", config, "--json")

    assert (ran.status, ran.code) == (6, "misconfigured.vault_missing")
    assert json.loads(ran.out)["error"]["message"].endswith("mcp-wallet-guard init")


def test_the_embedded_mode_has_no_daemon_to_start(made: MadeWallet, config: str) -> None:
    made.loaded.path.write_text(made.loaded.path.read_text().replace('mode = "daemon"', 'mode = "embedded"'))

    assert run("start", "--config", config, "--json").code == "misconfigured.settings"


@pytest.mark.parametrize(
    ("limit", "line"),
    [
        (LimitStatus(seconds=86_400, symbol="ETH", spent="0.1", amount="0.25", payments=1, count=None, payees=None),
         "Limit:    0.1 of 0.25 ETH within 1 days"),
        (LimitStatus(seconds=5_400, symbol="USDC", spent="7", amount="10", payments=2, count=9, payees=3),
         "Limit:    7 of 10 USDC and 2 of 9 payments of USDC to 3 payees within 90 minutes"),
        (LimitStatus(seconds=7_200, symbol=None, spent=None, amount=None, payments=2, count=9, payees=None),
         "Limit:    2 of 9 payments within 2 hours"),
    ],
)  # fmt: skip
def test_a_limit_is_told_in_one_line(limit: LimitStatus, line: str) -> None:
    status = GuardStatus(
        version="1", locked=False, store_id=None, blocked=None, account=None, policy_revision=1, settings_differ=(),
        factor_locked=False, open_operations=0, limits=(limit,), page_url=None, waivers=(),
    )  # fmt: skip
    assert line in status_report(status).lines
