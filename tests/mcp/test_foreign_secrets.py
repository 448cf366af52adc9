"""Secrets that are not the vault's, at every source and in both eras; and what an author declares to be public.

Threat: T-057, T-058, T-060, T-061, T-062.
"""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from mcp import Client
from mcp.server import MCPServer
from mcp_types import TextContent
from pydantic import BaseModel

from mcp_wallet_guard import Bytes32
from mcp_wallet_guard.filters.fingerprints import FingerprintSet
from mcp_wallet_guard.mcp.protection import protect
from mcp_wallet_guard.mcp.records import WITHHELD, clean_records
from tests.filters import foreign
from tests.mcp.ports import MemoryGuard
from tests.mcp.test_leaks import MODES, collect

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning"),
]
PLANTED: dict[str, tuple[Any, str]] = {
    "a key": (foreign.NAMED["snake"], foreign.KEY.hex()),
    "a phrase": (foreign.PHRASES["12 words"], " ".join(foreign.TWELVE)),
    "a keystore": (foreign.KEYSTORE, foreign.KEYSTORE["crypto"]["ciphertext"]),
    "an authenticator": (foreign.OTPAUTH, "JBSWY3DPEHPK3PXPJBSWY3DP"),
    "a node's URL": (foreign.URLS["infura"], foreign.API_KEY),
}


class Draw(BaseModel):
    """What a tool returns in which a name says "secret" of a public value."""

    seed: Bytes32


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", PLANTED)
async def test_a_strangers_secret_reaches_neither_client_nor_log(
    kind: str, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    planted, secret = PLANTED[kind]
    with caplog.at_level(logging.DEBUG):
        received = await collect(MemoryGuard(), mode, planted)
    assert {source for source, text in received.items() if secret in text} == set()
    assert not [
        record for record in caplog.records if secret in record.getMessage() or secret in (record.exc_text or "")
    ]


async def test_what_an_author_declares_public_is_sent_under_any_name() -> None:
    value = "0x" + foreign.SOURCE.randbytes(32).hex()
    server: MCPServer[Any] = MCPServer("draws")
    wallet = protect(server, MemoryGuard(), wait_seconds=0.1)

    @wallet.reads
    def declared() -> Draw:
        return Draw(seed=Bytes32(value))

    @wallet.reads
    def loose() -> dict[str, Any]:
        return {"draws": [{"seed": Bytes32(value)}]}

    @wallet.reads
    def undeclared() -> dict[str, str]:
        return {"seed": value}

    async with Client(server) as client:
        first = await client.call_tool("declared", {})
        assert first.structured_content == {"seed": value}
        assert isinstance(first.content[0], TextContent)
        assert json.loads(first.content[0].text) == {"seed": value}
        assert (await client.call_tool("loose", {})).structured_content == {"draws": [{"seed": value}]}
        assert (await client.call_tool("undeclared", {})).is_error


def test_a_log_without_fingerprints_is_looked_at_too(caplog: pytest.LogCaptureFixture) -> None:
    """Threat: T-057."""
    with clean_records(FingerprintSet):
        logging.getLogger("author").warning("new wallet: %s", " ".join(foreign.TWELVE))
        logging.getLogger("author").warning("created", extra={"private_key": foreign.HEX})
        logging.getLogger("author").warning("sent %s", "0x" + "5c504ed4a1b2c3d7" * 4)
    messages = [record.getMessage() for record in caplog.records]
    assert messages[0] == WITHHELD
    assert messages[-1] == "sent 0x" + "5c504ed4a1b2c3d7" * 4
    assert foreign.TWELVE[0] not in caplog.text.split()
