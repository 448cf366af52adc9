"""Many servers, one daemon, one approval; one code, two questions."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client

from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.testing.person import ReadPage, ScriptedPerson
from tests.e2e.rig import AMOUNT, ERAS, WEI, Daemon, Home, connected, done_once, pay, told

pytestmark = pytest.mark.anyio

SERVERS = 4


async def _at_once(clients: list[Client], payee: Address) -> list[dict[str, Any]]:
    answers: list[dict[str, Any]] = []

    async def call(client: Client) -> None:
        answers.append(await pay(client, payee))

    async with anyio.create_task_group() as tasks:
        for client in clients:
            tasks.start_soon(call, client)
    return answers


@pytest.mark.slow
async def test_four_server_processes_racing_an_approved_call_sign_once(home: Home) -> None:
    """T-009, T-103: four processes make the same call at the same moment, three times over."""
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connected(home, era)) for era in ERAS * 2]
        assert len(clients) == SERVERS
        for _ in range(3):
            home.mark()
            payee = home.payee()
            asked = await _at_once(clients, payee)
            assert len({answer["operation"] for answer in asked}) == 1
            async with home.owner() as owner:
                await owner.approve(asked[0], payee)
            answers = await _at_once(clients, payee)
            assert {told(answer) for answer in answers} == {("done", "mined")}, answers
            assert sorted(answer["repeated"] for answer in answers) == [False, True, True, True]
            assert home.sent() == {answer["receipt"]["transaction_hash"] for answer in answers}
            assert len(home.sent()) == 1
            assert home.paid(payee) == WEI


async def test_racing_calls_with_different_effects_wait_for_each_other(home: Home) -> None:
    """T-103: each gets its own question and its own answer; the honest twin of the race."""
    first, second = home.payee(), home.payee()
    async with connected(home, "2026-07-28") as one, connected(home, "2025-11-25") as two:
        asked = await pay(one, first)
        assert (await pay(two, second))["queued"] is True
        async with home.owner() as owner:
            await owner.approve(asked, first)
        assert told(await pay(two, second))[0] == "pending"
        assert told(await pay(one, first)) == ("done", "mined")
        await done_once(two, home, second)
    assert len(home.sent()) == 2
    assert home.paid(first) == home.paid(second) == WEI


async def _type(person: ScriptedPerson, operation: str, code: str) -> ReadPage:
    """Read the page and type its match code with this one-time code."""
    page = await person.read(operation)
    return await person.submit(page.form("/approve"), match_code=page.match_code, code=code)


async def test_one_code_approves_one_of_two_questions(home: Home) -> None:
    """T-079, T-085: the code that approved the first question is refused for the second; the next code is not."""
    first, second = home.payee(), home.payee()
    async with connected(home, "2026-07-28", transport="memory") as client, home.owner() as owner:
        asked = await pay(client, first)
        await pay(client, second)
        code = home.code()
        assert (await _type(owner.person, asked["operation"], code)).continuation == "next_call"
        assert told(await pay(client, first)) == ("done", "mined")
        waiting = await pay(client, second)
        refused = await _type(owner.person, waiting["operation"], code)
        assert (refused.continuation, refused.alert) == ("", "The code was not accepted.")
        assert told(await pay(client, second))[0] == "pending"
        assert len(home.sent()) == 1
        await owner.approve(waiting, second)
        assert told(await pay(client, second)) == ("done", "mined")
    assert len(home.sent()) == 2


async def test_two_browsers_racing_one_code_get_one_approval(home: Home) -> None:
    """T-079: the same answer posted four times at once is taken once."""
    payee = home.payee()
    async with connected(home, "2026-07-28", transport="memory") as client, home.owner() as owner:
        asked = await pay(client, payee)
        page = await owner.person.read(asked["operation"])
        form, code = page.form("/approve"), home.code()
        answers: list[ReadPage] = []

        async def submit() -> None:
            answers.append(await owner.person.submit(form, match_code=page.match_code, code=code))

        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(submit)
        assert sorted(answer.continuation for answer in answers) == ["", "", "", "next_call"]
        assert told(await pay(client, payee)) == ("done", "mined")
    assert len(home.sent()) == 1


async def test_a_code_that_paired_a_browser_approves_nothing(home: Home, daemon: Daemon) -> None:
    """T-079: pairing by code and approving race for the same code, and one of them gets it."""
    payee = home.payee()
    async with connected(home, "2026-07-28", transport="memory") as client, home.owner() as owner:
        asked = await pay(client, payee)
        page = await owner.person.read(asked["operation"])
        form, code = page.form("/approve"), home.code()
        outcomes: dict[str, bool] = {}

        async def approve() -> None:
            answer = await owner.person.submit(form, match_code=page.match_code, code=code)
            outcomes["approved"] = bool(answer.continuation)

        async def pair() -> None:
            async with httpx2.AsyncClient(trust_env=False) as browser:
                headers = {"origin": daemon.page, "sec-fetch-site": "same-origin"}
                response = await browser.post(f"{daemon.page}/pair", data={"code": code}, headers=headers)
            outcomes["paired"] = response.status_code == 303

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(approve)
            tasks.start_soon(pair)
        assert sorted(outcomes.values()) == [False, True], outcomes
        expected = ("done", "mined") if outcomes["approved"] else ("pending", "")
        assert told(await pay(client, payee, AMOUNT)) == expected
    assert len(home.sent()) == outcomes["approved"]
