"""What a caller sends is looked at before it is logged, stored or shown: sizes, and the vault's own secrets.

A secret in an argument has already been in a model's context. It is refused, not recorded, and its owner is told to
replace it. Threat: T-002, T-005, T-106.
"""

from __future__ import annotations

from typing import Final

from mcp_wallet_guard.errors import InvalidInput, Tampered
from mcp_wallet_guard.filters.fingerprints import FingerprintSet
from mcp_wallet_guard.filters.outbound import search

MAX_CHARACTERS: Final = 128 * 1024
MAX_ITEMS: Final = 8192
MAX_DEPTH: Final = 16
_LISTS: Final = (list, tuple)


def check_arguments(arguments: object, /, *, fingerprints: FingerprintSet) -> None:
    """Raises InvalidInput: `invalid_input.size` above 128 Ki characters, 8,192 items or 16 levels, and
    `invalid_input.secret` when the arguments hold a secret of the vault or cannot be searched."""
    check_size(arguments)
    check_secrets(arguments, fingerprints=fingerprints)


def check_secrets(arguments: object, /, *, fingerprints: FingerprintSet) -> None:
    """The other part of `check_arguments`, for what passed `check_size` before."""
    try:
        search(arguments, fingerprints=fingerprints)
    except Tampered as error:
        raise InvalidInput("invalid_input.secret", detail=error.detail) from None


def check_size(arguments: object, /) -> None:
    """The size part of `check_arguments`; it needs no fingerprints."""
    if type(arguments) is dict and all(type(key) is type(value) is str for key, value in arguments.items()):
        # Most calls: a few texts under a few names.
        if len(arguments) >= MAX_ITEMS or sum(map(len, arguments)) + sum(map(len, arguments.values())) > MAX_CHARACTERS:
            raise InvalidInput("invalid_input.size")
        return
    characters = items = depth = 0
    level = [arguments]
    while level:
        items += len(level)
        below: list[object] = []
        for value in level:
            if isinstance(value, str):
                characters += len(value)
            elif isinstance(value, dict):
                for key in value:
                    if isinstance(key, str):
                        characters += len(key)
                below.extend(value.values())
            elif isinstance(value, int):
                characters += value.bit_length() // 3
            elif isinstance(value, _LISTS):
                below.extend(value)
            if characters > MAX_CHARACTERS or items + len(below) > MAX_ITEMS or depth > MAX_DEPTH:
                raise InvalidInput("invalid_input.size")
        level = below
        depth += 1
