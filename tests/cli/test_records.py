"""``policy``, ``store``, ``log``, ``wallet``, ``factor``: what is in force, and what was written down."""

from __future__ import annotations

import base64
import json

import anyio
import pytest

from mcp_wallet_guard import setup
from mcp_wallet_guard.assembly import StateFiles
from mcp_wallet_guard.config.file import load_settings
from mcp_wallet_guard.danger import cheap_kdf
from mcp_wallet_guard.exchange import Pending, RefusedAnswer
from mcp_wallet_guard.keys.kdf import cheap_profile
from mcp_wallet_guard.keys.vault import create_vault, read_public
from mcp_wallet_guard.testing.person import Authenticator
from mcp_wallet_guard.testing.wallet import PASSPHRASE, MadeWallet, passphrase
from tests.cli.commands import Ran, daemon, run, run_on_terminal, unlock
from tests.cli.test_approval import pay
from tests.database import execute


def edit(made: MadeWallet, old: str, new: str) -> None:
    text = made.loaded.path.read_text()
    assert old in text
    made.loaded.path.write_text(text.replace(old, new))


def fresh_code(made: MadeWallet) -> str:
    made.clock.advance(30)
    return made.authenticator.code()


# --- policy -------------------------------------------------------------------------------------------------------


def test_an_applied_policy_is_in_force_and_the_change_was_shown(made: MadeWallet, config: str, unlocked: None) -> None:
    assert getattr(pay(made, "0.55"), "code", None) == "policy.cap"
    edit(made, '"0.5"', '"0.6"')

    ran = run("policy", "apply", "--config", config, "--json", code=fresh_code(made))

    assert ran.status == 0, ran
    change = 'policy.max_per_transaction: "0.5" -> "0.6"'
    assert ran.json["changes"] == [change]
    assert change in ran.err
    assert (ran.json["policy_revision"], ran.json["settings_differ"]) == (2, [])
    assert isinstance(pay(made, "0.55"), Pending)


def test_the_code_is_asked_on_the_terminal(made: MadeWallet, config: str, unlocked: None) -> None:
    edit(made, '"0.5"', '"0.4"')

    ran = run_on_terminal("policy", "apply", "--config", config, answers=[("authenticator", fresh_code(made))])

    assert ran.status == 0, ran
    assert "In force now, as revision 2." in ran.out


@pytest.mark.parametrize("code", ["000000", "12345", "", "used"])
def test_without_a_good_code_nothing_changes(made: MadeWallet, config: str, unlocked: None, code: str) -> None:
    edit(made, '"0.5"', '"0.6"')
    if code == "used":
        code = fresh_code(made)
        assert run("policy", "apply", "--config", config, code=code).status == 0
        edit(made, '"0.6"', '"0.7"')
    before = read_public(made.loaded.vault_path).settings

    ran = run("policy", "apply", "--config", config, "--json", code=code)

    assert ran.status == 3, ran
    assert ran.out.count("\n") == 1
    assert ran.code in {"factor.rejected", "factor.format"}
    assert read_public(made.loaded.vault_path).settings == before


def test_nothing_to_apply_takes_no_code(config: str, made: MadeWallet) -> None:
    ran = run("policy", "apply", "--config", config, "--json")

    assert (ran.status, ran.json["changes"]) == (0, [])


def test_a_locked_guard_applies_nothing(made: MadeWallet, config: str, running: None) -> None:
    edit(made, '"0.5"', '"0.6"')

    assert run("policy", "apply", "--config", config, "--json", code="123456").code == "locked"


