"""Typed data that an installed descriptor tells, through the whole guard: bound to chain and contract, frozen with the
question, and never in place of what is known of it. Threat: T-020, T-021, T-029, T-071."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from mcp_wallet_guard.assembly import StateFiles
from mcp_wallet_guard.clearsign.frozen_statements import render_statement
from mcp_wallet_guard.clearsign.view import view_hash
from mcp_wallet_guard.descriptor_file import DESCRIPTORS
from mcp_wallet_guard.errors import Tampered
from mcp_wallet_guard.evidence import StatementFacts
from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.stated import operation_of
from mcp_wallet_guard.testing.chain import SimulatedChain
from tests.guard.rig import Wallet, apply, edited
from tests.guard.statements import BOB, THIEF, Signing, asked, data, done, make_signing, refused, typed
from tests.invariants import check_invariants

pytestmark = pytest.mark.anyio
MARKET: Final = Address.from_bytes(b"\x4d" * 20)
BID: Final = "Bid(address bidder,uint256 lot,uint256 price)"
PERMIT: Final = "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"


@pytest.fixture
def signing(tmp_path: Path, chain: SimulatedChain) -> Signing:
    made = make_signing(tmp_path, chain)
    edited(made.rig, 'typed_data = "clear"', 'typed_data = "described"')
    named = f'[[policy.contracts]]\nname = "Market"\naddress = "{MARKET}"\n\n[approval]\n'
    edited(made.rig, "[approval]\n", named)
    return made


def bid(signing: Signing, *, price: int = 7, **domain: Any) -> str:
    whole = {"name": "Market", "version": "1", "verifyingContract": MARKET.value}
    message = {"bidder": signing.me, "lot": 12, "price": price}
    return typed({"Bid": BID[4:-1]}, message, signing.domain(**(whole | domain)))


def descriptor(key: str, contract: Address, chain: int, *shown: str) -> bytes:
    fields = [{"path": f"#.{name}", "label": f"The {name}", "format": "raw"} for name in shown]
    return json.dumps(
        {
            "$schema": "https://example.com/erc7730-v2.schema.json",
            "context": {"eip712": {"deployments": [{"chainId": chain, "address": contract.value}]}},
            "metadata": {"owner": "Market Ltd"},
            "display": {"formats": {key: {"intent": "Bid for a lot", "fields": fields}}},
        }
    ).encode()


async def install(signing: Signing, wallet: Wallet, *files: bytes) -> None:
    path = StateFiles(signing.rig.made.loaded.vault_path).descriptors
    pin = DESCRIPTORS.write({f"{number}.json": each for number, each in enumerate(files)}, path)
    await apply(wallet, edited(signing.rig, "[approval]\n", f'[descriptors]\npin = "{pin}"\n\n[approval]\n'))


async def test_typed_data_that_a_descriptor_tells_is_asked_about_and_signed(signing: Signing) -> None:
    """What was used is frozen: other descriptors, another day, show and sign the same."""
    honest = bid(signing)
    async with signing.rig.opened() as wallet:
        await apply(wallet, signing.rig.made.loaded.settings)
        assert await refused(wallet, data(honest)) == "policy.blind"
        await install(signing, wallet, descriptor(BID, MARKET, signing.chain, "lot", "price"))
        waiting = await asked(wallet, data(honest))
        view = (await wallet.owned.request(waiting.operation)).view
        assert (view.level, view.intent) == ("clear", 'Sign typed data: "Bid for a lot" (a descriptor\'s words)')
        assert {field.label: field.value for field in view.fields}['"The price"'] == '"7"'
        assert {field.label for field in view.fields} >= {"Not shown by the descriptor"}, "what it hides is listed"
        row = await wallet.row(waiting.operation)
        assert row.view_hash == view_hash(view)
        operation, _ = operation_of(row, signing.rig.made.loaded.settings)
    path = StateFiles(signing.rig.made.loaded.vault_path).descriptors
    path.write_bytes(path.read_bytes().replace(b"Bid for a lot", b"Win the prize"))
    facts = StatementFacts.model_validate_json(row.facts or "")
    assert view_hash(render_statement(operation, facts)) == row.view_hash
    for wrong in ("{}", facts.descriptors[0].replace("price", "lot")):
        forged = facts.model_copy(update={"descriptors": (wrong,)})
        try:
            assert view_hash(render_statement(operation, forged)) != row.view_hash
        except Tampered:
            continue
    async with signing.rig.opened() as wallet:
        await wallet.approve(waiting.operation)
        answer = await done(wallet, data(honest))
        assert answer.signed is not None
        whole = encode_typed_data(full_message=json.loads(honest))
        assert Account.recover_message(whole, signature=answer.signed.signature) == signing.me
        assert await refused(wallet, data(bid(signing, price=8))) == "policy.blind", "they are not the pinned ones"
    await check_invariants(signing.rig)


async def test_a_descriptor_tells_nothing_of_another_chain_contract_or_type(signing: Signing) -> None:
    async with signing.rig.opened() as wallet:
        elsewhere = descriptor(BID, MARKET, signing.chain + 1, "lot", "price")
        others = descriptor(BID, THIEF, signing.chain, "lot", "price")
        other_type = descriptor(BID.replace("lot", "item"), MARKET, signing.chain, "price")
        await install(signing, wallet, elsewhere, others, other_type)
        assert await refused(wallet, data(bid(signing))) == "policy.blind"
        assert await refused(wallet, data(bid(signing, chainId=None))) == "policy.blind"
        # Told, but of a contract that the owner did not name.
        assert await refused(wallet, data(bid(signing, verifyingContract=THIEF.value))) == "policy.contract"


async def test_what_a_built_in_reader_knows_no_descriptor_tells(signing: Signing) -> None:
    """Threat: T-028. A file that shows only the nonce of a permit hides nothing, and loosens nothing."""
    async with signing.rig.opened() as wallet:
        await install(signing, wallet, descriptor(PERMIT, signing.token, signing.chain, "nonce"))
        waiting = await asked(wallet, data(signing.permit()))
        view = (await wallet.owned.request(waiting.operation)).view
        assert [effect.text for effect in view.effects] == [f'{BOB} "Bob" may take 50 USDC']
        assert all(field.source != "descriptor" for field in view.fields)
        assert await refused(wallet, data(signing.permit(spender=THIEF))) == "policy.payee"


async def test_what_names_a_spender_is_refused_whatever_a_descriptor_calls_it(signing: Signing) -> None:
    """Threat: T-029."""
    gift = "Gift(address spender,uint256 lot)"
    text = typed(
        {"Gift": gift[5:-1]},
        {"spender": THIEF.value, "lot": 12},
        signing.domain(name="Market", verifyingContract=MARKET.value),
    )
    async with signing.rig.opened() as wallet:
        await install(signing, wallet, descriptor(gift, MARKET, signing.chain, "spender", "lot"))
        assert await refused(wallet, data(text)) == "policy.risk"
    assert signing.rig.signatures() == []
