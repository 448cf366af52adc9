"""The approval page: where the owner reads what would be signed and says yes or no, in a browser of their own.

It offers what `ApprovalDesk` offers and decides nothing: the guard verifies what was typed. A browser that is not
paired sees one and the same page at every address (T-015). There is no button that approves alone: the form takes the
match code that stands below the whole view, and the second factor. The tables of routes, forms and headers are in
docs/formats/approval-page.md. Threat: T-004, T-015, T-082, T-103, T-109.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, final
from urllib.parse import parse_qsl

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from mcp_wallet_guard.approvals import documents
from mcp_wallet_guard.approvals.base import ApprovalDesk
from mcp_wallet_guard.approvals.gate import SENTENCES, Barred, Gate, is_prefetch
from mcp_wallet_guard.approvals.links import LINK_SECRET, OPERATION_ID
from mcp_wallet_guard.approvals.pairing import PAIRING_SECONDS, TOKEN, cookie_name
from mcp_wallet_guard.approvals.style import CSS
from mcp_wallet_guard.errors import (
    AlreadyUsed,
    Declined,
    Expired,
    FactorRejected,
    GuardError,
    InvalidInput,
    Refused,
    Unavailable,
)
from mcp_wallet_guard.evidence import Channel, Clock
from mcp_wallet_guard.exchange import ApprovalRequest

HOST: Final = "127.0.0.1"
MAX_CONNECTIONS: Final = 64
_FIELD_LENGTH: Final = 128
_CSRF_TAG: Final = b"mcp-wallet-guard/page-csrf/v1\x00"
_LOG: Final = logging.getLogger(__name__)


def create_page(desk: ApprovalDesk, /, *, clock: Clock) -> Starlette:
    """The page as an ASGI application. It reads the port it serves from each request's socket."""
    page = _Page(desk, clock)
    routes = [
        Route("/", page.list, methods=["GET"]),
        Route("/style.css", _style, methods=["GET"]),
        Route("/p/{operation}/{secret}", page.open_link, methods=["GET"]),
        Route("/pair", page.pair, methods=["POST"]),
        Route("/a/{operation}", page.show, methods=["GET"]),
        Route("/a/{operation}/approve", page.approve, methods=["POST"]),
        Route("/a/{operation}/decline", page.decline, methods=["POST"]),
    ]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(Gate)],
        exception_handlers={GuardError: _refused, HTTPException: _not_routed},
    )
    app.router.redirect_slashes = False  # it would answer with an address made from the request
    return app


@asynccontextmanager
async def serve_page(desk: ApprovalDesk, /, *, clock: Clock, port: int) -> AsyncIterator[int]:
    """Serve the page on 127.0.0.1 while the block runs, and give the port that was bound (`port` 0: any free one).

    Installs no signal handlers, writes nothing to stdout, keeps no access log: addresses hold link secrets. Raises
    Unavailable when the port is taken. Runs on asyncio.
    """
    listener = _listen(port)
    app = create_page(desk, clock=clock)
    config = uvicorn.Config(
        app,
        http=_QuietProtocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        loop="none",
        log_config=None,
        proxy_headers=False,
        server_header=False,
        workers=1,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=16 * 1024,
    )
    config.load()
    config.loaded_app = app  # uvicorn may wrap it in something that logs addresses
    server = _Server(config)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    running.add_done_callback(lambda _: server.ready.set())
    try:
        await server.ready.wait()
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(running)
        listener.close()


