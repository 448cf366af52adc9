"""A new factor: its QR code on the owner's terminal alone, and the one code that finishes it. Threat: T-065, T-086."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import segno

from mcp_wallet_guard import setup
from mcp_wallet_guard.assembly import StateFiles, open_vault
from mcp_wallet_guard.cli.qr import MARGIN, columns, drawing
from mcp_wallet_guard.config.file import load_settings
from mcp_wallet_guard.keys.vault import EntryKind, read_public
from mcp_wallet_guard.testing.clock import SharedClock
from tests.cli.commands import Ran, code_on, run, run_on_terminal
from tests.cli.test_init import PASSPHRASE, words

URI = "otpauth://totp/mcp-wallet-guard:main?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=mcp-wallet-guard"
TYPED: list[tuple[str, Any]] = [("New passphrase", PASSPHRASE), ("The same again", PASSPHRASE)]
CELL = re.compile(r"\x1b\[(?:38;5;(\d+);)?48;5;(\d+)m|(\u2580|  )|(\x1b\[0m)")


def modules(lines: list[str]) -> list[list[bool]]:
    """A drawing as a camera sees it: dark or light, read back from the colours."""
    rows: list[list[bool]] = []
    for line in lines:
        upper: list[bool] = []
        lower: list[bool] = []
        front, back = "", ""
        for found in CELL.finditer(line):
            if found[2] is not None:
                front, back = found[1] or "", found[2]
            elif found[3] is not None:
                upper.append((front or back) == "16")
                lower.append(back == "16")
        rows += [upper, lower] if "\u2580" in line else [upper]
    return rows


def expected(text: str) -> list[list[bool]]:
    return [[bool(module) for module in row] for row in segno.make_qr(text).matrix_iter(border=MARGIN)]


@pytest.mark.parametrize("half_blocks", [True, False])
def test_what_is_drawn_is_the_code_with_its_margin(half_blocks: bool) -> None:
    lines = list(drawing(URI, half_blocks=half_blocks))
    seen, code = modules(lines), expected(URI)

    assert seen[: len(code)] == code
    assert not any(any(row) for row in seen[len(code) :]), "half a line is left over, and light"
    assert [any(row) for row in code[: MARGIN + 1]] == [False] * MARGIN + [True], "a margin of four modules"
    assert columns(tuple(lines)) == len(code) * (1 if half_blocks else 2)
    assert all(line.endswith("\x1b[0m") for line in lines)


def test_both_colours_are_named_so_that_no_theme_changes_them() -> None:
    for half_blocks in (True, False):
        text = "".join(drawing(URI, half_blocks=half_blocks))
        assert {code for pair in re.findall(r"38;5;(\d+)|48;5;(\d+)", text) for code in pair if code} == {"16", "231"}


def picture(screen: str) -> list[str]:
    return [line for line in screen.split("\n") if "\x1b[" in line]


def now(screen: str) -> str:
    return code_on(screen, at=int(time.time()))


def test_the_terminal_shows_the_uri_as_a_qr_code_and_standard_output_nothing_of_it(folder: Path) -> None:
    ran = run_on_terminal(*words(folder / "guard"), answers=[*TYPED, ("the code that the app shows", now)])

    assert ran.status == 0, ran.err
    (uri,) = re.findall(r"otpauth://\S+", ran.screen)
    code = expected(uri)
    assert modules(picture(ran.screen))[: len(code)] == code
    assert "\x1b" not in ran.out + ran.err
    assert ran.json["factor_proven"] is True


def test_on_a_narrow_terminal_the_uri_stands_alone(folder: Path) -> None:
    ran = run_on_terminal(*words(folder / "guard"), answers=[*TYPED, ("the code that", now)], columns=40)

    assert ran.status == 0, ran.err
    assert picture(ran.screen) == []
    assert "otpauth://totp/" in ran.screen


def test_a_code_that_was_mistyped_may_be_typed_again(folder: Path) -> None:
    answers = [*TYPED, ("the code that", "12345"), ("the code that", wrong), ("the code that", now)]

    ran = run_on_terminal(*words(folder / "guard"), answers=answers)

    assert (ran.status, ran.json["in_force"]) == (0, True), ran.err
    assert "A code is six ASCII digits." in ran.screen
    assert "The code was not accepted." in ran.screen


def test_without_a_code_that_counts_nothing_is_in_force_until_policy_apply_gets_one(folder: Path) -> None:
    ran = run_on_terminal(*words(folder / "guard"), answers=[*TYPED, *[("the code that", wrong)] * 3])

    assert (ran.status, ran.code) == (3, "factor.rejected")
    assert "mcp-wallet-guard policy apply" in ran.err
    vault, place = folder / "guard" / "vault.json", ["--dir", str(folder / "guard"), "--json"]
    assert read_public(vault).settings is None

    again = run(*words(folder / "guard"), passphrase=PASSPHRASE, with_secrets=True)
    assert again.code == "misconfigured.vault_exists"
    assert "nothing is in force yet (mcp-wallet-guard policy apply)" in again.err
    bad = run("policy", "apply", *place, passphrase=PASSPHRASE, code=wrong(ran.screen))
    assert (bad.code, read_public(vault).settings) == ("factor.rejected", None)
    good = run("policy", "apply", *place, passphrase=PASSPHRASE, code=now(ran.screen))
    assert (good.status, good.json["policy_revision"]) == (0, 1), good


def test_the_code_of_the_enrolment_is_used_up(folder: Path) -> None:
    clock = SharedClock.create(folder / "clock", start=int(time.time()))

    def at(screen: str) -> str:
        return code_on(screen, at=clock.now())

    ran = run_on_terminal(*words(folder / "guard"), answers=[*TYPED, ("the code that", at)], clock=clock)
    place = ["--dir", str(folder / "guard"), "--json"]
    used = run("store", "acknowledge", *place, passphrase=PASSPHRASE, code=at(ran.screen), clock=clock)
    clock.advance(30)
    fresh = run("store", "acknowledge", *place, passphrase=PASSPHRASE, code=at(ran.screen), clock=clock)

    assert (ran.status, used.code, fresh.status) == (0, "factor.rejected", 0)


def with_a_program(*line: str, code: Any) -> tuple[Ran, str]:
    """A program that reads the secrets, and answers with the code that it makes of them."""
    secrets_end, secrets_fd = os.pipe()
    code_fd, code_end = os.pipe()
    seen: list[str] = []

    def program() -> None:
        with os.fdopen(secrets_end) as secrets, os.fdopen(code_end, "w") as answer:
            seen.append(secrets.readline())
            answer.write(code(seen[0]))

    thread = threading.Thread(target=program)
    thread.start()
    try:
        fds = ["--secrets-fd", str(secrets_fd), "--code-fd", str(code_fd)]
        ran = run(*line, *fds, passphrase=PASSPHRASE)
    finally:
        os.close(secrets_fd)
        thread.join(timeout=60)
        os.close(code_fd)
    return ran, seen[0]


@pytest.mark.parametrize("good", [True, False])
def test_a_program_may_finish_with_a_code_too(folder: Path, good: bool) -> None:
    ran, secrets = with_a_program(*words(folder / "guard"), code=now if good else wrong)

    assert json.loads(secrets)["factor_uri"].startswith("otpauth://")
    sealed = read_public(folder / "guard" / "vault.json").settings
    assert (ran.status, sealed is not None) == ((0, True) if good else (3, False))


def test_a_program_without_a_code_gets_a_wallet_that_works_and_is_told_that_no_code_was_proven(folder: Path) -> None:
    ran = run(*words(folder / "guard"), passphrase=PASSPHRASE, with_secrets=True)

    assert (ran.status, ran.json["in_force"], ran.json["factor_proven"]) == (0, True, False)


def test_a_factor_whose_code_nobody_has_is_not_enrolled(folder: Path) -> None:
    config, place = without_factor(folder)

    no = run_on_terminal(
        "factor", "enrol", *place, answers=[("Passphrase", PASSPHRASE), *[("the code that", wrong)] * 3]
    )
    assert (no.status, no.code) == (3, "factor.rejected")
    assert factors(config) == 0

    yes = run_on_terminal("factor", "enrol", *place, answers=[("Passphrase", PASSPHRASE), ("the code that", now)])
    assert (yes.status, yes.json["factor_proven"], factors(config)) == (0, True, 1), yes.err


def without_factor(folder: Path) -> tuple[Path, list[str]]:
    ran = run(*words(folder / "guard"), passphrase=PASSPHRASE, with_secrets=True)
    loaded = load_settings(Path(ran.json["config"]))
    secret = setup.passphrase_from(PASSPHRASE)
    opened = open_vault(StateFiles(loaded.vault_path), secret, waiver=loaded.settings.cheap_kdf)
    opened.remove_entry(ran.json["factor"])
    opened.save()
    opened.lock()
    return loaded.vault_path, ["--dir", str(folder / "guard"), "--json"]


def factors(vault: Path) -> int:
    return sum(entry.kind is EntryKind.TOTP_SECRET for entry in read_public(vault).entries)


def wrong(screen: str) -> str:
    """Six digits that are no code of now, of before or of soon."""
    at = int(time.time())
    near = {code_on(screen, at=at + 30 * step) for step in range(-3, 4)}
    return next(f"{digits:06d}" for digits in range(1000) if f"{digits:06d}" not in near)


def test_the_code_after_the_proven_one_counts_also_when_its_time_had_begun(folder: Path) -> None:
    """A person who is slow types the code of the step before; the next one on the display is the current one."""
    clock = SharedClock.create(folder / "clock", start=int(time.time()))

    def before(screen: str) -> str:
        return code_on(screen, at=clock.now() - 30)

    ran = run_on_terminal(*words(folder / "guard"), answers=[*TYPED, ("the code that", before)], clock=clock)
    place = ["--dir", str(folder / "guard"), "--json"]
    used, next_one = (
        run("store", "acknowledge", *place, passphrase=PASSPHRASE, code=code_on(ran.screen, at=at), clock=clock)
        for at in (clock.now() - 30, clock.now())
    )

    assert (ran.status, used.code, next_one.status) == (0, "factor.rejected", 0)
