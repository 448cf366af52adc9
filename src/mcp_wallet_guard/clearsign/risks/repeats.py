"""Nonces that are not the next one, and requests that were made before. Threat: T-039."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mcp_wallet_guard.clearsign.reading import Reading
from mcp_wallet_guard.clearsign.risks.known import Known
from mcp_wallet_guard.clearsign.risks.results import Check, Evidence, Gap, Hit, Saying, Severity


def _repeats(reading: Reading, known: Known) -> Iterator[Hit | Gap]:
    yield from _nonce(reading, known)
    digest = dict(reading.digests).get("effect")
    if digest is None:
        yield Gap(missing="digest")
    if known.history is None:
        yield Gap(missing="history")
    elif known.now is None:
        yield Gap(missing="now")
    else:
        since = known.now - known.thresholds.repeat_seconds
        if any(request.digest == digest and request.at >= since for request in known.history.requests):
            yield Hit(code="request.repeated", path="", source=Evidence.HISTORY)


def _nonce(reading: Reading, known: Known) -> Iterator[Hit | Gap]:
    if reading.envelope is None:
        return
    nonce, node, path = reading.envelope.nonce, known.node, reading.root.path
    if node is None or node.nonce is None or node.pending_nonce is None:
        yield Gap(missing="node", path=path)
    elif node.nonce <= nonce < node.pending_nonce:
        yield Hit(code="nonce.replaces", path=path, source=Evidence.NODE)
    elif nonce != max(node.nonce, node.pending_nonce):
        yield Hit(code="nonce.unexpected", path=path, source=Evidence.NODE)


CHECKS: Final = (
    Check(
        number=44,
        subject="it repeats or replaces an earlier request",
        needs=(Evidence.HISTORY, Evidence.NODE),
        effects=False,
        sayings=(
            Saying(
                code="nonce.unexpected",
                severity=Severity.WARNING,
                sentence="The nonce is not the account's next one: the payment would wait, or replace another.",
            ),
            Saying(
                code="nonce.replaces",
                severity=Severity.WARNING,
                sentence="This replaces a transaction of the account that still waits.",
            ),
            Saying(
                code="request.repeated",
                severity=Severity.WARNING,
                sentence="The same was asked for a short while ago.",
            ),
        ),
        examine=_repeats,
    ),
)
