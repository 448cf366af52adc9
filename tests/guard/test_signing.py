"""Messages, typed data and authorizations through the whole guard: asked, judged, signed once, given out again.

Threat: T-001, T-006, T-009, T-028, T-029, T-032, T-034, T-035, T-092.
"""

from __future__ import annotations

import json
from pathlib import Path

import anyio
import pytest
from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data

from mcp_wallet_guard.clearsign.view import view_hash
from mcp_wallet_guard.cli.telling import explanation
from mcp_wallet_guard.evidence import Channel
from mcp_wallet_guard.exchange import Done, Pending
from mcp_wallet_guard.journal.events import Kind
from mcp_wallet_guard.operations.authorizations import Authorization, authorization_hash
from mcp_wallet_guard.operations.hashes import Signature
from mcp_wallet_guard.testing.chain import SimulatedChain
from tests.guard.rig import Rig
from tests.guard.statements import (
    BOB,
    DELEGATE,
    THIEF,
    ZERO,
    Signing,
    approved,
    ask,
    asked,
    data,
    delegate,
    done,
    make_signing,
    message,
    refused,
    signed,
    typed,
)
from tests.invariants import check_invariants

pytestmark = pytest.mark.anyio


@pytest.fixture
def signing(tmp_path: Path, chain: SimulatedChain) -> Signing:
    return make_signing(tmp_path, chain)


async def test_a_sign_in_is_read_asked_about_and_signed_once_and_an_equal_call_gets_the_same_signature(
    signing: Signing,
) -> None:
    text = signing.sign_in()
    async with signing.rig.opened() as wallet:
        waiting = await asked(wallet, message(text))
        view = (await wallet.owned.request(waiting.operation)).view
        assert (view.kind, view.level, view.intent) == ("message", "clear", "Sign a message: Signs in to a website")
        assert [f.value for f in view.fields if f.label == "Website"] == ['"service.example"']
        assert (await wallet.row(waiting.operation)).view_hash == view_hash(view)
        joined = await asked(wallet, message(text))
        assert joined.operation == waiting.operation
        await wallet.approve(waiting.operation)
        answer = await done(wallet, message(text))
        assert (answer.outcome, answer.repeated, answer.operation) == ("signed", False, waiting.operation)
        assert answer.signed is not None
        assert type(answer.signed.signature) is Signature
        assert answer.signed.signature[-2:] in {"1b", "1c"}
        assert Account.recover_message(encode_defunct(text=text), signature=answer.signed.signature) == signing.me
        again = await done(wallet, message(text))
        assert again == answer.model_copy(update={"repeated": True})
        assert await wallet.owned.status(waiting.operation, principal="local") == answer
        assert await wallet.owned.outcome(waiting.operation, principal="local") == answer
    assert len(signing.rig.signatures()) == 1
    assert signing.rig.sent() == set()
    report = await check_invariants(signing.rig)
    assert report.outcomes[waiting.operation] == "signed"


async def test_a_permit_within_the_rules_is_signed_and_counts_against_the_limits_of_its_token(
    signing: Signing,
) -> None:
    """Threat: T-018, T-028. The limit is 180 a day, the cap 100."""
    permit = signing.permit(90_000_000)
    async with signing.rig.opened() as wallet:
        waiting = await asked(wallet, data(permit))
        view = (await wallet.owned.request(waiting.operation)).view
        assert (view.kind, view.level) == ("typed_data", "clear")
        assert [effect.text for effect in view.effects] == [f'{BOB} "Bob" may take 90 USDC']
        await wallet.approve(waiting.operation)
        receipt = (await done(wallet, data(permit))).signed
        assert receipt is not None
        whole = encode_typed_data(full_message=json.loads(permit))
        assert Account.recover_message(whole, signature=receipt.signature) == signing.me
        assert receipt.domain == "0x" + whole.header.hex()
        assert receipt.message == "0x" + whole.body.hex()
        # The same, spelled another way, is the same: one signature, counted once.
        spelled = json.dumps(json.loads(permit), indent=1, sort_keys=True)
        assert (await done(wallet, data(spelled))).repeated
        assert await refused(wallet, data(signing.permit(90_000_001, nonce=1))) == "over_budget"
        pay = {"kind": "token_transfer", "token": "USDC", "to": BOB.value, "amount": "91"}
        assert await refused(wallet, pay) == "over_budget"
        await signed(wallet, data(signing.permit(90_000_000, nonce=2)))
        assert await refused(wallet, data(signing.permit(1, nonce=3))) == "over_budget"
        # What takes an allowance back needs no room.
        await asked(wallet, data(signing.permit(0, nonce=4)))
    assert len(signing.rig.signatures()) == 2


