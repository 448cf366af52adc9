"""Addresses that a payee should not have: nobody's, and those that look like a known one. Threat: T-021, T-025."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from mcp_wallet_guard.operations.values import Address

_RESERVED_LIMIT: Final = 2**16
_BURN: Final = frozenset(
    {
        0x000000000000000000000000000000000000DEAD,
        0xDEAD000000000000000000000000000000000000,
        0xDEADDEADDEADDEADDEADDEADDEADDEADDEADDEAD,
        0xEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEE,
        0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF,
    }
)

NOBODYS: Final = {
    "payee.zero": "The payee is the zero address. What is sent there is lost.",
    "payee.reserved": "The payee is an address of the chain itself, not a person's. What is sent there is lost.",
    "payee.burn": "The payee is a burn address. What is sent there is lost.",
}
"""Code -> the sentence for a person."""


BLOCKED: Final = "list.blocked"
BLOCKED_TEXT: Final = "{address} is on your list of blocked addresses."


def nobodys(address: Address, /) -> Literal["payee.zero", "payee.reserved", "payee.burn"] | None:
    """Why nobody can hold the key of `address`, or None.

    Reserved are all addresses below 2**16, where precompiled contracts live (EIP-1352).
    """
    number = int.from_bytes(address.raw, "big")
    if number == 0:
        return "payee.zero"
    if number in _BURN:
        return "payee.burn"
    return "payee.reserved" if number < _RESERVED_LIMIT else None


def imitated(address: Address, known: Iterable[tuple[str, Address]], /) -> str | None:
    """The name of the first known address that `address` looks like, and is not: the same four hex digits at its
    beginning and at its end, which is all that most people compare. Threat: T-021, T-025."""
    compared = ends(address)
    others = [(name, other) for name, other in known if ends(other) == compared]
    if any(other == address for _, other in others):
        return None
    return others[0][0] if others else None


def ends(address: Address, /) -> tuple[str, str]:
    """The four hex digits at each end of an address, in lower case: what most people compare."""
    digits = address.value[2:].lower()
    return digits[:4], digits[-4:]
