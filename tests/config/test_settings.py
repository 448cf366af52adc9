"""guard.toml means one thing or is refused, and a refusal repeats nothing of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from mcp_wallet_guard.config.settings import FeeLimits, parse_settings
from mcp_wallet_guard.danger import CheapKdf, LowerLevel
from mcp_wallet_guard.errors import CATALOGUE, Misconfigured
from mcp_wallet_guard.evidence import Level
from mcp_wallet_guard.operations.values import Account, Address, Asset, BaseUnits, ChainId
from mcp_wallet_guard.pinned_url import PinnedUrl
from mcp_wallet_guard.policy.limits import Limit
from mcp_wallet_guard.policy.rules import ANY, Payee, Policy, TokenRule
from tests.config.documents import FULL, LEAST, edited

GWEI = 10**9
PRECISION = CATALOGUE["invalid_input.precision"]
PAYEE = Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
SENDER = Address("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266")
CAROL = Address("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC")
USDC = Asset(ChainId(31337), "USDC", 6, Address("0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"))
URL_PIECES = [
    "https://",
    "http://",
    "node.example",
    "127.0.0.1",
    "[::1]",
    "1",
    ":",
    "/",
    "@",
    "?",
    "#",
    ".",
    "A",
    "%41",
]


def refusal(source: str) -> str:
    with pytest.raises(Misconfigured) as refused:
        parse_settings(source)
    assert refused.value.code == "misconfigured.settings"
    return refused.value.detail


def test_every_key_arrives_where_it_is_used() -> None:
    settings = parse_settings(FULL)
    chain = ChainId(31337)
    assert (settings.vault, settings.mode) == ("vault.json", "embedded")
    assert settings.node == "http://127.0.0.1:8545/v1/key-0123456789abcdef"
    assert settings.chain == chain
    assert settings.native == Asset(chain, "ETH", 18)
    assert settings.account == Account("main", chain, SENDER)
    assert settings.fee_limits == FeeLimits(
        max_fee_per_gas=100 * GWEI, max_priority_fee_per_gas=GWEI * 5 // 2, max_gas=50_000
    )
    assert settings.policy == Policy(
        payees=(Payee(name="Alice", address=PAYEE),),
        max_per_transaction=BaseUnits(5 * 10**17),
        max_fee=BaseUnits(10**16),
        level=Level.FACTOR,
        tokens=(TokenRule(token=USDC, cap=BaseUnits(100_500_000)),),
        approvals=True,
        limits=(Limit(seconds=86_400, asset=USDC, amount=BaseUnits(500_000_000), count=7, payees=frozenset({CAROL})),),
    )
    assert settings.tokens == (USDC,)
    assert settings.address_book == (Payee(name="Alice", address=PAYEE), Payee(name="Carol", address=CAROL))
    assert settings.known_addresses == (("Alice", PAYEE), ("Carol", CAROL), ("main", SENDER), ("USDC", USDC.address))
    assert (settings.name_of(CAROL), settings.name_of(SENDER)) == ("Carol", None)
    assert settings.token_at(Address("0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48")) == USDC
    assert settings.token_at(PAYEE) is None
    approval, lock = settings.approval, settings.lock
    assert (approval.expires_minutes, approval.page_port, approval.wait_seconds) == (5, 8700, 10)
    assert (lock.idle_minutes, lock.max_hours, settings.locked_reads) == (30, 6, True)
    assert (settings.lower_level, settings.cheap_kdf, settings.waivers) == (None, None, ())


def test_what_is_left_out_is_the_careful_choice() -> None:
    settings = parse_settings(LEAST)
    assert settings.mode == "daemon"
    assert settings.policy is None
    assert (settings.tokens, settings.address_book) == ((), ())
    assert settings.native == Asset(ChainId(1), "ETH", 18)
    assert settings.fee_limits == FeeLimits(
        max_fee_per_gas=200 * GWEI, max_priority_fee_per_gas=5 * GWEI, max_gas=100_000
    )
    approval, lock = settings.approval, settings.lock
    assert (approval.expires_minutes, approval.page_port, approval.wait_seconds) == (10, 0, 25)
    assert (lock.idle_minutes, lock.max_hours, settings.locked_reads) == (15, 12, False)


def test_a_policy_without_a_level_asks_for_a_factor() -> None:
    policy = parse_settings(LEAST + '[policy]\nmax_per_transaction = "1"\npayees = "any"\n').policy
    assert policy is not None
    assert (policy.level, policy.payees, policy.max_fee) == (Level.FACTOR, ANY, None)
    assert (policy.tokens, policy.approvals) == ((), False)


def test_settings_show_no_url_of_the_node() -> None:
    settings = parse_settings(FULL)
    assert "key-0123456789abcdef" not in repr(settings) + str(settings) + repr(settings.document.chain)
    assert "8545" not in repr(settings)


def test_equal_documents_are_equal_settings() -> None:
    assert parse_settings(FULL) == parse_settings(edited('"0.5"', '"0.50"'))
    assert parse_settings(FULL) != parse_settings(edited('"0.5"', '"0.51"'))


# --- unknown, missing and ill-typed -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "key"),
    [
        (edited("[chain]\n", "[chain]\nnodes = 1\n"), "chain.nodes: "),
        (edited("[policy]\n", "[policy]\nconfirm = false\n"), "policy.confirm: "),
        (edited('"Alice",', '"Alice", note = "x",'), "policy.payees.0.note: "),
        ("approve = true\n" + FULL, "approve: "),
        (FULL + "[signer]\n", "signer: "),
        (FULL + "[danger]\nno_factor = 'I know what I do'\n", "danger.no_factor: "),
        (edited('vault = "vault.json"\n', ""), "vault: "),
        (edited("id = 31337\n", ""), "chain.id: "),
        (edited('max_per_transaction = "0.5"\n', ""), "policy.max_per_transaction: "),
        (LEAST + '[policy]\nmax_per_transaction = "1"\n', "policy.payees: "),
        (edited('max_per_transaction = "0.5"', "max_per_transaction = 0.5"), "policy.max_per_transaction: "),
        (edited('max_per_transaction = "0.5"', "max_per_transaction = 1"), "policy.max_per_transaction: "),
        (edited('"0.5"', '"1e18"'), "policy.max_per_transaction: "),
        (edited('"0.5"', '"0,5"'), "policy.max_per_transaction: "),
        (edited('"0.5"', '"\u0660.5"'), "policy.max_per_transaction: "),
        (edited('"0.5"', '" 0.5"'), "policy.max_per_transaction: "),
        (edited('"0.5"', '"-1"'), "policy.max_per_transaction: "),
        (edited("id = 31337", 'id = "31337"'), "chain.id: "),
        (edited("id = 31337", "id = 31337.0"), "chain.id: "),
        (edited("id = 31337", "id = true"), "chain.id: "),
        (edited("id = 31337", "id = 0"), "chain.id: "),
        (edited("id = 31337", f"id = {2**53}"), "chain.id: "),
        (edited("decimals = 18", "decimals = 37"), "chain.decimals: "),
        (edited("decimals = 18", "decimals = -1"), "chain.decimals: "),
        (edited('symbol = "ETH"', 'symbol = "E TH"'), "chain.symbol: "),
        (edited('symbol = "ETH"', 'symbol = "ETH\\n"'), "chain.symbol: "),
        (edited('symbol = "ETH"', 'symbol = "\u0395TH"'), "chain.symbol: "),
        (edited('name = "main"', 'name = "Main"'), "account.name: "),
        (edited('name = "main"', 'name = "main\\n"'), "account.name: "),
        (edited('"Alice"', '"Al\u0456ce"'), "policy.payees.0.name: "),
        (edited('"Alice"', '"Alice\\n"'), "policy.payees.0.name: "),
        (edited("0x70997970C5", "0x70997970c5"), "policy.payees.0.address: "),
        (edited("0xf39Fd6e51a", "0xF39Fd6e51a"), "account.address: "),
        (edited("0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "0x" + "0" * 40), "policy.payees.0.address: "),
        (edited("max_gas = 50_000", "max_gas = 20_999"), "chain.max_gas: "),
        (edited('"embedded"', '"remote"'), "mode: "),
        (edited('level = "factor"', 'level = "host"'), "policy.level: "),
        (edited('level = "factor"', 'level = "none"'), "policy.level: "),
        (edited('level = "factor"', "level = 3"), "policy.level: "),
        (edited("expires_minutes = 5", "expires_minutes = 0"), "approval.expires_minutes: "),
        (edited("expires_minutes = 5", "expires_minutes = 61"), "approval.expires_minutes: "),
        (edited('"24h"', '"24"'), "policy.limits.0.window: "),
        (edited('"24h"', '"0h"'), "policy.limits.0.window: "),
        (edited('"24h"', '"24h "'), "policy.limits.0.window: "),
        (edited("count = 7", 'count = "7"'), "policy.limits.0.count: "),
        (edited("friends =", '"\u00e9" ='), "policy.groups"),
        (edited("page_port = 8_700", "page_port = 65_536"), "approval.page_port: "),
        (edited("page_port = 8_700", "page_port = -1"), "approval.page_port: "),
        (edited("wait_seconds = 10", "wait_seconds = 51"), "approval.wait_seconds: "),
        (edited("idle_minutes = 30", "idle_minutes = 0"), "lock.idle_minutes: "),
        (edited("max_hours = 6", "max_hours = 25"), "lock.max_hours: "),
        (edited('"allow"', "true"), "lock.locked_reads: "),
        (edited('vault = "vault.json"', 'vault = ""'), "vault: "),
        (edited('vault = "vault.json"', 'vault = "a\\u0000b"'), "vault: "),
    ],
)
def test_a_mistake_is_named_by_its_key(source: str, key: str) -> None:
    assert key in refusal(source)


@pytest.mark.parametrize("payees", ["[]", '"nobody"', "[1]", '"Any"', "true"])
def test_payees_that_are_neither_a_list_nor_any_are_refused(payees: str) -> None:
    assert "policy.payees" in refusal(
        edited('payees = [{ name = "Alice", address = "' + PAYEE.value + '" }]', f"payees = {payees}")
    )


@pytest.mark.parametrize(
    ("source", "detail"),
    [
        (edited('"0.5"', '"0"'), "policy.max_per_transaction: is not a positive amount"),
        (edited('"0.01"', '"0"'), "policy.max_fee: is not a positive amount"),
        (edited('"0.5"', '"0.' + "0" * 18 + '1"'), f"policy.max_per_transaction: {PRECISION}"),
        (edited('"0.01"', '"0.' + "0" * 18 + '1"'), f"policy.max_fee: {PRECISION}"),
        (edited('"0.5"', '"1' + "0" * 77 + '"'), f"policy.max_per_transaction: {CATALOGUE['invalid_input.amount']}"),
        (edited('"100"', '"0"'), "chain.max_fee_per_gas_gwei: is zero or below max_priority_fee_gwei"),
        (edited('"100"', '"2.4"'), "chain.max_fee_per_gas_gwei: is zero or below max_priority_fee_gwei"),
        (edited('"2.5"', '"0.0000000001"'), f"chain.max_priority_fee_gwei: {PRECISION}"),
        (
            edited(" }]", ' }, { name = "alice", address = "' + SENDER.value + '" }]'),
            "policy.payees: a name or an address is there twice",
        ),
    ],
)  # fmt: skip
def test_values_that_contradict_each_other_are_named(source: str, detail: str) -> None:
    assert refusal(source) == detail


@pytest.mark.parametrize(
    "value", ["2026-01-01", "2026-01-01T00:00:00Z", "07:30:00", "nan", "inf", "-inf", "1.5", "[[1]]", "{a = {b = 1}}"]
)
def test_values_of_other_types_are_refused(value: str) -> None:
    assert refusal(edited("max_gas = 50_000", f"max_gas = {value}"))


# --- no secret in an error ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "node",
    [
        "http://node.example/SECRETKEY",
        "http://localhost:8545/SECRETKEY",
        "http://127.0.0.1.evil.example/SECRETKEY",
        "http://0x7f000001/SECRETKEY",
        "http://2130706433/SECRETKEY",
        "ws://127.0.0.1/SECRETKEY",
        "file:///SECRETKEY",
        "https:///SECRETKEY",
        "https://user:SECRETKEY@node.example/",
        "https://127.0.0.1\\\\@node.example/SECRETKEY",
        "https://node.example/#SECRETKEY",
        "https://node.example:99999/SECRETKEY",
        "https://node.example:0/SECRETKEY",
        "https://[::1/SECRETKEY",
        "https://node.example/SECRET KEY",
        "https://n\u00f6de.example/SECRETKEY",
        "HTTPS://node.example/SECRETKEY",
        "https://NODE.example/SECRETKEY",
        "https://node..example/SECRETKEY",
        "https://2130706433/SECRETKEY",
        "https://1.2.3/SECRETKEY",
        "https://node.example:08/SECRETKEY",
        "https://node.example/SECRETKEY|",
        "http://[0:0:0:0:0:0:0:1]/SECRETKEY",
        "http://127.0.0.1./SECRETKEY",
        "https://node.example/SECRETKEY" + "a" * 2048,
        "SECRETKEY",
        "",
    ],
)
def test_a_url_that_is_not_safe_is_refused_and_not_repeated(node: str) -> None:
    detail = refusal(edited("http://127.0.0.1:8545/v1/key-0123456789abcdef", node))
    assert detail.startswith("chain.node: ")
    assert "SECRET" not in detail
    assert "example" not in detail


@given(node=st.lists(st.sampled_from(URL_PIECES), max_size=9).map("".join))
def test_a_node_that_is_accepted_is_one_that_egress_speaks_to(node: str) -> None:
    try:
        settings = parse_settings(edited("http://127.0.0.1:8545/v1/key-0123456789abcdef", node))
    except Misconfigured:
        return
    assert PinnedUrl.parse(settings.node).text == node


@pytest.mark.parametrize(
    "node", ["https://node.example", "https://node.example:8443/k?x=1", "http://127.0.0.1:1", "http://127.8.8.8/", "http://[::1]:8545/",
     "https://203.0.113.7/", "https://[2001:db8::1]:8443/k", "https://xn--mller-kva.example/a%20b@c"]
)  # fmt: skip
def test_https_and_plain_http_to_loopback_are_accepted(node: str) -> None:
    assert parse_settings(edited("http://127.0.0.1:8545/v1/key-0123456789abcdef", node)).node == node


@pytest.mark.parametrize(
    "source",
    [
        FULL.replace("node = ", "node == "),
        FULL.replace('abcdef"', "abcdef"),
        FULL + '[chain]\nnode = "https://key-0123456789abcdef.example"\n',
        FULL.replace("[chain]", '[chain]\n"key-0123456789abcdef" = 1\n"key-0123456789abcdef" = 2'),
    ],
)
def test_text_that_is_not_toml_is_refused_by_its_place(source: str) -> None:
    detail = refusal(source)
    assert detail.startswith("not TOML")
    assert "0123456789" not in detail


def test_the_place_of_a_syntax_error_is_named() -> None:
    assert refusal("vault = \n") == "not TOML (at line 1, column 9)"
    assert refusal("vault = ") == "not TOML (at end of document)"


def test_a_hostile_key_is_quoted_in_the_error() -> None:
    detail = refusal('"a\\u202eb" = 1\n' + FULL)
    assert '"a\\u{202e}b": ' in detail
    assert "\u202e" not in detail
    assert len(refusal(f'"{"k" * 5_000}" = 1\n' + FULL)) < 300


def test_many_mistakes_do_not_make_a_long_error() -> None:
    assert len(refusal("".join(f"k{n} = 1\n" for n in range(2_000)) + FULL)) < 1_000


@pytest.mark.parametrize("source", ["a = " + "[" * 5_000 + "]" * 5_000, "a." * 5_000 + "b = 1", "n = " + "9" * 5_000])
def test_deep_and_huge_values_are_refused(source: str) -> None:
    assert refusal(source)


def test_a_file_above_the_limit_is_refused() -> None:
    assert refusal(FULL + "#" * 65_536) == "more than 65536 bytes"
    assert refusal(FULL + "#" + "\u00e9" * 32_768) == "more than 65536 bytes"
    assert parse_settings(FULL + "#" * (65_536 - len(FULL))) == parse_settings(FULL)


@given(st.text(max_size=300))
def test_any_text_is_settings_or_a_refusal(source: str) -> None:
    with pytest.raises(Misconfigured):
        parse_settings(source)


def test_a_lone_surrogate_is_refused() -> None:
    assert refusal(edited('"vault.json"', '"\ud800"'))


# --- danger -------------------------------------------------------------------------------------------------------


def test_a_level_below_factor_needs_a_reason() -> None:
    weaker = edited('level = "factor"', 'level = "present"')
    assert refusal(weaker) == "guard.toml: policy.level below factor needs danger.lower_level with a reason"
    settings = parse_settings(weaker + '[danger]\nlower_level = "a wallet of the test chain"\n')
    assert settings.policy is not None
    assert settings.policy.level is Level.PRESENT
    assert type(settings.lower_level) is LowerLevel
    assert [waiver.reason for waiver in settings.waivers] == ["a wallet of the test chain"]


def test_the_waiver_for_the_kdf_does_not_lower_the_level() -> None:
    weaker = edited('level = "factor"', 'level = "present"') + '[danger]\ncheap_kdf = "a wallet for tests"\n'
    assert "danger.lower_level" in refusal(weaker)
    settings = parse_settings(FULL + '[danger]\ncheap_kdf = "a wallet for tests"\n')
    assert type(settings.cheap_kdf) is CheapKdf
    assert settings.waivers[0].reason == "a wallet for tests"


@pytest.mark.parametrize("reason", ["", "short", "x" * 201, "tab\tin the reason", "r\u00e9ason enough"])
def test_a_reason_is_a_sentence(reason: str) -> None:
    assert "danger.lower_level: " in refusal(FULL + f'[danger]\nlower_level = "{reason}"\n')


# --- the documented format ----------------------------------------------------------------------------------------


def test_the_documented_file_parses_and_every_key_is_in_the_documented_table() -> None:
    page = (Path(__file__).parents[2] / "docs" / "formats" / "settings.md").read_text(encoding="utf-8")
    block = re.search(r"```toml\n(.*?)```", page, re.DOTALL)
    assert block is not None
    settings = parse_settings(block[1])
    named = set(re.findall(r"^\| `([a-z_.]+)` \|", page, re.MULTILINE))
    tables = {
        name: type(table).model_fields
        for name, table in vars(settings.document).items()
        if isinstance(table, BaseModel)
    }
    keys = {f"{table}.{key}" for table, fields in tables.items() for key in fields}
    keys |= {"vault", "mode", "policy", "tokens", "contacts", "venues"}
    assert named == keys