async def test_two_permits_that_were_both_asked_do_not_both_fit(signing: Signing) -> None:
    """Threat: T-019. The limit decides again when the approval is used up."""
    first, second = data(signing.permit(100_000_000)), data(signing.permit(100_000_000, nonce=1))
    async with signing.rig.opened() as wallet:
        await asked(wallet, first)
        waiting = await asked(wallet, second)
        await signed(wallet, first)
        await wallet.approve(waiting.operation)
        assert await refused(wallet, second) == "over_budget"
        assert len(signing.rig.signatures()) == 1


async def test_an_authorization_for_a_trusted_delegate_is_signed_with_the_accounts_next_nonce(
    signing: Signing,
) -> None:
    async with signing.rig.opened() as wallet:
        signing.rig.payee = BOB
        await wallet.paid("0.01")
        nonce = 1
        receipt = await signed(wallet, delegate(DELEGATE))
        assert (receipt.kind, receipt.delegate, receipt.nonce) == ("authorization", DELEGATE.value, str(nonce))
        own = Authorization(chain_number=signing.chain, delegate=DELEGATE, nonce=nonce)
        assert receipt.signing == "0x" + authorization_hash(own).hex()
        raw = bytes.fromhex(receipt.signature[2:])
        assert raw[64] in {0, 1}, "the y parity, as transactions carry it"
        recovered = Account._recover_hash(authorization_hash(own), signature=raw[:64] + bytes([raw[64] + 27]))
        assert recovered == signing.me
        given = await signed(wallet, delegate(DELEGATE, nonce="77"))
        assert given.nonce == "77"
        gone = await asked(wallet, delegate(ZERO))
        view = (await wallet.owned.request(gone.operation)).view
        assert (view.kind, [effect.control for effect in view.effects]) == ("delegation", ["account.revoke"])
        assert await refused(wallet, delegate(THIEF)) == "policy.risk"
        assert await refused(wallet, delegate(DELEGATE, chain="eip155:0")) == "invalid_input.chain"
        assert await refused(wallet, delegate(DELEGATE, chain="eip155:1")) == "invalid_input.chain"


async def test_messages_that_are_no_plain_text_are_never_signed(signing: Signing) -> None:
    """Threat: T-034. A hash may be that of anything, and what is not read cannot be approved."""
    hidden = "\u202esdnuf lla dnes"
    async with signing.rig.opened() as wallet:
        assert await refused(wallet, message(b"\x5e" * 32)) == "policy.blind"
        assert await refused(wallet, message("0x" + "5e" * 32)) == "policy.blind"
        assert await refused(wallet, message(b"\x19\x01" + bytes(64))) == "policy.blind"
        assert await refused(wallet, message(b"\xff\xfe")) == "policy.blind"
        assert await refused(wallet, message(signing.sign_in(address=THIEF.value))) == "policy.risk"
        assert await refused(wallet, message(signing.sign_in(chain=1))) == "policy.risk"
        assert await refused(wallet, message(signing.sign_in().replace("Version: 1", "Version: 2"))) == "policy.blind"
        assert await refused(wallet, {"kind": "eth_sign", "message": "0x" + "5e" * 32}) == "invalid_input.message"
        waiting = await asked(wallet, message(hidden))
        view = (await wallet.owned.request(waiting.operation)).view
        assert "message.invisible" in {finding.code for finding in view.findings}
        assert "\u202e" not in view.model_dump_json()
    assert signing.rig.signatures() == []


async def test_permits_beyond_what_the_owner_would_allow_are_refused(signing: Signing) -> None:
    """Threat: T-028, T-029, T-030, T-032, T-033. Each is the honest permit with one thing changed."""
    order = typed({"Order": "address maker,uint256 amount"}, {"maker": signing.me, "amount": 5}, signing.domain())
    listed = json.dumps([{"type": "string", "name": "Message", "value": "Hi"}])
    attacks = {
        "unlimited": (signing.permit(2**256 - 1), {"policy.unlimited", "policy.risk"}),
        "above the cap": (signing.permit(100_000_001), {"policy.cap"}),
        "a stranger": (signing.permit(spender=THIEF), {"policy.payee"}),
        "another chain": (signing.permit(chainId=1), {"policy.risk"}),
        "no chain": (signing.permit(chainId=None), {"policy.risk"}),
        "no contract": (signing.permit(verifyingContract=None), {"policy.risk", "policy.blind"}),
        "another token": (signing.permit(verifyingContract=THIEF.value), {"policy.token"}),
        "another owner": (signing.permit().replace(signing.me, BOB.value), {"policy.risk"}),
        "a batch to a stranger": (signing.batch(10, 20, spender=THIEF), {"policy.payee"}),
        "a batch above the cap": (signing.batch(60_000_000, 60_000_000, spender=BOB), {"policy.cap"}),
        "an unknown type": (order, {"policy.blind"}),
        "version 1": (listed, {"invalid_input.typed_data"}),
    }
    async with signing.rig.opened() as wallet:
        for name, (text, codes) in attacks.items():
            assert await refused(wallet, data(text)) in codes, name
        assert await refused(wallet, {"kind": "sign_typed_data_v3", "typed_data": "{}"}) == "invalid_input.message"
        for honest in (signing.permit(), signing.batch(10, 20, spender=BOB)):
            await asked(wallet, data(honest))
    assert signing.rig.signatures() == []


