"""What a signer is.

A signer is not trusted: what it returns is checked by `signers.check` before anything leaves. It accepts a
`Signable` and nothing else, so it cannot be asked to sign what nobody approved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, final

if TYPE_CHECKING:
    from mcp_wallet_guard.operations.values import Address
    from mcp_wallet_guard.proofs import Signable


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SignerInfo:
    """Whose key it is, where it is, and whether a person can read the operation on the device itself."""

    address: Address
    kind: str
    can_display: bool


class Signer(Protocol):
    """Holds one key, or knows the device that does."""

    @property
    def info(self) -> SignerInfo:
        """Fixed for the signer's life."""
        ...

    async def sign(self, signable: Signable, /) -> bytes:
        """r, s and the y parity (0 or 1) over ``signable.signing_hashes[0]``: 32 + 32 + 1 bytes.

        Raises TypeError for anything but a Signable, Locked when the key is not at hand, Tampered when the operation
        belongs to another account.
        """
        ...
