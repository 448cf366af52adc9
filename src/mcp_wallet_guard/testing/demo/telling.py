"""How the demonstration tells: expectations that are stated, looked at, and kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NoReturn, final

from mcp_wallet_guard.exchange import Done, Pending, RefusedAnswer

ETHER: Final = 10**18
Answer = Done | Pending | RefusedAnswer


class Unexpected(Exception):
    """A step did not hold; it is the last of `Story.steps`."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One expectation and what was seen."""

    title: str
    said: str
    ok: bool


@final
@dataclass(slots=True, kw_only=True)
class Story:
    """Tells, and keeps what it told."""

    say: Callable[[str], None]
    steps: list[Step] = field(default_factory=list)

    def chapter(self, title: str, /) -> None:
        """A heading."""
        self.say("")
        self.say(title)

    def expect(self, ok: bool, title: str, /, *, seen: str) -> None:
        """State one expectation. Raises Unexpected when it does not hold."""
        self.steps.append(Step(title=title, said=seen, ok=ok))
        self.say(f"  {'ok    ' if ok else 'FAILED'}  {title}")
        self.say(f"          {seen}")
        if not ok:
            raise Unexpected(title)

    def fail(self, title: str, /, *, seen: str) -> NoReturn:
        """An expectation that does not hold."""
        self.expect(False, title, seen=seen)
        raise Unexpected(title)


def words(answer: Answer, /) -> str:
    """What an agent was told, in one line."""
    if isinstance(answer, RefusedAnswer):
        return f"refused ({answer.code}): {answer.message}"
    if isinstance(answer, Pending):
        return f"pending: {answer.message}"
    repeated = ", repeated" if answer.repeated else ""
    return f"done ({answer.outcome}{repeated}): {answer.message}"


def ether(wei: int, /) -> str:
    """For reading only."""
    whole, part = divmod(wei, ETHER)
    return f"{whole}.{part:018d}".rstrip("0").rstrip(".") + " ETH"


def code(answer: Answer, /) -> str:
    """The code of a refusal, empty for another answer."""
    return answer.code if isinstance(answer, RefusedAnswer) else ""
