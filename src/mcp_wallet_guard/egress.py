"""The only HTTP client: pinned addresses, verified certificates, bounded answers, errors that give nothing away.

It speaks through httpx2's transport, below its client: no redirects, no cookies, no proxies, no environment, no log
line with a URL in it. https always; plain http only to a literal loopback address, where nobody sits in between. There
is no switch for certificate verification. Threat: T-046, T-057.
"""

from __future__ import annotations

import base64
import functools
import json
import ssl
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final, Literal, final
from urllib.parse import unquote_to_bytes

import anyio
import anyio.to_thread
import httpx2

from mcp_wallet_guard import strict_json
from mcp_wallet_guard.errors import Misconfigured, Unavailable
from mcp_wallet_guard.pinned_url import PinnedUrl

_FORM: Final = "application/x-www-form-urlencoded"


@final
@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its status, and the one JSON document that it is."""

    status: int
    document: Any = field(repr=False)


@final
class Egress:
    """Asks pinned addresses, over kept-open connections. One event loop per object; `aclose` when done."""

    def __init__(self, *, timeout_seconds: float, max_response_bytes: int) -> None:
        if not 0 < timeout_seconds <= 120 or not 0 < max_response_bytes <= 64 * 1024 * 1024:
            raise Misconfigured("misconfigured.settings", detail="egress limits are out of range")
        self._timeout: Final = timeout_seconds
        self._max_bytes: Final = max_response_bytes
        self._transports: Final[dict[str, httpx2.AsyncHTTPTransport]] = {}
        self._closed = False

    async def post_json(self, url: PinnedUrl, body: object, /) -> Any:
        """POST `body` as JSON and return the answer's JSON, strictly read: no duplicate keys, no NaN, no junk.

        Raises Unavailable("unavailable.node") for everything else than status 200 with one JSON document, within
        the size limit, before the deadline, which covers the whole exchange from name resolution to the last byte.
        """
        if type(url) is not PinnedUrl:
            raise TypeError("needs a PinnedUrl")
        content = json.dumps(body, allow_nan=False, separators=(",", ":")).encode()
        request = _request(url, content, self._timeout)
        reply = await self._asked(url, request, statuses=range(200, 201), code="unavailable.node")
        return reply.document

    async def call(
        self, method: Literal["GET", "POST"], url: PinnedUrl, /, *, form: str, headers: Mapping[str, str]
    ) -> Reply:
        """Send `form` (URL-encoded; in the URL of a GET, the body of a POST) with `headers`, and return the answer's
        status, below 500, and its JSON, read as `post_json` does. The form and the headers may hold secrets.

        Raises Unavailable("unavailable.venue") for everything else: nobody knows then what became of the request.
        """
        if type(url) is not PinnedUrl:
            raise TypeError("needs a PinnedUrl")
        target, content = (PinnedUrl.parse(f"{url.text}?{form}"), b"") if method == "GET" else (url, form.encode())
        request = _request(target, content, self._timeout, method=method, kind=_FORM, more=headers)
        return await self._asked(url, request, statuses=range(200, 500), code="unavailable.venue")

    async def _asked(self, url: PinnedUrl, request: httpx2.Request, *, statuses: range, code: str) -> Reply:
        reason = "no answer"
        # Raised outside the handlers: a chained httpx2 error would carry the request, and with it the whole URL.
        try:
            with anyio.fail_after(self._timeout):
                status, raw = await self._exchange(request, statuses)
                return Reply(status, _strict_json(raw))
        except TimeoutError:
            reason = f"no whole answer within {self._timeout:g} s"
        except _BadAnswer as error:
            reason = str(error)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            reason = f"connection failed ({type(error).__name__})"
        raise Unavailable(code, detail=f"{url.origin}: {reason}")

    async def aclose(self) -> None:
        """Close all connections. Idempotent. An exchange that is under way ends as it can; its connection goes then."""
        self._closed = True
        while self._transports:
            _, transport = self._transports.popitem()
            await transport.aclose()

    async def _exchange(self, request: httpx2.Request, statuses: range) -> tuple[int, bytes]:
        transport = await self._transport(request.url.scheme)
        try:
            return await self._received(await transport.handle_async_request(request), statuses)
        finally:
            if self._closed:  # closed meanwhile: the pool may have got this exchange's connection back since
                with anyio.CancelScope(shield=True):
                    await transport.aclose()

    async def _received(self, response: httpx2.Response, statuses: range) -> tuple[int, bytes]:
        try:
            if response.status_code not in statuses:
                raise _BadAnswer(f"status {response.status_code}")
            if response.headers.get("content-encoding", "identity") != "identity":
                raise _BadAnswer("compressed, though that was not asked for")
            received = bytearray()
            async with aclosing(response.aiter_raw()) as stream:
                async for chunk in stream:
                    received += chunk
                    if len(received) > self._max_bytes:
                        raise _BadAnswer(f"longer than {self._max_bytes} bytes")
            return response.status_code, bytes(received)
        finally:
            with anyio.CancelScope(shield=True):
                await response.aclose()

    async def _transport(self, scheme: str) -> httpx2.AsyncHTTPTransport:
        """Made when first needed: reading the trusted certificates takes tens of milliseconds."""
        if self._closed or scheme not in self._transports:
            trust = await anyio.to_thread.run_sync(_trusted) if scheme == "https" else _trusts_nobody()
            if self._closed:
                raise _BadAnswer("closed")
            made = httpx2.AsyncHTTPTransport(verify=trust, trust_env=False, retries=0)
            if self._transports.setdefault(scheme, made) is not made:
                await made.aclose()
        return self._transports[scheme]


@functools.cache
def _trusted() -> ssl.SSLContext:
    """The trusted certificate authorities, host names checked. One for the process: it never changes."""
    return httpx2.create_ssl_context(verify=True, trust_env=False)


def _trusts_nobody() -> ssl.SSLContext:
    """For plain http, where no handshake happens: should one happen all the same, no certificate passes."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class _BadAnswer(Exception):
    """Ours, and free of anything that the other side said."""


def _request(
    url: PinnedUrl,
    content: bytes,
    timeout: float,
    *,
    method: str = "POST",
    kind: str = "application/json",
    more: Mapping[str, str] | None = None,
) -> httpx2.Request:
    address = httpx2.URL(url.text)
    headers = {**(more or {}), "Accept": "application/json", "Accept-Encoding": "identity", "Content-Type": kind}
    if address.userinfo:
        # As RFC 7617 says: the decoded user and password, in base64.
        token = base64.b64encode(unquote_to_bytes(address.userinfo)).decode("ascii")
        headers["Authorization"] = f"Basic {token}"
    limits = httpx2.Timeout(timeout).as_dict()
    return httpx2.Request(method, address, headers=headers, content=content, extensions={"timeout": limits})


def _strict_json(raw: bytes) -> Any:
    try:
        return strict_json.loads(raw)
    except ValueError as error:
        reason = str(error)
    raise _BadAnswer(reason)
