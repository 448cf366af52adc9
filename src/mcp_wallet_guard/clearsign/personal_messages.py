"""What a person is shown of a message: the fields of a sign-in, else its text, else its bytes.

Text is one value that nothing is left out of; escaping and length are the view's. What reads as a sign-in and is none
is told, and so is a hash in disguise. Source: EIP-191, ERC-4361. Threat: T-022, T-034.
"""

from __future__ import annotations

import hashlib
from typing import Final

from mcp_wallet_guard.clearsign.text import suspicion
from mcp_wallet_guard.clearsign.tree import Clarity, Oddity, Part, PartKind, Shown, ShownKind
from mcp_wallet_guard.clearsign.typed_members import NEVER
from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations import siwe
from mcp_wallet_guard.operations.messages import MessageForm, check_message, form_of, text_of
from mcp_wallet_guard.operations.siwe import SignIn
from mcp_wallet_guard.operations.values import Address, ChainId

HASH: Final = "message.hash"
BINARY: Final = "message.binary"
PREFIXED: Final = "message.prefixed"
INVISIBLE: Final = "message.invisible"
NONASCII: Final = "message.nonascii"
SIWE_MALFORMED: Final = "message.siwe_malformed"
SIWE_OTHER_SIGNER: Final = "siwe.other_signer"
SIWE_OTHER_CHAIN: Final = "siwe.other_chain"
SIWE_OTHER_HOST: Final = "siwe.other_host"
SIWE_USER: Final = "siwe.user"
SIWE_NO_EXPIRY: Final = "siwe.no_expiry"
SIWE_TIMES: Final = "siwe.times"

_FORMS: Final = {
    MessageForm.HASH: HASH,
    MessageForm.HASH_TEXT: HASH,
    MessageForm.BINARY: BINARY,
    MessageForm.PREFIXED: PREFIXED,
}
_LAYOUT: Final = str.maketrans("", "", "\t\n\r")


def read_message(raw: bytes, /, *, chain: ChainId, signer: Address, path: str = "") -> Part:
    """The part that the message `raw` is, when `signer` signs it with personal_sign.

    CLEAR for text and sign-ins, DECODED for text that only looks harmless (a hash, a broken sign-in), BLIND for bytes.
    Raises InvalidInput("invalid_input.message") beyond 64 KiB.
    """
    text, form = text_of(check_message(raw)), form_of(raw)
    sign_in = None if text is None else _sign_in(text)
    if sign_in is not None:
        return Part(
            path=path,
            kind=PartKind.MESSAGE,
            chain=sign_in.chain,
            target=None,
            sender=signer,
            data=raw,
            clarity=Clarity.CLEAR,
            standard="ERC-4361",
            title="Signs in to a website",
            shown=(*_fields(sign_in), *_digest(raw)),
            oddities=_sign_in_oddities(sign_in, chain, signer),
        )
    oddities = (*_form_oddities(form), *_text_oddities(text))
    return Part(
        path=path,
        kind=PartKind.MESSAGE,
        chain=chain,
        target=None,
        sender=signer,
        data=raw,
        clarity=_clarity(text, form, oddities),
        standard="EIP-191",
        title="Signs a message",
        shown=(_content(raw, text), *_digest(raw)),
        oddities=oddities,
    )


def _sign_in(text: str) -> SignIn | None:
    try:
        return siwe.parse_sign_in(text)
    except InvalidInput:
        return None


def _clarity(text: str | None, form: MessageForm, oddities: tuple[Oddity, ...]) -> Clarity:
    if text is None:
        return Clarity.BLIND
    doubtful = form is not MessageForm.TEXT or any(each.code == SIWE_MALFORMED for each in oddities)
    return Clarity.DECODED if doubtful else Clarity.CLEAR


def _content(raw: bytes, text: str | None) -> Shown:
    if text is None:
        return Shown(path="#", label="Message", kind=ShownKind.BYTES, raw=raw)
    return Shown(path="#", label="Message", kind=ShownKind.TEXT, raw=text)


