"""The Binance adapter against a real server: what it sends, what it believes, and what it takes as unclear.

Threat: T-046, T-057.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator, Iterator

import pytest

from mcp_wallet_guard.egress import Egress
from mcp_wallet_guard.errors import Unavailable
from mcp_wallet_guard.operations.requests import VenueRequest
from mcp_wallet_guard.secret import Secret
from mcp_wallet_guard.testing.clock import ScriptedClock
from mcp_wallet_guard.testing.venue import SimulatedVenue
from mcp_wallet_guard.venues.base import Credential, SignedRequest
from mcp_wallet_guard.venues.binance import BinanceVenue, _signature
from tests.egress.servers import answering, response
from tests.operations.test_withdrawals import ASKED, COLD, ORDER, REQUEST
from tests.policy.test_withdrawals import VENUE

pytestmark = pytest.mark.anyio
KEY_ID = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
NOW = 1_800_000_060
CREDENTIAL = Credential(key_id=Secret(KEY_ID.encode()), secret=Secret(SECRET.encode()))


@pytest.fixture(scope="module")
def served() -> Iterator[SimulatedVenue]:
    with SimulatedVenue.in_thread(key_id=KEY_ID, secret=SECRET, clock=ScriptedClock(NOW)) as venue:
        yield venue


@pytest.fixture
async def adapter(served: SimulatedVenue) -> AsyncIterator[BinanceVenue]:
    served.reset()
    made = at(served.url)
    yield made
    await made.aclose()


def at(url: str) -> BinanceVenue:
    return BinanceVenue(origin=url, egress=Egress(timeout_seconds=5, max_response_bytes=65_536))


def signed(text: str = REQUEST.filled(NOW)) -> SignedRequest:
    return SignedRequest(request=REQUEST, text=text, signature=_signature(text, CREDENTIAL))


def test_the_signature_is_the_documented_one() -> None:
    """Source: developers.binance.com, the HMAC example of a signed request."""
    text = (
        "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
    )
    expected = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
    assert _signature(text, CREDENTIAL) == expected
    assert hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest() == expected


def test_a_prepared_request_is_the_documented_string(served: SimulatedVenue) -> None:
    made: VenueRequest = at(served.url).prepare(
        ASKED, VENUE, order_id=ORDER, opens_at=REQUEST.opens_at, closes_at=REQUEST.closes_at
    )
    assert made == REQUEST


def test_a_signature_takes_the_proof(served: SimulatedVenue) -> None:
    with pytest.raises(TypeError):
        at(served.url).sign(REQUEST, CREDENTIAL)  # type: ignore[arg-type]  # that is the point


async def test_it_sends_the_string_with_its_signature_and_finds_it_again(
    served: SimulatedVenue, adapter: BinanceVenue
) -> None:
    assert await adapter.find(REQUEST, CREDENTIAL, now=NOW) is None
    taken = await adapter.send(signed(), CREDENTIAL)
    assert (taken.standing, taken.id) == ("taken", served.withdrawals[0].id)
    assert served.withdrawals[0].text == REQUEST.filled(NOW)
    served.status = 6
    found = await adapter.find(REQUEST, CREDENTIAL, now=NOW)
    assert found is not None
    assert (found.standing, found.transaction) == ("completed", "0x" + "ab" * 32)
    assert "signature" not in repr(signed()).replace("SignedRequest", "")


async def test_a_changed_string_is_refused_by_the_venue(served: SimulatedVenue, adapter: BinanceVenue) -> None:
    honest = signed()
    changed = SignedRequest(request=REQUEST, text=honest.text.replace("25.5", "255."), signature=honest.signature)
    assert (await adapter.send(changed, CREDENTIAL)).standing == "failed"
    for late in (NOW - 11, NOW + 1):
        assert (await adapter.send(signed(REQUEST.filled(late)), CREDENTIAL)).standing == "failed"
    assert served.withdrawals == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"id":"7213fea8"', "200 OK"),
        (b'{"id":7213}', "200 OK"),
        (b'{"id":"../../x"}', "200 OK"),
        (b'{"id":"a","id":"b"}', "200 OK"),
        (b"[]", "200 OK"),
        (b'{"code":-4026,"msg":"no"}', "200 OK"),
        (b'{"code":-1007,"msg":"timeout"}', "400 Bad Request"),
        (b'{"code":200}', "400 Bad Request"),
        (b'{"code":"-4026"}', "400 Bad Request"),
        (b'{"id":"7213fea8"}', "201 Created"),
        (b'{"code":-4026}', "500 Internal Server Error"),
        (b'{"code":-4026}', "302 Found"),
        (b"<html>", "403 Forbidden"),
        (b"", "200 OK"),
    ],
)
async def test_an_answer_that_says_neither_yes_nor_no_is_unclear(body: bytes, status: str) -> None:
    async with answering(response(body, status=status)) as server:
        adapter = at(f"http://127.0.0.1:{server.port}")
        try:
            with pytest.raises(Unavailable) as refused:
                await adapter.send(signed(), CREDENTIAL)
        finally:
            await adapter.aclose()
    assert refused.value.code == "unavailable.venue"
    told = repr(refused.value) + refused.value.detail + str(refused.value.__context__)
    assert not any(hidden in told for hidden in (KEY_ID, SECRET, signed().signature, COLD))


async def test_a_plain_no_is_a_no() -> None:
    async with answering(response(b'{"code":-4026,"msg":"no"}', status="400 Bad Request")) as server:
        adapter = at(f"http://127.0.0.1:{server.port}")
        assert (await adapter.send(signed(), CREDENTIAL)).standing == "failed"
        await adapter.aclose()
        (request,) = server.requests
    head, _, sent = request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /sapi/v1/capital/withdraw/apply HTTP/1.1")
    assert b"x-mbx-apikey: " + KEY_ID.encode() in head.lower().replace(KEY_ID.lower().encode(), KEY_ID.encode())
    assert b"application/x-www-form-urlencoded" in head
    assert sent == f"{REQUEST.filled(NOW)}&signature={signed().signature}".encode()
