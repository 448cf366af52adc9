"""Answers that must not count: forms without their parts, tokens of others, views that changed, codes used twice."""

from __future__ import annotations

import httpx2
import pytest

from mcp_wallet_guard.approvals.gate import SENTENCES
from mcp_wallet_guard.approvals.page import csrf_token
from mcp_wallet_guard.confirmation import Finding
from mcp_wallet_guard.errors import CATALOGUE, Tampered
from mcp_wallet_guard.exchange import ApprovalRequest
from mcp_wallet_guard.testing.clock import ScriptedClock
from mcp_wallet_guard.testing.person import ReadPage, ScriptedPerson
from tests.approvals.desk import ORIGIN, MemoryDesk, a_view
from tests.approvals.forms import COOKIE, attribute_names, filled, link_of, post

Browser = httpx2.AsyncClient
POST = {"origin": ORIGIN}


@pytest.mark.parametrize("missing", ["match_code", "code", "csrf", "view_hash"])
async def test_no_button_alone_approves(desk: MemoryDesk, person: ScriptedPerson, missing: str) -> None:
    """Threat: T-004."""
    form = await filled(person)
    del form[missing]
    response = await post(person.browser, "/a/op-1/approve", **form)
    assert response.status_code == 400
    empty = await post(person.browser, "/a/op-1/approve", **form, **{missing: ""})
    assert empty.status_code in {403, 409}
    assert "approve" not in desk.calls or desk.cases["op-1"].closed is None


@pytest.mark.parametrize("extra", [{"approved": "true"}, {"confirm": "1"}, {"_method": "PUT"}], ids=str)
async def test_fields_that_the_form_does_not_have_are_refused(
    desk: MemoryDesk, person: ScriptedPerson, extra: dict[str, str]
) -> None:
    response = await post(person.browser, "/a/op-1/approve", **await filled(person), **extra)
    assert response.status_code == 400
    assert desk.cases["op-1"].closed is None


async def test_a_field_given_twice_is_refused(desk: MemoryDesk, person: ScriptedPerson) -> None:
    form = await filled(person)
    body = str(httpx2.QueryParams(form)) + "&match_code=AAAAAA"
    headers = POST | {"content-type": "application/x-www-form-urlencoded"}
    response = await person.browser.post(f"{ORIGIN}/a/op-1/approve", content=body, headers=headers)
    assert response.status_code == 400
    assert desk.cases["op-1"].closed is None


async def test_codes_in_the_address_do_not_count(desk: MemoryDesk, person: ScriptedPerson) -> None:
    form = await filled(person)
    for method in ("GET", "POST"):
        response = await person.browser.request(
            method,
            f"{ORIGIN}/a/op-1/approve",
            params=form,
            headers=POST | {"content-type": "application/x-www-form-urlencoded"},
        )
        assert response.status_code in {400, 405}
    assert desk.cases["op-1"].closed is None


@pytest.mark.parametrize("csrf", ["", "0" * 64, "\u00e9"])
@pytest.mark.parametrize("action", ["approve", "decline"])
async def test_a_form_without_its_own_token_is_refused(
    desk: MemoryDesk, person: ScriptedPerson, csrf: str, action: str
) -> None:
    """Threat: T-109."""
    form = await filled(person, csrf=csrf)
    if action == "decline":
        form = {name: form[name] for name in ("csrf", "view_hash")}
    response = await post(person.browser, f"/a/op-1/{action}", **form)
    assert response.status_code == 403
    assert desk.cases["op-1"].closed is None


async def test_the_token_of_one_operation_or_browser_does_not_serve_another(
    desk: MemoryDesk, person: ScriptedPerson, browser: Browser
) -> None:
    """Threat: T-103, T-109."""
    desk.ask("op-2")  # the same view, so the same view hash
    await browser.get(link_of(desk, "op-2"))
    other = ReadPage((await browser.get("/a/op-1")).text).form("/approve").hidden["csrf"]
    mine = await filled(person)
    assert other != mine["csrf"]
    for path, form in (("/a/op-2/approve", mine), ("/a/op-1/approve", mine | {"csrf": other})):
        response = await post(person.browser, path, **form)
        assert (response.status_code, ReadPage(response.text).alert) == (403, SENTENCES[403])
    assert (await post(person.browser, "/a/op-1/approve", **mine)).status_code == 200


async def test_a_view_that_changed_after_it_was_read_is_not_approved(desk: MemoryDesk, person: ScriptedPerson) -> None:
    form = await filled(person)
    desk.refreeze("op-1", a_view(amount="99 ETH"))
    response = await post(person.browser, "/a/op-1/approve", **form)
    page = ReadPage(response.text)
    assert response.status_code == 409
    assert "changed after you opened" in page.alert
    assert page.fields["Amount"] == "99 ETH"
    assert desk.cases["op-1"].closed is None
    assert "approve" not in desk.calls


