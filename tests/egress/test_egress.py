"""The only HTTP client, against servers that do not play by the rules. Threat: T-046, T-057."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import json
import logging
import ssl
import sys
import time
import traceback
import tracemalloc
from typing import TYPE_CHECKING

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mcp_wallet_guard.egress import Egress, _request, _trusted
from mcp_wallet_guard.errors import Misconfigured, Unavailable
from mcp_wallet_guard.pinned_url import PinnedUrl
from tests.egress.servers import answering, response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SECRETS = ("sk-live-0123456789", "abcdef", "/v2", "token")
OK = response(b'{"result": "0x1"}')


@pytest.fixture
async def egress() -> AsyncIterator[Egress]:
    client = Egress(timeout_seconds=5, max_response_bytes=1000)
    yield client
    await client.aclose()


async def failure(egress: Egress, url: str) -> Unavailable:
    """The error of one request. It must say nothing about the address but its origin, and chain nothing."""
    with pytest.raises(Unavailable) as caught:
        await egress.post_json(PinnedUrl.parse(url), {})
    error = caught.value
    assert error.code == "unavailable.node"
    told = "".join(traceback.format_exception(error)) + repr(error) + error.detail
    assert not [secret for secret in SECRETS if secret in told]
    assert error.__context__ is None
    assert error.__cause__ is None
    return error


async def test_an_honest_answer_arrives_and_the_request_is_plain(egress: Egress) -> None:
    async with answering(OK) as server:
        assert await egress.post_json(PinnedUrl.parse(server.url), {"id": 1}) == {"result": "0x1"}
        head, body = server.requests[0].split(b"\r\n\r\n")
    assert head.startswith(b"POST /v2/sk-live-0123456789?token=abcdef HTTP/1.1\r\n")
    assert json.loads(body) == {"id": 1}
    names = {line.split(b":")[0].lower() for line in head.split(b"\r\n")[1:]}
    assert names == {b"host", b"accept", b"accept-encoding", b"content-type", b"content-length"}


async def test_a_connection_is_used_again_but_a_cookie_is_not(egress: Egress) -> None:
    async with answering(response(b"1", headers="Set-Cookie: id=follow-me; Path=/\r\n")) as server:
        for _ in range(2):
            assert await egress.post_json(PinnedUrl.parse(server.url), {}) == 1
        assert len(server.requests) == 2
        assert b"follow-me" not in server.requests[1]


def test_user_and_password_of_an_https_address_become_a_header() -> None:
    request = _request(PinnedUrl.parse("https://us%65r:p%40ss@eth.example/"), b"{}", 1)
    assert request.headers["authorization"] == "Basic dXNlcjpwQHNz"
    assert "authorization" not in _request(PinnedUrl.parse("https://eth.example/"), b"{}", 1).headers


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
async def test_a_redirect_is_not_followed(egress: Egress, status: str) -> None:
    async with answering(OK) as target:
        location = f"Location: http://127.0.0.1:{target.port}/\r\n"
        async with answering(response(b"", status=status, headers=location)) as server:
            error = await failure(egress, server.url)
        assert target.requests == []
        assert error.detail.endswith(f"status {status[:3]}")
        # The target itself is fine: only the redirect stands between.
        assert await egress.post_json(PinnedUrl.parse(target.url), {}) == {"result": "0x1"}


async def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    async with answering(OK) as server, answering(response(b'"from the proxy"')) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        # A client that trusts the environment is led astray by this very setting.
        async with httpx2.AsyncClient() as trusting:
            assert (await trusting.post(server.url)).json() == "from the proxy"
        egress = Egress(timeout_seconds=5, max_response_bytes=1000)
        assert await egress.post_json(PinnedUrl.parse(server.url), {}) == {"result": "0x1"}
        await egress.aclose()
        assert len(proxy.requests) == 1


async def test_an_answer_up_to_the_limit_is_read_and_one_byte_more_is_not(egress: Egress) -> None:
    async with answering(response(b'"' + b"a" * 998 + b'"')) as server:
        assert len(await egress.post_json(PinnedUrl.parse(server.url), {})) == 998
    async with answering(response(b'"' + b"a" * 999 + b'"')) as server:
        assert "longer than 1000 bytes" in (await failure(egress, server.url)).detail


async def test_an_endless_answer_is_cut_off_early() -> None:
    sent = 0

    async def flood(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"100000\r\n" + b" " * 0x100000 + b"\r\n")
            sent += 0x100000
            await writer.drain()

    egress = Egress(timeout_seconds=5, max_response_bytes=1_000_000)
    async with answering(flood) as server:
        tracemalloc.start()
        await failure(egress, server.url)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    await egress.aclose()
    assert sent < 32_000_000
    assert peak < 16_000_000


async def test_the_deadline_covers_an_answer_that_drips_in() -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    egress = Egress(timeout_seconds=0.3, max_response_bytes=10_000)
    async with answering(drip) as server:
        begin = time.monotonic()
        error = await failure(egress, server.url)
        assert time.monotonic() - begin < 2
    await egress.aclose()
    assert "no whole answer within 0.3 s" in error.detail


async def test_a_refused_connection_says_only_where(egress: Egress) -> None:
    async with answering(OK) as server:
        pass
    error = await failure(egress, server.url)
    assert error.detail == f"http://127.0.0.1:{server.port}: connection failed (ConnectError)"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(response(b"<html>sign in</html>"), id="html"),
        pytest.param(response(b""), id="empty"),
        pytest.param(response(b'{"a": 1} {"a": 2}'), id="two documents"),
        pytest.param(response(b'{"result": "0x1", "result": "0x2"}'), id="duplicate key"),
        pytest.param(response(b'{"x": {"a": 1, "\\u0061": 2}}'), id="duplicate key, one escaped, nested"),
        pytest.param(response(b"NaN"), id="NaN"),
        pytest.param(response(b"[-Infinity]"), id="infinity"),
        pytest.param(response(b"\xff\xfe1\x00"), id="utf-16"),
        pytest.param(response(b'\xef\xbb\xbf"x"'), id="byte order mark"),
        pytest.param(response(b'"\xc3\x28"'), id="broken utf-8"),
        pytest.param(response(b"[" * 499 + b"]" * 498), id="cut off"),
        pytest.param(response(b"1", headers="Content-Encoding: gzip\r\n"), id="compressed"),
        pytest.param(response(b"1", status="204 No Content"), id="status 204"),
        pytest.param(response(b"1", status="429 Slow Down"), id="status 429"),
        pytest.param(response(b"1", status="500 sk-live-0123456789"), id="status 500"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 9, id="not http"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n1", id="negative length"),
    ],
)
async def test_an_answer_that_is_no_strict_json_is_none(egress: Egress, answer: bytes) -> None:
    async with answering(answer) as server:
        await failure(egress, server.url)


async def test_json_nested_beyond_reason_is_refused_before_the_parser_sees_it() -> None:
    limit = sys.getrecursionlimit()
    egress = Egress(timeout_seconds=5, max_response_bytes=1_000_000)
    try:
        sys.setrecursionlimit(1_000_000)  # as py-evm does: the parser would end the process
        for text in (b"[" * 400_000, b'{"a":' * 150_000, b'["\\"", ' * 90_000):
            async with answering(response(text)) as server:
                assert "nested deeper than 64" in (await failure(egress, server.url)).detail
    finally:
        sys.setrecursionlimit(limit)
    await egress.aclose()


async def test_brackets_in_strings_and_64_levels_are_fine(egress: Egress) -> None:
    async with answering(response(b"[" * 64 + b"]" * 64)) as server:
        await egress.post_json(PinnedUrl.parse(server.url), {})
    text = json.dumps({'a"[\\': "[" * 200 + '"\\'}).encode()
    async with answering(response(text)) as server:
        assert await egress.post_json(PinnedUrl.parse(server.url), {}) == json.loads(text)


async def test_no_log_line_holds_the_address(egress: Egress, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with answering(OK) as server:
        async with httpx2.AsyncClient() as chatty:
            await chatty.post(server.url)
        assert "sk-live-0123456789" in caplog.text  # what the library's own client writes at INFO
        caplog.clear()
        await egress.post_json(PinnedUrl.parse(server.url), {})
        await failure(egress, server.url.replace(str(server.port), "1"))
    assert not [secret for secret in SECRETS if secret in caplog.text]


@pytest.fixture
def certificate(tmp_path: Path) -> ssl.SSLContext:
    """A server's context with a certificate for 127.0.0.1 that no authority signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "cert.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    return context


