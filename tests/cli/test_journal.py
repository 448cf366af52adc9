"""``log tail`` and ``log explain``: the journal for people. Threat: T-021, T-088."""

from __future__ import annotations

import json
import re
from typing import Any

import anyio
import pytest

from mcp_wallet_guard import owner
from mcp_wallet_guard.cli import telling
from mcp_wallet_guard.daemon.client import ControlClient
from mcp_wallet_guard.errors import Tampered
from mcp_wallet_guard.exchange import Done, Pending
from mcp_wallet_guard.journal.events import Kind
from mcp_wallet_guard.testing.wallet import MadeWallet
from tests.cli.commands import Ran, daemon, run, run_on_terminal, unlock
from tests.cli.test_approval import PAYEE, answers, pay


def explain(about: str, config: str, *more: str) -> Ran:
    return run("log", "explain", about, "--config", config, *more)


def shown(made: MadeWallet, operation: str) -> str:
    """The text that an approval channel shows for it."""

    async def ask() -> str:
        client = ControlClient(made.directory)
        try:
            return (await client.request(operation)).text
        finally:
            await client.aclose()

    return anyio.run(ask)


@pytest.fixture
def paid(made: MadeWallet, config: str, unlocked: None) -> tuple[Done, str]:
    """A payment that was approved on the terminal, and what was shown there."""
    waiting = pay(made)
    assert isinstance(waiting, Pending)
    text = shown(made, waiting.operation)
    assert run_on_terminal("approve", "--config", config, answers=answers(made)).status == 0
    done = pay(made)
    assert isinstance(done, Done)
    return done, text


def test_a_payment_is_told_from_its_question_to_its_end(config: str, paid: tuple[Done, str]) -> None:
    done, text = paid
    assert done.receipt is not None

    ran = explain(done.operation, config)

    assert ran.status == 0, ran
    assert f"\n{text}\n" in ran.out, "the view, byte for byte as it was shown"
    told = [
        "Asked by local through the tool pay:",
        "Revision 1 of the settings permits it and asks for level FACTOR.",
        "Shown to the owner:",
        "Approved by owner on the terminal, with the code of factor",
        "The approval was used up, under revision 1 of the settings.",
        f"Signed, verified and stored: transaction {done.receipt.transaction_hash}.",
        "The node took it.",
        "It ended: mined.",
        "Every entry was verified under the vault's key.",
    ]
    places = [ran.out.find(each) for each in told]
    assert -1 not in places
    assert places == sorted(places), ran.out


def test_the_transactions_hash_names_the_same_payment(config: str, paid: tuple[Done, str]) -> None:
    done, _ = paid
    assert done.receipt is not None
    by_id = explain(done.operation, config).out
    for name in (done.receipt.transaction_hash, done.receipt.transaction_hash.upper().replace("0X", "0x")):
        assert explain(name, config).out == by_id


def test_for_a_program_the_entries_are_as_they_were_written(config: str, paid: tuple[Done, str]) -> None:
    done, _ = paid

    ran = explain(done.operation, config, "--json")

    kinds = [entry["kind"] for entry in ran.json["entries"]]
    assert kinds == [f"operation.{each}" for each in ("frozen", "approved", "consumed", "signed", "sent", "settled")]
    assert {entry["subject"] for entry in ran.json["entries"]} == {done.operation}
    assert (ran.json["keyed"], ran.json["more"]) == (True, False)


def test_a_declined_payment_says_so(made: MadeWallet, config: str, unlocked: None) -> None:
    waiting = pay(made)
    assert isinstance(waiting, Pending)
    run_on_terminal("decline", "--config", config, answers=[("type decline", "decline")])

    assert "It was closed (declined)." in explain(waiting.operation, config).out


@pytest.mark.parametrize("about", ["nobody's", "0x" + "00" * 32, "0x"])
def test_what_the_journal_knows_nothing_about_is_an_error(config: str, paid: tuple[Done, str], about: str) -> None:
    ran = explain(about, config, "--json")

    assert (ran.status != 0, ran.code) == (True, "invalid_input.id")


def test_the_tail_is_the_newest_entries_a_line_each(config: str, paid: tuple[Done, str]) -> None:
    whole = run("log", "tail", "--lines", "1000", "--config", config).out.splitlines()
    some = run("log", "tail", "--lines", "3", "--config", config).out.splitlines()

    assert whole[-1] == some[-1] == "Every entry was verified under the vault's key."
    assert some[0] == "Older entries are left out."
    assert some[1:-1] == whole[-4:-1]
    assert "Older entries are left out." not in whole
    assert [int(line.split()[0]) for line in whole[:-1]] == list(range(len(whole) - 1))
    assert all(len(line) < 300 for line in whole)
    assert any(paid[0].operation in line and "operation.signed" in line for line in whole)
    assert not any(PAYEE in line for line in whole), "a view is for `explain`"


