"""BIP-39 words and checksums, pure. Secrets live elsewhere; this file only translates.

Errors say *where* a phrase is wrong and never repeat a word of it (Threat: T-057). The language is asked for, never
guessed: English and French share 100 words. Source: BIP-39; lists from `mnemonic`, each pinned by its hash.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Final

from mnemonic import Mnemonic

from mcp_wallet_guard.errors import InvalidInput, Misconfigured

ENTROPY_BYTES: Final = (16, 20, 24, 28, 32)
"""Sizes of entropy; three words for each four bytes."""

LIST_SHA256: Final[dict[str, str]] = {
    "chinese_simplified": "5c5942792bd8340cb8b27cd592f1015edf56a8c5b26276ee18a482428e7c5726",
    "chinese_traditional": "417b26b3d8500a4ae3d59717d7011952db6fc2fb84b807f3f94ac734e89c1b5f",
    "czech": "7e80e161c3e93d9554c2efb78d4e3cebf8fc727e9c52e03b83b94406bdcc95fc",
    "english": "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda",
    "french": "ebc3959ab7801a1df6bac4fa7d970652f1df76b683cd2f4003c941c63d517e59",
    "italian": "d392c49fdb700a24cd1fceb237c1f65dcc128f6b34a8aacb58b59384b5c648c2",
    "japanese": "2eed0aef492291e061633d7ad8117f1a2b03eb80a29d0e4e3117ac2528d05ffd",
    "korean": "9e95f86c167de88f450f0aaf89e87f6624a57f973c67b516e338e8e8b8897f60",
    "portuguese": "2685e9c194c82ae67e10ba59d9ea5345a23dc093e92276fc5361f6667d79cd3f",
    "spanish": "46846a5a0139d1e3cb77293e521c2865f7bcdb82c44e8d0a06a2cd0ecba48c0b",
}
"""Language -> SHA-256 of its 2048 words, each followed by a newline, in UTF-8."""

_MAX_TEXT: Final = 2048
_IDEOGRAPHIC_SPACE: Final = "\u3000"
_ACCENTS_DO_NOT_MATTER: Final = frozenset({"french", "spanish"})


@cache
def word_list(language: str, /) -> tuple[str, ...]:
    """The 2048 words in their order, NFKD. Raises InvalidInput for an unknown language, Misconfigured when the
    installed list is not the one that this version was made with."""
    if language not in LIST_SHA256:
        raise InvalidInput("invalid_input.mnemonic", detail="there is no word list of this name")
    words = tuple(Mnemonic(language).wordlist)
    if hashlib.sha256("".join(f"{word}\n" for word in words).encode()).hexdigest() != LIST_SHA256[language]:
        raise Misconfigured(detail=f"the installed {language} word list is not the BIP-39 one")
    return words


def words_for(entropy: bytes | bytearray | memoryview, /, *, language: str) -> tuple[str, ...]:
    """12, 15, 18, 21 or 24 words. Raises InvalidInput for another size of entropy."""
    if len(entropy) not in ENTROPY_BYTES:
        raise InvalidInput("invalid_input.mnemonic", detail="the entropy has a size that BIP-39 does not know")
    words, check_bits = word_list(language), len(entropy) // 4
    bits = int.from_bytes(entropy, "big") << check_bits | _check_value(entropy, check_bits)
    count = len(entropy) * 3 // 4
    return tuple(words[bits >> 11 * (count - 1 - place) & 2047] for place in range(count))


def sentence(words: Sequence[str], /, *, language: str) -> str:
    """The words as a person writes them down: Japanese ones with an ideographic space between them, as BIP-39 asks."""
    return (_IDEOGRAPHIC_SPACE if language == "japanese" else " ").join(words)


def check_phrase(text: str, /, *, language: str) -> bytes:
    """The entropy of a recovery phrase, 16 to 32 bytes. Case, kind and number of spaces do not matter, nor accents in
    French and Spanish, where BIP-39 tells no two words apart by them.

    Raises InvalidInput("invalid_input.mnemonic"); its `detail` names positions, counted from one.
    """
    index = _index(language)
    if type(text) is not str or len(text) > _MAX_TEXT:
        raise InvalidInput("invalid_input.mnemonic", detail="too long for a recovery phrase")
    places = [index.get(_plain(word, language)) for word in unicodedata.normalize("NFKD", text).lower().split()]
    if len(places) not in {size * 3 // 4 for size in ENTROPY_BYTES}:
        raise InvalidInput("invalid_input.mnemonic", detail=f"{len(places)} words; 12, 15, 18, 21 or 24 expected")
    unknown = [number for number, place in enumerate(places, 1) if place is None]
    if unknown:
        numbers = ", ".join(map(str, unknown))
        raise InvalidInput("invalid_input.mnemonic", detail=f"not in the {language} list: word {numbers}")
    return _entropy([place for place in places if place is not None])


def has_checksum(places: Sequence[int], /) -> bool:
    """Whether words at these `places` of their list are a phrase: 12, 15, 18, 21 or 24 with the right checksum."""
    if len(places) not in {size * 3 // 4 for size in ENTROPY_BYTES}:
        return False
    try:
        _entropy(places)
    except InvalidInput:
        return False
    return True


def _entropy(places: Sequence[int]) -> bytes:
    bits = 0
    for place in places:
        bits = bits << 11 | place
    check_bits = len(places) // 3
    entropy = (bits >> check_bits).to_bytes(len(places) * 4 // 3, "big")
    if bits & (1 << check_bits) - 1 != _check_value(entropy, check_bits):
        raise InvalidInput("invalid_input.mnemonic", detail="every word is known, but the checksum is wrong")
    return entropy


def _check_value(entropy: bytes | bytearray | memoryview, check_bits: int) -> int:
    return hashlib.sha256(entropy).digest()[0] >> (8 - check_bits)


@cache
def _index(language: str) -> dict[str, int]:
    return {_plain(word, language): place for place, word in enumerate(word_list(language))}


def _plain(word: str, language: str) -> str:
    """An NFKD word without its accents, where they do not matter. In Japanese they do."""
    if language not in _ACCENTS_DO_NOT_MATTER:
        return word
    return "".join(character for character in word if not unicodedata.combining(character))
