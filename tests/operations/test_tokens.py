"""What a tool may ask for with tokens, and what it comes to. Threat: T-020, T-026, T-028, T-036, T-040."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations import erc20, evm
from mcp_wallet_guard.operations.erc20 import Call, Function
from mcp_wallet_guard.operations.frozen import effect_hash
from mcp_wallet_guard.operations.intents import (
    ContractCall,
    Effect,
    EffectKind,
    Intent,
    Spend,
    TokenApproval,
    TokenTransfer,
    UnsignedTransaction,
    amount_of,
    called,
    from_json,
    payee_of,
    resolve,
    to_json,
)
from mcp_wallet_guard.operations.values import Address, Amount, Asset, BaseUnits, ChainId
from tests.operations.strategies import ACCOUNT, CHAIN, ETH, PAYEE, TRANSACTION, addresses, chains
from tests.operations.test_intents import accounts, amounts, references

CONTRACT = Address("0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48")
USDC = Asset(CHAIN, "USDC", 6, CONTRACT)
DAI = Asset(CHAIN, "DAI", 18, Address("0x6B175474E89094C44Da98b954EedeAC495271d0F"))
PAY = TokenTransfer(token="USDC", to=PAYEE, amount=Amount("2.5"))
ALLOW = TokenApproval(token="USDC", spender=PAYEE, amount=Amount("2.5"))
CALL = ContractCall(to=CONTRACT, data=b"\x01\x02\x03\x04")
tokens = st.sampled_from(["USDC", "a.b", CONTRACT.value])
more = {"chain": st.none() | chains, "account": accounts, "reference": references}
intents = (
    st.builds(TokenTransfer, token=tokens, to=addresses, amount=amounts, **more)
    | st.builds(TokenApproval, token=tokens, spender=addresses, amount=amounts, **more)
    | st.builds(ContractCall, to=addresses, data=st.binary(min_size=1, max_size=99), value=amounts, **more)
)


def effect_of(intent: Spend) -> Effect:
    return resolve(intent, account=ACCOUNT, native=ETH, tokens=(DAI, USDC))


def by_bytes(to: Address, data: bytes, value: int = 0) -> Effect:
    tx = replace(TRANSACTION, to=to, data=data, value=value)
    return effect_of(UnsignedTransaction(unsigned_bytes=evm.encode_unsigned(tx)))


@given(intents)
def test_an_intent_travels_unchanged(intent: Intent) -> None:
    assert from_json(to_json(intent)) == intent


@pytest.mark.parametrize("token", ["USDC", CONTRACT.value])
def test_a_token_transfer_is_a_call_of_its_contract(token: str) -> None:
    effect = effect_of(replace(PAY, token=token, reference="r"))
    call = Call(function=Function.TRANSFER, party=PAYEE, amount=BaseUnits(2_500_000))
    assert effect == Effect(
        kind="token_transfer", account=ACCOUNT, to=CONTRACT, value=0, data=erc20.encode(call), reference="r"
    )
    assert (called(effect), payee_of(effect), amount_of(effect)) == (call, PAYEE, 2_500_000)


def test_an_approval_names_who_may_take() -> None:
    effect = effect_of(ALLOW)
    assert effect.kind == EffectKind.TOKEN_APPROVAL
    assert (payee_of(effect), amount_of(effect)) == (PAYEE, 2_500_000)
    assert amount_of(effect_of(replace(ALLOW, amount=Amount("0")))) == 0, "which takes it back"


def test_a_native_transfer_pays_who_it_goes_to() -> None:
    effect = by_bytes(PAYEE, b"", 7)
    assert (called(effect), payee_of(effect), amount_of(effect)) == (None, PAYEE, 7)


def test_bytes_and_intent_for_one_payment_have_one_effect() -> None:
    asked = effect_of(PAY)
    assert by_bytes(CONTRACT, asked.data) == asked
    assert effect_hash(by_bytes(CONTRACT, asked.data)) == effect_hash(asked)
    allowed = effect_of(ALLOW)
    assert by_bytes(CONTRACT, allowed.data) == allowed


@pytest.mark.parametrize(
    ("to", "data", "value"),
    [
        (PAYEE, effect_of(PAY).data, 0),
        (CONTRACT, effect_of(PAY).data, 1),
        (CONTRACT, effect_of(PAY).data + b"\0", 0),
        (CONTRACT, b"\x01\x02\x03\x04", 0),
    ],
)
def test_what_is_no_plain_call_of_a_pinned_token_is_a_contract_call(to: Address, data: bytes, value: int) -> None:
    """An address that is no pinned token, native currency with it, a tail, another function."""
    effect = by_bytes(to, data, value)
    assert (effect.kind, called(effect), payee_of(effect)) == ("contract_call", None, to)
    assert effect_of(ContractCall(to=to, data=data, value=Amount.from_base_units(BaseUnits(value), ETH))) == effect


@pytest.mark.parametrize(
    ("intent", "code"),
    [
        (replace(PAY, token="USDT"), "invalid_input.token"),
        (replace(PAY, token="usdc"), "invalid_input.token"),
        (replace(PAY, token="ETH"), "invalid_input.token"),
        (replace(PAY, token=PAYEE.value), "invalid_input.token"),
        (replace(PAY, token=CONTRACT.value.lower()), "invalid_input.token"),
        (replace(PAY, amount=Amount("0")), "invalid_input.zero"),
        (replace(PAY, amount=Amount("0.0000001")), "invalid_input.precision"),
        (replace(PAY, chain=ChainId(1)), "invalid_input.chain"),
        (replace(PAY, account="savings"), "invalid_input.account"),
        (replace(ALLOW, token="USDT"), "invalid_input.token"),
        (replace(ALLOW, amount=Amount("0.0000001")), "invalid_input.precision"),
        (replace(CALL, chain=ChainId(1)), "invalid_input.chain"),
    ],
)
def test_what_the_pins_cannot_mean_is_refused(intent: Spend, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        effect_of(intent)
    assert caught.value.code == code


def test_a_token_transfer_of_nothing_is_refused_as_bytes_too() -> None:
    nothing = Call(function=Function.TRANSFER, party=PAYEE, amount=BaseUnits(0))
    with pytest.raises(InvalidInput) as caught:
        by_bytes(CONTRACT, erc20.encode(nothing))
    assert caught.value.code == "invalid_input.zero"


def test_without_pins_there_are_no_tokens() -> None:
    with pytest.raises(InvalidInput):
        resolve(PAY, account=ACCOUNT, native=ETH)


@pytest.mark.parametrize(
    ("intent", "change"),
    [
        (PAY, {"token": ""}), (PAY, {"token": "a b"}), (PAY, {"token": "x" * 13}), (PAY, {"token": None}),
        (PAY, {"token": USDC}), (PAY, {"to": PAYEE.value}), (PAY, {"amount": "1"}), (PAY, {"chain": 1}),
        (PAY, {"account": 1}), (PAY, {"reference": "a b"}), (ALLOW, {"spender": None}), (ALLOW, {"token": "\u0455"}),
        (ALLOW, {"amount": 1}), (CALL, {"to": None}), (CALL, {"data": b""}), (CALL, {"data": "0x01"}),
        (CALL, {"data": bytes(evm.DATA_MAX + 1)}), (CALL, {"value": 1}), (CALL, {"reference": ""}),
    ],
)  # fmt: skip
def test_fields_of_other_types_make_no_intent(intent: Any, change: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        replace(intent, **change)


@pytest.mark.parametrize("intent", [PAY, ALLOW, CALL])
def test_json_with_anything_more_less_or_other_is_no_intent(intent: Intent) -> None:
    fields = to_json(intent)
    assert from_json(fields) == intent
    for wrong in (
        fields | {"confirmed": "true"}, fields | {"kind": "mint"}, fields | {"chain": "1"}, fields | {"to": "0x"},
        *({name: value for name, value in fields.items() if name != missing} for missing in fields),
    ):  # fmt: skip
        with pytest.raises(InvalidInput):
            from_json(wrong)


def test_bytes_name_their_chain_themselves() -> None:
    fields = to_json(UnsignedTransaction(unsigned_bytes=evm.encode_unsigned(TRANSACTION)))
    with pytest.raises(InvalidInput):
        from_json(fields | {"chain": str(CHAIN)})
