"""Sign-in with Ethereum: one text, those fields. Threat: T-034."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations.siwe import SignIn, encode_sign_in, is_sign_in_like, parse_sign_in
from mcp_wallet_guard.operations.values import ChainId
from tests.operations.sign_ins import ACCOUNT, BROKEN, EXAMPLE, FULL
from tests.operations.strategies import addresses, chains


def refused(text: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_sign_in(text)
    assert caught.value.code == "invalid_input.message"


def test_the_standards_example_is_read_in_full() -> None:
    assert parse_sign_in(EXAMPLE) == SignIn(
        domain="example.com",
        address=ACCOUNT,
        statement="I accept the ExampleOrg Terms of Service: https://example.com/tos",
        uri="https://example.com/login",
        chain=ChainId(1),
        nonce="32891756",
        issued_at="2021-09-30T16:25:24Z",
        resources=(
            "ipfs://bafybeiemxf5abjwjbikoz4mc3a3dla6ual3jsgpdr4cjr3oz3evfyavhwq/",
            "https://example.com/my-web2-claim.json",
        ),
    )


def test_times_are_unix_seconds_and_the_text_is_kept() -> None:
    sign_in = parse_sign_in(FULL)
    assert (sign_in.issued_at_seconds, sign_in.expires_at, sign_in.starts_at) == (1633019124, 1633019124, 1633017600)
    assert sign_in.expiration_time == "2021-09-30T17:25:24.5+01:00"
    assert sign_in.request_id == "a%20b@:c"


ORIGINS: dict[str, tuple[str | None, str, bool]] = {
    "example.com:3388": (None, "example.com:3388", False),
    "https://example.com": ("https", "example.com", False),
    "127.0.0.1": (None, "127.0.0.1", False),
    "test@127.0.0.1:8080": (None, "test@127.0.0.1:8080", True),
    "[::cafe]": (None, "[::cafe]", False),
    "chrome-extension://abc": ("chrome-extension", "abc", False),
}


@pytest.mark.parametrize("origin", ORIGINS)
def test_domains_are_authorities_with_or_without_scheme(origin: str) -> None:
    scheme, domain, user = ORIGINS[origin]
    text = EXAMPLE.replace("example.com wants", f"{origin} wants")
    sign_in = parse_sign_in(text)
    assert (sign_in.scheme, sign_in.domain, sign_in.has_user) == (scheme, domain, user)
    assert encode_sign_in(sign_in) == text


def test_hosts_are_told_from_users_and_ports() -> None:
    sign_in = parse_sign_in(EXAMPLE.replace("example.com wants", "Example.com@evil.test:1 wants"))
    assert (sign_in.host, sign_in.uri_host) == ("evil.test", "example.com")
    assert parse_sign_in(EXAMPLE.replace("https://example.com/login", "did:key:z6Mk")).uri_host is None


def test_an_empty_statement_is_another_text_than_none() -> None:
    none = EXAMPLE.replace("\n\nI accept the ExampleOrg Terms of Service: https://example.com/tos\n", "\n\n")
    empty = EXAMPLE.replace("I accept the ExampleOrg Terms of Service: https://example.com/tos", "")
    assert parse_sign_in(none).statement is None
    assert parse_sign_in(empty).statement == ""
    assert [encode_sign_in(parse_sign_in(text)) for text in (none, empty)] == [none, empty]


def test_no_resources_are_another_text_than_none_listed() -> None:
    head = EXAMPLE.partition("\nResources")[0]
    assert parse_sign_in(head).resources is None
    assert parse_sign_in(f"{head}\nResources:").resources == ()


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN)
def test_what_is_not_a_sign_in_to_the_letter_is_refused_and_still_told(change: tuple[str, str]) -> None:
    old, new = change
    parse_sign_in(FULL)
    assert old in FULL
    text = FULL.replace(old, new, 1)
    refused(text)
    assert is_sign_in_like(text)


@pytest.mark.parametrize(
    "text",
    [
        "x WANTS you to sign in with  your ethereum account",
        "a\nwants you to sign in\nwith your Ethereum account:",
        FULL,
    ],
)
def test_a_text_that_says_that_it_is_a_sign_in_is_told(text: str) -> None:
    assert is_sign_in_like(text)


@pytest.mark.parametrize("text", ["", "Please sign in", "wants you to sign in with your Bitcoin account"])
def test_other_texts_are_none(text: str) -> None:
    assert not is_sign_in_like(text)
    refused(text)


@pytest.mark.parametrize("text", [None, 5, b"bytes", EXAMPLE + "\n- a:b" * 4000, EXAMPLE + "\n- a:b" * 63])
def test_what_is_too_long_or_no_text_is_refused(text: Any) -> None:
    refused(text)


_words = st.text("abcXYZ019-._~!$&'()*+,;=:/?#[]@ ", max_size=30)


@given(
    st.builds(
        SignIn,
        scheme=st.sampled_from([None, "https", "a+b"]),
        domain=st.sampled_from(["example.com", "a@b:1", "[::1]", "%41.b", "127.0.0.1:80"]),
        address=addresses,
        statement=st.none() | _words,
        uri=st.sampled_from(["https://a/b?c#d", "urn:x", "a:", "http://[v1.x]/", "x:/y/z"]),
        chain=chains,
        nonce=st.text("abcABC019", min_size=8, max_size=20),
        issued_at=st.sampled_from(["2021-09-30T16:25:24Z", "0001-01-01t00:00:00.1+00:01"]),
        expiration_time=st.none() | st.just("9999-12-31T23:59:59Z"),
        not_before=st.none() | st.just("2021-09-30T16:25:24.000-02:00"),
        request_id=st.none() | st.sampled_from(["", "a:b@c", "%20"]),
        resources=st.none() | st.lists(st.sampled_from(["urn:x", "ipfs://y"]), max_size=3).map(tuple),
    )
)
@settings(max_examples=60)
def test_text_and_fields_are_one(sign_in: SignIn) -> None:
    text = encode_sign_in(sign_in)
    assert parse_sign_in(text) == sign_in
    assert encode_sign_in(parse_sign_in(text)) == text


@pytest.mark.parametrize(
    "change",
    [{"statement": "a\nURI: b"}, {"nonce": "short"}, {"uri": "x"}, {"domain": "https://a"}, {"issued_at": "now"},
     {"resources": ("a b",)}, {"scheme": "1"}, {"request_id": "a\nb"}],
)  # fmt: skip
def test_fields_that_no_text_has_are_not_written(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        encode_sign_in(replace(parse_sign_in(EXAMPLE), **change))


@given(st.text(max_size=200) | st.text("exampl. \nURI:0x", max_size=200).map(lambda rest: EXAMPLE[:60] + rest))
def test_random_text_raises_one_exception_type(text: str) -> None:
    refused(text)
