"""``approve``, ``decline``, ``requests``: an answer on the controlling terminal, and no other way."""

from __future__ import annotations

import re
from typing import Any

import anyio
import pytest

from mcp_wallet_guard.daemon.client import DaemonClient
from mcp_wallet_guard.exchange import Done, Pending, Proposal, RefusedAnswer
from mcp_wallet_guard.testing.wallet import MadeWallet
from tests.cli.commands import run, run_on_terminal, run_without_terminal

PAYEE = "0x7070707070707070707070707070707070707070"


def pay(made: MadeWallet, amount: str = "0.1", **more: str) -> Done | Pending | RefusedAnswer:
    """What an MCP server asks of the running guard."""

    async def ask() -> Done | Pending | RefusedAnswer:
        client = DaemonClient(made.directory)
        try:
            intent = {"kind": "transfer", "to": PAYEE, "amount": amount, **more}
            return await client.propose(Proposal(principal="local", tool="pay", intent=intent), wait_seconds=0)
        finally:
            await client.aclose()

    return anyio.run(ask)


@pytest.fixture
def waiting(made: MadeWallet, unlocked: None) -> Pending:
    answer = pay(made)
    assert isinstance(answer, Pending)
    return answer


def match_code(screen: str) -> str:
    found = re.findall(r"type this match code: (\S+)", screen)
    return str(found[-1])


def answers(made: MadeWallet) -> list[Any]:
    made.clock.advance(30)
    return [("Match code", match_code), ("authenticator", made.authenticator.code())]


def test_a_payment_that_was_approved_on_the_terminal_is_paid_by_the_next_call(
    made: MadeWallet, config: str, waiting: Pending
) -> None:
    ran = run_on_terminal("approve", "--config", config, "--json", answers=answers(made))

    assert ran.status == 0, ran
    assert ran.json == {"operation": waiting.operation, "outcome": "approved"}
    assert PAYEE[2:6] in ran.screen
    assert match_code(ran.screen) not in ran.out + ran.err
    done = pay(made)
    assert isinstance(done, Done)
    assert done.outcome == "mined"


def test_an_answer_that_is_piped_in_is_no_answer(made: MadeWallet, config: str, waiting: Pending) -> None:
    for command in ("approve", "decline"):
        ran = run_without_terminal(command, waiting.operation, "--config", config, "--json", stdin="yes\n" * 5)

        assert (ran.status, ran.code) == (5, "unavailable.terminal")
    assert isinstance(pay(made), Pending)


def test_a_wrong_match_code_three_times_decides_nothing(made: MadeWallet, config: str, waiting: Pending) -> None:
    made.clock.advance(30)
    code = made.authenticator.code()
    wrong: list[Any] = [("Match code", "000-000"), ("authenticator", code)] * 3

    ran = run_on_terminal("approve", "--config", config, "--json", answers=wrong)

    assert (ran.status, ran.json["outcome"]) == (1, "left")
    assert ran.screen.count("The match code was not accepted.") == 3
    assert isinstance(pay(made), Pending)


def test_an_empty_line_decides_nothing(config: str, waiting: Pending) -> None:
    for command, prompt in (("approve", "Match code"), ("decline", "type decline")):
        ran = run_on_terminal(command, waiting.operation, "--config", config, "--json", answers=[(prompt, "")])

        assert (ran.status, ran.json["outcome"]) == (1, "left")


@pytest.mark.parametrize(("command", "prompt"), [("approve", "Match code"), ("decline", "type decline")])
def test_a_declined_payment_is_refused(
    made: MadeWallet, config: str, waiting: Pending, command: str, prompt: str
) -> None:
    ran = run_on_terminal(command, "--config", config, "--json", answers=[(prompt, "decline")])

    assert (ran.status, ran.json["outcome"]) == (0, "declined")
    answer = pay(made)
    assert isinstance(answer, RefusedAnswer)
    assert answer.code == "declined"


def test_nothing_waits_is_said(config: str, unlocked: None) -> None:
    for command in ("approve", "decline"):
        ran = run_on_terminal(command, "--config", config, "--json", answers=[])

        assert (ran.status, ran.json["outcome"]) == (0, "nothing_waits")
    assert run("requests", "--config", config, "--json").json == {"requests": []}


def test_an_unknown_id_is_refused(config: str, waiting: Pending) -> None:
    ran = run_on_terminal("approve", "no-such-operation", "--config", config, "--json", answers=[])

    assert (ran.status, ran.code) == (2, "invalid_input.id")


def test_requests_name_what_waits_and_no_match_code(config: str, waiting: Pending) -> None:
    ran = run("requests", "--config", config, "--json")
    shown = run("requests", "--config", config)

    (only,) = ran.json["requests"]
    assert only["operation"] == waiting.operation
    assert only["intent"].startswith("Send 0.1 ETH to 0x7070")
    assert set(only) == {"operation", "intent", "tool", "expires_at"}
    assert waiting.operation in shown.out


def test_a_locked_guard_answers_nothing(config: str, running: None) -> None:
    assert run("requests", "--config", config, "--json").code == "locked"
    assert run_on_terminal("approve", "--config", config, "--json", answers=[]).code == "locked"
