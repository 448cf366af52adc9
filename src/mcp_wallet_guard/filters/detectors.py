"""Secrets that are not the vault's: somebody's key, phrase, keystore, authenticator, or the key to a node.

A cheap look at the whole text says which detectors are worth running; for ordinary results it is none. The vault's own
secrets are found by their fingerprints (`candidates.py`), whatever is said here. A hit names its detector and never the
value. Pure and linear. What is not recognised is listed in docs/limitations.md.
Threat: T-057, T-058, T-060, T-061, T-062.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterable, Iterator
from enum import Flag, auto
from functools import cache
from typing import Final, NamedTuple

from mcp_wallet_guard.bip39 import word_list
from mcp_wallet_guard.filters import formats
from mcp_wallet_guard.filters.derivation import derives_one_of
from mcp_wallet_guard.filters.leaves import BARRIER, Leaves, candidates_in, read
from mcp_wallet_guard.filters.names import named_in_text
from mcp_wallet_guard.filters.phrases import LEAST_WORDS, holds_phrase
from mcp_wallet_guard.filters.runs import Run
from mcp_wallet_guard.filters.urls import holds_keyed_url
from mcp_wallet_guard.filters.views import views


class Hint(Flag):
    """What a text may hold, by its look."""

    NOTHING = 0
    NAME = auto()
    KEYSTORE = auto()
    EXTENDED_KEY = auto()
    WIF = auto()
    NSEC = auto()
    PEM = auto()
    OTPAUTH = auto()
    URL = auto()
    PHRASE = auto()
    KEY_SIZED = auto()


MAX_DEPTH: Final = 2
"""How deep in base64 or hex a text is looked for. The vault's own secrets are looked for deeper."""

NAMED: Final = "a private key under its name"
KEYSTORE: Final = "a keystore file"
DERIVED: Final = "the private key of an address beside it"
BY_CONTEXT: Final = frozenset((NAMED, DERIVED))
"""Hits that rest on what stands around a value: what an author declared to be public is none."""

_IN_TEXT: Final[tuple[tuple[Hint, str, Callable[[str], bool]], ...]] = (
    (Hint.NAME, NAMED, named_in_text),
    (Hint.KEYSTORE, KEYSTORE, formats.holds_keystore),
    (Hint.EXTENDED_KEY, "an extended private key", formats.holds_extended_key),
    (Hint.WIF, "a private key in wallet import format", formats.holds_wif),
    (Hint.NSEC, "a Nostr private key", formats.holds_nsec),
    (Hint.PEM, "a private key in PEM", formats.holds_pem),
    (Hint.OTPAUTH, "an otpauth URI", formats.holds_otpauth),
    (Hint.URL, "a URL with a key in it", holds_keyed_url),
    (Hint.PHRASE, "a recovery phrase", holds_phrase),
)
IN_FIELDS: Final = Hint.NAME | Hint.KEYSTORE
"""What a text only hints at, and its fields show."""

_NAMES: Final = (
    b"priv", b"secret", b"seed", b"mnemonic", b"phrase", b"entropy", b"keypair", b"ing key", b"ingkey", b"erkey",
    b"er key", b"ndkey", b"nd key", b"tkey", b"t key", b" sk ",
)  # fmt: skip
_MARKS: Final = (
    (b"cipher", Hint.KEYSTORE), (b"otpauth", Hint.OTPAUTH), (b"//", Hint.URL), (b"-----begin", Hint.PEM),
)  # fmt: skip
_HAN_NAMES: Final = ("私钥", "私鑰", "密钥", "密鑰", "助记词", "助記詞")
_KNOWN_BY_REPETITION: Final = (b"abandon", b"zoo")
_FEW_WORDS: Final = 8
"""Different words of a phrase. Of those with fewer all are examples that everybody knows."""

_TO_TOKENS: Final = bytes(n if (chr(n).isascii() and chr(n).isalnum()) or n in b"+/_-" else 32 for n in range(256))
_TO_PIECES: Final = bytes.maketrans(b"+/_-", b"    ")
_TO_LETTERS: Final = bytes(n if chr(n).isascii() and chr(n).isalpha() else 32 for n in range(256))
_TO_NAMES: Final = bytes.maketrans(b"_-", b"  ")
_SHORT: Final = 36
"""What is shorter is no secret by itself, and may be a name or a word of one."""

