"""Private child keys. Source: BIP-32, CKDpriv; test vectors 1 to 4 of the same document.

Only what a wallet needs to sign: no extended key is ever serialised, so none can leak (Threat: T-063). HMAC results
are `bytes` of Python that cannot be wiped; they are out of reach when `derive` returns.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final

from mcp_wallet_guard.secret import Secret

if TYPE_CHECKING:
    from mcp_wallet_guard.keys.curve import Curve
    from mcp_wallet_guard.keys.extended_key import ExtendedKey

HARDENED: Final = 2**31


def derive(seed: Secret, path: tuple[int, ...], /, *, curve: Curve) -> Secret:
    """The 32-byte key at `path`, from the master of `seed`. Add `HARDENED` for a primed step.

    Raises ValueError where BIP-32 calls a key invalid: it does not move on to a neighbour without a word.
    """
    *above, key = lineage(seed, path, curve=curve)
    for parent in above:
        parent.wipe()
    return key


def lineage(seed: Secret, path: tuple[int, ...], /, *, curve: Curve) -> tuple[Secret, ...]:
    """The keys of every level, from the master to `path`: with its chain code each gives all below. Raises as
    `derive`. The caller wipes them."""
    with seed.reveal() as view:
        key, chain_code = _split(hmac.digest(b"Bitcoin seed", view, "sha512"))
    return _descent(key, chain_code, path, curve)


def derive_below(parent: ExtendedKey, path: tuple[int, ...], /, *, curve: Curve) -> Secret:
    """The 32-byte key at `path` below an extended key, which stays as it is. Raises as `derive`."""
    with parent.key.reveal() as view:
        start = Secret(view)
    *above, key = _descent(start, parent.chain_code, path, curve)
    for each in above:
        each.wipe()
    return key


def _descent(key: Secret, chain_code: bytes, path: tuple[int, ...], curve: Curve) -> tuple[Secret, ...]:
    keys = [key]
    try:
        for step in path:
            key, chain_code = _child(key, chain_code, step, curve)
            keys.append(key)
        curve.public_key(key)  # also the check that the master itself is a valid scalar
    except BaseException:
        for each in keys:
            each.wipe()
        raise
    return tuple(keys)


def _child(parent: Secret, chain_code: bytes, step: int, curve: Curve) -> tuple[Secret, bytes]:
    data = bytearray()
    if step >= HARDENED:
        with parent.reveal() as view:
            data += b"\x00"
            data += view
    else:
        point = curve.public_key(parent)
        data += bytes([2 + point[64] % 2]) + point[1:33]
    data += step.to_bytes(4, "big")
    tweak, child_code = _split(hmac.digest(chain_code, data, "sha512"))
    data[:] = bytes(len(data))
    try:
        return curve.add(parent, tweak), child_code
    finally:
        tweak.wipe()


def _split(digest: bytes) -> tuple[Secret, bytes]:
    with memoryview(digest) as view:
        return Secret(view[:32]), digest[32:]