def test_the_first_policy_takes_the_passphrase_and_until_then_every_payment_is_refused(
    made: MadeWallet, config: str
) -> None:
    directory = made.directory
    for name in ("vault.json", "vault.anchor", "state.db"):
        (directory / name).unlink()
    waiver = cheap_kdf(reason="a wallet for one test")
    new = setup.new_vault(
        made.loaded.vault_path, passphrase=passphrase(), label="main", now=made.clock.now(), waiver=waiver
    )
    edit(made, made.new.address, new.address)
    edit(made, "[policy]", '[danger]\ncheap_kdf = "a wallet for one test"\n\n#[policy]')
    text = made.loaded.path.read_text()
    without = "\n".join(
        line for line in text.split("[danger]\ncheap_kdf = \"tests")[0].splitlines()
        if not line.startswith(("max_per_transaction", "tokens", "approvals", "level", "payees"))
    )  # fmt: skip
    made.loaded.path.write_text(without + "\n")

    with daemon(made):
        unlock(made.loaded.path)
        assert getattr(pay(made), "code", None) == "policy.missing"
        assert run("policy", "apply", "--config", config, "--json", passphrase=PASSPHRASE).code == (
            "misconfigured.already_running"
        )
    ran = run("policy", "apply", "--config", config, "--json", passphrase=PASSPHRASE, clock=made.clock)
    assert (ran.status, ran.json["policy_revision"]) == (0, 1)
    with daemon(made):
        unlock(made.loaded.path)
        assert getattr(pay(made), "code", None) == "policy.missing"


# --- store and log ------------------------------------------------------------------------------------------------


def test_a_lost_store_blocks_spending_until_it_is_acknowledged_and_used_codes_stay_used(
    made: MadeWallet, config: str
) -> None:
    used = fresh_code(made)
    StateFiles(made.loaded.vault_path).database.unlink()
    with daemon(made):
        assert unlock(made.loaded.path).json["blocked"] == "blocked.store"
        assert getattr(pay(made), "code", None) == "blocked.store"

    def acknowledge(code: str, secret: str = PASSPHRASE) -> Ran:
        words = ("store", "acknowledge", "--config", config, "--json")
        return run(*words, clock=made.clock, passphrase=secret, code=code)

    assert acknowledge("000000").code == "factor.rejected"
    assert acknowledge(used, "not the passphrase").code == "vault.cannot_unlock"
    assert acknowledge(used).json == {"acknowledged": True}
    with daemon(made):
        assert unlock(made.loaded.path).json["blocked"] is None
        assert isinstance(pay(made), Pending)
        edit(made, '"0.5"', '"0.6"')
        assert run("policy", "apply", "--config", config, "--json", code=used).code == "factor.rejected"


def test_the_journal_verifies_without_a_key_and_says_so(made: MadeWallet, config: str) -> None:
    before = StateFiles(made.loaded.vault_path).database.read_bytes()

    ran = run("log", "verify", "--config", config, "--json")

    assert (ran.status, ran.json["keyed"]) == (0, False)
    assert "needs the unlocked vault" in ran.json["message"]
    assert StateFiles(made.loaded.vault_path).database.read_bytes() == before


def test_the_journal_verifies_under_the_key_of_an_unlocked_guard(config: str, unlocked: None) -> None:
    ran = run("log", "verify", "--config", config, "--json")
    run("lock", "--config", config)
    locked = run("log", "verify", "--config", config, "--json")

    assert (ran.status, ran.json["keyed"]) == (0, True)
    assert (locked.status, locked.json["keyed"]) == (0, False)


@pytest.mark.parametrize("is_running", [False, True])
def test_an_edited_journal_is_found_and_the_entry_named(made: MadeWallet, config: str, is_running: bool) -> None:
    def damage() -> None:
        path = StateFiles(made.loaded.vault_path).database
        execute(path, "UPDATE journal SET body = CAST(replace(body, 'true', 'null') AS BLOB) WHERE entry = 3")

    if is_running:
        with daemon(made):
            unlock(made.loaded.path)
            damage()
            ran = run("log", "verify", "--config", config, "--json")
    else:
        damage()
        ran = run("log", "verify", "--config", config, "--json")

    assert (ran.status, ran.code) == (4, "tampered.journal")
    assert "entry 3" in ran.json["error"]["detail"]


def test_a_journal_that_is_not_there_is_not_made(made: MadeWallet, config: str) -> None:
    database = StateFiles(made.loaded.vault_path).database
    database.unlink()

    assert run("log", "verify", "--config", config, "--json").code == "unavailable.store"
    assert not database.exists()


# --- wallet and factor --------------------------------------------------------------------------------------------


