"""Messages: digests in disguise, text that hides something, sign-ins to another site. Threat: T-021, T-022."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mcp_wallet_guard.clearsign.aspects import ODD, REFUSED, SIGNS_IN, WRITES
from mcp_wallet_guard.clearsign.reading import Method, Reading, SignIn
from mcp_wallet_guard.clearsign.risks.calldata import odd
from mcp_wallet_guard.clearsign.risks.known import Known
from mcp_wallet_guard.clearsign.risks.results import Check, Evidence, Gap, Hit, Saying, Severity
from mcp_wallet_guard.clearsign.text import quoted
from mcp_wallet_guard.clearsign.tree import PartKind

HOST_LIMIT: Final = 80
_TEXT: Final = (
    "message.binary", "message.invisible", "message.nonascii", "message.siwe_malformed", "sign_in.chain", "sign_in.uri",
    "sign_in.times", "sign_in.user",
)  # fmt: skip
_OLD: Final = frozenset({Method.TYPED_DATA_V1, Method.TYPED_DATA_V3})


def _digests(reading: Reading, _: Known) -> Iterator[Hit | Gap]:
    if reading.method is None:
        yield Gap(missing="method")
    if reading.method is Method.ETH_SIGN:
        yield Hit(code="message.eth_sign", path=reading.root.path)
    if reading.method in _OLD:
        yield Hit(code="message.old_typed_data", path=reading.root.path)
    yield from odd(reading, "message.hash", "message.prefixed")


def _text(reading: Reading, known: Known) -> Iterator[Hit | Gap]:
    if reading.invalid == "invalid_input.message":
        yield Hit(code="message.malformed", path=reading.root.path)
    yield from odd(reading, *_TEXT)
    for part in reading.parts:
        if part.kind is PartKind.MESSAGE and len(part.data) > known.thresholds.message_bytes:
            yield Hit(code="message.long", path=part.path, facts=(("bytes", len(part.data)),))
    if reading.sign_in is not None:
        yield from _sign_in(reading.sign_in, reading, known)


def _sign_in(sign_in: SignIn, reading: Reading, known: Known) -> Iterator[Hit | Gap]:
    path = reading.root.path
    asked = quoted(sign_in.domain, limit=HOST_LIMIT)
    if _host(sign_in.uri) != sign_in.domain.lower():
        yield Hit(code="sign_in.uri", path=path)
    if reading.origin is None:
        yield Gap(missing="origin", path=path)
    elif reading.origin.lower() != sign_in.domain.lower():
        facts = (("host", asked), ("origin", quoted(reading.origin, limit=HOST_LIMIT)))
        yield Hit(code="sign_in.other_site", path=path, facts=facts)
    if known.chain is None:
        yield Gap(missing="chain", path=path)
    elif known.chain != f"eip155:{sign_in.chain}":
        yield Hit(code="sign_in.chain", path=path)
    if known.now is None:
        yield Gap(missing="now", path=path)
    elif sign_in.expires_at is not None and sign_in.expires_at <= known.now:
        yield Hit(code="sign_in.expired", path=path)
    elif sign_in.not_before is not None and sign_in.not_before > known.now:
        yield Hit(code="sign_in.early", path=path)


def _host(uri: str) -> str:
    """The authority of a URI, port included, without what stands before an ``@``. Source: RFC 3986 section 3.2."""
    _, found, rest = uri.partition("://")
    if not found:
        return ""
    for end in "/?#\\":
        rest = rest.partition(end)[0]
    return "" if "@" in rest else rest.lower()


CHECKS: Final = (
    Check(
        number=42,
        subject="a digest or an outdated form is signed",
        needs=(Evidence.BYTES,),
        effects=False,
        sayings=(
            Saying(
                code="message.eth_sign",
                severity=Severity.REFUSE,
                sentence="A bare digest would be signed. It may be a transaction that takes everything.",
            ),
            Saying(
                code="message.old_typed_data",
                severity=Severity.REFUSE,
                sentence="This is an outdated form of typed data, which cannot be shown safely.",
            ),
            Saying(
                code="message.hash",
                severity=Severity.DANGER,
                sentence="The message is a digest. What stands behind it cannot be shown.",
            ),
            Saying(
                code="message.prefixed",
                severity=Severity.DANGER,
                sentence="The message begins like something else that is signed. It may be that in disguise.",
            ),
        ),
        examine=_digests,
        about=REFUSED | ODD,
    ),
    Check(
        number=43,
        subject="a message hides something, or signs in elsewhere",
        needs=(Evidence.BYTES,),
        effects=False,
        sayings=(
            Saying(
                code="message.malformed",
                severity=Severity.DANGER,
                sentence="The message cannot be read in the form in which it is to be signed.",
            ),
            Saying(code="message.binary", severity=Severity.DANGER, sentence="The message is no text."),
            Saying(
                code="message.invisible",
                severity=Severity.DANGER,
                sentence="The message contains characters that hide or reorder text.",
            ),
            Saying(
                code="message.nonascii",
                severity=Severity.WARNING,
                sentence="The message contains characters that may imitate others.",
            ),
            Saying(
                code="message.long",
                severity=Severity.DANGER,
                sentence="The message has {bytes} bytes. What matters may stand far down.",
            ),
            Saying(
                code="message.siwe_malformed",
                severity=Severity.DANGER,
                sentence="The message looks like a sign-in and breaks the rules for one.",
            ),
            Saying(
                code="sign_in.uri",
                severity=Severity.DANGER,
                sentence="The sign-in names one site, and its address is another site's.",
            ),
            Saying(
                code="sign_in.other_site",
                severity=Severity.DANGER,
                sentence="The sign-in is for {host}, and {origin} asks for it.",
            ),
            Saying(
                code="sign_in.chain",
                severity=Severity.DANGER,
                sentence="The sign-in is for another chain than the wallet's.",
            ),
            Saying(
                code="sign_in.user",
                severity=Severity.DANGER,
                sentence="The sign-in's site has a user's name before it, which may imitate another site.",
            ),
            Saying(code="sign_in.times", severity=Severity.DANGER, sentence="The sign-in ends before it begins."),
            Saying(code="sign_in.expired", severity=Severity.DANGER, sentence="The sign-in has expired."),
            Saying(code="sign_in.early", severity=Severity.DANGER, sentence="The sign-in does not count yet."),
        ),
        examine=_text,
        about=REFUSED | WRITES | SIGNS_IN | ODD,
    ),
)
