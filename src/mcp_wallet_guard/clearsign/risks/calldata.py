"""Bytes that cannot be read, that are spelled oddly, or that say more than they need to. Threat: T-020, T-033."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mcp_wallet_guard.clearsign.reading import Reading
from mcp_wallet_guard.clearsign.risks.known import Known
from mcp_wallet_guard.clearsign.risks.results import Check, Evidence, Gap, Hit, Saying, Severity
from mcp_wallet_guard.clearsign.tree import Clarity, Part

_REFUSED: Final = frozenset({"invalid_input.calldata", "invalid_input.transaction"})


def with_oddity(reading: Reading, code: str, /) -> Iterator[Part]:
    """The parts in whose bytes `code` was seen."""
    return (part for part in reading.parts if any(oddity.code == code for oddity in part.oddities))


def _blind(reading: Reading, _: Known) -> Iterator[Hit | Gap]:
    for part in reading.parts:
        if part.clarity is Clarity.BLIND:
            yield Hit(code="calldata.blind", path=part.path, facts=(("bytes", len(part.data)),))
        elif part.clarity is Clarity.PARTIAL and not any(inner.clarity is Clarity.BLIND for inner in part.walk()):
            yield Hit(code="calldata.partial", path=part.path, facts=(("bytes", len(part.data)),))


def _malformed(reading: Reading, _: Known) -> Iterator[Hit | Gap]:
    if reading.invalid in _REFUSED:
        yield Hit(code="calldata.malformed", path=reading.root.path)
    for part in with_oddity(reading, "calldata.malformed"):
        yield Hit(code="calldata.malformed", path=part.path)


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
        ),
        examine=_malformed,
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
    ),
)
