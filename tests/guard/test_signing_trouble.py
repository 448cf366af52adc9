"""Statements in trouble: rows that were edited, crashes between consume and signature, signers that lie, settings that
change, a host that is asked twice. No second signature, and none over what nobody saw.

Threat: T-006, T-009, T-071, T-072, T-092, T-093, T-099.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from mcp_wallet_guard import stated
from mcp_wallet_guard.clearsign.view import check_decoded
from mcp_wallet_guard.errors import GuardError, Tampered, Unavailable
from mcp_wallet_guard.evidence import OperationRow
from mcp_wallet_guard.journal.events import Kind
from mcp_wallet_guard.operations.evm import SECP256K1_N
from mcp_wallet_guard.operations.frozen import freeze_statement
from mcp_wallet_guard.operations.statements import Authorize7702, SignMessage
from mcp_wallet_guard.proofs import Signable
from mcp_wallet_guard.session import facts_of_statement
from mcp_wallet_guard.signers.base import Signer
from mcp_wallet_guard.testing.chain import SimulatedChain
from tests import database
from tests.guard.rig import DATABASE, Wallet, apply, edited
from tests.guard.statements import (
    DELEGATE,
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
)
from tests.invariants import check_invariants

pytestmark = pytest.mark.anyio
Answers = Callable[[Signable, Signer], Awaitable[Any]]
OTHER_KEY = "0x" + "11" * 32


@pytest.fixture
def signing(tmp_path: Path, chain: SimulatedChain) -> Signing:
    return make_signing(tmp_path, chain)


async def raises(_: Signable, __: Signer) -> bytes:
    raise RuntimeError("unplugged")


async def another_key(signable: Signable, _: Signer) -> bytes:
    made = Account.unsafe_sign_hash(signable.signing_hashes[0], OTHER_KEY)
    return bytes(made.signature[:64]) + bytes([made.v - 27])


async def another_message(_: Signable, signer: Signer) -> bytes:
    """The right key, over something else."""
    made = Account.sign_message(encode_defunct(text="all my money"), OTHER_KEY)
    return bytes(made.signature[:64]) + bytes([made.v - 27])


async def high_s(signable: Signable, signer: Signer) -> bytes:
    signature = await signer.sign(signable)
    s = SECP256K1_N - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + bytes([signature[64] ^ 1])


async def with_v(signable: Signable, signer: Signer) -> bytes:
    signature = await signer.sign(signable)
    return signature[:64] + bytes([signature[64] + 27])


@pytest.mark.parametrize("misbehave", [another_key, another_message, high_s, with_v])
async def test_a_signature_that_does_not_verify_is_thrown_away_and_told(signing: Signing, misbehave: Answers) -> None:
    """Threat: T-092, T-093."""
    async with signing.rig.opened(misbehave=misbehave) as wallet:
        operation = await approved(wallet, message("Hello"))
        answer = await done(wallet, message("Hello"))
        assert (answer.outcome, answer.signed, answer.operation) == ("signed_but_invalid", None, operation)
        assert (await wallet.row(operation)).signed_bytes is None
        assert (await done(wallet, message("Hello"))).repeated
        signing.rig.clock.advance(600)
        assert (await asked(wallet, message("Hello"))).operation != operation
    await check_invariants(signing.rig)


async def test_a_signer_that_fails_uses_the_approval_up_and_a_new_question_is_asked(signing: Signing) -> None:
    async with signing.rig.opened(misbehave=raises) as wallet:
        operation = await approved(wallet, message("Hello"))
        answer = await done(wallet, message("Hello"))
        assert (answer.outcome, answer.signed) == ("burned", None)
        assert (await asked(wallet, message("Hello"))).operation != operation
    report = await check_invariants(signing.rig)
    assert (report.signatures, report.outcomes[operation]) == (0, "burned")


@pytest.mark.parametrize("intent", ["message", "permit", "delegate"])
async def test_bytes_that_were_edited_between_the_question_and_the_signature_are_never_signed(
    signing: Signing, intent: str
) -> None:
    """Threat: T-006, T-071."""
    asks = {"message": message("Hello"), "permit": data(signing.permit()), "delegate": delegate(DELEGATE)}[intent]
    async with signing.rig.opened() as wallet:
        operation = await approved(wallet, asks)
        row = await wallet.row(operation)
        assert row.unsigned_bytes is not None
        other = row.unsigned_bytes[:-1] + bytes([row.unsigned_bytes[-1] ^ 1])
    statement = "UPDATE operations SET unsigned_bytes = ? WHERE id = ?"
    database.execute(signing.rig.files.database, statement, (other, operation))
    with pytest.raises(Exception, match="changed from outside"):
        async with signing.rig.opened() as wallet:
            await ask(wallet, asks)
    assert signing.rig.signatures() == []


async def consumed(wallet: Wallet, operation: str) -> tuple[Signable, OperationRow]:
    """The consume alone, as the driver does it."""
    session = wallet.owned.custody.session()
    return await wallet.owned.custody.transact_anchored(
        lambda tx: stated.consume(
            tx,
            operation,
            principal="local",
            principals=frozenset({"local"}),
            settings=session.settings,
            revision=session.revision,
        )
    )


async def test_a_row_that_contradicts_itself_gives_no_ticket(signing: Signing) -> None:
    """The guard's own rows, written by a guard with a bug: what is signed follows from the bytes that were shown."""
    async with signing.rig.opened() as wallet:
        operation = await approved(wallet, message("Hello"))
        row = await wallet.row(operation)
        settings = wallet.owned.custody.session().settings
        other = (await wallet.row((await asked(wallet, data(signing.permit()))).operation)).intent
        payment = json.dumps({"amount": "1", "kind": "transfer", "to": DELEGATE.value})
        for name, value in {
            "unsigned_bytes": b"Hullo",
            "intent": other,
            "effect_hash": bytes(32),
            "digest": bytes(32),
            "account": settings.account.id,
        }.items():
            with pytest.raises(Tampered):
                stated.operation_of(changed(row, **{name: value}), settings)
        for text in (payment, '{"kind":"sign_message","message":"0x1"}'):
            with pytest.raises(Tampered):
                stated.operation_of(changed(row, intent=text), settings)
        with pytest.raises(Tampered):
            stated.operation_of(changed(row, unsigned_bytes=None), settings)
        honest, _ = stated.operation_of(row, settings)
        assert honest.unsigned_bytes == b"Hello"


