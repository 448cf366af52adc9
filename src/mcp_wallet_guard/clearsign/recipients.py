"""Addresses that nobody owns: what is sent there is lost. Threat: T-025."""

from __future__ import annotations

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
