"""Ceilings of a descriptor, which is somebody's file, and the one error that all of this room raises.

Each is several times what the largest of 365 public descriptors needs. Threat: T-033.
"""

from __future__ import annotations

from typing import Final, NoReturn

from mcp_wallet_guard.errors import InvalidInput

MAX_BYTES: Final = 4_194_304
"""Of one file."""
MAX_DEPTH: Final = 48
"""Of JSON, includes merged."""
MAX_INCLUDES: Final = 8
"""Files that one descriptor is made of."""
MAX_FORMATS: Final = 512
MAX_FIELDS: Final = 512
"""Of one format, in all its groups."""
MAX_GROUPS: Final = 8
"""Groups within groups."""
MAX_DEPLOYMENTS: Final = 8192
MAX_ENTRIES: Final = 4096
"""Of one map, enumeration or list of constants."""
MAX_ALIASES: Final = 64
"""Addresses that stand for the sender, or for the chain's currency."""
MAX_TEXT: Final = 4096
"""Characters of any one text."""
MAX_STEPS: Final = 32
"""Of a path."""
MAX_SHOWN: Final = 1024
"""Values that one rendering shows, nested calls included."""
MAX_CHARACTERS: Final = 1_048_576
"""Of all the values that one rendering shows."""
MAX_HIDDEN: Final = 512
"""Values that a descriptor leaves out and a rendering lists nevertheless."""
MAX_VISITS: Final = 32_768
"""Values that the paths of one rendering touch."""
FIELD_VISITS: Final = 8
"""What a field or a group costs of them, whatever it shows."""
MAX_NESTED: Final = 4
"""Calls within calls that descriptors show."""

INTENT_LIMIT: Final = 80
LABEL_LIMIT: Final = 60
NAME_LIMIT: Final = 40
SENTENCE_LIMIT: Final = 400
"""Columns of the texts that a descriptor writes; a longer sentence with values in it is not used."""


def refuse(detail: str, /) -> NoReturn:
    """Raises InvalidInput("invalid_input.descriptor"); `detail` is ours and for the operator's log."""
    raise InvalidInput("invalid_input.descriptor", detail=detail)
