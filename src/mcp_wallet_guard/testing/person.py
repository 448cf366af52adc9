"""ScriptedPerson: the owner of a wallet, as a program that behaves the way a careful person does.

    person = ScriptedPerson(links=state / "links", authenticator=Authenticator(secret, clock))
    await person.approve(operation, expect_to=payee, expect_amount="0.1")

It takes the link from the owner's own 0600 file, never from a tool's result; opens the page over HTTP; *reads* the
decoded transfer; and only when payee and amount are what it wanted types the match code that it read and a code of its
authenticator. What differs raises `UnexpectedPage`, and nothing is posted. It is part of the public test kit: a test
of a wallet server needs someone who says yes, and one who says no.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from types import TracebackType
from typing import Final, final
from urllib.parse import urlsplit

import httpx2
import pyotp

from mcp_wallet_guard.approvals.factors import totp
from mcp_wallet_guard.evidence import Clock


class UnexpectedPage(AssertionError):
    """The page does not show what the person expected, so the person did not answer."""


@final
class Authenticator:
    """The owner's phone: a secret, a clock, and the patience never to use one time step twice."""

    def __init__(self, secret: bytes, clock: Clock, /) -> None:
        self._totp: Final = pyotp.TOTP(base64.b32encode(secret).decode("ascii"), interval=totp.STEP_SECONDS)
        self._clock: Final = clock
        self._used = -1

    def code(self) -> str:
        """The code on the display now, for the first time.

        Raises UnexpectedPage when this step's code was taken already: move the scripted clock on by 30 seconds.
        """
        step = totp.step_at(self._clock.now())
        if step <= self._used:
            raise UnexpectedPage("the authenticator's code was used already: wait for the next one")
        self._used = step
        return self.display()

    def display(self) -> str:
        """The code on the display now, used or not: for tests of replay."""
        return self._totp.at(self._clock.now())


@final
@dataclass(slots=True)
class Form:
    """One form of a page: where it goes, its hidden fields, and the names that it asks for."""

    action: str
    hidden: dict[str, str] = field(default_factory=dict)
    asks: list[str] = field(default_factory=list)


