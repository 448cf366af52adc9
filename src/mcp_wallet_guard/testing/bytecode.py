"""An assembler for the small contracts of private chains, so that no compiler is needed."""

from __future__ import annotations

from typing import Final

from mcp_wallet_guard.operations.values import keccak256

_OPCODES: Final = {
    "ADD": 0x01, "MUL": 0x02, "SUB": 0x03, "LT": 0x10, "EQ": 0x14, "SHR": 0x1C, "KECCAK256": 0x20, "CALLER": 0x33,
    "CALLDATALOAD": 0x35, "CODECOPY": 0x39, "MLOAD": 0x51, "MSTORE": 0x52, "SLOAD": 0x54, "SSTORE": 0x55,
    "JUMP": 0x56, "JUMPI": 0x57, "JUMPDEST": 0x5B, "DUP1": 0x80, "DUP2": 0x81, "SWAP1": 0x90, "LOG3": 0xA3,
    "RETURN": 0xF3, "REVERT": 0xFD,
}  # fmt: skip


def assembled(source: str, numbers: dict[str, int], /) -> bytes:
    """Bytes of words: opcodes, numbers, ``@label``, ``:label``, ``{signature}`` of a function, ``#signature`` of an
    event."""
    code, labels, uses = bytearray(), dict[str, int](), list[tuple[int, str]]()
    for word in source.split():
        if word in _OPCODES:
            code.append(_OPCODES[word])
        elif word[0] == ":":
            labels[word[1:]] = len(code)
            code.append(_OPCODES["JUMPDEST"])
        elif word[0] == "@":
            code.append(_push(2))
            uses.append((len(code), word[1:]))
            code += bytes(2)
        else:
            value = _value(word, numbers)
            code += bytes([_push(len(value))]) + value
    for at, label in uses:
        code[at : at + 2] = labels[label].to_bytes(2)
    return bytes(code)


def _value(word: str, numbers: dict[str, int]) -> bytes:
    if word[0] == "{":
        return keccak256(word[1:-1].encode("ascii"))[:4]
    if word[0] == "#":
        return keccak256(word[1:].encode("ascii"))
    number = numbers[word] if word in numbers else int(word)
    return number.to_bytes(max(1, (number.bit_length() + 7) // 8))


def _push(size: int) -> int:
    return 0x5F + size
