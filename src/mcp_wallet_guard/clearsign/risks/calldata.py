"""Bytes that cannot be read, that are spelled oddly, or that say more than they need to. Threat: T-020, T-033."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mcp_wallet_guard.clearsign.aspects import ODD, REFUSED, UNCLEAR
from mcp_wallet_guard.clearsign.reading import Reading
from mcp_wallet_guard.clearsign.risks.known import Known
from mcp_wallet_guard.clearsign.risks.results import Check, Evidence, Gap, Hit, Saying, Severity
from mcp_wallet_guard.clearsign.tree import Clarity, Part

_REFUSED: Final = frozenset({"invalid_input.calldata", "invalid_input.transaction"})

CLAIMED: Final = "descriptor.claimed"

ODDITIES: Final[dict[str, str]] = {
    "authorization.every_chain": "account.every_chain",
    "authorization.other_chain": "chain.wrong",
    "calldata.budget": "calldata.partial",
    "calldata.malformed": "calldata.malformed",
    "calldata.trailing": "calldata.trailing",
    "calldata.unknown": "calldata.blind",
    "command.malformed": "calldata.malformed",
    "command.unknown": "calldata.partial",
    CLAIMED: "contract.claimed",
    "message.binary": "message.binary",
    "message.hash": "message.hash",
    "message.invisible": "message.invisible",
    "message.nonascii": "message.nonascii",
    "message.prefixed": "message.prefixed",
    "message.siwe_malformed": "message.siwe_malformed",
    "safe.delegatecall": "delegatecall.unknown",
    "safe.legacy_domain": "typed.no_chain",
    "safe.refund": "safe.refund",
    "siwe.no_expiry": "expiry.signature",
    "siwe.other_chain": "sign_in.chain",
    "siwe.other_host": "sign_in.uri",
    "siwe.other_signer": "owner.mismatch",
    "siwe.times": "sign_in.times",
    "siwe.user": "sign_in.user",
    "typed.allowance_like": "approval.like",
    "typed.nested": "typed.nested",
    "typed.no_chain": "typed.no_chain",
    "typed.no_contract": "typed.no_contract",
    "typed.no_deadline": "expiry.signature",
    "typed.other_chain": "chain.wrong",
    "typed.other_owner": "owner.mismatch",
    "typed.permit2_elsewhere": "approval.like",
    "typed.salt": "typed.salt",
    "typed.signer_is_contract": "typed.own_contract",
    "value.unexpected": "call.not_payable",
}
"""An oddity that a decoder saw -> the code under which a check raises it. What is not here is raised by itself."""


def odd(reading: Reading, *codes: str) -> Iterator[Hit]:
    """A hit without facts for each oddity that stands for one of these codes."""
    for part in reading.parts:
        for oddity in part.oddities:
            code = ODDITIES.get(oddity.code)
            if code in codes:
                yield Hit(code=code, path=part.path)


def with_oddity(reading: Reading, code: str, /) -> Iterator[Part]:
    """The parts in whose bytes `code` was seen."""
    return (part for part in reading.parts if any(oddity.code == code for oddity in part.oddities))


def _blind(reading: Reading, _: Known) -> Iterator[Hit | Gap]:
    for part in reading.parts:
        if part.clarity is Clarity.BLIND:
            yield Hit(code="calldata.blind", path=part.path, facts=(("bytes", len(part.data)),))
        elif part.clarity is Clarity.PARTIAL and not any(inner.clarity is Clarity.BLIND for inner in part.walk()):
            yield Hit(code="calldata.partial", path=part.path, facts=(("bytes", len(part.data)),))
        else:
            for oddity in part.oddities:
                code = ODDITIES.get(oddity.code)
                if code in {"calldata.blind", "calldata.partial"}:
                    yield Hit(code=code, path=part.path, facts=(("bytes", len(part.data)),))


def _malformed(reading: Reading, _: Known) -> Iterator[Hit | Gap]:
    if reading.invalid in _REFUSED:
        yield Hit(code="calldata.malformed", path=reading.root.path)
    yield from odd(reading, "calldata.malformed")
    for part in reading.parts:
        for oddity in part.oddities:
            if oddity.code not in ODDITIES:
                yield Hit(code="calldata.unusual", path=part.path, facts=(("what", oddity.code),))


def _trailing(reading: Reading, _: Known) -> Iterator[Hit | Gap]:
    for part in reading.parts:
        for oddity in part.oddities:
            if oddity.code == "calldata.trailing":
                facts = tuple((name, value) for name, value in oddity.facts if type(value) is int)
                yield Hit(code="calldata.trailing", path=part.path, facts=facts)


CHECKS: Final = (
    Check(
        number=15,
        subject="something that is signed cannot be read",
        needs=(Evidence.BYTES,),
        effects=False,
        sayings=(
            Saying(
                code="calldata.blind",
                severity=Severity.REFUSE,
                sentence="{bytes} bytes cannot be read. They may do anything that the account can do.",
            ),
            Saying(
                code="calldata.partial",
                severity=Severity.REFUSE,
                sentence="Of {bytes} bytes only a part can be read. The rest may do anything.",
            ),
        ),
        examine=_blind,
        about=UNCLEAR | ODD,
    ),
    Check(
        number=16,
        subject="the bytes are malformed",
        needs=(Evidence.BYTES,),
        sayings=(
            Saying(
                code="calldata.malformed",
                severity=Severity.REFUSE,
                sentence="The bytes are not spelled as the called function demands. Readers may disagree about them.",
            ),
            Saying(
                code="calldata.unusual",
                severity=Severity.WARNING,
                sentence="Something about the bytes is unusual ({what}).",
            ),
        ),
        examine=_malformed,
        about=REFUSED | ODD,
    ),
    Check(
        number=17,
        subject="there are bytes after the arguments",
        needs=(Evidence.BYTES,),
        sayings=(
            Saying(
                code="calldata.trailing",
                severity=Severity.NOTICE,
                sentence="There are more bytes after the arguments. Most often they name an application.",
            ),
        ),
        examine=_trailing,
        about=ODD,
    ),
)
