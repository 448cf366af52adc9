"""The venue's API key: sealed, dated, handed to the executor alone, and stopped wherever else it turns up.

Threat: T-057, T-061, T-065, T-088.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from anyio import to_thread

from mcp_wallet_guard.errors import Tampered
from mcp_wallet_guard.exchange import Pending
from mcp_wallet_guard.filters.outbound import check_released, is_clean
from mcp_wallet_guard.testing.chain import SimulatedChain
from mcp_wallet_guard.testing.venue import SimulatedVenue
from tests.guard.rig import Rig
from tests.guard.venue import KEY_ID, SECRET, Trader, add_key, make_venue_rig

pytestmark = pytest.mark.anyio


@pytest.fixture
def rig(venue_rig: Rig) -> Rig:
    return venue_rig


async def test_without_a_key_nobody_is_asked(tmp_path: Path, chain: SimulatedChain, venue: SimulatedVenue) -> None:
    rig = await to_thread.run_sync(lambda: make_venue_rig(tmp_path, chain, venue, key=False))
    async with rig.opened() as wallet:
        assert await Trader(wallet).refused() == "venue.no_key"
        assert await wallet.owned.requests() == ()


async def test_a_key_ends_on_its_date_also_under_an_approval(rig: Rig, venue: SimulatedVenue) -> None:
    rig.clock.advance(30 * 86_400 - 60 - 30)
    async with rig.opened() as wallet:
        trader = Trader(wallet)
        await trader.approved()
        rig.clock.advance(60)
        assert await trader.refused() == "venue.key_expired"
        assert await trader.refused("7") == "venue.key_expired"
    assert venue.asked == []
    await to_thread.run_sync(lambda: add_key(rig))
    async with rig.opened() as wallet:
        assert isinstance(await Trader(wallet).withdraw("7"), Pending), "a new one takes its place"


async def test_the_wrong_secret_withdraws_nothing_and_says_so(rig: Rig, venue: SimulatedVenue) -> None:
    await to_thread.run_sync(lambda: add_key(rig, secret=SECRET[::-1]))
    async with rig.opened() as wallet:
        trader = Trader(wallet)
        assert (await trader.withdrawn()).outcome == "failed"
    assert venue.withdrawals == []


async def test_neither_part_of_it_is_in_an_answer_the_journal_the_store_or_the_log(
    rig: Rig, venue: SimulatedVenue, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    async with rig.opened() as wallet:
        trader = Trader(wallet)
        pending = await trader.asked()
        request = await wallet.owned.request(pending.operation)
        await wallet.approve(pending.operation)
        venue.fail("garbage")
        venue.forgets = True
        told += [pending.model_dump_json(), request.model_dump_json(), (await trader.done()).model_dump_json()]
        venue.forgets = False
        told += [(await trader.outcome(pending.operation)).model_dump_json()]
        page = await wallet.owned.read_log(last=100, about=None)
        told += page.entries
        signatures = [body.rpartition(b"signature=")[2] for body in venue.bodies if b"signature=" in body]
    files = b"".join(path.read_bytes() for path in sorted(rig.directory.rglob("*")) if path.is_file())
    everything = files + "".join(told).encode() + _ours(caplog).encode()
    assert len(signatures) == 3, "asked twice about what it was sent once"
    for hidden in (SECRET.encode(), KEY_ID.encode(), *signatures):
        assert hidden not in everything
    assert SECRET.encode() not in b"".join(venue.bodies)


WRITTEN: dict[str, Callable[[str], str]] = {
    "plain": lambda text: text,
    "in a sentence": lambda text: f"the key is {text}!",
    "in two": lambda text: text[:32] + " " + text[32:],
    "hex": lambda text: text.encode().hex(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "JSON in a text": lambda text: json.dumps({"k": text}),
}


async def test_the_filter_stops_it_however_a_tool_writes_it(rig: Rig) -> None:
    async with rig.opened() as wallet:
        known = await wallet.owned.fingerprints()
    for name, write in WRITTEN.items():
        for part in (SECRET, KEY_ID):
            assert not is_clean(write(part), fingerprints=known), (name, part)
            with pytest.raises(Tampered):
                check_released({"note": write(part)}, fingerprints=known)
        other = hashlib.sha512(name.encode()).hexdigest()[:64]
        check_released({"request_sha256": write(other) if name == "plain" else other}, fingerprints=known)


async def test_a_venue_that_sends_the_key_back_gets_its_receipt_withheld(rig: Rig, venue: SimulatedVenue) -> None:
    """Threat: T-057. Its words in a receipt are few, and pass the filter like all others."""
    async with rig.opened() as wallet:
        trader = Trader(wallet)
        await trader.approved()
        venue.lies = {"id": KEY_ID, "status": 6}
        venue.fail("silent")
        done = await trader.done()
        assert (done.outcome, done.withdrawal) == ("completed", None)
        assert done.incident is not None
        assert KEY_ID not in done.model_dump_json()


def _ours(caplog: pytest.LogCaptureFixture) -> str:
    """Without the venue's own log, which runs in this process."""
    return "\n".join(each.getMessage() for each in caplog.records if not each.name.startswith("uvicorn"))
