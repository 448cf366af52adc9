"""What the owner reads and types goes over the owner's own channels: MCP carries none of it, and opens nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal
from urllib.parse import urlsplit

import anyio
import httpx2
import pytest
from mcp import Client
from mcp_types import ElicitRequestURLParams, ElicitResult

from mcp_wallet_guard.errors import CATALOGUE
from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.testing.person import ReadPage
from tests.e2e.rig import AMOUNT, EACH_ERA, MODES, WEI, Daemon, Era, Home, connected, pay, server_command, told
from tests.e2e.tap import Tap

pytestmark = pytest.mark.anyio

WRONG_CODES = 12


class Host:
    """A host that declares URL elicitation, answers each question alike, and remembers what it was asked."""

    def __init__(
        self,
        action: Literal["accept", "decline", "cancel"],
        *,
        then: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        self.urls: list[str] = []
        self._action: Literal["accept", "decline", "cancel"] = action
        self._then = then

    async def __call__(self, context: Any, params: Any) -> ElicitResult:
        assert isinstance(params, ElicitRequestURLParams)
        self.urls.append(params.url)
        if self._then is not None:
            await self._then(params.url)
        return ElicitResult(action=self._action)


def _operation(url: str) -> str:
    return urlsplit(url).path.removeprefix("/a/")


@pytest.mark.parametrize("era", EACH_ERA)
async def test_what_the_owner_sees_and_types_never_passes_mcp(era: Era, home: Home) -> None:
    """T-001, T-060: match code, link secret, one-time code, view: in no byte of either direction."""
    payee = home.payee()
    private: set[str] = set()

    async def answers(url: str) -> None:
        operation = _operation(url)
        link = (home.directory / "links" / f"{operation}.url").read_text("ascii").strip()
        private.update({link, link.rpartition("/")[2]})
        async with home.owner() as owner:
            page = await owner.person.read(operation)
            private.update({page.match_code, page.match_code.replace("-", ""), page.intent})
            private.update(page.fields[name] for name in ("Payee", "Fee", "Operation") if name in page.fields)
            private.update(page.findings.values())
            private.update(f'"{token}"' for token in owner.person.browser.cookies.values())
            code = home.code()
            private.add(f'"{code}"')
            await owner.person.submit(page.form("/approve"), match_code=page.match_code, code=code)

    tap = Tap(server_command(home), log=home.log)
    host = Host("accept", then=answers)
    async with Client(tap, mode=MODES[era], elicitation_callback=host) as client:
        done = await pay(client, payee)
        assert told(done) == ("done", "mined")
        assert (await pay(client, payee))["repeated"]
    carried = tap.carried()
    assert host.urls
    assert host.urls[0] in carried
    assert len(private) >= 8
    assert {each for each in private if each in carried} == set()
    assert not any(each in home.log.read_text("utf-8") for each in private if "/p/" in each)
    assert home.paid(payee) == WEI


async def _see(url: str) -> tuple[int, dict[str, str], str]:
    """What an unpaired browser is shown: status, headers without the date, document."""
    async with httpx2.AsyncClient(trust_env=False) as browser:
        response = await browser.get(url)
    headers = {name: value for name, value in response.headers.items() if name != "date"}
    return response.status_code, headers, response.text


@pytest.mark.parametrize("era", EACH_ERA)
async def test_the_url_that_mcp_carried_shows_a_stranger_nothing(era: Era, home: Home, daemon: Daemon) -> None:
    """T-015, T-109: the page of a real request equals that of an unknown id, byte by byte."""
    payee = home.payee()
    host = Host("decline")
    async with connected(home, era, transport="memory", callback=host) as client:
        pending = await pay(client, payee)
        url = pending["url"]
        assert set(host.urls) <= {url}
        stranger = await _see(url)
        assert stranger == await _see(f"{daemon.page}/a/{'x' * 24}")
        assert stranger == await _see(f"{daemon.page}/")
        async with home.owner() as owner:
            page = await owner.person.read(pending["operation"])
            assert payee.value in page.fields["Payee"].replace(" ", "")
        told_all = stranger[2] + str(stranger[1])
        secret = {payee.value, home.address.value, AMOUNT, "ETH", page.match_code, page.intent, "31337"}
        assert {each for each in secret if each in told_all} == set()
        form = ReadPage(stranger[2]).forms
        assert [each.action for each in form] == ["/pair"]
        # A form that a stranger makes up is refused as well.
        async with httpx2.AsyncClient(trust_env=False) as browser:
            headers = {"origin": daemon.page, "sec-fetch-site": "same-origin"}
            typed = {"csrf": "0" * 64, "view_hash": "0" * 64, "match_code": page.match_code, "code": "000000"}
            response = await browser.post(url + "/approve", data=typed, headers=headers)
        assert response.status_code == 403
        assert told(await pay(client, payee))[0] == "pending"
    assert home.sent() == set()


async def test_wrong_codes_from_an_unpaired_browser_cannot_lock_the_owner_out(home: Home, daemon: Daemon) -> None:
    """T-082: they close the door that they came through, and only that one. T-081: and it does close."""
    payee = home.payee()
    async with connected(home, "2026-07-28", transport="memory") as client, home.owner() as owner:
        pending = await pay(client, payee)
        alerts = []
        async with httpx2.AsyncClient(trust_env=False) as browser:
            headers = {"origin": daemon.page, "sec-fetch-site": "same-origin"}
            for _ in range(WRONG_CODES):
                response = await browser.post(f"{daemon.page}/pair", data={"code": "000000"}, headers=headers)
                assert response.status_code == 403
                alerts.append(ReadPage(response.text).alert)
            assert alerts[0] == CATALOGUE["factor.rejected"]
            assert alerts[-1] == CATALOGUE["factor.door_closed"]
            right = await browser.post(f"{daemon.page}/pair", data={"code": home.code()}, headers=headers)
            assert right.status_code == 403
        async with home.control() as control:
            assert not (await control.control_status()).factor_locked
        assert await owner.approve(pending, payee) == "next_call"
        assert told(await pay(client, payee)) == ("done", "mined")
        home.clock.advance(3600)  # the door opens again after an hour; the owner's own way never closed
        await home.unlock()
    assert home.paid(payee) == WEI


@pytest.mark.parametrize("era", EACH_ERA)
@pytest.mark.parametrize("action", ["accept", "decline", "cancel"])
async def test_whatever_a_host_answers_by_itself_changes_nothing(
    action: Literal["accept", "decline", "cancel"], era: Era, home: Home
) -> None:
    """T-004: an instant accept approves nothing; a decline or cancel declines nothing."""
    payee, host = home.payee(), Host(action)
    async with connected(home, era, transport="memory", callback=host) as client:
        pending = await pay(client, payee)
        assert pending["status"] == "pending"
        assert len(host.urls) == 1
        assert "mcp-wallet-guard approve" in pending["message"]
        assert home.sent() == set()
        async with home.owner() as owner:
            await owner.approve(pending, payee)
        assert told(await pay(client, payee)) == ("done", "mined")
    assert home.paid(payee) == WEI


@pytest.mark.parametrize("era", EACH_ERA)
async def test_a_person_who_approves_while_the_host_waits_gets_the_receipt_in_the_same_call(
    era: Era, home: Home
) -> None:
    """The honest twin of the host that answers for its user."""
    payee = home.payee()

    async def approves(url: str) -> None:
        async with home.owner() as owner:
            await owner.approve_operation(_operation(url), payee)

    host = Host("accept", then=approves)
    async with connected(home, era, transport="memory", callback=host) as client:
        done = await pay(client, payee)
    assert (told(done), done["repeated"]) == (("done", "mined"), False)
    assert len(host.urls) == len(home.sent()) == 1


@pytest.mark.parametrize("era", EACH_ERA)
async def test_a_client_that_cannot_ask_is_told_where_the_owner_decides(era: Era, home: Home) -> None:
    """T-112: no elicitation, no approval; the channels are named, and asking again asks nobody twice."""
    payee = home.payee()
    async with connected(home, era, transport="memory") as client:
        first, second = await pay(client, payee), await pay(client, payee)
        assert first == second
        assert first["status"] == "pending"
        assert "links folder" in first["message"]
        assert "mcp-wallet-guard approve" in first["message"]
        async with home.control() as control:
            assert len(await control.requests()) == 1
    assert home.sent() == set()


@pytest.mark.parametrize("era", EACH_ERA)
async def test_an_approval_that_comes_while_a_call_waits_signs_at_once(era: Era, home: Home) -> None:
    """T-016: and the page says so, because the answer differs from the next call's."""
    payee = home.payee()
    home.edit("wait_seconds = 1 ", "wait_seconds = 20 ")
    said: list[str] = []
    try:
        async with connected(home, era, callback=Host("accept")) as client, anyio.create_task_group() as tasks:
            tasks.start_soon(_approves_when_asked, home, payee, said)
            done = await pay(client, payee)
    finally:
        home.edit("wait_seconds = 20 ", "wait_seconds = 1 ")
    assert told(done) == ("done", "mined")
    assert said == ["now"]
    assert len(home.sent()) == 1


async def _approves_when_asked(home: Home, payee: Address, said: list[str]) -> None:
    operation = await home.asked()
    await anyio.sleep(1)  # until the call waits at the guard: the host answers at once
    async with home.owner() as owner:
        said.append(await owner.approve_operation(operation, payee))