@final
class ReadPage(HTMLParser):
    """What a person sees on a page of the guard. The attributes are those of docs/formats/approval-page.md."""

    def __init__(self, html: str, /) -> None:
        super().__init__(convert_charrefs=True)
        self.fields: Final[dict[str, str]] = {}
        self.findings: Final[dict[str, str]] = {}
        self.forms: Final[list[Form]] = []
        self.links: Final[dict[str, str]] = {}
        self.heading: str = ""
        self.intent: str = ""
        self.match_code: str = ""
        self.alert: str = ""
        self.continuation: str = ""
        self.text: str = ""
        self._open: list[tuple[str, dict[str, str]]] = []
        self.feed(html)
        self.close()

    def form(self, ending: str, /) -> Form:
        """The one form whose action ends in `ending`. Raises UnexpectedPage."""
        found = [form for form in self.forms if form.action.endswith(ending)]
        if len(found) != 1:
            raise UnexpectedPage(f"the page has {len(found)} forms for {ending}: {self.heading} {self.alert}")
        return found[0]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Part of HTMLParser."""
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(attributes.get("action", "")))
        if tag == "input" and self.forms:
            name = attributes.get("name", "")
            if attributes.get("type") == "hidden":
                self.forms[-1].hidden[name] = attributes.get("value", "")
            else:
                self.forms[-1].asks.append(name)
        self.continuation = attributes.get("data-continuation", self.continuation)
        if tag not in {"input", "link", "meta"}:
            self._open.append((tag, attributes))

    def handle_endtag(self, tag: str) -> None:
        """Part of HTMLParser."""
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        """Part of HTMLParser."""
        self.text += data
        for tag, attributes in self._open:
            if "data-field" in attributes:
                _append(self.fields, attributes["data-field"], data)
            if "data-finding" in attributes:
                _append(self.findings, attributes["data-finding"], data)
            if tag == "a":
                _append(self.links, attributes.get("href", ""), data)
            self.heading += data if tag == "h1" else ""
            self.intent += data if "data-intent" in attributes else ""
            self.match_code += data if "data-match-code" in attributes else ""
            self.alert += data if attributes.get("role") == "alert" else ""


@final
class ScriptedPerson:
    """One owner with one browser. `transport` is None for real HTTP, or an ASGI transport around the page."""

    def __init__(
        self, *, links: Path, authenticator: Authenticator, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self.authenticator: Final = authenticator
        self._links: Final = links
        # trust_env: a proxy of the environment must not see the owner's links.
        self.browser: Final = httpx2.AsyncClient(transport=transport, trust_env=False, follow_redirects=False)
        self.origin: str = ""

    async def __aenter__(self) -> ScriptedPerson:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the browser."""
        await self.browser.aclose()

    async def approve(self, operation: str, /, *, expect_to: str, expect_amount: str) -> str:
        """Read the request, and approve it if it pays `expect_amount` (decimal text) to `expect_to` (an address).

        Returns what the page says happens next, ``now`` or ``next_call``. Raises UnexpectedPage.
        """
        page = await self.read(operation)
        check_payment(page, to=expect_to, amount=expect_amount)
        form = page.form("/approve")
        typed = {"match_code": page.match_code, "code": ""}
        if "code" in form.asks:
            typed["code"] = self.authenticator.code()
        answer = await self.submit(form, **{name: typed[name] for name in form.asks})
        if not answer.continuation:
            raise UnexpectedPage(f"not approved: {answer.heading} {answer.alert}")
        return answer.continuation

    async def decline(self, operation: str, /) -> None:
        """Read the request and say no. Raises UnexpectedPage."""
        answer = await self.submit((await self.read(operation)).form("/decline"))
        if answer.heading != "Declined":
            raise UnexpectedPage(f"not declined: {answer.heading} {answer.alert}")

    async def pair(self, operation: str, /) -> None:
        """Open the owner's link of `operation`, so that this browser is paired. Raises UnexpectedPage."""
        try:
            url = (self._links / f"{operation}.url").read_text(encoding="ascii").strip()
        except FileNotFoundError:
            raise UnexpectedPage("there is no link file for this operation") from None
        parts = urlsplit(url)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        response = await self.browser.get(url)
        if response.status_code != 303:
            raise UnexpectedPage(f"the link was not accepted: {ReadPage(response.text).alert}")

    async def pair_by_code(self, origin: str, /) -> None:
        """Pair this browser at `origin` (``http://127.0.0.1:<port>``) with a code. Raises UnexpectedPage."""
        self.origin = origin
        page = ReadPage((await self.browser.get(f"{origin}/")).text)
        response = await self._post(page.form("/pair"), code=self.authenticator.code())
        if response.status_code != 303:
            raise UnexpectedPage(f"not paired: {ReadPage(response.text).alert}")

    async def read(self, operation: str, /) -> ReadPage:
        """The request as this person sees it, pairing first when need be. Raises UnexpectedPage."""
        if not self.origin:
            await self.pair(operation)
        page = await self._read(operation)
        if not page.match_code and (self._links / f"{operation}.url").exists():
            await self.pair(operation)  # the pairing ended, or belongs to another wallet
            page = await self._read(operation)
        if not page.match_code:
            raise UnexpectedPage(f"the page shows no request: {page.heading} {page.alert}")
        return page

    async def submit(self, form: Form, /, **typed: str) -> ReadPage:
        """Send a form as the browser would, with its hidden fields and what was typed."""
        return ReadPage((await self._post(form, **typed)).text)

    async def _read(self, operation: str) -> ReadPage:
        return ReadPage((await self.browser.get(f"{self.origin}/a/{operation}")).text)

    async def _post(self, form: Form, **typed: str) -> httpx2.Response:
        headers = {"origin": self.origin, "sec-fetch-site": "same-origin"}
        return await self.browser.post(self.origin + form.action, data=form.hidden | typed, headers=headers)


def check_payment(page: ReadPage, /, *, to: str, amount: str) -> None:
    """Raises UnexpectedPage unless the decoded transfer pays exactly `amount` to exactly `to`."""
    shown_amount = page.fields.get("Amount", "").split(" ")[0]
    # The address stands first, in groups of four; a name, always in quotes, may follow and proves nothing.
    shown_to = page.fields.get("Payee", "").split('"')[0].replace(" ", "")
    if shown_amount != amount:
        raise UnexpectedPage(f"the page pays {shown_amount!r}, not {amount!r}")
    if shown_to != to:
        raise UnexpectedPage(f"the page pays to {shown_to!r}, not to {to!r}")


def _append(texts: dict[str, str], key: str, data: str) -> None:
    texts[key] = texts.get(key, "") + data
