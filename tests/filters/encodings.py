"""Every way to write down bytes that the outbound filter must read."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Final

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


def base58(data: bytes) -> str:
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = _BASE58[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def base58check(data: bytes) -> str:
    return base58(data + hashlib.sha256(hashlib.sha256(data).digest()).digest()[:4])


def extended_key(key: bytes) -> str:
    """BIP-32's serialisation of a private key, with a chain code that is none of the secret."""
    return base58check(bytes.fromhex("0488ade4") + bytes(9) + hashlib.sha256(b"chain code").digest() + b"\0" + key)


def bech32(prefix: str, data: bytes) -> str:
    """BIP-173, as Nostr writes its keys."""
    bits = "".join(f"{byte:08b}" for byte in data)
    bits += "0" * (-len(bits) % 5)
    values = [int(bits[i : i + 5], 2) for i in range(0, len(bits), 5)]
    check = _polymod([ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix] + values + [0] * 6) ^ 1
    return prefix + "1" + "".join(_BECH32[v] for v in values + [check >> 5 * (5 - i) & 31 for i in range(6)])


def _polymod(values: list[int]) -> int:
    check = 1
    for value in values:
        top, check = check >> 25, (check & 0x1FFFFFF) << 5 ^ value
        for place, generator in enumerate(_GENERATORS):
            check ^= generator if top >> place & 1 else 0
    return check


def _full_width(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) for c in text)


ENCODINGS: Final[dict[str, Callable[[bytes], object]]] = {
    "hex": lambda s: s.hex(),
    "hex upper": lambda s: s.hex().upper(),
    "hex 0x": lambda s: "0x" + s.hex(),
    "hex in calldata": lambda s: "0xa9059cbb" + "00" * 12 + s.hex() + "ff" * 20,
    "hex off by a nibble": lambda s: "f" + s.hex() + "ab",
    "hex with colons": lambda s: s.hex(":"),
    "hex with spaces": lambda s: s.hex(" "),
    "hex in groups of eight": lambda s: s.hex("-", 4),
    "hex bytes with 0x": lambda s: ", ".join(f"0x{b:02x}" for b in s),
    "hex over lines": lambda s: "\n".join(s.hex()[i : i + 16] for i in range(0, 64, 16)),
    "hex zero width": lambda s: "\u200b".join(s.hex()),
    "hex of hex": lambda s: s.hex().encode().hex(),
    "hex of hex of hex": lambda s: s.hex().encode().hex().encode().hex(),
    "hex read backwards": lambda s: s.hex()[::-1],
    "little-endian": lambda s: s[::-1].hex(),
    "base64": lambda s: base64.b64encode(s).decode(),
    "base64 no padding": lambda s: base64.b64encode(s).decode().rstrip("="),
    "base64 url-safe": lambda s: base64.urlsafe_b64encode(s).decode(),
    "base64 read backwards": lambda s: base64.b64encode(s).decode()[::-1],
    "base64 inside more": lambda s: base64.b64encode(b"key=" + s + b";more text here").decode(),
    "base64 over lines": lambda s: "\n".join(base64.b64encode(s).decode()[i : i + 11] for i in range(0, 44, 11)),
    "base64 of hex": lambda s: base64.b64encode(s.hex().encode()).decode(),
    "base64 of base64": lambda s: base64.b64encode(base64.b64encode(s)).decode(),
    "base64 of json": lambda s: base64.b64encode(json.dumps({"k": s.hex()}).encode()).decode(),
    "base32": lambda s: base64.b32encode(s).decode(),
    "base32 lower no padding": lambda s: base64.b32encode(s).decode().lower().rstrip("="),
    "base32 in groups": lambda s: " ".join(
        base64.b32encode(s).decode().rstrip("=")[i : i + 4] for i in range(0, 52, 4)
    ),
    "base58": base58,
    "base58 read backwards": lambda s: base58(s)[::-1],
    "base58 with a version": lambda s: base58(b"\x80" + s + b"\x01" + b"abcd"),
    "wallet import format": lambda s: base58check(b"\x80" + s + b"\x01"),
    "extended key": extended_key,
    "bech32": lambda s: bech32("nsec", s),
    "bech32 upper in prose": lambda s: f"The key is {bech32('nsec', s).upper()}, keep it.",
    "bech32 over lines": lambda s: "\n".join(bech32("nsec", s)[i : i + 16] for i in range(0, 64, 16)),
    "decimal": lambda s: str(int.from_bytes(s, "big")),
    "decimal grouped": lambda s: f"{int.from_bytes(s, 'big'):,}",
    "decimal little-endian": lambda s: str(int.from_bytes(s, "little")),
    "json number": lambda s: int.from_bytes(s, "big"),
    "int array": list,
    "int array as text": lambda s: str(list(s)),
    "int array signed": lambda s: [b - 256 if b > 127 else b for b in s],
    "int object": lambda s: {str(i): b for i, b in enumerate(s)},
    "int object as text": lambda s: json.dumps({str(i): b for i, b in enumerate(s)}),
    "bytes literal": repr,
    "bytearray literal": lambda s: repr(bytearray(s)),
    "latin-1": lambda s: s.decode("latin-1"),
    "percent": lambda s: "".join(f"%{b:02X}" for b in s),
    "percent of hex": lambda s: "".join(f"%{ord(c):02x}" for c in s.hex()),
    "percent twice": lambda s: "".join(f"%25{b:02X}" for b in s),
    "backslash x": lambda s: "".join(f"\\x{b:02x}" for b in s),
    "backslash x of hex": lambda s: "".join(f"\\x{ord(c):02x}" for c in s.hex()),
    "backslash u": lambda s: "".join(f"\\u{b:04x}" for b in s),
    "backslash u of hex": lambda s: "".join(f"\\u{ord(c):04x}" for c in s.hex()),
    "html entities": lambda s: "".join(f"&#x{ord(c):x};" for c in s.hex()),
    "octal": lambda s: "".join(f"\\{b:03o}" for b in s),
    "full width": lambda s: _full_width(s.hex()),
    "full width escaped twice": lambda s: json.dumps(json.dumps(_full_width(s.hex()))),
    "full width percent": lambda s: "".join(f"%{b:02X}" for b in _full_width(s.hex()).encode()),
    "mathematical": lambda s: "".join(chr(0x1D7F6 + int(c)) if c.isdigit() else c for c in s.hex()),
    "cyrillic look-alikes": lambda s: s.hex().translate(str.maketrans("aec", "аес")),  # noqa: RUF001
    "json in json": lambda s: json.dumps({"a": json.dumps({"b": [s.hex()]})}),
    "split over fields": lambda s: {"a": s.hex()[:20], "b": {"c": s.hex()[20:40]}, "d": [s.hex()[40:]]},
    "first half": lambda s: s[:16].hex(),
    "second half in base64": lambda s: base64.b64encode(s[16:]).decode(),
    "object key": lambda s: {s.hex(): 1},
    "data url": lambda s: "data:application/octet-stream;base64," + base64.b64encode(s).decode(),
    "in prose": lambda s: f"The signing key is {s.hex()}, keep it.",
}
"""Name -> what writes 32 bytes that way, as a JSON value."""
