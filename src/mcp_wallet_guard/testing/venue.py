"""SimulatedVenue: a trading venue to test against, with the part of Binance's wallet API that withdrawals use.

    with SimulatedVenue.in_thread(key_id=..., secret=...) as venue:
        ...  # venue.url, venue.withdrawals, venue.fail("silent")

It runs in a thread with an event loop of its own, over HTTP on loopback. It checks key, signature and time as the real
one documents them, and counts what it carries out. Faults are answers of the same server.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import socket
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Final, Literal, final
from urllib.parse import parse_qsl

import uvicorn
from anyio import to_thread
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from mcp_wallet_guard.operations.binance import PATH
from mcp_wallet_guard.venues.binance import ADDRESSES, COINS, HISTORY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

    from mcp_wallet_guard.evidence import Clock

Fault = Literal["silent", "garbage", "refuse", "unclear", "before", "hang"]
"""silent: carried out, and no answer. garbage: carried out, with an answer that is none. refuse: refused with a code.
unclear: a code that says that it does not know. before: not carried out, and no answer. hang: carried out, and the
answer waits until `release`."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """One withdrawal that the venue carried out: its parameters, and the exact string whose signature held."""

    id: str
    fields: dict[str, str]
    text: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What the venue says of a coin on a network."""

    coin: str = "USDC"
    network: str = "ARBITRUM"
    fee: str = "0.1"
    least: str = "2"
    open: bool = True
    needs_memo: bool = False


