"""Every error of the catalogue names the next command, or has none on purpose."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from mcp_wallet_guard.cli.next_steps import NEXT, next_command
from mcp_wallet_guard.cli.parser import PROGRAM, make_parser, parse
from mcp_wallet_guard.cli.reference import commands
from mcp_wallet_guard.errors import CATALOGUE
from mcp_wallet_guard.testing.wallet import MadeWallet
from tests.cli.commands import run

NEEDS_MORE = {"wallet create", "log explain"}
"""Commands that do not run without an argument of the owner's, so that no error may name them."""


def test_every_code_of_the_catalogue_is_in_the_table_and_no_other() -> None:
    assert NEXT.keys() == CATALOGUE.keys()


@pytest.mark.parametrize("command", sorted({command for command in NEXT.values() if command is not None}))
def test_each_command_that_an_error_names_is_one(command: str) -> None:
    known = {name for name, _ in commands(make_parser())}

    assert command in known - NEEDS_MORE
    assert parse([*command.split(), "--dir", "somewhere"]).run


def test_a_command_that_a_sentence_names_is_the_one_of_the_table() -> None:
    named = {code: text.rpartition(f"{PROGRAM} ")[2].rstrip(".") for code, text in CATALOGUE.items() if PROGRAM in text}

    assert named
    assert {code: NEXT[code] for code in named} == named


def test_what_a_policy_denied_leads_nobody_to_a_wider_policy() -> None:
    denied = {code for code in NEXT if code.startswith("policy.")} - {"policy.missing", "policy.sealed"}

    assert {NEXT[code] for code in denied} == {None}


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (["status"], "not_running", "start"),
        (["requests"], "locked", "unlock"),
        (["start"], "misconfigured.vault_missing", "init"),
        (["init", "--chain", "local", "--max-per-transaction", "1"], "misconfigured.vault_exists", "wallet address"),
        (["status"], "misconfigured.settings", None),
        (["pay"], "invalid_input", None),
    ],
)
def test_the_error_of_a_command_shows_the_next_one(
    made: MadeWallet, request: pytest.FixtureRequest, words: list[str], code: str, expected: str | None
) -> None:
    if code == "locked":
        request.getfixturevalue("running")
    if code == "misconfigured.vault_missing":
        made.loaded.vault_path.unlink()
    if code == "misconfigured.settings":
        made.loaded.path.write_text("this is no TOML", encoding="utf-8")
    place = ["--config", str(made.loaded.path)]

    ran = run(*words, *place, "--json")

    assert ran.code == code, ran
    line = None if expected is None else shlex.join([PROGRAM, *expected.split(), *place])
    assert ran.json["error"].get("next") == line
    assert ran.err.endswith(f"  next: {line}\n") == (line is not None)


def test_settings_that_are_missing_are_made_by_init(folder: Path) -> None:
    ran = run("start", "--dir", str(folder / "a b"), "--json")

    assert ran.code == "misconfigured.settings"
    assert ran.json["error"]["next"] == f"{PROGRAM} init --dir '{folder}/a b'"


def test_without_a_place_the_next_command_has_none() -> None:
    assert next_command("not_running", parse(["status"])) == f"{PROGRAM} start"
    assert next_command("missing_extra", parse(["demo"])) is None
    assert next_command("locked", None) == f"{PROGRAM} unlock"