def test_a_second_wallet_is_generated_and_pays_nothing_yet(made: MadeWallet, config: str) -> None:
    ran = run(
        "wallet", "create", "--label", "two", "--config", config, "--json", passphrase=PASSPHRASE, with_secrets=True
    )

    assert ran.status == 0, ran
    assert len(json.loads(ran.secrets)["words"].split()) == 24
    listed = run("wallet", "address", "--config", config, "--json").json
    assert [wallet["label"] for wallet in listed["wallets"]] == ["main", "two"]
    assert listed["wallets"][1]["address"] == ran.json["address"] != listed["address"]
    assert f"{made.new.address}  main  (pays)" in run("wallet", "address", "--config", config).out


def test_a_wrong_passphrase_makes_no_wallet(made: MadeWallet, config: str) -> None:
    before = made.loaded.vault_path.read_bytes()

    ran = run(
        "wallet", "create", "--label", "two", "--config", config, "--json",
        passphrase="not the passphrase", with_secrets=True,
    )  # fmt: skip

    assert (ran.status, ran.code, ran.secrets) == (7, "vault.cannot_unlock", "")
    assert made.loaded.vault_path.read_bytes() == before


def test_a_second_factor_of_the_kind_is_refused(made: MadeWallet, config: str) -> None:
    before = made.loaded.vault_path.read_bytes()

    ran = run("factor", "enrol", "--config", config, "--json", passphrase=PASSPHRASE, with_secrets=True)

    assert (ran.status, ran.code, ran.secrets) == (3, "factor.exists", "")
    assert made.loaded.vault_path.read_bytes() == before


def test_the_first_factor_is_enrolled_and_its_codes_count_from_the_next_one(made: MadeWallet, config: str) -> None:
    for name in ("vault.json", "vault.anchor", "state.db"):
        (made.directory / name).unlink()
    profile = cheap_profile(cheap_kdf(reason="a wallet for one test"))
    opened = create_vault(made.loaded.vault_path, passphrase=passphrase(), profile=profile)
    address, _ = setup.add_wallet(opened, label="main", now=made.clock.now())
    opened.lock()
    edit(made, made.new.address, address)

    ran = run(
        "factor", "enrol", "--config", config, "--json", passphrase=PASSPHRASE, with_secrets=True, clock=made.clock
    )

    assert ran.status == 0, ran
    secret = json.loads(ran.secrets)["factor_uri"].split("secret=")[1].split("&")[0]
    assert secret not in ran.out + ran.err
    anyio.run(lambda: setup.put_in_force(load_settings(made.loaded.path), passphrase(), clock=made.clock))
    authenticator = Authenticator(base64.b32decode(secret), made.clock)
    now = authenticator.display()
    edit(made, '"0.5"', '"0.6"')
    with daemon(made):
        unlock(made.loaded.path)
        assert run("policy", "apply", "--config", config, "--json", code=now).code == "factor.rejected"
        made.clock.advance(30)
        assert run("policy", "apply", "--config", config, "--json", code=authenticator.code()).status == 0


def test_a_locked_out_factor_opens_with_passphrase_and_a_fresh_code(
    made: MadeWallet, config: str, unlocked: None
) -> None:
    edit(made, '"0.5"', '"0.6"')
    good = fresh_code(made)
    wrong = f"{(int(good) + 1) % 10**6:06}"
    codes = [run("policy", "apply", "--config", config, "--json", code=wrong).code for _ in range(6)]
    assert codes[-1] == "factor.locked_out"
    assert run("status", "--config", config, "--json").json["factor_locked"] is True
    assert "factor unlock" in run("status", "--config", config).out

    def unlock_factor(secret: str, code: str) -> Ran:
        return run("factor", "unlock", "--config", config, "--json", passphrase=secret, code=code)

    assert unlock_factor("not the passphrase", good).code == "vault.cannot_unlock"
    assert unlock_factor(PASSPHRASE, wrong).code == "factor.rejected"
    assert unlock_factor(PASSPHRASE, good).json["factor_locked"] is False
    assert run("policy", "apply", "--config", config, "--json", code=fresh_code(made)).status == 0


def test_a_payment_beside_the_command_line_is_refused_where_it_must(made: MadeWallet, unlocked: None) -> None:
    refused = [pay(made, amount) for amount in ("0", "0.1000000000000000001", "1e-1", "0.6")]

    assert [answer.code for answer in refused if isinstance(answer, RefusedAnswer)] == [
        "invalid_input.zero",
        "invalid_input.precision",
        "invalid_input.amount",
        "policy.cap",
    ]
