"""Pairing: a browser that the owner let in once, for twelve hours.

The token is the cookie's value and exists nowhere else; the store keeps its HMAC under a vault-derived key. A pairing
lets a browser see and answer requests; it stands for nobody, so each payment still takes match code and factor.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from collections.abc import Callable
from typing import Final

from mcp_wallet_guard.errors import FactorRejected, Misconfigured
from mcp_wallet_guard.evidence import PairingRow
from mcp_wallet_guard.secret import Secret

PAIRING_SECONDS: Final = 12 * 3600
TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_STORE_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TAG: Final = b"mcp-wallet-guard/pairing/v1\x00"


def new_token(entropy: Callable[[int], bytes] = secrets.token_bytes, /) -> str:
    """A fresh pairing token: 256 bits, URL-safe base64 without padding."""
    return urlsafe(entropy(32))


def token_hash(key: Secret, token: str, /) -> str:
    """HMAC-SHA256 of the token, 64 hex digits: what the store keeps.

    Raises FactorRejected("pairing.required") for text that cannot be a token.
    """
    if TOKEN.fullmatch(token) is None:
        raise FactorRejected("pairing.required")
    with key.reveal() as raw:
        return hmac.digest(bytes(raw), _TAG + token.encode("ascii"), "sha256").hex()


def new_pairing(key: Secret, /, *, now: int) -> tuple[str, PairingRow]:
    """A token for the browser and the row for the store; it ends twelve hours after `now`."""
    token = new_token()
    return token, PairingRow(token_hash=token_hash(key, token), expires_at=now + PAIRING_SECONDS)


def check_pairing(row: PairingRow | None, /, *, now: int) -> None:
    """Raises FactorRejected("pairing.required") when there is no such pairing or it ended."""
    if row is None or now >= row.expires_at:
        raise FactorRejected("pairing.required")


def cookie_name(store_id: str, /) -> str:
    """The pairing cookie's name. It carries the store's id, since cookies of one host are shared by all its ports.

    Raises Misconfigured when the id has characters that a cookie's name may not have.
    """
    if _STORE_ID.fullmatch(store_id) is None:
        raise Misconfigured("misconfigured", detail="the store's id does not fit a cookie's name")
    return f"wallet-guard-{store_id}"


def urlsafe(raw: bytes, /) -> str:
    """URL-safe base64 without padding. Source: RFC 4648 section 5."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
