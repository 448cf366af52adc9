"""The gate before the approval page: what a browser, or something that imitates one, may send at all.

Loopback is no border: every site that the owner visits may send requests to 127.0.0.1, every local service shares its
cookies, and a name may be re-pointed at it. So, before any route runs:

1. GET and POST only; ``Host`` is this very socket, by address or ``localhost`` (against DNS rebinding);
2. a GET that says what it is for is a top-level document or our style sheet, never a frame, image or fetch;
3. a POST comes from our own page: ``Origin`` equals the Host, ``Sec-Fetch-Site`` is ``same-origin`` when sent;
4. a body is a small urlencoded form;
5. every answer carries the same headers, and every failure is a page of ours, without a traceback.

Source: Fetch Metadata, CSP 3, Fetch section 3.2 (Origin). Threat: T-109.
"""

from __future__ import annotations

import logging
from typing import Final, final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_wallet_guard.approvals.documents import error_page

MAX_BODY_BYTES: Final = 4096
FORM_TYPE: Final = "application/x-www-form-urlencoded"
_LOG: Final = logging.getLogger(__name__)

HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "publickey-credentials-get=(), clipboard-read=(), camera=(), microphone=(), geolocation=()",
    # Not "no-referrer": under it browsers send "Origin: null" with our own forms. See ADR 0401.
    "referrer-policy": "same-origin",
}

SENTENCES: Final = {
    400: "The request was not understood.",
    403: "This request did not come from the guard's own page. Open the page's address yourself.",
    404: "There is nothing here.",
    405: "The request was not understood.",
    413: "The request was too large.",
    421: "The guard does not answer to this name.",
    500: "The wallet guard cannot do this now. Nothing was approved.",
}


class Barred(Exception):
    """A request that the gate does not let through. `status` picks the sentence."""

    def __init__(self, status: int, /) -> None:
        self.status: Final = status
        super().__init__(SENTENCES[status])


@final
class Gate:
    """ASGI middleware around the page's routes. Nothing of a refused request reaches them, a log or the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app: Final = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        answer = _Answer(send)
        try:
            check_request(scope)
            body = await _read_body(scope, receive)
            await self._app(scope, _replay(body), answer)
        except Barred as error:
            await answer.fail(error.status, scope, receive)
        except Exception as error:  # noqa: BLE001 - the last line: no traceback may reach a browser or, with a URL, a log
            _LOG.error("the approval page failed: %s", type(error).__name__)
            await answer.fail(500, scope, receive)


def check_request(scope: Scope, /) -> None:
    """Raises Barred unless method, Host, Origin and Fetch Metadata are those of our own page or of its owner."""
    headers = Headers(scope=scope)
    if scope["method"] not in {"GET", "POST"}:
        raise Barred(405)
    host = _one(headers, "host", 421)
    server = scope.get("server")
    port = None if server is None else server[1]
    if port is None or host not in {f"127.0.0.1:{port}", f"[::1]:{port}", f"localhost:{port}"}:
        raise Barred(421)
    site, destination = headers.get("sec-fetch-site"), headers.get("sec-fetch-dest")
    if scope["method"] == "GET":
        expected = "style" if scope["path"] == "/style.css" else "document"
        if destination not in {None, expected}:
            raise Barred(403)
        return
    if _one(headers, "origin", 403) != f"http://{host}" or site not in {None, "same-origin"}:
        raise Barred(403)
    if headers.get("content-type", "").partition(";")[0].strip().lower() != FORM_TYPE:
        raise Barred(400)


def is_prefetch(headers: Headers, /) -> bool:
    """Whether the browser only looks ahead: nobody opened the address yet."""
    ahead = ("sec-purpose", "purpose", "x-purpose", "x-moz")
    return any(word in headers.get(name, "").lower() for name in ahead for word in ("prefetch", "prerender", "preview"))


def _one(headers: Headers, name: str, status: int) -> str:
    values = headers.getlist(name)
    if len(values) != 1:
        raise Barred(status)
    return values[0]


async def _read_body(scope: Scope, receive: Receive) -> bytes:
    if scope["method"] == "GET":
        return b""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Barred(400)
        chunk: bytes = message.get("body", b"")
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise Barred(413)
        if not message.get("more_body", False):
            return body


def _replay(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


@final
class _Answer:
    """The way out: adds the headers, and can still answer when nothing was sent yet."""

    def __init__(self, send: Send) -> None:
        self._send: Final = send
        self._started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._started = True
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)

    async def fail(self, status: int, scope: Scope, receive: Receive) -> None:
        if self._started:
            return
        response = Response(error_page(SENTENCES[status]), status_code=status, media_type="text/html")
        # The rest of a refused body is not read, so the connection cannot be used again.
        response.headers["connection"] = "close"
        await response(scope, receive, self)