async def test_nothing_is_signed_that_the_settings_do_not_name(rig: Rig) -> None:
    permit = Signing(rig, THIEF).permit()
    async with rig.opened() as wallet:
        assert await refused(wallet, message("Hello")) == "policy.message"
        assert await refused(wallet, data(permit)) == "policy.message"
        assert await refused(wallet, delegate(DELEGATE)) == "policy.risk"


async def test_an_approval_is_used_up_by_one_signature_whoever_asks_and_however_often(signing: Signing) -> None:
    """Threat: T-009."""
    async with signing.rig.opened() as wallet:
        await approved(wallet, message("Hello"))
        answers: list[object] = []

        async def call() -> None:
            answers.append(await ask(wallet, message("Hello")))

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(call)
        told = [answer for answer in answers if isinstance(answer, Done) and answer.signed is not None]
        assert sorted(answer.repeated for answer in told) == [False, True, True, True, True]
        assert len({answer.signed.signature for answer in told if answer.signed is not None}) == 1
    assert len(signing.rig.signatures()) == 1
    await check_invariants(signing.rig)


async def test_a_waiting_call_gets_the_signature_as_soon_as_it_is_approved(signing: Signing) -> None:
    async with signing.rig.opened() as wallet:
        answers: list[object] = []

        async def call() -> None:
            answers.append(await ask(wallet, message("Hello"), wait=30))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call)
            while not (waiting := await wallet.owned.requests()):  # noqa: ASYNC110
                await anyio.sleep(0.01)
            await wallet.answer(waiting[0], code=wallet.code())
        [answer] = answers
        assert isinstance(answer, Done)
        assert answer.outcome == "signed"


async def test_a_no_is_remembered_and_time_ends_a_question(signing: Signing) -> None:
    async with signing.rig.opened() as wallet:
        waiting = await asked(wallet, message("Hello"))
        await wallet.owned.decline(waiting.operation, channel=Channel.TERMINAL)
        assert await refused(wallet, message("Hello")) == "declined"
        other = await asked(wallet, message("Hello again"))
        await wallet.approve(other.operation)
        signing.rig.clock.advance(121)
        again = await ask(wallet, message("Hello again"))
        assert isinstance(again, Pending), "an approval that nobody used in time is over"
        assert again.operation != other.operation
    assert signing.rig.signatures() == []


async def test_signatures_are_given_out_again_for_ten_minutes_and_then_asked_anew(signing: Signing) -> None:
    async with signing.rig.opened() as wallet:
        first = await signed(wallet, message("Hello"))
        signing.rig.clock.advance(599)
        assert (await done(wallet, message("Hello"))).signed == first
    async with signing.rig.opened() as wallet:
        signing.rig.clock.advance(1)
        assert (await asked(wallet, message("Hello"))).operation != first.operation


async def test_the_journal_tells_of_it_and_keeps_no_signature(signing: Signing) -> None:
    """Threat: T-088. A signature in the journal could be handed in by whoever reads it."""
    async with signing.rig.opened() as wallet:
        receipt = await signed(wallet, data(signing.permit()))
        page = await wallet.owned.read_log(last=50, about=receipt.operation)
        entries = [json.loads(entry) for entry in page.entries]
        kinds = [entry["kind"] for entry in entries]
        assert kinds == [Kind.FROZEN, Kind.APPROVED, Kind.CONSUMED, Kind.SIGNED, Kind.SETTLED]
        assert str(receipt.signature)[2:66] not in "".join(page.entries)
        told = "\n".join(explanation(entries))
        assert f"the signature of the hash {receipt.signing}" in told
        assert "It ended: signed." in told
        by_hash = await wallet.owned.read_log(last=50, about=receipt.signing)
        assert by_hash.entries == page.entries
        assert await wallet.owned.history(10) == (), "no payment"


async def test_a_message_waits_for_no_payment_and_a_payment_for_no_message(signing: Signing) -> None:
    async with signing.rig.opened() as wallet:
        signing.rig.payee = BOB
        payment = await wallet.asked("0.01")
        question = await asked(wallet, message("Hello"))
        await wallet.approve(question.operation)
        assert (await done(wallet, message("Hello"))).outcome == "signed"
        await wallet.approve(payment.operation)
        assert (await wallet.done("0.01")).outcome == "mined"
    await check_invariants(signing.rig)
