"""What a caller is told when the guard says no, and what is written down about it."""

from __future__ import annotations

from contextlib import suppress
from typing import Final, final

from mcp_wallet_guard.custody import Custody
from mcp_wallet_guard.errors import GuardError, Tampered, Unavailable
from mcp_wallet_guard.exchange import ReadRecord, RefusedAnswer
from mcp_wallet_guard.journal.events import Event, Kind
from mcp_wallet_guard.reads import ReadLog


@final
class Refusals:
    """Errors as answers: code and catalogue sentence, and nothing else of them. Threat: T-057."""

    def __init__(self, custody: Custody, reads: ReadLog, /) -> None:
        self._custody: Final = custody
        self._reads: Final = reads

    async def note(self, error: GuardError, /, *, principal: str, tool: str) -> None:
        """A refused proposal leaves a line in the journal, written with the reads', in order and bounded."""
        record = ReadRecord(tool=tool, principal=principal, outcome="refused", code=error.code)
        if not isinstance(error, Tampered | Unavailable):  # these are no decisions
            with suppress(GuardError):
                await self._reads.add(record)

    async def answer(self, error: GuardError, /) -> RefusedAnswer:
        """A refusal as an answer; a tampered store is journalled where that is still possible."""
        if isinstance(error, Tampered):
            event = Event(kind=Kind.TAMPERED, at=self._custody.clock.now(), data={"code": error.code})
            with suppress(GuardError):
                await self._custody.transact(lambda tx: tx.append(event))
        return RefusedAnswer(code=error.code, message=error.public)
