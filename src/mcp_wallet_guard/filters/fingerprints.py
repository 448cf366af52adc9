"""Keyed fingerprints of the vault's own secrets: recognise a secret without holding it.

`FingerprintSet` is a value that may travel to the MCP server and be kept while the vault is locked: BLAKE2b digests
under a random key. For secrets of 128 bits or more a digest and its key tell an attacker nothing. To be fast the set
also holds a 16-bit mark per entry; that much of each entry it does disclose, which leaves a 128-bit secret with at
least 96 unknown bits. Secrets below 128 bits are refused: a digest of those could be searched.
Threat: T-057, T-061.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, final

from mcp_wallet_guard.errors import InvalidInput

DIGEST_BYTES: Final = 16
KEY_BYTES: Final = 32
MIN_SECRET_BYTES: Final = 16
MAX_SECRET_BYTES: Final = 1024
WINDOW_WORDS: Final = 8
"""Words of a recovery phrase that are recognised when they stand together: 88 bits, too many to search."""

PREFIX_LETTERS: Final = 4
"""BIP-39 words differ in their first four letters, so shortened words are recognised like whole ones."""

_MIN_PHRASE_WORDS: Final = 12


@final
@dataclass(frozen=True, slots=True)
class FingerprintSet:
    """`key` (32 bytes) and what recognises the protected byte strings. Empty before the first unlock.

    `digests` are of byte strings of the sizes in `lengths` and of `phrase_entry` texts. `marks` are the `mark_of` of
    the byte strings and only make the search faster: without any, every place is looked at.
    """

    key: bytes = b""
    digests: frozenset[bytes] = frozenset()
    lengths: frozenset[int] = frozenset()
    marks: frozenset[tuple[int, int]] = frozenset()

    def contains(self, candidate: bytes, /) -> bool:
        """Whether `candidate` is a protected byte string."""
        if len(candidate) not in self.lengths:
            return False
        return fingerprint(candidate, key=self.key) in self.digests

    def contains_words(self, words: Sequence[str], /) -> bool:
        """Whether `words`, as `plain_word` gives them, are eight words of a protected phrase or all of it in one."""
        return fingerprint(phrase_entry(words), key=self.key) in self.digests

    @property
    def empty(self) -> bool:
        """Whether it recognises nothing."""
        return not self.digests


def build(secrets: Iterable[bytes], /, *, key: bytes) -> FingerprintSet:
    """A set that recognises `secrets`, each of 16 to 1024 bytes, under a random `key` of 32 bytes.

    Of raw bytes it stores the first 16 of each of these: the value, its bytes reversed (little-endian), its nibbles
    reversed (hex read backwards), and the two halves of a secret of 32 bytes or more. Text of 12 words or more is taken
    as a recovery phrase: each window of 8 words in both directions, and the phrase without spaces.
    Raises InvalidInput for a shorter or longer secret or a key of another size.
    """
    if len(key) != KEY_BYTES:
        raise InvalidInput(detail="a fingerprint key has 32 bytes")
    raw: set[bytes] = set()
    phrases: set[bytes] = set()
    for secret in secrets:
        if not MIN_SECRET_BYTES <= len(secret) <= MAX_SECRET_BYTES:
            raise InvalidInput(detail="a secret of this size cannot be fingerprinted")
        words = _phrase(secret)
        if words is None:
            raw.update(_forms(bytes(secret)))
        else:
            phrases.update(phrase_entry(form) for form in _windows(words))
    return FingerprintSet(
        key=key,
        digests=frozenset(fingerprint(entry, key=key) for entry in raw | phrases),
        lengths=frozenset(len(entry) for entry in raw),
        marks=frozenset(mark_of(entry) for entry in raw),
    )


def fingerprint(data: bytes, /, *, key: bytes) -> bytes:
    """The 16-byte keyed digest of `data`."""
    state = _keyed(key).copy()
    state.update(data)
    return state.digest()


@lru_cache(maxsize=4)
def _keyed(key: bytes) -> hashlib.blake2b:
    return hashlib.blake2b(key=key, digest_size=DIGEST_BYTES)


def mark_of(entry: bytes, /) -> tuple[int, int]:
    """The 16 bits of `entry` by which a scan finds the places that are worth a digest."""
    return entry[0] ^ entry[1], entry[2] ^ entry[3]


def plain_word(word: str, /) -> str:
    """`word` in lower case and NFKD."""
    return word.lower() if word.isascii() else unicodedata.normalize("NFKD", word).lower()


def phrase_entry(words: Sequence[str], /) -> bytes:
    """What is digested for `words`, given as `plain_word`s: the first four letters of each; a lone word stays whole."""
    if len(words) == 1:
        return words[0].encode()
    return " ".join([word[:PREFIX_LETTERS] for word in words]).encode()


def to_json(fingerprints: FingerprintSet, /) -> dict[str, Any]:
    """A JSON object from which `from_json` makes an equal set."""
    return {
        "v": 1,
        "key": fingerprints.key.hex(),
        "digests": sorted(digest.hex() for digest in fingerprints.digests),
        "lengths": sorted(fingerprints.lengths),
        "marks": sorted(first << 8 | second for first, second in fingerprints.marks),
    }


def from_json(data: object, /) -> FingerprintSet:
    """Strict inverse of `to_json`. Raises InvalidInput for anything else."""
    match data:
        case {
            "v": 1,
            "key": str(key),
            "digests": list(digests),
            "lengths": list(lengths),
            "marks": list(marks),
            **rest,
        }:
            pass
        case _:
            raise InvalidInput(detail="not a fingerprint set")
    if rest:
        raise InvalidInput(detail="not a fingerprint set of this version")
    if not all(type(n) is int and MIN_SECRET_BYTES <= n <= MAX_SECRET_BYTES for n in lengths):
        raise InvalidInput(detail="fingerprint lengths out of range")
    if not all(type(n) is int and 0 <= n < 1 << 16 for n in marks):
        raise InvalidInput(detail="fingerprint marks out of range")
    made = FingerprintSet(
        key=_unhex(key, size=len(key) // 2),
        digests=frozenset(_unhex(digest, size=DIGEST_BYTES) for digest in digests),
        lengths=frozenset(lengths),
        marks=frozenset((n >> 8, n & 255) for n in marks),
    )
    if len(made.key) not in {0, KEY_BYTES} or (not made.key and not made.empty):
        raise InvalidInput(detail="a fingerprint key has 32 bytes")
    if made.marks and not made.lengths:
        raise InvalidInput(detail="marks of nothing")
    return made


def _forms(secret: bytes) -> Iterator[bytes]:
    parts = [secret]
    if len(secret) >= 2 * MIN_SECRET_BYTES:
        half = len(secret) // 2
        parts += [secret[:half], secret[half:]]
    for part in parts:
        # 128 bits are certain, and one length costs one digest where four lengths cost four.
        yield part[:MIN_SECRET_BYTES]
        yield part[::-1][:MIN_SECRET_BYTES]
        yield bytes.fromhex(part.hex()[::-1])[:MIN_SECRET_BYTES]


def _phrase(secret: bytes) -> list[str] | None:
    try:
        words = [plain_word(word) for word in secret.decode("utf-8").split()]
    except UnicodeDecodeError:
        return None
    letters = all(unicodedata.category(c)[0] in "LM" for word in words for c in word)
    return words if letters and len(words) >= _MIN_PHRASE_WORDS else None


def _windows(words: list[str]) -> Iterator[list[str]]:
    for start in range(len(words) - WINDOW_WORDS + 1):
        window = words[start : start + WINDOW_WORDS]
        yield window
        yield window[::-1]
    yield ["".join(words)]


def _unhex(text: object, *, size: int) -> bytes:
    if type(text) is not str or len(text) != 2 * size or not set(text) <= set("0123456789abcdef"):
        raise InvalidInput(detail="not hex of the right size")
    return bytes.fromhex(text)
