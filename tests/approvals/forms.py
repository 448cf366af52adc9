"""What tests of the page send to it by hand."""

from __future__ import annotations

from html.parser import HTMLParser

import httpx2

from mcp_wallet_guard.testing.person import ScriptedPerson
from tests.approvals.desk import ORIGIN, MemoryDesk

Browser = httpx2.AsyncClient
POST = {"origin": ORIGIN}
COOKIE = "wallet-guard-store-1"


def link_of(desk: MemoryDesk, operation: str = "op-1") -> str:
    return desk.links.path(operation).read_text().strip()


async def post(browser: Browser, path: str, **fields: str) -> httpx2.Response:
    return await browser.post(ORIGIN + path, data=fields, headers=POST)


async def filled(person: ScriptedPerson, operation: str = "op-1", **changes: str) -> dict[str, str]:
    """The approve form of `operation`, filled in rightly but for `changes`."""
    page = await person.read(operation)
    form = page.form("/approve")
    right = form.hidden | {"match_code": page.match_code, "code": person.authenticator.code()}
    return {name: right[name] for name in (*form.hidden, *form.asks)} | changes


def attribute_names(html: str) -> set[str]:
    names: set[str] = set()

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            names.update(name for name, _ in attrs)

    Reader().feed(html)
    return names