def _digest(raw: bytes) -> tuple[Shown, ...]:
    return (
        Shown(path="@.length", label="Length in bytes", kind=ShownKind.INTEGER, raw=len(raw)),
        Shown(path="@.sha256", label="SHA-256", kind=ShownKind.BYTES, raw=hashlib.sha256(raw).digest()),
    )


def _form_oddities(form: MessageForm) -> tuple[Oddity, ...]:
    return () if form is MessageForm.TEXT else (Oddity(code=_FORMS[form], facts=(("form", form.value),)),)


def _text_oddities(text: str | None) -> tuple[Oddity, ...]:
    if text is None:
        return ()
    found = []
    match suspicion(text.translate(_LAYOUT)):
        case "text.invisible":
            found.append(Oddity(code=INVISIBLE))
        case "text.nonascii":
            found.append(Oddity(code=NONASCII))
        case None:
            pass
    if siwe.is_sign_in_like(text):
        found.append(Oddity(code=SIWE_MALFORMED))
    return tuple(found)


def _fields(sign_in: SignIn) -> tuple[Shown, ...]:
    named: tuple[tuple[str, str, ShownKind, int | str | Address | None], ...] = (
        ("scheme", "Scheme", ShownKind.TEXT, sign_in.scheme),
        ("domain", "Website", ShownKind.TEXT, sign_in.domain),
        ("address", "Account", ShownKind.ADDRESS, sign_in.address),
        ("statement", "Statement", ShownKind.TEXT, sign_in.statement),
        ("uri", "For the resource", ShownKind.TEXT, sign_in.uri),
        ("chain", "Chain", ShownKind.CHAIN, sign_in.chain.number),
        ("nonce", "Nonce", ShownKind.TEXT, sign_in.nonce),
    )
    dates = (
        ("issuedAt", "Issued at", sign_in.issued_at, sign_in.issued_at_seconds),
        ("expirationTime", "Valid until", sign_in.expiration_time, sign_in.expires_at),
        ("notBefore", "Not before", sign_in.not_before, sign_in.starts_at),
    )
    fields = [
        Shown(path=f"#.{name}", label=label, kind=kind, raw=raw) for name, label, kind, raw in named if raw is not None
    ]
    # Two texts can say one time: what is signed is the text.
    fields += [
        Shown(path=f"#.{name}", label=label, kind=ShownKind.DATE, raw=seconds, text=text)
        for name, label, text, seconds in dates
        if text is not None
    ]
    if sign_in.request_id is not None:
        fields.append(Shown(path="#.requestId", label="Request", kind=ShownKind.TEXT, raw=sign_in.request_id))
    if sign_in.resources is not None:
        items = (
            Shown(path=f"#.resources.[{i}]", label=f"Resource {i + 1}", kind=ShownKind.TEXT, raw=uri)
            for i, uri in enumerate(sign_in.resources)
        )
        fields.append(Shown(path="#.resources", label="Resources", kind=ShownKind.GROUP, children=tuple(items)))
    return tuple(fields)


def _sign_in_oddities(sign_in: SignIn, chain: ChainId, signer: Address) -> tuple[Oddity, ...]:
    ends, starts = sign_in.expires_at, sign_in.starts_at
    first = max(sign_in.issued_at_seconds, sign_in.issued_at_seconds if starts is None else starts)
    found = (
        (SIWE_OTHER_SIGNER, sign_in.address != signer),
        (SIWE_OTHER_CHAIN, sign_in.chain != chain),
        (SIWE_OTHER_HOST, sign_in.uri_host is not None and sign_in.uri_host != sign_in.host),
        (SIWE_USER, sign_in.has_user),
        (SIWE_NO_EXPIRY, ends is None or ends >= NEVER),
        (SIWE_TIMES, ends is not None and ends <= first),
    )
    return tuple(Oddity(code=code) for code, holds in found if holds)