_SMALL_INTEGER: Final = 16
_KEY: Final = 64
_KEY_SIZES: Final = frozenset((_KEY, _KEY + 2))
_ADDRESS: Final = 40
_ADDRESS_SIZES: Final = frozenset((_ADDRESS, _ADDRESS + 2))
_PADDING: Final = b"0" * 24
_WIF_SIZES: Final = frozenset((51, 52))
_CODED: Final = 54
_HEX_TOKEN: Final = re.compile(rb"(?:0[xX])?([0-9a-fA-F]{80,})")
_DECLARED: Final = re.compile(r"(?:0[xX])?[0-9a-fA-F]{64,130}")
_TO_BASE64: Final = bytes.maketrans(b"-_", b"+/")
_KEY_RUN: Final = Run("0-9a-fA-F", _KEY)
_READABLE: Final = Run(r"\x09\x0a\x0d\x20-\x7e", 36)
_HAN: Final = re.compile(r"[\u3400-\u9fff]")


class Look(NamedTuple):
    """What a look at a text alone says: the detector with a hit, and whether the fields must be looked at as well."""

    found: str | None
    fields: Hint


def detect(payload: object, leaves: Leaves, /, *, declared: frozenset[str] = frozenset()) -> str | None:
    """The name of the detector that finds a secret, None when none does. `payload` are JSON types, with these leaves.

    `declared` are values that a tool returned as `TxHash`, `Bytes32` or `Signature`: their names and what they derive
    do not count. Raises `derivation.TooManyCandidates` and `views.TooDeep` for a message made to exhaust.
    """
    look = in_text(leaves.text, declared=declared)
    if look.found is not None or not look.fields:
        return look.found
    return in_fields(payload, leaves, worth=look.fields, declared=declared)


def in_text(text: str, /, *, declared: frozenset[str] = frozenset()) -> Look:
    """The part of `detect` that depends on nothing but the text, in all of its readings; it may be remembered."""
    worth = Hint.NOTHING
    for reading in _readings(text):
        worth |= (seen := _hints(reading))
        for hint, name, holds in _IN_TEXT if seen else ():
            if seen & hint and holds(_without(declared, reading.text) if hint is Hint.NAME else reading.text):
                return Look(name, Hint.NOTHING)
    if not worth & IN_FIELDS and _KEY_RUN.stands_in(text.encode("utf-8", "surrogatepass")):
        worth |= Hint.KEY_SIZED
    return Look(None, worth & (IN_FIELDS | Hint.KEY_SIZED))


def trimmed(texts: list[str], inside: list[bytes], names: Iterable[str], /) -> str:
    """A message without what is nothing but hex, and each name once: much less, for a first look. `texts` are its other
    values and `inside` what reads as text in its hex.

    A hit or a hint in it is one in the whole text; the whole is looked at when a name hints at a key. Nothing else
    needs the value of a small integer, and each request has another one.
    """
    texts = ["0" if len(text) < _SMALL_INTEGER and text.isdecimal() else text for text in texts]
    readable = [run.decode("ascii") for each in inside for run in _READABLE.all_in(each)]
    return "\n".join([*texts, *readable, BARRIER, *dict.fromkeys(names)])


def in_fields(payload: object, leaves: Leaves, /, *, worth: Hint, declared: frozenset[str] = frozenset()) -> str | None:
    """The other part: what only the fields show. `worth` is what `in_text` said of them."""
    if worth & IN_FIELDS:
        inside = [reading.text for reading in _readings(leaves.text)][1:]
        fields = read([payload, *inside], declared=declared)
        if fields.named:
            return NAMED
        if fields.keystore:
            return KEYSTORE
        candidates = fields.candidates
    else:
        candidates = candidates_in(leaves.long, declared=declared)
    return DERIVED if candidates and _derived(candidates, leaves.text) else None


