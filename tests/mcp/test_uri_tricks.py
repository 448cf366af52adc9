"""Two hundred ways to spell a path that leaves, none of which a handler gets to see. Threat: T-058."""

from __future__ import annotations

from contextlib import suppress
from itertools import product
from typing import Any
from urllib.parse import quote

import pytest
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.mcp.protection import protect
from tests.mcp.ports import MemoryGuard

pytestmark = pytest.mark.anyio

PATHS = (
    "..", "../x", "../../etc/passwd", "x/../../y", "..\\x", "x\\..\\..\\y", "/etc/passwd", "//host/share",
    "\\\\host\\share", "C:\\boot", "C:/boot", "./x", "x/.", "..\x00", "x\x00/y", "..\n", "\u202e..", "..\u200b/x",
)  # fmt: skip
HONEST = ("x", "rent.2026", "a..b", "...", "x-y_z~", "Zürich", "東京", "100%", "a+b", "it's", "C-boot")


def _every(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


SPELLINGS = {
    "raw": lambda text: text,
    "escaped": lambda text: quote(text, safe=""),
    "lower case": lambda text: _every(text).lower(),
    "every character": _every,
    "slashes raw": lambda text: quote(text, safe="/\\"),
    "twice": lambda text: quote(quote(text, safe=""), safe=""),
    "every character twice": lambda text: quote(_every(text), safe=""),
    "overlong": lambda text: quote(text, safe="").replace(".", "%C0%AE").replace("%2F", "%C0%AF"),
    "overlong in three": lambda text: quote(text, safe="").replace(".", "%E0%80%AE").replace("%2F", "%E0%80%AF"),
    "UTF-16": lambda text: "".join(f"%u{ord(each):04X}" for each in text),
    "HTML": lambda text: text.replace(".", "%26%2346%3B") + "%2F..",
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def _server() -> tuple[MCPServer[Any], list[str]]:
    mcp: MCPServer[Any] = MCPServer("archive")
    wallet, got = protect(mcp, MemoryGuard()), list[str]()

    def segment(name: str) -> str:
        got.append(name)
        return "ok"

    for template in ("wallet://one/{name}", "wallet://label{.name}", "wallet://parameter{;name}"):
        wallet.resource(template, label="private")(segment)
    wallet.resource("wallet://many/{+name}", label="private")(segment)
    return mcp, got


async def test_no_spelling_of_a_path_that_leaves_reaches_a_handler() -> None:
    mcp, got = _server()
    tried = 0
    for path, spell in product(PATHS, SPELLINGS.values()):
        for place in ("wallet://one/", "wallet://label.", "wallet://parameter;name=", "wallet://many/"):
            with suppress(InvalidInput, ResourceError):
                await mcp.read_resource(place + spell(path))
            tried += 1
    # What is no path any more is only a text.
    assert [each for each in got if set(each.replace("\\", "/").split("/")) & {".", ".."} or each[:1] in "/\\"] == []
    assert [each for each in got if "%" in each or not each.isprintable() or "\\" in each] == []
    assert tried == len(PATHS) * len(SPELLINGS) * 4 > 200


async def test_honest_texts_arrive_as_they_were_meant() -> None:
    mcp, got = _server()
    for text in HONEST:
        for place in ("wallet://one/", "wallet://parameter;name=", "wallet://many/"):
            for spelled in {quote(text, safe=""), _every(text), _every(text).lower()}:
                await mcp.read_resource(place + spelled)
                assert got.pop() == text
    for text in ("2026/May/rent.txt", "a/b.c/d"):
        await mcp.read_resource("wallet://many/" + text)
        assert got.pop() == text
