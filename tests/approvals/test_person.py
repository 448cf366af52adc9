"""The scripted owner is careful: what does not fit is not answered."""

from __future__ import annotations

import pytest

from mcp_wallet_guard.testing.clock import ScriptedClock
from mcp_wallet_guard.testing.person import Authenticator, ReadPage, ScriptedPerson, UnexpectedPage
from tests.approvals.desk import PAYEE, PAYEE_GROUPED, TOTP_SECRET, MemoryDesk, a_view

OTHER = "0x52908400098527886E0F7030069857D2E4169EE7"
OTHER_GROUPED = "0x 5290 8400 0985 2788 6E0F 7030 0698 57D2 E416 9EE7"


async def test_another_payee_is_not_approved(desk: MemoryDesk, person: ScriptedPerson) -> None:
    with pytest.raises(UnexpectedPage, match="pays to"):
        await person.approve("op-1", expect_to=OTHER, expect_amount="0.1")
    assert "approve" not in desk.calls


async def test_a_name_that_looks_like_the_payee_proves_nothing(desk: MemoryDesk, person: ScriptedPerson) -> None:
    desk.ask("op-2", a_view(payee=f'{OTHER_GROUPED} "{PAYEE_GROUPED}"'))
    with pytest.raises(UnexpectedPage, match="pays to"):
        await person.approve("op-2", expect_to=PAYEE, expect_amount="0.1")


@pytest.mark.parametrize("expected", ["0.10", "0.11", "0", "0.1 ETH", ""])
async def test_another_amount_is_not_approved(desk: MemoryDesk, person: ScriptedPerson, expected: str) -> None:
    with pytest.raises(UnexpectedPage, match="the page pays"):
        await person.approve("op-1", expect_to=PAYEE, expect_amount=expected)
    assert "approve" not in desk.calls


async def test_without_a_link_file_there_is_no_way_in(desk: MemoryDesk, person: ScriptedPerson) -> None:
    with pytest.raises(UnexpectedPage, match="no link file"):
        await person.approve("op-9", expect_to=PAYEE, expect_amount="0.1")


async def test_an_operation_that_does_not_exist_is_not_answered(desk: MemoryDesk, person: ScriptedPerson) -> None:
    await person.pair("op-1")
    with pytest.raises(UnexpectedPage, match="no request"):
        await person.decline("op-9")


async def test_the_person_pairs_again_when_the_pairing_ended(
    desk: MemoryDesk, person: ScriptedPerson, clock: ScriptedClock
) -> None:
    await person.pair("op-1")
    desk.pairings.clear()
    desk.ask("op-2")
    await person.approve("op-2", expect_to=PAYEE, expect_amount="0.1")


async def test_a_refused_answer_is_an_error_and_says_why(desk: MemoryDesk, person: ScriptedPerson) -> None:
    desk.factor = desk.factor.__class__(id="totp-1", kind="totp", last_step=2**40)
    with pytest.raises(UnexpectedPage, match="The code was not accepted"):
        await person.approve("op-1", expect_to=PAYEE, expect_amount="0.1")


def test_the_authenticator_never_gives_one_step_twice(clock: ScriptedClock) -> None:
    phone = Authenticator(TOTP_SECRET, clock)
    first = phone.code()
    assert phone.display() == first
    with pytest.raises(UnexpectedPage):
        phone.code()
    clock.advance(30)
    assert phone.code() != first


def test_a_page_with_two_approve_forms_is_not_answered() -> None:
    page = ReadPage('<form action="/a/x/approve"></form><form action="/a/y/approve"></form>')
    with pytest.raises(UnexpectedPage, match="2 forms"):
        page.form("/approve")