def changed(row: OperationRow, **columns: Any) -> OperationRow:
    return replace(row, **columns)


async def test_what_was_frozen_is_shown_only_as_what_was_asked(signing: Signing) -> None:
    """Threat: T-006, T-008."""
    async with signing.rig.opened() as wallet:
        settings = wallet.owned.custody.session().settings
        effect = settings.stated(SignMessage(message="Hello"))
        operation = freeze_statement(effect, nonce=0, expires_at=1)
        facts = facts_of_statement(wallet.owned.custody.session(), operation, now=1)
        assert check_decoded(operation, facts, effect=effect).view.kind == "message"
        for other in (SignMessage(message="Hullo"), SignMessage(message="Hello", reference="1")):
            with pytest.raises(Tampered):
                check_decoded(operation, facts, effect=settings.stated(other))
        with pytest.raises(Tampered):
            check_decoded(operation, None, effect=effect)
        with pytest.raises(Tampered):
            check_decoded(operation, facts.model_copy(update={"chain": "eip155:1"}), effect=effect)
        given = settings.stated(Authorize7702(delegate=DELEGATE, nonce=7))
        later = freeze_statement(settings.stated(Authorize7702(delegate=DELEGATE)), nonce=8, expires_at=1)
        with pytest.raises(Tampered):
            check_decoded(later, facts, effect=given)


async def test_a_crash_between_consume_and_signature_burns_the_approval(signing: Signing) -> None:
    """Threat: T-009, T-072."""
    async with signing.rig.opened() as wallet:
        operation = await approved(wallet, message("Hello"))
        await consumed(wallet, operation)
        with pytest.raises(GuardError):
            await consumed(wallet, operation)
        status = await wallet.owned.status(operation, principal="local")
        assert status.status == "pending"
    async with signing.rig.opened() as wallet:
        assert (await wallet.row(operation)).outcome == "burned"
        assert (await asked(wallet, message("Hello"))).operation != operation
    assert signing.rig.signatures() == []
    await check_invariants(signing.rig)