def _derived(candidates: set[str], text: str) -> bool:
    pieces = {piece for reading in _readings(text) for piece in _pieces(reading.long)}
    addresses = {
        piece[-_ADDRESS:].decode().lower()
        for piece in pieces
        if len(piece) in _ADDRESS_SIZES or (len(piece) in _KEY_SIZES and piece[-_KEY:-_ADDRESS] == _PADDING)
    }
    return bool(addresses) and derives_one_of(candidates, addresses)


class _Reading(NamedTuple):
    """A view of a text or of what it holds encoded; its runs of letters and digits, each once, all and long ones."""

    text: str
    tokens: dict[bytes, None]
    long: list[bytes]


def _readings(text: str, depth: int = 0) -> Iterator[_Reading]:
    for view in views(text):
        tokens = dict.fromkeys(view.encode("utf-8", "surrogatepass").translate(_TO_TOKENS).split())
        long = [token for token in tokens if len(token) >= _SHORT]
        yield _Reading(view, tokens, long)
        if long and depth < MAX_DEPTH:
            inside = [run.decode("ascii") for blob in _decoded(long) for run in _READABLE.all_in(blob)]
            if inside:
                yield from _readings("\n".join(inside), depth + 1)


def _decoded(long: list[bytes]) -> Iterator[bytes]:
    """What runs of hex or base64 stand for; a hash is too short to hold a text that anybody looks for."""
    for token in [token for token in long if len(token) >= _CODED and len(token) not in _KEY_SIZES]:
        digits = _HEX_TOKEN.fullmatch(token)
        if digits is not None:
            yield binascii.unhexlify(digits[1][: len(digits[1]) & ~1])
            continue
        for before in range(4):
            run = b"A" * before + token.translate(_TO_BASE64)
            yield binascii.a2b_base64(run + b"A" * (-len(run) % 4))


def _hints(reading: _Reading) -> Hint:
    text, tokens, long = reading
    short = b" ".join([b"", *[token for token in tokens if len(token) < _KEY], b""]).lower()
    names = short.translate(_TO_NAMES)
    found = Hint.NAME if any(name in names for name in _NAMES) else Hint.NOTHING
    for mark, hint in _MARKS:
        if mark in short:
            found |= hint
    if _is_worded(text, short, long):
        found |= Hint.PHRASE
    if long:
        found |= _hints_of_long(long)
    if not text.isascii():
        if any(name in text for name in _HAN_NAMES):
            found |= Hint.NAME
        if len(_HAN.findall(text)) >= LEAST_WORDS:
            found |= Hint.PHRASE
    return found


def _hints_of_long(long: list[bytes]) -> Hint:
    found = Hint.NOTHING
    pieces = _pieces(long)
    sizes = set(map(len, pieces))
    if sizes & _WIF_SIZES:
        found |= Hint.WIF
    together = b" ".join([b"", *pieces])
    if b"prv" in together:
        found |= Hint.EXTENDED_KEY
    if b"nsec1" in together.lower():
        found |= Hint.NSEC
    if b" /" in together:
        found |= Hint.URL
    return found


def _pieces(long: list[bytes]) -> list[bytes]:
    """Long runs, and the parts of those that a hyphen, an underscore or a slash joins."""
    joined = [token for token in long if not token.isalnum()]
    return long + b" ".join(joined).translate(_TO_PIECES).split() if joined else long


def _is_worded(text: str, short: bytes, long: list[bytes]) -> bool:
    """Whether there are words enough of a phrase, apart or in one."""
    words = set(short.translate(_TO_LETTERS).split())
    if len(words & _listed()) >= _FEW_WORDS:
        return True
    if any(word in words and text.lower().count(word.decode()) >= LEAST_WORDS - 1 for word in _KNOWN_BY_REPETITION):
        return True
    for token in [token for token in long if not token.isalnum() or token.isalpha()]:
        if token.isalpha():
            if not token.islower() and not token.isupper():
                return True
        elif len(set(token.lower().translate(_TO_LETTERS).split()) & _listed()) >= _FEW_WORDS:
            return True
    return False


def _without(declared: frozenset[str], text: str) -> str:
    return _DECLARED.sub(lambda match: "" if match[0] in declared else match[0], text) if declared else text


@cache
def _listed() -> frozenset[bytes]:
    return frozenset(word.encode() for word in word_list("english"))
