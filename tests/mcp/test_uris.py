"""Parameters of templates and prompts: a handler gets what was validated, or is not run.

Threat: T-027, T-058, T-106.
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from mcp import Client, MCPError
from mcp.server.mcpserver import Context, MCPServer
from mcp.shared.uri_template import UriTemplate
from pydantic import BaseModel, Field

from mcp_wallet_guard.errors import GuardError, InvalidInput, Misconfigured
from mcp_wallet_guard.mcp.protection import GuardedContent, protect
from mcp_wallet_guard.mcp.uris import MAX_CHARACTERS, capture, check_uri
from mcp_wallet_guard.operations.hashes import TxHash
from mcp_wallet_guard.operations.values import Address, Amount, ChainId
from tests.mcp.ports import PAYEE, MemoryGuard

pytestmark = pytest.mark.anyio
ERAS = ("auto", "legacy")
HASH = "0x" + "5C" * 32


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Speed(Enum):
    SLOW = "slow"
    FAST = "fast"


Chain = Annotated[int, Field(ge=1, lt=2**64)]


class Archive:
    """A server whose handlers tell what they got."""

    def __init__(self) -> None:
        self.guard = MemoryGuard(secrets_=(bytes(range(7, 39)),))
        self.mcp: MCPServer[Any] = MCPServer("archive")
        self.got: list[tuple[object, ...]] = []
        wallet = protect(self.mcp, self.guard)
        for template, handler in (
            ("wallet://notes/{name}", self.note),
            ("wallet://tx/{chain}/{tx}", self.transaction),
            ("wallet://of/{address}{?days,verified,speed}", self.holdings),
            ("wallet://files/{+path}", self.file),
            ("wallet://tags{/tags*}", self.tagged),
            ("wallet://labels{.label}", self.note_of),
            ("wallet://search{?q}", self.search),
        ):
            wallet.resource(template, label="private")(handler)
        wallet.prompt(label="private")(self.review)

    def note(self, name: str) -> str:
        return self._said(name)

    def note_of(self, label: Literal["a", "b"]) -> str:
        return self._said(label)

    def transaction(self, chain: Chain, tx: TxHash) -> str:
        return self._said(chain, tx)

    def holdings(
        self,
        address: Address,
        days: Annotated[int, Field(le=30)] = 7,
        verified: bool = False,
        speed: Speed | None = None,
    ) -> str:
        return self._said(address, days, verified, speed)

    def file(self, path: str) -> str:
        return self._said(path)

    def tagged(self, tags: list[str]) -> str:
        return self._said(*tags)

    def search(self, q: str = "") -> str:
        return self._said(q)

    def review(self, address: Address, days: int = 7, note: str = "") -> str:
        return self._said(address, days, note)

    def _said(self, *got: object) -> str:
        self.got.append(got)
        return "ok"


HONEST: tuple[tuple[str, tuple[object, ...]], ...] = (
    ("wallet://notes/rent", ("rent",)),
    ("wallet://notes/rent%20of%20May%3A%20100%25", ("rent of May: 100%",)),
    ("wallet://notes/Z%C3%BCrich", ("Zürich",)),
    ("wallet://notes/a..b", ("a..b",)),
    (f"wallet://tx/1/{HASH}", (1, HASH.lower())),
    (f"wallet://of/{PAYEE}", (Address(PAYEE), 7, False, None)),
    (f"wallet://of/{PAYEE}?verified=true&days=30", (Address(PAYEE), 30, True, None)),
    (f"wallet://of/{PAYEE}?speed=fast", (Address(PAYEE), 7, False, Speed.FAST)),
    ("wallet://files/2026/May/rent.txt", ("2026/May/rent.txt",)),
    ("wallet://files/2026%2Frent.txt", ("2026/rent.txt",)),
    ("wallet://tags/a/b%20c", ("a", "b c")),
    ("wallet://labels.a", ("a",)),
    ("wallet://search?q=a/b%3Fc%3D//d", ("a/b?c=//d",)),
    ("wallet://search", ("",)),
)

BAD = (
    # paths that climb, however they are spelled
    "wallet://notes/..", "wallet://notes/.", "wallet://notes/%2e%2e", "wallet://notes/..%2F..%2Fetc",
    "wallet://notes/%2E%2E%2Fetc", "wallet://notes/..%5C..%5Cetc", "wallet://notes/%2Fetc%2Fpasswd",
    "wallet://notes/a%2Fb", "wallet://notes/a%5Cb", "wallet://notes/C%3Aboot",
    "wallet://files/../../etc", "wallet://files/a/%2e%2e/b", "wallet://files//etc", "wallet://files/a//b",
    "wallet://files/%2Fetc", "wallet://files/a/./b", "wallet://files/a%5C..%5Cb", "wallet://files/C:/boot",
    "wallet://tags/a/..", "wallet://tags/a/b%2Fc", "wallet://search?q=../x", "wallet://search?q=..%2Fx",
    # escapes within escapes, broken ones, overlong UTF-8, halves of a character
    "wallet://notes/%252e%252e", "wallet://notes/%25%32%65", "wallet://notes/%", "wallet://notes/%2", "wallet://notes/%zz",
    "wallet://notes/%C0%AF", "wallet://notes/%C0%AE%C0%AE", "wallet://notes/%ED%A0%80", "wallet://notes/%FF",
    "wallet://notes/%u002e",
    # characters that end a text, break a line or are not seen
    "wallet://notes/a%00", "wallet://notes/%00", "wallet://notes/a%0Ab", "wallet://notes/a%0D%0Ab", "wallet://notes/a%7F",
    "wallet://notes/a%E2%80%8Bb", "wallet://notes/a%E2%80%AEb", "wallet://notes/a%EF%BB%BF", "wallet://notes/a%C2%85b",
    "wallet://notes/a b", "wallet://notes/é", "wallet://notes/a\x00", "wallet://notes/a\n",
    # values of another type, or another spelling of one
    f"wallet://tx/0/{HASH}", f"wallet://tx/-1/{HASH}", f"wallet://tx/01/{HASH}", f"wallet://tx/%2B1/{HASH}",
    f"wallet://tx/1.0/{HASH}", f"wallet://tx/1e3/{HASH}", f"wallet://tx/1_0/{HASH}", f"wallet://tx/%201/{HASH}",
    f"wallet://tx/0x1/{HASH}", f"wallet://tx/%EF%BC%91/{HASH}", f"wallet://tx/{2**64}/{HASH}", f"wallet://tx//{HASH}",
    f"wallet://tx/{'9' * 400}/{HASH}", "wallet://tx/1/0x12", f"wallet://tx/1/{HASH[2:]}", f"wallet://tx/1/{HASH}00",
    f"wallet://of/{PAYEE.lower()}", f"wallet://of/{PAYEE[2:]}", f"wallet://of/{PAYEE}%20", f"wallet://of/%20{PAYEE}",
    f"wallet://of/{PAYEE}?days=31", f"wallet://of/{PAYEE}?days=", f"wallet://of/{PAYEE}?verified=1",
    f"wallet://of/{PAYEE}?verified=True", f"wallet://of/{PAYEE}?speed=FAST", f"wallet://of/{PAYEE}?speed=null",
    "wallet://labels.c",
    # parameters twice, unknown, without a name, behind a fragment
    f"wallet://of/{PAYEE}?days=1&days=2", f"wallet://of/{PAYEE}?days=1&admin=true", f"wallet://of/{PAYEE}?days=1&",
    f"wallet://of/{PAYEE}?%64ays=1", f"wallet://of/{PAYEE}?=1", f"wallet://of/{PAYEE}?days=1#days=2",
    f"wallet://of/{PAYEE}#x",
    # too long
    "wallet://notes/" + "a" * MAX_CHARACTERS,
)  # fmt: skip


@pytest.mark.parametrize("mode", ERAS)
async def test_an_honest_uri_brings_its_values(mode: str) -> None:
    archive = Archive()
    async with Client(archive.mcp, mode=mode) as client:
        for uri, _ in HONEST:
            assert (await client.read_resource(uri)).contents
    assert archive.got == [got for _, got in HONEST]
    assert type(archive.got[4][1]) is TxHash


@pytest.mark.parametrize("mode", ERAS)
async def test_a_bad_uri_reaches_no_handler(mode: str) -> None:
    archive = Archive()
    codes: list[str] = []
    async with Client(archive.mcp, mode=mode) as client:
        for uri in BAD:
            with pytest.raises(MCPError) as caught:
                await client.read_resource(uri)
            codes.append(caught.value.error.data["code"])
            assert codes[-1].startswith("invalid_input"), uri
            assert uri not in caught.value.error.model_dump_json()
    assert archive.got == []
    assert [(each.outcome, each.code) for each in archive.guard.reads] == [("refused", code) for code in codes]


@pytest.mark.parametrize("mode", ERAS)
async def test_a_uri_of_more_than_64_kib_is_matched_with_nothing(mode: str) -> None:
    archive = Archive()
    async with Client(archive.mcp, mode=mode) as client:
        with pytest.raises(MCPError) as caught:
            await client.read_resource("wallet://notes/" + "a" * 70_000)
    assert (archive.got, caught.value.error.data) == ([], {"code": "unclassified"})


@pytest.mark.parametrize("mode", ERAS)
async def test_a_uri_that_only_resembles_a_served_one_is_not_served(mode: str) -> None:
    archive = Archive()
    async with Client(archive.mcp, mode=mode) as client:
        for uri in (
            "WALLET://notes/a",
            "wallet:/notes/a",
            "wallet://n%6Ftes/a",
            "wallet://notes/a/b",
            "wallet://notes/a?x=1",
        ):
            with pytest.raises(MCPError) as caught:
                await client.read_resource(uri)
            assert caught.value.error.data == {"code": "unclassified"}, uri
    assert archive.got == []


@pytest.mark.parametrize("mode", ERAS)
async def test_arguments_of_a_prompt_are_read_one_way_only(mode: str) -> None:
    archive = Archive()
    bad: list[tuple[Any, str]] = [
        ({}, "invalid_input"),
        ({"address": PAYEE.lower()}, "invalid_input.address"),
        ({"address": PAYEE, "days": "07"}, "invalid_input"),
        ({"address": PAYEE, "days": " 7"}, "invalid_input"),
        ({"address": PAYEE, "days": "7.0"}, "invalid_input"),
        ({"address": PAYEE, "note": "a\x00b"}, "invalid_input"),
        ({"address": PAYEE, "note": "\x1b[2J"}, "invalid_input"),
        ({"address": PAYEE, "confirmed": "true"}, "invalid_input.unknown_argument"),
        ({"address": PAYEE, "note": "x" * 200_000}, "invalid_input.size"),
        ({"address": PAYEE, "note": bytes(range(7, 39)).hex()}, "invalid_input.secret"),
    ]
    async with Client(archive.mcp, mode=mode) as client:
        for arguments, code in bad:
            with pytest.raises(MCPError) as caught:
                await client.get_prompt("review", arguments)
            assert caught.value.error.data == {"code": code}, code
        assert archive.got == []
        assert (await client.get_prompt("review", {"address": PAYEE, "days": "-7", "note": "two\n lines"})).messages
    assert archive.got == [(Address(PAYEE), -7, "two\n lines")]


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize("spell", [str, lambda text: "".join(f"%{ord(each):02X}" for each in text)])
async def test_a_secret_in_a_uri_is_named_and_not_recorded(
    spell: Any, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    archive, secret = Archive(), bytes(range(7, 39)).hex()
    async with Client(archive.mcp, mode=mode) as client:
        for uri in (f"wallet://notes/{spell(secret)}", f"wallet://search?q={spell(secret)}"):
            with pytest.raises(MCPError) as caught:
                await client.read_resource(uri)
            assert caught.value.error.data == {"code": "invalid_input.secret"}
    assert archive.got == []
    assert secret not in caplog.text + repr(archive.guard.reads)
    assert spell(secret) not in caplog.text


async def test_a_nested_read_is_validated_as_well() -> None:
    archive = Archive()
    for uri in ("wallet://notes/%2e%2e", "wallet://notes/..", f"wallet://tx/01/{HASH}"):
        with pytest.raises(InvalidInput):
            await archive.mcp.read_resource(uri)
    assert archive.got == []


def test_a_uri_that_does_not_match_has_no_values() -> None:
    check_uri("wallet://other/a")
    with pytest.raises(GuardError):
        capture(UriTemplate.parse("wallet://notes/{name}"), "wallet://other/a")


class _Model(BaseModel):
    text: str


def _with_float(name: float) -> str:
    return "x"


def _with_model(name: _Model) -> str:
    return "x"


def _with_either(name: int | str) -> str:
    return "x"


def _with_chain_object(name: ChainId) -> str:
    return "x"


def _with_nothing() -> str:
    return "x"


def _with_more(name: str, more: str) -> str:
    return "x"


def _with_list(name: list[str]) -> str:
    return "x"


def _untyped(name) -> str:  # type: ignore[no-untyped-def]
    return "x"


def _with_anything(name: Any) -> str:
    return "x"


def _with_null(name: None) -> str:
    return "x"


def _with_amounts(name: list[int]) -> str:
    return "x"


def _passphrase(passphrase: str) -> str:
    return "x"


def _fine(name: str) -> str:
    return "x"


def _generator(name: str) -> Any:
    yield "x"


@pytest.mark.parametrize(
    ("template", "handler"),
    [
        *(("wallet://{name}", each) for each in (
            _with_float, _with_model, _with_either, _with_chain_object, _with_nothing, _with_more, _with_list, _untyped,
            _with_anything, _with_null, _with_amounts, _generator, _Model,
        )),
        ("wallet://{passphrase}", _passphrase),
        ("wallet://static", _fine),
        ("wallet://{?name}", _fine),
        ("wallet://{name", _fine),
        ("wallet://{+name}{+name}", _fine),
        ("wallet{name}", _fine),
        ("wallet://Zürich/{name}", _fine),
        ("wallet://a b/{name}", _fine),
        ("wallet://" + "a" * 200 + "/{name}", _fine),
        ("wallet://x{/name*}", _fine),
    ],
)  # fmt: skip
def test_a_resource_that_cannot_be_read_one_way_is_refused_at_registration(template: str, handler: Any) -> None:
    """T-005 too: nothing asks for a passphrase."""
    mcp = MCPServer("archive")
    wallet = protect(mcp, MemoryGuard())
    with pytest.raises(Misconfigured) as caught:
        wallet.resource(template, label="private")(handler)
    assert caught.value.detail
    assert (mcp._resource_manager.list_resources(), mcp._resource_manager.list_templates()) == ([], [])


@pytest.mark.parametrize(
    "handler", [_with_float, _with_model, _with_either, _with_list, _untyped, _passphrase, _generator, _Model]
)
def test_a_prompt_that_cannot_be_read_one_way_is_refused_at_registration(handler: Any) -> None:
    wallet = protect(MCPServer("archive"), MemoryGuard())
    with pytest.raises(Misconfigured):
        wallet.prompt(label="private")(handler)


@pytest.mark.parametrize(
    "options", [{"label": "secret"}, {"label": "private", "max_bytes": 0}, {"label": "", "max_bytes": 1}]
)
def test_a_label_and_a_cap_are_said_in_full(options: Any) -> None:
    wallet = protect(MCPServer("archive"), MemoryGuard())
    for register in (wallet.resource("wallet://{name}", **options), wallet.prompt(**options)):
        with pytest.raises(Misconfigured):
            register(_fine)
    with pytest.raises(TypeError):
        wallet.resource("wallet://{name}")  # type: ignore[call-arg]
    for size in (4 * 1024 * 1024 + 1, True, 1.5):
        with pytest.raises(Misconfigured):
            wallet.resource("wallet://{name}", label="private", max_bytes=size)(_fine)  # type: ignore[arg-type]


def test_a_decorated_name_stands_for_what_was_registered() -> None:
    wallet = protect(MCPServer("archive"), MemoryGuard())

    @wallet.resource("wallet://price/{amount}", label="public")
    def price(amount: Amount, ctx: Context) -> str:
        return str(amount)

    assert isinstance(price, GuardedContent)
    assert (price.name, price.label, repr(price)) == (
        "wallet://price/{amount}",
        "public",
        "<GuardedContent wallet://price/{amount}>",
    )
    assert not callable(price)
