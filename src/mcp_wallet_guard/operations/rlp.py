"""Canonical RLP, encode and decode: one byte string per value, nothing else accepted.

Source: Ethereum yellow paper, appendix B. Written here because what is signed must be parsed by code that refuses
every second spelling of the same value: long forms of short lengths, leading zeros, single bytes with a prefix,
trailing bytes.
"""

from __future__ import annotations

from typing import Final

from mcp_wallet_guard.errors import InvalidInput

Item = bytes | list["Item"]

MAX_BYTES: Final = 131_072
MAX_DEPTH: Final = 8


def encode(item: Item, /) -> bytes:
    """The canonical encoding of a byte string or a (nested) list of them."""
    if isinstance(item, bytes):
        return _string(item)
    body = b"".join([_string(child) if isinstance(child, bytes) else encode(child) for child in item])
    return _head(0xC0, len(body)) + body


def encode_int(value: int, /) -> bytes:
    """A non-negative int as the shortest big-endian byte string; zero is empty."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def decode(data: bytes, /) -> Item:
    """The one value that `data` encodes. Raises InvalidInput("invalid_input.transaction") for anything else."""
    if not 0 < len(data) <= MAX_BYTES:
        raise InvalidInput("invalid_input.transaction")
    item, end = _read(data, 0, len(data), MAX_DEPTH)
    if end != len(data):
        raise InvalidInput("invalid_input.transaction")
    return item


def decode_int(item: Item, /, *, limit: int) -> int:
    """A canonical int, 0 <= value <= limit."""
    if not isinstance(item, bytes) or (item and item[0] == 0) or len(item) > 32:
        raise InvalidInput("invalid_input.transaction")
    value = int.from_bytes(item, "big")
    if value > limit:
        raise InvalidInput("invalid_input.transaction")
    return value


def decode_bytes(item: Item, /, *, size: int | None = None) -> bytes:
    """A byte string, of `size` bytes where that is given."""
    if not isinstance(item, bytes) or size not in {None, len(item)}:
        raise InvalidInput("invalid_input.transaction")
    return item


def decode_list(item: Item, /, *, most: int, least: int = 0) -> list[Item]:
    """A list of `least` to `most` items."""
    if not isinstance(item, list) or not least <= len(item) <= most:
        raise InvalidInput("invalid_input.transaction")
    return item


_HEADS: Final = tuple(bytes([first]) for first in range(256))


def _string(item: bytes) -> bytes:
    if len(item) == 1 and item[0] < 0x80:
        return item
    return _head(0x80, len(item)) + item


def _head(offset: int, length: int) -> bytes:
    if length < 56:
        return _HEADS[offset + length]
    size = encode_int(length)
    return bytes([offset + 55 + len(size)]) + size


def _read(data: bytes, at: int, end: int, depth: int) -> tuple[Item, int]:
    first = data[at]
    if first < 0x80:
        return data[at : at + 1], at + 1
    if first < 0xB8:  # a short string, as most fields are
        stop = at + first - 0x7F
        if stop > end or (first == 0x81 and data[at + 1] < 0x80):
            raise InvalidInput("invalid_input.transaction")
        return data[at + 1 : stop], stop
    is_list = first >= 0xC0
    start, stop = _span(data, at, end, first - (0xC0 if is_list else 0x80))
    if not is_list:
        return data[start:stop], stop
    if depth == 0:
        raise InvalidInput("invalid_input.transaction")
    items: list[Item] = []
    while start < stop:
        item, start = _read(data, start, stop, depth - 1)
        items.append(item)
    return items, stop


def _span(data: bytes, at: int, end: int, code: int) -> tuple[int, int]:
    """First and last-plus-one index of the payload whose head byte stands at `at`."""
    start = at + 1
    length = code
    if code > 55:
        width = code - 55
        raw = data[start : start + width]
        if start + width > end or raw[0] == 0:
            raise InvalidInput("invalid_input.transaction")
        start += width
        length = int.from_bytes(raw, "big")
        if length < 56:
            raise InvalidInput("invalid_input.transaction")
    if start + length > end:
        raise InvalidInput("invalid_input.transaction")
    return start, start + length
