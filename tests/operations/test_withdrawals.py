"""A withdrawal's intent, the string that a venue signs, and what is frozen of it.

Threat: T-006, T-007, T-025, T-026.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.errors import InvalidInput, Tampered
from mcp_wallet_guard.operations import binance
from mcp_wallet_guard.operations.binance import Fields
from mcp_wallet_guard.operations.frozen import FrozenOperation
from mcp_wallet_guard.operations.intents import Transfer, from_json, to_json
from mcp_wallet_guard.operations.requests import VenueRequest, freeze_withdrawal, matches, request_of, sha256
from mcp_wallet_guard.operations.values import Account, Address, Amount, ChainId
from mcp_wallet_guard.operations.withdrawals import ExchangeWithdrawal, order_id, withdrawal_hash

ACCOUNT = Account("main", ChainId(1), Address("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"))
COLD = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
ASKED = ExchangeWithdrawal(
    venue="binance", asset="USDC", network="ARBITRUM", to=COLD, memo=None, amount=Amount("25.5")
)  # fmt: skip
ORDER = "0123456789abcdef0123456789abcdef"
TEMPLATE = (
    f"coin=USDC&withdrawOrderId={ORDER}&network=ARBITRUM&address={COLD}&amount=25.5"
    "&transactionFeeFlag=false&walletType=0&recvWindow=10000&timestamp={timestamp}"
)
REQUEST = VenueRequest(
    venue="binance",
    format="binance",
    endpoint="https://api.binance.com/sapi/v1/capital/withdraw/apply",
    label="Trading",
    template=TEMPLATE,
    opens_at=1_800_000_000,
    closes_at=1_800_000_600,
)

addresses = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{3,127}", fullmatch=True)
memos = st.none() | st.from_regex(r"[A-Za-z0-9._:@/+=#-]{1,100}", fullmatch=True)
amounts = st.builds(
    lambda whole, part: Amount(f"{whole}.{part}" if part else str(whole)),
    st.integers(1, 10**12),
    st.from_regex(r"[0-9]{0,18}", fullmatch=True),
)
fields = st.builds(
    Fields,
    asset=st.from_regex(r"[A-Z0-9]{1,16}", fullmatch=True),
    network=st.from_regex(r"[A-Z0-9][A-Z0-9_-]{0,23}", fullmatch=True),
    address=addresses,
    memo=memos,
    amount=amounts,
    order_id=st.just(ORDER),
    wallet=st.sampled_from(["spot", "funding"]),
    window_ms=st.integers(1, binance.MAX_WINDOW_MS),
)


@given(asked=fields)
def test_what_is_written_reads_back_and_any_form_parser_reads_the_same(asked: Fields) -> None:
    template = binance.write(asked)
    assert binance.read(template) == asked
    told = dict(parse_qsl(template, keep_blank_values=True, strict_parsing=True))
    assert (told["address"], told.get("addressTag")) == (asked.address, asked.memo)
    assert template == urlencode(told, safe="{}"), "the standard library's own spelling"


@given(asked=fields, data=st.data())
def test_a_changed_character_is_refused_or_asks_for_something_else(asked: Fields, data: st.DataObject) -> None:
    template = binance.write(asked)
    at = data.draw(st.integers(0, len(template) - 1))
    other = data.draw(st.characters(min_codepoint=0x20, max_codepoint=0x7E).filter(lambda c: c != template[at]))
    try:
        read = binance.read(template[:at] + other + template[at + 1 :])
    except Tampered:
        return
    assert read != asked


@pytest.mark.parametrize(
    "template",
    [
        "",
        TEMPLATE + "&",
        TEMPLATE + "&name=x",
        "x" + TEMPLATE,
        TEMPLATE.replace("&network=ARBITRUM", ""),
        TEMPLATE.replace("coin=USDC&", "") + "&coin=USDC",
        TEMPLATE.replace("amount=25.5", "amount=25.50"),
        TEMPLATE.replace("amount=25.5", "amount=+25.5"),
        TEMPLATE.replace("amount=25.5", "amount=25.5&amount=9"),
        TEMPLATE.replace("{timestamp}", "1800000000000"),
        TEMPLATE.replace("recvWindow=10000", "recvWindow=010000"),
        TEMPLATE.replace("recvWindow=10000", "recvWindow=60001"),
        TEMPLATE.replace("recvWindow=10000", "recvWindow=0"),
        TEMPLATE.replace("walletType=0", "walletType=2"),
        TEMPLATE.replace("transactionFeeFlag=false", "transactionFeeFlag=true"),
        TEMPLATE.replace("&amount", "&addressTag=&amount"),
        TEMPLATE.replace("0x70", "%30x70"),
        TEMPLATE.replace("0x70", "0x7%"),
        TEMPLATE.replace("0x70", "0x7\u0660"),
    ],
)
def test_another_spelling_of_the_string_is_tampered(template: str) -> None:
    with pytest.raises(Tampered):
        binance.read(template)


def test_the_string_is_the_documented_one() -> None:
    asked = binance.read(TEMPLATE)
    assert (asked.asset, asked.network, asked.address, asked.memo, asked.amount) == (
        "USDC", "ARBITRUM", COLD, None, Amount("25.5"),
    )  # fmt: skip
    with_memo = binance.write(replace(asked, memo="a/b+c=1", wallet="funding"))
    assert "&addressTag=a%2Fb%2Bc%3D1&amount=25.5&transactionFeeFlag=false&walletType=1&" in with_memo
    assert sha256(TEMPLATE) == "ac1bf671c928b417ae684e6048b281d57cfd86414fb207691d426d25c85d3457"
    effect = "8e707ff9ac668de06b1ed37753bb541bc8a029f206b0eae4e34baabc14f5b315"
    assert withdrawal_hash(ASKED, ACCOUNT).hex() == effect
    assert order_id("op", b"\1" * 32) == "f5e7c11c738adc677c5b512c7dbd96ee"


@pytest.mark.parametrize(
    "change",
    [
        {"venue": "Binance"}, {"venue": ""}, {"venue": "a b"}, {"asset": "usdc"}, {"asset": "US DC"}, {"asset": ""},
        {"network": ""}, {"network": None}, {"network": "eth"}, {"to": "abc"}, {"to": "a&b=cdef"},
        {"to": "0x" + "\u0430" * 40},
        {"to": COLD + "\n"}, {"to": "a" * 129}, {"to": 7}, {"memo": ""}, {"memo": "a b"}, {"memo": "1&amount=9"},
        {"memo": "\u202e1"}, {"memo": "1" * 101}, {"memo": 1}, {"amount": Amount("0")}, {"amount": "1"},
        {"reference": "a b"},
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_asked_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        replace(ASKED, **change)


@given(memo=memos, reference=st.none() | st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True), to=addresses)
def test_an_intent_travels_as_json_and_back(memo: str | None, reference: str | None, to: str) -> None:
    asked = replace(ASKED, memo=memo, reference=reference, to=to)
    assert from_json(to_json(asked)) == asked


def test_the_network_is_needed_and_the_memo_may_be_left_out() -> None:
    told = to_json(ASKED)
    assert "memo" not in told
    for name in ("venue", "asset", "network", "to", "amount"):
        with pytest.raises(InvalidInput):
            from_json({key: value for key, value in told.items() if key != name})
    with pytest.raises(InvalidInput):
        from_json({**told, "chain": "eip155:1"})
    payment = to_json(Transfer(to=Address(COLD), amount=Amount("1")))
    with pytest.raises(InvalidInput):
        from_json({**payment, "memo": "1"})


def test_each_field_of_the_effect_makes_another_one() -> None:
    others: tuple[dict[str, Any], ...] = (
        {}, {"venue": "kraken"}, {"asset": "USDT"}, {"network": "ETH"}, {"to": COLD[:-1] + "9"}, {"memo": "1"},
        {"memo": "none"}, {"amount": Amount("25.6")}, {"reference": "1"},
    )  # fmt: skip
    hashes = {withdrawal_hash(replace(ASKED, **change), ACCOUNT) for change in others}
    assert len(hashes) == len(others)
    assert withdrawal_hash(ASKED, replace(ACCOUNT, chain=ChainId(10))) not in hashes
    assert withdrawal_hash(replace(ASKED, amount=Amount("25.50")), ACCOUNT) in hashes


def test_an_order_id_is_of_one_operation_and_one_effect() -> None:
    made = {order_id(operation, effect) for operation in ("a", "b") for effect in (b"a", b"b", b"\x00b")}
    assert len(made) == 6
    assert all(len(each) == 32 and each.isalnum() for each in made)


def test_frozen_bytes_read_back_and_other_bytes_do_not() -> None:
    operation = freeze_withdrawal(ASKED, REQUEST, ACCOUNT)
    assert request_of(operation) == REQUEST
    assert operation.expires_at == REQUEST.closes_at
    with pytest.raises(Tampered):
        _ = operation.signing_hashes
    for spoiled in (
        operation.unsigned_bytes + b" ",
        operation.unsigned_bytes.replace(b'"opens_at":1800000000', b'"opens_at":1800000601'),
        operation.unsigned_bytes.replace(b'"opens_at":1800000000', b'"opens_at":"1800000000"'),
        operation.unsigned_bytes.replace(b'"closes_at":1800000600', b'"closes_at":1800009600'),
        operation.unsigned_bytes.replace(b'"label":"Trading"', b'"label":["Trading"]'),
        operation.unsigned_bytes.replace(b"https://api.binance.com/", b"https://api.binance.com?/"),
        operation.unsigned_bytes.replace(b'"label":"Trading",', b""),
        b"[]",
        b"null",
        b"",
    ):
        assert spoiled != operation.unsigned_bytes
        with pytest.raises(Tampered):
            request_of(replace(operation, unsigned_bytes=spoiled))


def test_only_what_was_asked_is_frozen() -> None:
    for change in ({"amount": Amount("25.6")}, {"memo": "1"}, {"network": "ETH"}, {"venue": "kraken"}):
        asked = replace(ASKED, **change)
        assert not matches(asked, REQUEST)
        with pytest.raises(Tampered):
            freeze_withdrawal(asked, REQUEST, ACCOUNT)
    with pytest.raises(Tampered):
        freeze_withdrawal(ASKED, replace(REQUEST, format="kraken"), ACCOUNT)


def test_the_time_is_filled_in_within_its_bounds_and_nothing_else_changes() -> None:
    for at in (REQUEST.opens_at, REQUEST.closes_at):
        text = REQUEST.filled(at)
        assert text.removesuffix(f"{at}000") == TEMPLATE.removesuffix("{timestamp}")
        assert len(text.rpartition("=")[2]) == 13
    for at in (REQUEST.opens_at - 1, REQUEST.closes_at + 1):
        with pytest.raises(Tampered):
            REQUEST.filled(at)
    with pytest.raises(Tampered):
        replace(REQUEST, template=TEMPLATE + "{timestamp}").filled(REQUEST.opens_at)


def test_the_digest_covers_every_field() -> None:
    others: tuple[dict[str, Any], ...] = (
        {}, {"endpoint": "https://api.binance.co/sapi/v1/capital/withdraw/apply"}, {"label": "Savings"},
        {"opens_at": 1_800_000_001}, {"template": TEMPLATE.replace("25.5", "25.6")},
    )  # fmt: skip
    digests = {
        FrozenOperation(
            kind="exchange_withdrawal", account=ACCOUNT, unsigned_bytes=replace(REQUEST, **change).body,
            effect_hash=b"", expires_at=REQUEST.closes_at,
        ).digest
        for change in others
    }  # fmt: skip
    assert len(digests) == len(others)
