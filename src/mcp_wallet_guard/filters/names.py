"""Whose value is a key? What the name of a field says, and what a key looks like when its name says so.

32 bytes in hex are a key, a hash or a storage word, and nothing in them tells which: the name decides. A name that says
hash, signature or public key never makes a key of its value. Pure. Threat: T-061, T-062.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import Enum
from functools import lru_cache
from typing import Final

from mcp_wallet_guard.bip39 import word_list

PHRASE_WORDS: Final = frozenset((12, 15, 18, 21, 24))


class Says(Enum):
    """What a name says of its value."""

    SECRET = "secret"  # noqa: S105  # a kind of name, no secret
    PUBLIC = "public"
    NOTHING = "nothing"
    """It is a wrapping, such as `value` or `hex`: what stands around it decides."""
    OTHER = "other"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NOT_ALPHANUMERIC: Final = re.compile(r"[\W_]+")
_FORM: Final = re.compile(
    r"(?:hex|bytes|base64|base58|base32|b64|b58|raw|text|string|str|value|plain|plaintext|encoded|s|[0-9]{1,4})$"
)
_WRAPPINGS: Final = _words(
    "value values hex data raw bytes key text content contents result string plain plaintext encoded base64 "
    "base58 decimal digits buffer words array body"
)
_SECRETS: Final = _words(
    "secret seed sk seckey xprv xpriv yprv zprv tprv wif nsec entropy keypair walletkey accountkey masterkey "
    "rootkey spendkey privatespendkey privateviewkey signerkey deployerkey extendedkey mnemonic seedphrase "
    "seedwords recoveryphrase recoverywords backupphrase secretphrase passphrasewords mnemonicwords masterseed "
    "bip39seed mnemonicentropy totpsecret otpsecret mfasecret twofactorsecret authenticatorsecret totpseed "
    "otpseed"
)
_SECRET_ENDS: Final = (
    "privatekey", "privkey", "secretkey", "signingkey", "mnemonic", "seedphrase", "recoveryphrase", "mnemonicphrase",
    "walletseed", "masterseed", "hdseed", "rootseed", "extendedprivatekey", "totpsecret", "otpsecret", "secretseed",
)  # fmt: skip
_SECRET_STARTS: Final = ("privatekey", "privkey", "secretkey", "mnemonic")
_PUBLICS: Final = _words(
    "r s v yparity hash hashes tx txs txid txids transaction transactions block blocks uncles topic topics root "
    "roots digest bloom logsbloom proof proofs storageproof accountproof slot storagekeys mixhash extradata id "
    "uuid salt commitment commitments nullifier selector"
)
_PUBLIC_ENDS: Final = (
    "hash", "hashes", "txid", "digest", "root", "topic", "topics", "signature", "signatures", "sig", "checksum",
    "fingerprint", "publickey", "publickeys", "pubkey", "pubkeys", "commitment", "proof", "address", "nullifier",
)  # fmt: skip

_HEX: Final = re.compile(r"(?:0[xX])?([0-9a-fA-F]+)")
_KEY_DIGITS: Final = frozenset((32, 48, 56, 62, 63, 64, 96, 128))
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{42,44}=?|[A-Za-z0-9+/_-]{85,88}={0,2}")
_BASE32: Final = re.compile(r"[A-Z2-7]{16,128}=*")
_DECIMAL: Final = re.compile(r"[0-9]{60,78}")
_HAN: Final = re.compile(r"[\u3400-\u9fff]+")
_WORD: Final = re.compile(r"[^\W\d_]+")
_FEW: Final = 5
"""A key has more different digits; a mask, a placeholder or zero has fewer."""

_IN_TEXT: Final = re.compile(
    r"(?:private|priv|secret|signing|signer|spend|deployer|master)[\s_-]{0,2}key|xpriv|(?<![a-z])seckey"
    r"|(?<![a-z])sk(?=[\s\"'`\\]{0,4}[:=])"
    r"|(?:master|wallet|hd|root)?[\s_-]?seed(?=[\s\"'`\\]{0,4}[:=]|\s+is\b)|(?<![a-z])secret(?=[\s\"'`\\]{0,4}[:=])"
    r"|私钥|私鑰|密钥|密鑰",
    re.IGNORECASE,
)
_AFTER_NAME: Final = re.compile(
    r"(?:[\s_-]?(?:hex|bytes|base64|b64|raw|value|string|s|[0-9]{1,3}))?(?:\s{0,2}\([^()\n]{0,40}\))?"
    r"(?:\s(?:of|for)\s[^\n:=]{1,60}?)?[\s\"'`\\*_]{0,6}(?:(?:[:=\uff1a>-]|is|was|是|为|為)[:\uff1a\s\"'`\\*\[({>=]{0,12})?"
    r"(?:b?[\"'])?"
    r"(?:((?:0x)?(?:[0-9a-f]{128}|[0-9a-f]{63,64}))(?![0-9a-z])|([a-z0-9+/_-]{43}=|[a-z0-9+/_-]{86}==)"
    r"|([0-9]{70,78})(?![0-9])|((?:[0-9]{1,3}\s{0,4},\s{0,4}){15,63}[0-9]{1,3})(?![0-9]))",
    re.IGNORECASE,
)
_REACH: Final = 440


@lru_cache(maxsize=4096)
def says(name: str, /) -> Says:
    """What `name` says, whatever its case, hyphens and underscores. A number is the place of an item: it says nothing.

    Plurals, counts and forms (`private_keys`, `seed-hex`, `sk2`) mean what the name means without them.
    """
    plain = _NOT_ALPHANUMERIC.sub("", name[-96:]).lower()
    if not plain or plain.isdecimal() or plain in _WRAPPINGS:
        return Says.NOTHING
    bare = _FORM.sub("", plain) or plain
    bare = _FORM.sub("", bare) or bare
    if bare in _WRAPPINGS:
        return Says.NOTHING
    for form in (plain, bare):
        if form in _PUBLICS or form.endswith(_PUBLIC_ENDS):
            return Says.PUBLIC
        if form in _SECRETS or form.endswith(_SECRET_ENDS) or form.startswith(_SECRET_STARTS):
            return Says.SECRET
    return Says.OTHER


def looks_like_a_key(value: object, /) -> bool:
    """Whether a value that is called a secret has the form of one: 16 to 64 bytes in a usual encoding, or the words of
    a phrase, with or without their checksum. Masks, placeholders, paths, booleans and null have not."""
    if type(value) is str:
        return _text_looks(value)
    if type(value) is int:
        return 192 < value.bit_length() <= 512
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, Sequence) and not isinstance(value, str):
        if len(value) in {16, 32, 64}:
            return all(type(item) is int and -128 <= item <= 255 for item in value) and len(set(value)) > _FEW
        return len(value) in PHRASE_WORDS and _are_words([item for item in value if type(item) is str], of=len(value))
    return False


def named_in_text(text: str, /) -> bool:
    """Whether a key stands behind its name in a text: ``PRIVATE_KEY=0x...``, "the private key is ...", ``sk: [1,``."""
    for name in _IN_TEXT.finditer(text):
        found = _AFTER_NAME.match(text, name.end(), name.end() + _REACH)
        if found is not None and len(set(found[found.lastindex or 0].lower())) > _FEW:
            return True
    return False


def _text_looks(value: str) -> bool:
    if not min(PHRASE_WORDS) <= len(value) <= 512:
        return False
    value = value.strip(" \t\r\n\"'`")
    if found := _HEX.fullmatch(value):
        if len(found[1]) in _KEY_DIGITS or (found[1].isdecimal() and 60 <= len(found[1]) <= 78):
            return len(set(found[1].lower())) > _FEW
        return False
    if _BASE32.fullmatch(value) and not value.isalpha() and not value.isdecimal():
        return True
    if _BASE64.fullmatch(value):
        kinds = {c.isdigit() or c.islower() << 1 for c in value if c.isalnum()}
        return len(kinds) == 3
    words = _WORD.findall(value)
    if len(words) == 1 and _HAN.fullmatch(words[0]):
        words = list(words[0])
    return len(words) in PHRASE_WORDS and _are_words(words, of=len(words))


def _are_words(words: list[str], *, of: int) -> bool:
    if len(words) != of:
        return False
    lowered = {word.lower() for word in words}
    return any(
        lowered <= set(word_list(language)) for language in ("english", "chinese_simplified", "chinese_traditional")
    )