@final
class SimulatedVenue:
    """A served venue. Make one with `in_thread`.

    `withdrawals` is what left, in order; `asked` the paths of all requests; `status` the state that the history tells
    (6: completed). With `refuses_duplicates` an order id is taken once. `bodies` are requests as they came.
    """

    def __init__(self, *, key_id: str, secret: str, clock: Clock) -> None:
        self.url = ""
        self.key_id: Final = key_id
        self.clock = clock
        self.withdrawals: Final[list[Withdrawn]] = []
        self.asked: Final[list[str]] = []
        self.bodies: Final[deque[bytes]] = deque(maxlen=256)
        self.networks: Final[list[Network]] = []
        self.book: Final[list[dict[str, Any]]] = []
        self.released: Final = Event()
        self._secret: Final = secret
        self.reset()

    @classmethod
    @contextmanager
    def in_thread(cls, *, key_id: str, secret: str, clock: Clock) -> Iterator[SimulatedVenue]:
        """Serve a new venue on any free port until the block ends."""
        venue = cls(key_id=key_id, secret=secret, clock=clock)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
            listener.bind(("127.0.0.1", 0))
            venue.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            server = _Server(venue.app())
            thread = Thread(target=server.run, args=([listener],), name="simulated-venue", daemon=True)
            thread.start()
            try:
                if not server.ready.wait(timeout=10):
                    raise RuntimeError("the simulated venue did not start")
                yield venue
            finally:
                venue.released.set()
                server.should_exit = True
                thread.join(timeout=10)

    def reset(self) -> None:
        """As it was at the start: honest, and nothing carried out."""
        for seen in (self.withdrawals, self.asked, self.bodies, self.networks, self.book):
            seen.clear()
        self.networks.append(Network())
        self.status = 4
        self.refuses_duplicates = False
        self.lies: dict[str, Any] = {}
        self.forgets = False
        self.released.clear()
        self._fault: Fault | None = None

    def fail(self, fault: Fault | None, /) -> None:
        """The next withdrawal meets this fault; None takes it back."""
        self._fault = fault

    def list_address(self, coin: str, network: str, address: str, memo: str = "", /) -> None:
        """Put an address into the account's own book."""
        entry = {"coin": coin, "network": network, "address": address, "addressTag": memo, "whiteStatus": True}
        self.book.append(entry)

    def app(self) -> Starlette:
        """The routes."""
        routes = [
            Route(PATH, self._withdraw, methods=["POST"]),
            Route(COINS, self._coins, methods=["GET"]),
            Route(ADDRESSES, self._addresses, methods=["GET"]),
            Route(HISTORY, self._history, methods=["GET"]),
        ]
        return Starlette(routes=routes)

    async def _withdraw(self, request: Request) -> Response:
        text = (await request.body()).decode("ascii")
        refusal, fields = self._checked(request, text)
        if refusal is not None:
            return refusal
        fault, self._fault = self._fault, None
        if fault in {"refuse", "unclear", "before"}:
            codes = {"refuse": (400, -4026), "unclear": (400, -1007), "before": (502, 0)}
            status, code = codes[str(fault)]
            return JSONResponse({"code": code, "msg": "no"}, status_code=status)
        known = {each.fields["withdrawOrderId"] for each in self.withdrawals}
        if self.refuses_duplicates and fields["withdrawOrderId"] in known:
            return JSONResponse({"code": -4057, "msg": "duplicate"}, status_code=400)
        done = Withdrawn(
            id=hashlib.sha256(text.encode()).hexdigest()[:32], fields=fields, text=text.rpartition("&signature=")[0]
        )
        self.withdrawals.append(done)
        if fault == "hang":
            await to_thread.run_sync(self.released.wait, 20)
        if fault == "garbage":
            return PlainTextResponse("<html>fine</html>")
        if fault == "silent":
            return PlainTextResponse("", status_code=504)
        return JSONResponse({"id": done.id})

    async def _coins(self, request: Request) -> Response:
        refusal, _ = self._checked(request, request.url.query)
        listed = [
            {
                "coin": each.coin,
                "networkList": [
                    {
                        "network": each.network,
                        "withdrawFee": each.fee,
                        "withdrawMin": each.least,
                        "withdrawEnable": each.open,
                        "withdrawTag": each.needs_memo,
                    }
                ],
            }
            for each in self.networks
        ]
        return refusal or JSONResponse(listed)

    async def _addresses(self, request: Request) -> Response:
        refusal, _ = self._checked(request, request.url.query)
        return refusal or JSONResponse(self.book)

    async def _history(self, request: Request) -> Response:
        refusal, fields = self._checked(request, request.url.query)
        if refusal is not None:
            return refusal
        found = [
            {
                "id": each.id,
                "coin": each.fields["coin"],
                "network": each.fields["network"],
                "address": each.fields["address"],
                "addressTag": each.fields.get("addressTag", ""),
                "amount": each.fields["amount"],
                "transactionFee": "0.1",
                "withdrawOrderId": each.fields["withdrawOrderId"],
                "status": self.status,
                "txId": "0x" + "ab" * 32 if self.status == 6 else "",
                **self.lies,
            }
            for each in self.withdrawals
            if each.fields["withdrawOrderId"] == fields.get("withdrawOrderId") and not self.forgets
        ]
        return JSONResponse(found)

    def _checked(self, request: Request, text: str) -> tuple[Response | None, dict[str, str]]:
        """The parameters, once key, signature and time are right; else the refusal."""
        self.asked.append(request.url.path)
        self.bodies.append(text.encode())
        signed, _, signature = text.rpartition("&signature=")
        expected = hmac.new(self._secret.encode(), signed.encode(), hashlib.sha256).hexdigest()
        fields = dict(parse_qsl(signed, keep_blank_values=True, strict_parsing=True))
        now = self.clock.now() * 1000
        at, window = int(fields.get("timestamp", "0")), int(fields.get("recvWindow", "5000"))
        if request.headers.get("x-mbx-apikey") != self.key_id:
            return _refused(401, -2015), fields
        if re.fullmatch(r"[0-9a-f]{64}", signature) is None or not hmac.compare_digest(expected, signature):
            return _refused(400, -1022), fields
        if not (at < now + 1000 and now - at <= window <= 60_000):
            return _refused(400, -1021), fields
        return None, fields


def _refused(status: int, code: int) -> Response:
    return JSONResponse({"code": code, "msg": "refused"}, status_code=status)


@final
class _Server(uvicorn.Server):
    def __init__(self, app: Starlette) -> None:
        super().__init__(uvicorn.Config(app, log_config=None, lifespan="off", access_log=False))
        self.ready: Final = Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()