@pytest.mark.parametrize("lines", ["0", "-1", "1001", "many"])
def test_a_number_of_lines_that_makes_no_sense_is_refused(config: str, lines: str) -> None:
    ran = run("log", "tail", "--lines", lines, "--config", config, "--json")

    assert (ran.status != 0, ran.code) == (True, "invalid_input")


def test_without_a_guard_the_journal_is_told_too_and_its_seal_is_not_claimed(made: MadeWallet, config: str) -> None:
    with daemon(made):
        unlock(made.loaded.path)
        waiting = pay(made)
        assert isinstance(waiting, Pending)

    for ran in (explain(waiting.operation, config), run("log", "tail", "--config", config)):
        assert ran.status == 0, ran
        assert "Its seal was not checked" in ran.out
        assert "verified under" not in ran.out


def test_a_page_fits_into_a_frame_of_the_daemon(
    made: MadeWallet, config: str, unlocked: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest come first when not all of it fits, and at least one always does."""

    async def page(limit: int) -> list[int]:
        with monkeypatch.context() as patch:
            patch.setattr(owner, "MAX_PAGE_CHARACTERS", limit)
            async with made.open() as wallet:
                found = await wallet.owned.read_log(last=1000, about=None)
                assert found.more == (json.loads(found.entries[0])["index"] > 0)
                return [json.loads(body)["index"] for body in found.entries]

    run("stop", "--config", config)
    whole, some, one = (anyio.run(page, limit) for limit in (100_000, 1_500, 1))
    assert whole == list(range(len(whole)))
    assert 1 < len(some) < len(whole)
    assert some == list(range(some[0], some[-1] + 1))
    assert len(one) == 1


def entry(kind: Kind, **data: Any) -> dict[str, Any]:
    return {"index": 7, "at": 1_800_000_000, "kind": kind.value, "subject": "op-1", "data": data}


def test_a_view_that_is_not_the_hashed_one_is_not_shown(config: str, paid: tuple[Done, str]) -> None:
    honest = explain(paid[0].operation, config, "--json").json["entries"]
    assert telling.explanation(honest)
    for view in (honest[0]["data"]["view"].replace("0.1", "9.9"), "{}", "not JSON"):
        forged = [{**honest[0], "data": {**honest[0]["data"], "view": view}}]
        with pytest.raises(Tampered):
            telling.explanation(forged)


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_of_entry_has_a_line(kind: Kind) -> None:
    data = {"reads": ["a", "b"]} if kind is Kind.READ else {"code": "x" * 300, "level": 3, "none": None}
    line = telling.heading(entry(kind, **data))

    assert line.startswith("     7  2027-01-15 08:00:00 UTC  " + kind.value)
    assert len(line) < 250
    assert "none" not in line
    assert ("reads 2" in line) == (kind is Kind.READ)


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        (entry(Kind.PROPOSED, principal="local", tool="pay", intent="{}"), "It waits for another payment"),
        (entry(Kind.APPROVED, link="renewed"), "The owner's link was made anew."),
        (entry(Kind.UNKNOWN, outcome="unknown"), "nobody said whether the chain has it"),
        (entry(Kind.EXPIRED, code="expired"), "It was closed (expired). "),
        (entry(Kind.REFUSED, code="of.another.version"), "It was closed (of.another.version)."),
        (entry(Kind.RETIRED), "operation.retired."),
        (
            entry(Kind.APPROVED, evidence={
                "approver": "owner", "channel": "page", "factor_id": None, "factor_step": None, "level": 2,
            }),
            "Approved by owner on the approval page, without a code (level PRESENT).",
        ),
        (
            entry(Kind.APPROVED, evidence={"mandate": "ab12", "channel": "mandate", "level": 0}),
            "Paid without a question, by the mandate ab12 that the owner approved before.",
        ),
        (
            entry(Kind.APPROVED, evidence={
                "approver": "owner", "channel": "letter", "factor_id": "f", "factor_step": 9, "level": 77,
            }),
            "Approved by owner through letter, with the code of factor f, time step 9 (level 77).",
        ),
    ],
)  # fmt: skip
def test_each_thing_that_can_happen_has_its_sentence(told: dict[str, Any], sentence: str) -> None:
    assert any(sentence in line for line in telling.explanation([told]))


def test_a_time_that_no_calendar_has_is_told_all_the_same() -> None:
    assert telling.when(2**53) == f"at {2**53}"


def test_no_text_of_a_caller_moves_the_cursor(config: str, made: MadeWallet, unlocked: None) -> None:
    """T-021: what is told passes the same printer as everything that a command says."""
    waiting = pay(made, "0.1", reference="a-reference")
    assert isinstance(waiting, Pending)
    out = explain(waiting.operation, config).out
    assert "a-reference" in out
    assert re.search(r"[^\n -~]", out) is None