async def test_a_store_that_takes_nothing_after_the_signature_gives_it_to_nobody(signing: Signing) -> None:
    """Signed, and the disk is full: the approval is gone, the signature left the signer and not the process."""
    full = False

    def faults(name: str) -> None:
        if full and name == "before:begin":
            raise Unavailable("unavailable.store", detail="the disk is full")

    async def fills(signable: Signable, signer: Signer) -> bytes:
        nonlocal full
        full = True
        return await signer.sign(signable)

    async with signing.rig.opened(faults=faults, misbehave=fills) as wallet:
        operation = await approved(wallet, message("Hello"))
        assert await refused(wallet, message("Hello")) == "unavailable.store"
        assert (await wallet_row_state(wallet, operation)) is None
        full = False
        assert (await asked(wallet, message("Hello"))).operation != operation, "burned at the next call"
    report = await check_invariants(signing.rig)
    assert report.outcomes[operation] == "burned"


async def wallet_row_state(wallet: Wallet, operation: str) -> str | None:
    try:
        return (await wallet.row(operation)).outcome
    except GuardError:
        return None


async def test_a_store_put_back_before_the_consume_signs_nothing_again(signing: Signing) -> None:
    """Threat: T-072."""
    async with signing.rig.opened() as wallet:
        await approved(wallet, data(signing.permit()))
    copy = signing.rig.snapshot("before")
    async with signing.rig.opened() as wallet:
        assert (await done(wallet, data(signing.permit()))).outcome == "signed"
    signing.rig.put_back(copy, *DATABASE)
    async with signing.rig.opened() as wallet:
        assert await refused(wallet, data(signing.permit())) == "blocked.store"
    assert len(signing.rig.signatures()) == 1


async def test_an_approval_under_other_settings_signs_nothing(signing: Signing) -> None:
    """Threat: T-099."""
    async with signing.rig.opened() as wallet:
        await approved(wallet, delegate(DELEGATE))
        waiting = await asked(wallet, message("Hello"))
        await apply(wallet, edited(signing.rig, f'delegates = ["{DELEGATE}"]', "delegates = []"))
        assert await refused(wallet, delegate(DELEGATE)) == "policy.changed"
        assert await refused(wallet, delegate(DELEGATE)) == "policy.risk"
        assert (await asked(wallet, message("Hello"))).operation != waiting.operation, "a question of before is closed"
    assert signing.rig.signatures() == []


async def test_a_callers_statement_is_nobody_elses(signing: Signing) -> None:
    both = frozenset({"local", "other"})
    async with signing.rig.opened(principals=both) as wallet:
        receipt = await signed(wallet, message("Hello"))
        foreign = await wallet.owned.status(receipt.operation, principal="other")
        assert (foreign.status, getattr(foreign, "code", None)) == ("refused", "invalid_input.id")
        answer = await ask(wallet, message("Hello"), principal="other")
        assert answer.status == "pending", "asked anew for another principal"
        strange = await ask(wallet, message("Hello"), principal="nobody")
        assert (strange.status, getattr(strange, "code", None)) == ("refused", "not_authorized")
        for number in range(15):
            await ask(wallet, message(f"Hello {number}"), principal="other")
        flooded = await ask(wallet, message("one more"), principal="other")
        assert getattr(flooded, "code", None) == "rate_limited"


async def test_a_node_that_does_not_answer_stops_no_message(signing: Signing) -> None:
    async with signing.rig.opened() as wallet:
        signing.rig.chain.fail("eth_getTransactionCount")
        assert (await signed(wallet, message("Hello"))).kind == "message"
        assert await refused(wallet, delegate(DELEGATE)) == "unavailable.node"
        assert (await signed(wallet, delegate(DELEGATE, nonce="4"))).nonce == "4"


async def test_the_journal_of_a_burned_statement_says_so(signing: Signing) -> None:
    async with signing.rig.opened(misbehave=raises) as wallet:
        operation = await approved(wallet, message("Hello"))
        await done(wallet, message("Hello"))
        entries = await wallet.owned.custody.transact(lambda tx: tx.entries(operation))
        assert [entry.fields["kind"] for entry in entries][-2:] == [Kind.CONSUMED, Kind.SETTLED]
        assert entries[-1].fields["data"] == {"outcome": "burned"}
        assert await wallet.owned.history(10) == ()
