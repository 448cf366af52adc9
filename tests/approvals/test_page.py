"""The page as its owner uses it, and each thing that somebody else would like it to do."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx2
import pytest

from mcp_wallet_guard.confirmation import Finding
from mcp_wallet_guard.errors import CATALOGUE
from mcp_wallet_guard.evidence import Channel
from mcp_wallet_guard.testing.clock import ScriptedClock
from mcp_wallet_guard.testing.person import Form, ReadPage, ScriptedPerson, UnexpectedPage
from tests.approvals.desk import ORIGIN, PAYEE, MemoryDesk, a_view
from tests.approvals.forms import COOKIE, filled, link_of, post

Browser = httpx2.AsyncClient


# --- the honest way -----------------------------------------------------------------------------------------------


async def test_the_owner_reads_the_transfer_and_approves_it_with_both_codes(
    desk: MemoryDesk, person: ScriptedPerson
) -> None:
    assert await person.approve("op-1", expect_to=PAYEE, expect_amount="0.1") == "next_call"
    assert desk.cases["op-1"].approved is Channel.PAGE
    assert desk.cases["op-1"].step == desk.clock.now() // 30


async def test_the_result_says_whether_it_signs_at_once_or_on_the_next_call(
    desk: MemoryDesk, person: ScriptedPerson, clock: ScriptedClock
) -> None:
    page = await person.submit(Form("/a/op-1/approve"), **await filled(person))
    assert "The next identical call within 2 minutes signs it, once." in page.text
    desk.ask("op-2")
    desk.waiting.add("op-2")
    clock.advance(30)
    page = await person.submit(Form("/a/op-2/approve"), **await filled(person, "op-2"))
    assert "It is being signed now" in page.text


async def test_a_decline_closes_the_request(desk: MemoryDesk, person: ScriptedPerson) -> None:
    await person.decline("op-1")
    assert desk.cases["op-1"].approved is None
    response = await person.browser.get(f"{ORIGIN}/a/op-1")
    assert (response.status_code, ReadPage(response.text).alert) == (410, CATALOGUE["declined"])


async def test_a_request_below_factor_asks_for_no_code(desk: MemoryDesk, person: ScriptedPerson) -> None:
    desk.ask("op-2", needs_code=False)
    assert (await person.read("op-2")).form("/approve").asks == ["match_code"]
    await person.approve("op-2", expect_to=PAYEE, expect_amount="0.1")
    assert desk.cases["op-2"].step is None


async def test_the_whole_view_stands_in_its_order_before_the_match_code(
    desk: MemoryDesk, person: ScriptedPerson
) -> None:
    finding = Finding(code="payee.new", severity="warning", text="This payee was never paid before.")
    view = a_view(findings=(finding,))
    desk.ask("op-2", view)
    await person.pair("op-2")
    html = (await person.browser.get(f"{ORIGIN}/a/op-2")).text
    page = ReadPage(html)
    assert page.intent == view.intent
    assert [(name, page.fields[name]) for name in page.fields][:-1] == [(f.label, f.value) for f in view.fields]
    assert page.fields["Operation"].replace(" ", "") == "0x" + view.operation_digest
    assert page.findings == {"payee.new": "Warning: This payee was never paid before."}
    order = [html.index(mark) for mark in ("data-intent", "data-finding", "data-field", "data-match-code", "<form")]
    assert order[:3] == sorted(order[:3])
    assert (
        html.rindex("data-finding")
        < html.index("data-field")
        <= html.rindex("data-field")
        < html.index("<form")
        < html.index("data-match-code")
    )
    assert html.index("data-match-code") < html.index('name="match_code"')


async def test_the_list_shows_open_requests_to_a_paired_browser(
    desk: MemoryDesk, person: ScriptedPerson, clock: ScriptedClock
) -> None:
    desk.ask("op-2", a_view(amount="2 ETH"))
    await person.pair("op-1")
    page = ReadPage((await person.browser.get(f"{ORIGIN}/")).text)
    assert page.links == {"/a/op-1": f"Send 0.1 ETH to {PAYEE}", "/a/op-2": f"Send 2 ETH to {PAYEE}"}
    clock.advance(600)
    assert "Nothing is waiting." in (await person.browser.get(f"{ORIGIN}/")).text


async def test_wrong_codes_leave_the_form_open_for_another_try(
    desk: MemoryDesk, person: ScriptedPerson, clock: ScriptedClock
) -> None:
    page = await person.submit(Form("/a/op-1/approve"), **await filled(person, match_code="AAA-AAA"))
    assert page.alert == CATALOGUE["match_code.rejected"]
    assert desk.factor.last_step == -1  # a wrong match code uses up no one-time code
    clock.advance(30)
    page = await person.submit(Form("/a/op-1/approve"), **await filled(person, code="12345x"))
    assert page.alert == CATALOGUE["factor.format"]
    clock.advance(30)
    await person.approve("op-1", expect_to=PAYEE, expect_amount="0.1")


# --- pairing ------------------------------------------------------------------------------------------------------


async def test_the_link_becomes_a_strict_cookie_that_scripts_cannot_read(desk: MemoryDesk, browser: Browser) -> None:
    response = await browser.get(link_of(desk))
    assert (response.status_code, response.headers["location"]) == (303, "/a/op-1")
    assert re.fullmatch(
        COOKIE + r"=[A-Za-z0-9_-]{43}; HttpOnly; Max-Age=43200; Path=/; SameSite=strict", response.headers["set-cookie"]
    )
    assert response.headers["referrer-policy"] == "no-referrer"
    assert "Approve this payment?" in (await browser.get("/a/op-1")).text


async def test_a_link_opens_one_browser_once(desk: MemoryDesk, new_browser: Callable[[], Browser]) -> None:
    """Threat: T-109."""
    link = link_of(desk)
    first, second = new_browser(), new_browser()
    assert (await first.get(link)).status_code == 303
    refused = await second.get(link)
    assert (refused.status_code, "set-cookie" in refused.headers) == (403, False)
    assert "0.1 ETH" not in (await second.get("/a/op-1")).text
    again = await first.get(link)  # the owner's own browser, opening it twice
    assert (again.status_code, "set-cookie" in again.headers) == (303, False)


@pytest.mark.parametrize("guess", ["A" * 43, "A" * 42, "x", "%2e%2e", "A" * 9000])
async def test_a_guessed_link_opens_nothing(desk: MemoryDesk, browser: Browser, guess: str) -> None:
    """Threat: T-015."""
    response = await browser.get(f"/p/op-1/{guess}")
    assert response.status_code == 403
    assert "set-cookie" not in response.headers
    assert (await browser.get(link_of(desk))).status_code == 303


async def test_a_link_of_one_operation_does_not_open_another(desk: MemoryDesk, browser: Browser) -> None:
    desk.ask("op-2")
    response = await browser.get(link_of(desk).replace("op-1", "op-2"))
    assert response.status_code == 403


async def test_an_expired_link_opens_nothing(desk: MemoryDesk, browser: Browser, clock: ScriptedClock) -> None:
    link = link_of(desk)
    clock.advance(600)
    assert (await browser.get(link)).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-purpose": "prefetch"},
        {"sec-purpose": "prefetch;prerender"},
        {"purpose": "prefetch"},
        {"x-moz": "prefetch"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-dest": "image"},
        {"sec-fetch-dest": "iframe"},
    ],
    ids=str,
)
async def test_looking_ahead_or_being_sent_by_another_site_does_not_use_the_link_up(
    desk: MemoryDesk, browser: Browser, headers: dict[str, str]
) -> None:
    """Threat: T-109."""
    link = link_of(desk)
    response = await browser.get(link, headers=headers)
    assert (response.status_code, "set-cookie" in response.headers) == (403, False)
    honest = {"sec-fetch-site": "none", "sec-fetch-dest": "document", "sec-fetch-mode": "navigate"}
    assert (await browser.get(link, headers=honest)).status_code == 303


async def test_a_head_request_does_not_use_the_link_up(desk: MemoryDesk, browser: Browser) -> None:
    link = link_of(desk)
    assert (await browser.head(link)).status_code == 405
    assert (await browser.get(link)).status_code == 303


async def test_a_pairing_ends_after_twelve_hours(desk: MemoryDesk, browser: Browser, clock: ScriptedClock) -> None:
    await browser.get(link_of(desk))
    token = browser.cookies[COOKIE]
    clock.advance(12 * 3600)
    page = (await browser.get("/", headers={"cookie": f"{COOKIE}={token}"})).text
    assert "Pair this browser" in page


async def test_an_unpaired_browser_pairs_with_a_code_and_needs_another_one_to_approve(
    desk: MemoryDesk, person: ScriptedPerson, clock: ScriptedClock
) -> None:
    await person.pair_by_code(ORIGIN)
    with pytest.raises(UnexpectedPage, match="used already"):
        await person.approve("op-1", expect_to=PAYEE, expect_amount="0.1")
    page = await person.submit(
        Form("/a/op-1/approve"),
        **(await person.read("op-1")).form("/approve").hidden,
        match_code=(await person.read("op-1")).match_code,
        code=person.authenticator.display(),
    )
    assert page.alert == CATALOGUE["factor.rejected"]
    clock.advance(30)
    await person.approve("op-1", expect_to=PAYEE, expect_amount="0.1")


# --- who is not paired --------------------------------------------------------------------------------------------


async def test_an_unpaired_browser_sees_one_page_everywhere_and_the_desk_is_not_even_asked(
    desk: MemoryDesk, browser: Browser
) -> None:
    """Threat: T-015."""
    bodies = {(await browser.get(path)).content for path in ("/", "/a/op-1", "/a/op-2", "/a/nothing", "/a/%00")}
    assert len(bodies) == 1
    page = ReadPage(bodies.pop().decode())
    assert page.form("/pair").asks == ["code"]
    assert not page.fields
    for word in ("ETH", "0x", "op-", "store", "alice"):
        assert word not in page.text
    assert desk.calls == []


async def test_an_invented_cookie_pairs_nothing(desk: MemoryDesk, browser: Browser) -> None:
    for value in ("x" * 43, "", "../../etc/passwd", "1"):
        response = await browser.get("/a/op-1", headers={"cookie": f"{COOKIE}={value}"})
        assert "Pair this browser" in response.text


@pytest.mark.parametrize("action", ["approve", "decline"])
async def test_an_unpaired_browser_cannot_answer_and_learns_nothing_from_trying(
    desk: MemoryDesk, browser: Browser, action: str
) -> None:
    """Threat: T-004, T-015."""
    answers = [
        await post(browser, f"/a/{operation}/{action}", csrf="x", view_hash="x", match_code="x", code="000000")
        for operation in ("op-1", "nothing")
    ]
    assert {(one.status_code, one.content) for one in answers} == {(403, answers[0].content)}
    assert ReadPage(answers[0].text).alert == CATALOGUE["pairing.required"]
    assert desk.cases["op-1"].closed is None


async def test_wrong_codes_from_an_unpaired_browser_close_its_own_door_and_never_the_owners(
    desk: MemoryDesk, browser: Browser, person: ScriptedPerson
) -> None:
    """Threat: T-081, T-082."""
    answers = [await post(browser, "/pair", code="000000") for _ in range(20)]
    assert {one.status_code for one in answers} == {403}
    assert ReadPage(answers[-1].text).alert == CATALOGUE["factor.door_closed"]
    assert desk.factor.failures == 0
    await person.approve("op-1", expect_to=PAYEE, expect_amount="0.1")


async def test_a_closed_door_refuses_even_the_right_code(
    desk: MemoryDesk, browser: Browser, person: ScriptedPerson
) -> None:
    for _ in range(5):
        await post(browser, "/pair", code="000000")
    assert (await post(browser, "/pair", code=person.authenticator.display())).status_code == 403


async def test_five_wrong_codes_from_a_paired_browser_lock_the_factor(
    desk: MemoryDesk, person: ScriptedPerson, clock: ScriptedClock
) -> None:
    """Threat: T-081."""
    for _ in range(5):
        clock.advance(30)
        page = await person.submit(Form("/a/op-1/approve"), **await filled(person, code="000000"))
        assert page.alert == CATALOGUE["factor.rejected"]
    clock.advance(30)
    page = await person.submit(Form("/a/op-1/approve"), **await filled(person))
    assert page.alert == CATALOGUE["factor.locked_out"]
    assert desk.cases["op-1"].closed is None