async def test_the_form_of_one_view_cannot_be_relabelled_as_another(desk: MemoryDesk, person: ScriptedPerson) -> None:
    form = await filled(person)
    desk.refreeze("op-1", a_view(amount="99 ETH"))
    present = (await desk.request("op-1")).view_hash
    response = await post(person.browser, "/a/op-1/approve", **(form | {"view_hash": present}))
    assert (response.status_code, ReadPage(response.text).alert) == (403, SENTENCES[403])
    # And with a token to match, the code that was read belongs to the old view.
    token = person.browser.cookies[COOKIE]
    minted = csrf_token(token, operation="op-1", view_hash=present)
    response = await post(person.browser, "/a/op-1/approve", **(form | {"view_hash": present, "csrf": minted}))
    assert ReadPage(response.text).alert == CATALOGUE["match_code.rejected"]
    assert desk.cases["op-1"].closed is None


async def test_one_code_approves_one_of_two_open_requests(desk: MemoryDesk, person: ScriptedPerson) -> None:
    """Threat: T-079, T-103."""
    desk.ask("op-2", a_view(amount="0.2 ETH"))
    first = await filled(person)
    page = await person.read("op-2")
    second = page.form("/approve").hidden | {"match_code": page.match_code, "code": first["code"]}
    assert (await post(person.browser, "/a/op-1/approve", **first)).status_code == 200
    response = await post(person.browser, "/a/op-2/approve", **second)
    assert ReadPage(response.text).alert == CATALOGUE["factor.rejected"]
    assert desk.cases["op-2"].closed is None


async def test_an_approval_sent_again_is_refused(person: ScriptedPerson) -> None:
    """Threat: T-009."""
    form = await filled(person)
    assert (await post(person.browser, "/a/op-1/approve", **form)).status_code == 200
    again = await post(person.browser, "/a/op-1/approve", **form)
    assert (again.status_code, ReadPage(again.text).alert) == (410, CATALOGUE["already_used"])


async def test_an_expired_request_is_neither_shown_nor_approved(
    desk: MemoryDesk, person: ScriptedPerson, clock: ScriptedClock
) -> None:
    """Threat: T-016."""
    form = await filled(person)
    clock.advance(600)
    for response in (
        await person.browser.get(f"{ORIGIN}/a/op-1"),
        await post(person.browser, "/a/op-1/approve", **form),
    ):
        assert (response.status_code, ReadPage(response.text).alert) == (410, CATALOGUE["expired"])


async def test_a_desk_that_forgets_expiry_does_not_reopen_a_request(
    desk: MemoryDesk, person: ScriptedPerson, clock: ScriptedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threat: T-016."""
    asked = await desk.request("op-1")

    async def forgetful(operation: str, /) -> ApprovalRequest:
        return asked

    await person.pair("op-1")
    monkeypatch.setattr(desk, "request", forgetful)
    clock.advance(600)
    assert (await person.browser.get(f"{ORIGIN}/a/op-1")).status_code == 410


@pytest.mark.parametrize("operation", ["nothing", "%00", "a.b", "x" * 65])
async def test_an_id_that_names_nothing_is_a_fixed_page_for_the_owner_too(
    person: ScriptedPerson, operation: str
) -> None:
    """Threat: T-015."""
    await person.pair("op-1")
    response = await person.browser.get(f"{ORIGIN}/a/{operation}")
    assert (response.status_code, ReadPage(response.text).alert) == (404, CATALOGUE["invalid_input.id"])


async def test_an_overlong_field_is_refused(desk: MemoryDesk, person: ScriptedPerson) -> None:
    response = await post(person.browser, "/a/op-1/approve", **await filled(person, code="1" * 129))
    assert response.status_code == 400
    assert "approve" not in desk.calls


async def test_a_failing_record_is_said_without_its_detail(
    desk: MemoryDesk, person: ScriptedPerson, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def edited(operation: str, /) -> ApprovalRequest:
        raise Tampered("tampered.row", detail="approvals: level")

    await person.pair("op-1")
    monkeypatch.setattr(desk, "request", edited)
    response = await person.browser.get(f"{ORIGIN}/a/op-1")
    assert (response.status_code, ReadPage(response.text).alert) == (500, CATALOGUE["tampered.row"])
    assert "level" not in response.text
    assert "tampered.row: approvals: level" in caplog.text


async def test_a_locked_guard_shows_nothing_but_that(desk: MemoryDesk, person: ScriptedPerson) -> None:
    await person.pair("op-1")
    desk.locked = True
    for path in ("/", "/a/op-1", "/a/nothing"):
        response = await person.browser.get(ORIGIN + path)
        assert (response.status_code, ReadPage(response.text).alert) == (503, CATALOGUE["locked"])


async def test_names_with_markup_or_direction_marks_are_only_text(desk: MemoryDesk, person: ScriptedPerson) -> None:
    """Threat: T-021, T-022."""
    hostile = "<script>alert(1)</script>\"'><img src=x onerror=1>\u202etxt\u200b&amp;"
    finding = Finding(code='x" onclick="1', severity="danger", text=hostile)
    desk.ask("op-2", a_view(payee=hostile, amount=hostile, findings=(finding,)))
    await person.pair("op-2")
    html = (await person.browser.get(f"{ORIGIN}/a/op-2")).text
    assert html.isascii()
    assert "<script" not in html
    assert "<img" not in html
    assert not [name for name in attribute_names(html) if name.startswith("on")]
    shown = ReadPage(html).fields["Payee"]
    assert shown.startswith("<script>alert(1)</script>")
    assert r"\u{202e}txt\u{200b}" in shown
