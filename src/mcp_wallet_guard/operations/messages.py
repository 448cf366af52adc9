"""personal_sign: the hash of a message, and what kind of bytes the message is.

There is no eth_sign here: a signature over bare 32 bytes is one over anything, a transaction among them. With the
prefix no message can be a transaction or typed data; but some contracts accept the prefixed signature of a hash in the
place of what it is the hash of, so a hash in disguise is told apart. Source: EIP-191, version 0x45. Threat: T-034.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations.values import keccak256

MAX_BYTES: Final = 65_536
_PREFIX: Final = b"\x19Ethereum Signed Message:\n"
_HASH_TEXT: Final = re.compile(rb"\s*(?:0[xX])?[0-9a-fA-F]{64}\s*")


class MessageForm(StrEnum):
    """What the bytes of a message look like."""

    TEXT = "text"
    """UTF-8 without control characters other than tab, line feed and carriage return."""
    BINARY = "binary"
    HASH = "hash"
    """32 bytes: whoever asks can know what they are the hash of, a person cannot. Text of that length is no exception:
    a hash that reads as text can be searched for."""
    HASH_TEXT = "hash_text"
    """The 64 hex digits of 32 bytes, blanks around them or not."""
    PREFIXED = "prefixed"
    """It begins with byte 0x19, as the input of a signing hash does: made to look signed for something else."""


def signing_hash(message: bytes, /) -> bytes:
    """The 32 bytes that personal_sign signs. Raises InvalidInput("invalid_input.message") beyond 64 KiB."""
    check_message(message)
    return keccak256(_PREFIX + str(len(message)).encode("ascii") + message)


def check_message(message: object, /) -> bytes:
    """`message`, which is at most 64 KiB of bytes. Raises InvalidInput("invalid_input.message")."""
    if type(message) is not bytes or len(message) > MAX_BYTES:
        raise InvalidInput("invalid_input.message", detail="a message is at most 65,536 bytes")
    return message


def form_of(message: bytes, /) -> MessageForm:
    """What `message` looks like; a hash comes first."""
    if len(message) == 32:
        return MessageForm.HASH
    if _HASH_TEXT.fullmatch(message) is not None:
        return MessageForm.HASH_TEXT
    if message[:1] == b"\x19":
        return MessageForm.PREFIXED
    return MessageForm.BINARY if text_of(message) is None else MessageForm.TEXT


def text_of(message: bytes, /) -> str | None:
    """The text that `message` is, None when it is not UTF-8 or has control characters that no text has."""
    try:
        text = message.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if any(c < " " and c not in "\t\n\r" for c in text) or "\x7f" in text else text