@final
class _Page:
    """The routes. Each knows whether its browser is paired before it asks the desk for anything else."""

    def __init__(self, desk: ApprovalDesk, clock: Clock) -> None:
        self._desk: Final = desk
        self._clock: Final = clock

    async def list(self, request: Request) -> Response:
        """GET /"""
        if await self._token(request) is None:
            return _html(documents.unpaired_page())
        now = self._clock.now()
        open_now = tuple(one for one in await self._desk.requests() if one.expires_at > now)
        return _html(documents.list_page(open_now, now=now))

    async def open_link(self, request: Request) -> Response:
        """GET /p/{operation}/{link_secret}: the owner's single-use link becomes a pairing."""
        operation, secret = request.path_params["operation"], request.path_params["secret"]
        if is_prefetch(request.headers) or request.headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
            raise Barred(403)  # nobody opened it yet, or another site did: the link stays unused
        try:
            if OPERATION_ID.fullmatch(operation) is None or LINK_SECRET.fullmatch(secret) is None:
                raise FactorRejected("pairing.required")
            token = await self._desk.pair_by_link(operation, secret)
        except FactorRejected as error:
            if await self._token(request) is None:
                response = _html(documents.unpaired_page(alert=error.public), status=403)
            else:
                response = _see_other(f"/a/{operation}")  # the owner's browser, opening the same link again
        else:
            response = _see_other(f"/a/{operation}")
            self._set_cookie(response, token)
        response.headers["referrer-policy"] = "no-referrer"
        return response

    async def pair(self, request: Request) -> Response:
        """POST /pair: an unpaired browser gives a one-time code."""
        form = await _form(request, "code")
        try:
            token = await self._desk.pair_by_code(form["code"])
        except FactorRejected as error:
            return _html(documents.unpaired_page(alert=error.public), status=403)
        response = _see_other("/")
        self._set_cookie(response, token)
        return response

    async def show(self, request: Request) -> Response:
        """GET /a/{operation}"""
        token = await self._token(request)
        if token is None:
            return _html(documents.unpaired_page())
        return self._document(await self._open(request), token)

    async def approve(self, request: Request) -> Response:
        """POST /a/{operation}/approve"""
        token = await self._paired(request)
        asked = await self._open(request)
        fields = (
            ("csrf", "view_hash", "match_code", "code") if asked.needs_code else ("csrf", "view_hash", "match_code")
        )
        form = await _form(request, *fields)
        check_csrf(form["csrf"], token, operation=asked.operation, view_hash=form["view_hash"])
        if form["view_hash"] != asked.view_hash:
            return self._document(asked, token, alert=documents.VIEW_CHANGED, status=409)
        try:
            continuation = await self._desk.approve(
                asked.operation,
                view_hash=form["view_hash"],
                match_code=form["match_code"],
                code=form.get("code"),
                channel=Channel.PAGE,
            )
        except FactorRejected as error:
            return self._document(asked, token, alert=error.public, status=403)
        return _html(documents.approved_page(continuation))

    async def decline(self, request: Request) -> Response:
        """POST /a/{operation}/decline"""
        token = await self._paired(request)
        asked = await self._open(request)
        form = await _form(request, "csrf", "view_hash")
        check_csrf(form["csrf"], token, operation=asked.operation, view_hash=form["view_hash"])
        await self._desk.decline(asked.operation, channel=Channel.PAGE)
        return _html(documents.declined_page())

    async def _token(self, request: Request) -> str | None:
        """The cookie's token when it belongs to a live pairing."""
        token = request.cookies.get(cookie_name(self._desk.store_id), "")
        if TOKEN.fullmatch(token) is None or not await self._desk.is_paired(token):
            return None
        return token

    async def _paired(self, request: Request) -> str:
        token = await self._token(request)
        if token is None:
            raise FactorRejected("pairing.required")
        return token

    async def _open(self, request: Request) -> ApprovalRequest:
        operation = request.path_params["operation"]
        if OPERATION_ID.fullmatch(operation) is None:
            raise InvalidInput("invalid_input.id")
        asked = await self._desk.request(operation)
        if asked.expires_at <= self._clock.now():
            raise Expired
        return asked

    def _document(self, asked: ApprovalRequest, token: str, *, alert: str | None = None, status: int = 200) -> Response:
        csrf = csrf_token(token, operation=asked.operation, view_hash=asked.view_hash)
        page = documents.request_page(asked, csrf=csrf, now=self._clock.now(), alert=alert)
        return _html(page, status=status)

    def _set_cookie(self, response: Response, token: str) -> None:
        response.set_cookie(
            cookie_name(self._desk.store_id),
            token,
            max_age=PAIRING_SECONDS,
            path="/",
            httponly=True,
            samesite="strict",
        )


def csrf_token(token: str, /, *, operation: str, view_hash: str) -> str:
    """HMAC-SHA256 under the pairing token over (operation, view hash), hex: only this browser's form for this view."""
    message = _CSRF_TAG + operation.encode() + b"\x00" + view_hash.encode()
    return hmac.digest(token.encode(), message, "sha256").hex()


def check_csrf(offered: str, token: str, /, *, operation: str, view_hash: str) -> None:
    """Raises Barred(403) unless `offered` is the form's own token, in constant time. Threat: T-109."""
    expected = csrf_token(token, operation=operation, view_hash=view_hash)
    if not hmac.compare_digest(expected.encode(), offered.encode()):
        raise Barred(403)


async def _form(request: Request, *names: str) -> Mapping[str, str]:
    """Exactly the fields `names`, each once. Raises Barred(400)."""
    try:
        pairs = parse_qsl(
            (await request.body()).decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=len(names),
        )
    except ValueError:
        raise Barred(400) from None
    fields = dict(pairs)
    if set(fields) != set(names):  # at most as many pairs as names, so this also says: each once
        raise Barred(400)
    if any(len(value) > _FIELD_LENGTH for value in fields.values()):
        raise Barred(400)
    return fields


async def _style(_: Request) -> Response:
    return Response(CSS, media_type="text/css")


async def _refused(_: Request, error: Exception) -> Response:
    """Every error of the guard: its catalogue sentence, nothing else."""
    if not isinstance(error, GuardError):
        raise error
    if error.detail:
        _LOG.warning("approval page: %s: %s", error.code, error.detail)
    return _html(documents.error_page(error.public), status=_status(error))


async def _not_routed(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    status = status if status in SENTENCES else 400
    return _html(documents.error_page(SENTENCES[status]), status=status)


def _status(error: GuardError) -> int:
    if isinstance(error, Expired | AlreadyUsed | Declined):
        return 410
    if isinstance(error, InvalidInput):
        return 404 if error.code == "invalid_input.id" else 400
    if isinstance(error, Unavailable) or error.code in {"locked", "not_running"}:
        return 503
    return 403 if isinstance(error, Refused) else 500


def _html(page: bytes, *, status: int = 200) -> Response:
    return Response(page, status_code=status, media_type="text/html")


def _see_other(path: str) -> Response:
    return RedirectResponse(path, status_code=303)


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise Unavailable("unavailable", detail=f"approval page, port {port}: {error.strerror}") from None
    return listener


@final
class _Server(uvicorn.Server):
    """uvicorn without signal handlers: those belong to the process, not to a page in it."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready: Final = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@final
class _QuietProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 without its access log, whatever the process configured: addresses hold link secrets."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.access_log = False
        self.logger = _LOG
