"""Which addresses the guard may speak to, and how little of them it shows. Threat: T-046, T-057."""

from __future__ import annotations

import copy

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.errors import Misconfigured
from mcp_wallet_guard.pinned_url import PinnedUrl


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://eth.example/v2/key", "https://eth.example:443"),
        ("https://user:pass@eth.example:8443/?k=v", "https://eth.example:8443"),
        ("https://203.0.113.7/", "https://203.0.113.7:443"),
        ("https://[2001:db8::1]/", "https://[2001:db8::1]:443"),
        ("https://xn--mller-kva.example", "https://xn--mller-kva.example:443"),
        ("http://127.0.0.1:8545", "http://127.0.0.1:8545"),
        ("http://127.255.0.3/", "http://127.255.0.3:80"),
        ("http://[::1]:8545/", "http://[::1]:8545"),
    ],
)
def test_https_and_literal_loopback_addresses_are_accepted(text: str, origin: str) -> None:
    assert PinnedUrl.parse(text).origin == origin


@pytest.mark.parametrize(
    "text",
    [
        "http://eth.example/",
        "http://localhost:8545/",
        "http://127.0.0.1.evil.example/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://127.0.0.01/",
        "http://0.0.0.0/",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        "http://[::]/",
        "http://[0:0:0:0:0:0:0:1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::1%25eth0]/",
        "http://user@127.0.0.1/",
        "http://127.0.0.1@evil.example/",
        "http://evil.example#@127.0.0.1/",
        "http://evil.example\\@127.0.0.1/",
        "http://127.0.0.1:0/",
        "http://127.0.0.1:65536/",
        "http://127.0.0.1:08545/",
        "http://127.0.0.1./",
        "http://\u0661\u0662\u0667.0.0.1/",
        "https://2130706433/",
        "https://1.2.3/",
        "https://[1.2.3.4]/",
        "https://[fe80]/",
        "https://a..example/",
        "https://m\u00fcller.example/",
        "https://eth.example/#fragment",
        "https://eth.example/a b",
        "https://eth.example/\r\nHost: evil",
        "https://eth.example/\n",
        " https://eth.example/",
        "HTTPS://eth.example/",
        "https://ETH.example/",
        "https:///path",
        "https://",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "ws://127.0.0.1/",
        "//127.0.0.1/",
        "127.0.0.1:8545",
        "",
        "https://eth.example/" + "a" * 2048,
        None,
        b"https://eth.example/",
    ],
)
def test_every_other_address_is_refused_without_repeating_it(text: object) -> None:
    with pytest.raises(Misconfigured) as caught:
        PinnedUrl.parse(text)
    assert caught.value.code == "misconfigured.settings"
    assert "evil" not in caught.value.detail


@pytest.mark.parametrize("show", [repr, str, "{}".format, lambda url: f"{[url]}", lambda url: repr(copy.copy(url))])
def test_what_may_hold_an_api_key_is_never_shown(show: object) -> None:
    url = PinnedUrl.parse("https://user:hunter2hunter2@eth.example/v2/sk-live-0123456789?token=abcdef")
    shown = show(url)  # type: ignore[operator]
    assert "eth.example" in shown
    for secret in ("user", "hunter2", "sk-live", "abcdef", "token"):
        assert secret not in shown


def test_an_origin_that_belongs_to_another_address_is_refused() -> None:
    assert PinnedUrl("https://eth.example/", "https://eth.example:443").origin == "https://eth.example:443"
    with pytest.raises(Misconfigured):
        PinnedUrl("https://evil.example/", "https://eth.example:443")


_HOSTS = ["127.0.0.1", "::1", "eth.example", "localhost", "0x7f", "xn--a", "\u00df", "\uff0e", "a", "0", "443"]
_SIGNS = ["http", "https", "://", ":", "/", "@", "?", "#", "[", "]", "%", "\\", ".", "-", "user", " ", "\t"]
_PIECES = st.sampled_from([*_HOSTS, *_SIGNS])


@given(st.lists(_PIECES, max_size=10).map("".join) | st.text(max_size=40))
def test_an_accepted_address_means_the_same_to_the_http_library(text: str) -> None:
    try:
        url = PinnedUrl.parse(text)
    except Misconfigured:
        return
    theirs = httpx2.URL(url.text)
    host = theirs.raw_host.decode()
    port = theirs.port or {"http": 80, "https": 443}[theirs.scheme]
    assert url.origin == f"{theirs.scheme}://{f'[{host}]' if ':' in host else host}:{port}"


@given(st.text(alphabet="abc0.-x[]:1", min_size=1, max_size=12))
def test_plain_http_reaches_nothing_but_loopback(host: str) -> None:
    try:
        url = PinnedUrl.parse(f"http://{host}/")
    except Misconfigured:
        return
    assert url.origin.startswith(("http://127.", "http://[::1]:"))
