"""One-time codes of an authenticator app: RFC 6238, SHA-1, 6 digits, 30 seconds.

Pure transitions on `FactorRow`. pyotp computes the codes; what it leaves
open is closed here: a code counts once, full-width digits are no digits, and guessing is counted before comparing.
The owner's doors (terminal, paired browser) lock after five wrong codes in a row. The door of unpaired browsers is
counted apart, closes for an hour, and never locks the owner's (Threat: T-079, T-081, T-082, T-084).

The order of one attempt. The verdict leaves only after the row that follows from it is durable (docs/adr/0404):

    code = canonical_code(text)
    row = begin_attempt(row, now=now, paired=paired)    # what is stored when the next line raises
    step = check_code(secret, code, now=now, last_step=row.last_step)
    row = accept(row, step, paired=paired)              # in the transaction that writes what the code proves
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import pyotp

from mcp_wallet_guard.errors import FactorRejected, InvalidInput, LockedOut
from mcp_wallet_guard.evidence import FactorRow

KIND: Final = "totp"
STEP_SECONDS: Final = 30
SECRET_BYTES: Final = 20
MAX_FAILURES: Final = 5
UNPAIRED_WINDOW_SECONDS: Final = 3600
ISSUER: Final = "mcp-wallet-guard"
_CODE: Final = re.compile(r"[0-9]{6}")
_LABEL: Final = re.compile(r"[A-Za-z0-9 ._@-]{1,64}")


def new_secret(entropy: Callable[[int], bytes] = secrets.token_bytes, /) -> bytes:
    """A fresh secret of 160 bits, the length that RFC 4226 recommends. Source: RFC 4226 section 4, R6."""
    return entropy(SECRET_BYTES)


def provisioning_uri(secret: bytes | memoryview, /, *, label: str) -> str:
    """The ``otpauth://`` text for an authenticator app. It holds the secret: for the owner's terminal only.

    Raises InvalidInput unless `label` is 1 to 64 letters, digits, spaces or . _ @ - characters.
    """
    if _LABEL.fullmatch(label) is None:
        raise InvalidInput("invalid_input", detail="a factor's label has 1 to 64 plain characters")
    return _totp(secret).provisioning_uri(name=label, issuer_name=ISSUER)


def step_at(now: int, /) -> int:
    """The time step of `now` (unix seconds)."""
    return now // STEP_SECONDS


def canonical_code(text: str, /) -> str:
    """The six digits that `text` is, without inner or outer spaces.

    Raises FactorRejected("factor.format") for anything but ASCII digits: no full-width, Arabic-Indic or other
    digits, no other blanks. A typing slip found here need not be counted. Threat: T-084.
    """
    code = text.replace(" ", "")
    if len(text) > 16 or _CODE.fullmatch(code) is None:
        raise FactorRejected("factor.format")
    return code


def check_code(secret: bytes | memoryview, code: str, /, *, now: int, last_step: int) -> int:
    """The time step that `code` belongs to: the current one or the one before, above `last_step`, never ahead.

    Raises FactorRejected("factor.format"), or FactorRejected("factor.rejected") alike for a wrong, an old and a used
    code, so that nobody learns which. Takes the same time for each. Source: RFC 6238 section 5.2.
    Threat: T-079, T-083.
    """
    typed = canonical_code(code).encode("ascii")
    totp, current = _totp(secret), step_at(now)
    accepted = -1
    for step in (max(current - 1, 0), current):
        equal = hmac.compare_digest(totp.generate_otp(step).encode("ascii"), typed)
        accepted = step if equal and step > last_step else accepted
    if accepted < 0:
        raise FactorRejected("factor.rejected")
    return accepted


def begin_attempt(row: FactorRow, /, *, now: int, paired: bool) -> FactorRow:
    """The row with this attempt counted as wrong already, to be stored before anybody learns how it went.

    Raises LockedOut("factor.locked_out") at the owner's doors after five wrong codes in a row, whenever and through
    whatever operation they came. Raises FactorRejected("factor.door_closed") at the unpaired door after five in the
    hour that began with the first. Neither door touches the other's count. Threat: T-081, T-082.
    """
    if paired:
        if row.locked or row.failures >= MAX_FAILURES:
            raise LockedOut("factor.locked_out")
        return replace(row, failures=row.failures + 1, locked=int(row.failures + 1 >= MAX_FAILURES))
    # A clock that went back leaves the window open: only time that passed may reopen the door.
    if row.unpaired_failures == 0 or now - row.unpaired_since >= UNPAIRED_WINDOW_SECONDS:
        return replace(row, unpaired_failures=1, unpaired_since=now)
    if row.unpaired_failures >= MAX_FAILURES:
        raise FactorRejected("factor.door_closed")
    return replace(row, unpaired_failures=row.unpaired_failures + 1)


def accept(row: FactorRow, step: int, /, *, paired: bool) -> FactorRow:
    """The row after `check_code` accepted `step`: that step and all before it are burned, this door's count is zero.

    Raises FactorRejected("factor.rejected") when the row moved on since: of two racing uses of one code, one wins.
    Threat: T-079, T-085, T-103.
    """
    if step <= row.last_step:
        raise FactorRejected("factor.rejected")
    if paired:
        return replace(row, last_step=step, failures=0, locked=0)
    return replace(row, last_step=step, unpaired_failures=0, unpaired_since=0)


def unlock(row: FactorRow, step: int, /) -> FactorRow:
    """The row after the owner gave passphrase and a fresh code whose `step` `check_code` accepted: both doors open.

    The passphrase, checked first, is what keeps guessing out while the factor is locked: who has it can open the
    vault, and the factor's secret is in it. Raises FactorRejected as `accept` does.
    """
    return replace(accept(row, step, paired=True), unpaired_failures=0, unpaired_since=0)


def _totp(secret: bytes | memoryview) -> pyotp.TOTP:
    return pyotp.TOTP(base64.b32encode(secret).decode("ascii"), interval=STEP_SECONDS)
