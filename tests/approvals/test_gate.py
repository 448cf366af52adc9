"""The gate: what other sites, other names and other tools send to the page's port, each beside its honest twin.

Threat: T-109.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import httpx2
import pytest

from mcp_wallet_guard.approvals.gate import HEADERS, SENTENCES
from mcp_wallet_guard.approvals.page import create_page
from mcp_wallet_guard.approvals.style import CSS, INTEGRITY
from mcp_wallet_guard.testing.clock import ScriptedClock
from mcp_wallet_guard.testing.person import ReadPage
from tests.approvals.desk import ORIGIN, MemoryDesk

Browser = httpx2.AsyncClient
PORT = ORIGIN.rpartition(":")[2]
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
async def paired(desk: MemoryDesk, browser: Browser) -> Browser:
    response = await browser.get(desk.links.path("op-1").read_text().strip())
    assert response.status_code == 303
    return browser


async def decline(browser: Browser, **headers: str) -> httpx2.Response:
    hidden = ReadPage((await browser.get("/a/op-1")).text).form("/decline").hidden
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return await browser.post("/a/op-1/decline", data=hidden, headers=names)


@pytest.mark.parametrize("host", [f"127.0.0.1:{PORT}", f"localhost:{PORT}", f"[::1]:{PORT}"])
async def test_the_sockets_own_names_are_answered(browser: Browser, host: str) -> None:
    assert (await browser.get("/", headers={"host": host})).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        f"evil.example:{PORT}",
        f"127.0.0.1.evil.example:{PORT}",
        f"localhost.evil.example:{PORT}",
        f"127.0.0.1:{PORT}.evil.example",
        f"user@127.0.0.1:{PORT}",
        "127.0.0.1",
        "127.0.0.1:80",
        f"127.1:{PORT}",
        f"2130706433:{PORT}",
        f"0.0.0.0:{PORT}",
        f"LOCALHOST:{PORT}",
        "",
    ],
)
async def test_a_name_pointed_at_loopback_reads_nothing(paired: Browser, host: str) -> None:
    response = await paired.get("/a/op-1", headers={"host": host})
    assert response.status_code == 421
    assert "ETH" not in response.text
    assert "evil" not in response.text


async def test_two_host_headers_are_refused(paired: Browser) -> None:
    request = paired.build_request("GET", "/a/op-1")
    request.headers = httpx2.Headers([*request.headers.raw, (b"host", b"evil.example")])
    assert (await paired.send(request)).status_code == 421


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "null"},
        {"origin": "https://evil.example"},
        {"origin": f"http://localhost:{PORT}"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": f"https://127.0.0.1:{PORT}"},
        {"origin": ORIGIN + ".evil.example"},
        {"origin": ORIGIN, "sec_fetch_site": "cross-site"},
        {"origin": ORIGIN, "sec_fetch_site": "same-site"},
        {"origin": ORIGIN, "sec_fetch_site": "none"},
    ],
    ids=str,
)
async def test_a_post_from_elsewhere_is_refused_even_with_cookie_and_token(
    desk: MemoryDesk, paired: Browser, headers: dict[str, str]
) -> None:
    assert (await decline(paired, **headers)).status_code == 403
    assert desk.cases["op-1"].closed is None


@pytest.mark.parametrize("site", [{}, {"sec_fetch_site": "same-origin"}], ids=str)
async def test_a_post_from_our_own_page_passes(desk: MemoryDesk, paired: Browser, site: dict[str, str]) -> None:
    assert (await decline(paired, origin=ORIGIN, **site)).status_code == 200
    assert desk.cases["op-1"].closed is not None


async def test_another_site_cannot_spend_the_unpaired_doors_tries(desk: MemoryDesk, browser: Browser) -> None:
    for _ in range(10):
        await browser.post("/pair", data={"code": "000000"}, headers={"origin": "https://evil.example"})
    assert desk.factor.unpaired_failures == 0


@pytest.mark.parametrize("destination", ["iframe", "frame", "object", "embed", "image", "script", "empty", "style"])
async def test_a_page_is_a_document_of_its_own_and_nothing_else(paired: Browser, destination: str) -> None:
    response = await paired.get("/a/op-1", headers={"sec-fetch-dest": destination})
    assert response.status_code == 403
    assert "ETH" not in response.text


async def test_a_link_from_another_site_may_lead_to_the_page(paired: Browser) -> None:
    headers = {"sec-fetch-dest": "document", "sec-fetch-mode": "navigate", "sec-fetch-site": "cross-site"}
    assert (await paired.get("/a/op-1", headers=headers)).status_code == 200


@pytest.mark.parametrize("method", ["HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "FOO"])
async def test_only_get_and_post_exist(paired: Browser, method: str) -> None:
    assert (await paired.request(method, "/a/op-1")).status_code == 405


async def test_a_method_cannot_be_smuggled_in_a_header(desk: MemoryDesk, paired: Browser) -> None:
    override = dict.fromkeys(("x-http-method-override", "x-http-method", "x-method-override"), "POST")
    response = await paired.get("/a/op-1/decline", headers=override | {"origin": ORIGIN})
    assert response.status_code == 405
    assert desk.cases["op-1"].closed is None


@pytest.mark.parametrize("path", ["/nothing", "/a/op-1/", "/a/op-1/x", "//evil.example/", "/docs", "/openapi.json"])
async def test_unknown_paths_get_one_fixed_page_and_no_redirect(browser: Browser, path: str) -> None:
    response = await browser.get(ORIGIN + path)
    assert response.status_code == 404
    assert ReadPage(response.text).alert == SENTENCES[404]
    assert "location" not in response.headers


async def test_a_huge_body_is_refused_before_anything_reads_it(desk: MemoryDesk, paired: Browser) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(10_000):
            sent += 1024
            yield b"a" * 1024

    headers = {"origin": ORIGIN, "content-type": FORM}
    response = await paired.post("/a/op-1/approve", content=endless(), headers=headers)
    assert response.status_code == 413
    assert sent < 10 * 1024


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "multipart/form-data; boundary=x", ""])
async def test_only_plain_forms_are_read(desk: MemoryDesk, paired: Browser, kind: str) -> None:
    headers = {"origin": ORIGIN, "content-type": kind}
    response = await paired.post("/a/op-1/decline", content=b"csrf=x&view_hash=x", headers=headers)
    assert response.status_code == 400


@pytest.mark.parametrize("body", [b"", b"csrf", b"%ff=%ff", b"\xff\xfe", b"csrf=%00&view_hash=%80", b"a=1&" * 400])
async def test_a_broken_form_is_refused_with_a_fixed_page(paired: Browser, body: bytes) -> None:
    headers = {"origin": ORIGIN, "content-type": FORM}
    response = await paired.post("/a/op-1/decline", content=body, headers=headers)
    assert response.status_code == 400
    assert ReadPage(response.text).alert == SENTENCES[400]


@pytest.mark.parametrize("path", ["/", "/a/op-1", "/nothing", "/style.css", "/p/op-1/x"])
@pytest.mark.parametrize("host", [f"127.0.0.1:{PORT}", "evil.example"])
async def test_every_answer_carries_every_header(browser: Browser, path: str, host: str) -> None:
    response = await browser.get(path, headers={"host": host})
    expected = dict(HEADERS)
    if path.startswith("/p/") and host != "evil.example":
        expected["referrer-policy"] = "no-referrer"
    assert {name: response.headers.get_list(name) for name in expected} == {
        name: [value] for name, value in expected.items()
    }
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
    assert "script" not in response.headers["content-security-policy"]
    assert "server" not in response.headers


async def test_the_page_has_no_script_and_loads_only_its_pinned_style_sheet(paired: Browser) -> None:
    html = (await paired.get("/a/op-1")).text
    assert "<script" not in html
    assert "style=" not in html
    assert "http" not in html
    assert f'href="/style.css" integrity="{INTEGRITY}"' in html
    css = await paired.get("/style.css", headers={"sec-fetch-dest": "style"})
    assert css.content == CSS
    assert css.headers["content-type"].startswith("text/css")
    assert b"url(" not in CSS
    assert b"@import" not in CSS


async def test_what_breaks_inside_shows_a_fixed_page_and_logs_no_address(
    desk: MemoryDesk, clock: ScriptedClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        store_id = "store-1"

        async def pair_by_link(self, operation: str, secret: str, /) -> str:
            raise RuntimeError(f"boom {operation} {secret}")

    app = create_page(Broken(), clock=clock)  # type: ignore[arg-type]
    caplog.set_level(logging.DEBUG)
    link = desk.links.path("op-1").read_text().strip()
    async with Browser(transport=httpx2.ASGITransport(app=app)) as browser:
        response = await browser.get(link)
    assert response.status_code == 500
    assert ReadPage(response.text).alert == SENTENCES[500]
    assert "boom" not in response.text
    ours = [record for record in caplog.records if record.name.startswith("mcp_wallet_guard")]
    assert [record.getMessage() for record in ours] == ["the approval page failed: RuntimeError"]
    assert all(record.exc_info is None for record in ours)


async def test_a_web_socket_is_closed(desk: MemoryDesk, clock: ScriptedClock) -> None:
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return {"type": "websocket.connect"}

    async def send(message: object) -> None:
        assert isinstance(message, dict)
        sent.append(message)

    app = create_page(desk, clock=clock)
    await app({"type": "websocket", "path": "/", "headers": []}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]
    assert desk.calls == []