async def test_a_certificate_that_no_authority_signed_is_refused_even_if_the_environment_trusts_it(
    certificate: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with answering(OK, tls=certificate) as server:
        url = server.url.replace("http:", "https:")
        # The server is in order: a client that was given its certificate gets the answer.
        trusting = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
        async with httpx2.AsyncClient(verify=trusting) as client:
            assert (await client.post(url)).json() == {"result": "0x1"}
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        _trusted.cache_clear()  # what the process trusts is read once: read it under this environment
        egress = Egress(timeout_seconds=5, max_response_bytes=1000)
        assert "ConnectError" in (await failure(egress, url)).detail
        await egress.aclose()
        _trusted.cache_clear()
        assert len(server.requests) == 1


async def test_only_a_pinned_address_is_asked(egress: Egress) -> None:
    async with answering(OK) as server:
        with pytest.raises(TypeError):
            await egress.post_json(server.url, {})  # type: ignore[arg-type]
        assert server.requests == []


@pytest.mark.parametrize(("seconds", "size"), [(0, 1), (-1, 1), (121, 1), (float("nan"), 1), (1, 0), (1, 2**40)])
def test_limits_that_limit_nothing_are_refused(seconds: float, size: int) -> None:
    with pytest.raises(Misconfigured):
        Egress(timeout_seconds=seconds, max_response_bytes=size)


async def test_closing_twice_is_fine(egress: Egress) -> None:
    await egress.aclose()
    await egress.aclose()
