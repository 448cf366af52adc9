"""A new factor on its way into an authenticator app: shown once, and finished with one code of it.

A factor that nobody's app has would lock its owner out at the first payment, so a person types a code before anything
is in force. Threat: T-065, T-086.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mcp_wallet_guard.cli.invocation import Invocation
from mcp_wallet_guard.errors import FactorRejected

MAX_TRIES: Final = 3
FINISH: Final = "To finish, type the code that the app shows now: "
_AGAIN: Final = "Is the clock of phone and computer right? Take the code that the app shows now."


def factor_lines(uri: str, /) -> list[str]:
    """How a person takes a new factor over into an authenticator app."""
    return ["", "Add this to your authenticator app; whoever reads it can make your codes:", f"   {uri}", ""]


def finish(invocation: Invocation, prove: Callable[[str | None], None], /) -> bool:
    """Call `prove` with a code: of ``--code-fd``, or typed, with three tries. Without a code, and False, where a
    program took the secrets and nobody is there to type one. Raises FactorRejected, and what `prove` raises."""
    if invocation.is_a_program:
        prove(None)
        return False
    tries = 1 if invocation.options.code_fd is not None else MAX_TRIES
    for left in reversed(range(tries)):
        code = invocation.code(FINISH)
        try:
            prove(code)
        except FactorRejected as error:
            if not left:
                raise
            invocation.say(error.public, _AGAIN)
        else:
            break
    return True
