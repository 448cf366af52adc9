"""The match code: six characters that a person reads below the whole view and types into the same place.

It is a truncated HMAC over (operation digest, view hash) under a per-approval random salt and a vault-derived key,
shown on the approval channel only. Typing it proves that this view was on that screen; it is no second device and no
factor. A code for one view fits no other (Threat: T-004, T-103).
"""

from __future__ import annotations

import hmac
from typing import Final

from mcp_wallet_guard.errors import FactorRejected
from mcp_wallet_guard.secret import Secret

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O, U, which look like others or make words."""

LENGTH: Final = 6
MIN_SALT_BYTES: Final = 16
_TAG: Final = b"mcp-wallet-guard/match-code/v1\x00"


def match_code(key: Secret, /, *, salt: bytes, operation_digest: bytes, view_hash: bytes) -> str:
    """``ABC-DEF``: the first 30 bits of HMAC-SHA256 over (tag, salt, digest, view hash), in `ALPHABET`.

    Digest and view hash have 32 bytes each, so no two triples concatenate alike; the salt has 16 or more. Raises
    ValueError otherwise.
    """
    if len(salt) < MIN_SALT_BYTES or not len(operation_digest) == len(view_hash) == 32:
        raise ValueError("digest and view hash have 32 bytes each, the salt at least 16")
    with key.reveal() as raw:
        mac = hmac.digest(bytes(raw), _TAG + salt + operation_digest + view_hash, "sha256")
    bits = int.from_bytes(mac[:4], "big") >> 2
    code = "".join(ALPHABET[bits >> shift & 31] for shift in range(5 * (LENGTH - 1), -1, -5))
    return f"{code[:3]}-{code[3:]}"


def check_match_code(expected: str, typed: str, /) -> None:
    """Raises FactorRejected("match_code.rejected") unless `typed` is `expected`, whatever its case, spaces, hyphens.

    ASCII only and no look-alike is forgiven: a person copies the code from the line above. Constant time.
    """
    if len(typed) > 32 or not typed.isascii():
        raise FactorRejected("match_code.rejected")
    if not hmac.compare_digest(_bare(expected), _bare(typed)):
        raise FactorRejected("match_code.rejected")


def _bare(code: str) -> bytes:
    return code.upper().replace(" ", "").replace("-", "").encode("ascii")
