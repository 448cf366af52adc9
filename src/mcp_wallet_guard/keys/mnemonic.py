"""From entropy to a wallet's keys: words, seed, BIP-44 accounts.

The vault keeps entropy, not words; words exist while a person writes them down. Source: BIP-39, BIP-44.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from mcp_wallet_guard import bip39
from mcp_wallet_guard.danger import PublicPhrase
from mcp_wallet_guard.errors import InvalidInput, Misconfigured
from mcp_wallet_guard.keys import bip32, curve
from mcp_wallet_guard.keys.sealing import wiped
from mcp_wallet_guard.keys.weakness import is_weak
from mcp_wallet_guard.operations.values import Address, keccak256
from mcp_wallet_guard.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_INDEX: Final = bip32.HARDENED - 1
_PATH: Final = re.compile(r"m/44'/60'/0'/0/(0|[1-9][0-9]{0,9})")


def entropy_from_phrase(text: str, /, *, language: str, waiver: PublicPhrase | None = None) -> Secret:
    """The entropy of a phrase that its owner brings along.

    Raises InvalidInput("invalid_input.mnemonic") when it is malformed or, without a `waiver`, public (Threat: T-076).
    """
    entropy = bip39.check_phrase(text, language=language)
    if is_weak(entropy) and type(waiver) is not PublicPhrase:
        raise InvalidInput("invalid_input.mnemonic", detail="this phrase is public or has no randomness")
    return Secret(bytearray(entropy))


def words_from_entropy(entropy: Secret, /, *, language: str) -> tuple[str, ...]:
    """The recovery phrase, for a person to write down. Python cannot wipe the words."""
    with entropy.reveal() as view:
        return bip39.words_for(view, language=language)


def derive_key(entropy: Secret, /, *, index: int, language: str, passphrase: str = "") -> Secret:
    """The 32-byte private key of account `index` at m/44'/60'/0'/0/index. The caller wipes it.

    The phrase's `language` and its BIP-39 `passphrase` are part of the derivation; neither is in the entropy.
    Raises InvalidInput when `index` is outside 0..2^31-1.
    """
    path = _path(index)
    seed = seed_from_entropy(entropy, language=language, passphrase=passphrase)
    try:
        return bip32.derive(seed, path, curve=curve.installed()[0])
    finally:
        seed.wipe()


def seed_from_entropy(entropy: Secret, /, *, language: str, passphrase: str) -> Secret:
    """The 64-byte BIP-39 seed. The sentence is built in a buffer that is wiped."""
    with entropy.reveal() as view:
        words = [word.encode() for word in bip39.words_for(view, language=language)]
    salt = b"mnemonic" + unicodedata.normalize("NFKD", passphrase).encode()
    derivation = PBKDF2HMAC(algorithm=SHA512(), length=64, salt=salt, iterations=2048)
    size = sum(map(len, words)) + len(words) - 1
    with wiped(Secret.written(size, lambda out: _write_sentence(words, out))) as sentence:
        return Secret.written(64, lambda seed: derivation.derive_into(sentence, seed))


def address_of(key: Secret, /, *, curves: tuple[curve.Curve, ...] | None = None) -> Address:
    """The account of a private key, its public key computed by every library that is installed, or by `curves`.

    Raises Misconfigured("misconfigured.backend") when they differ.
    """
    public_key = curve.checked_public_key(key, curves=curve.installed() if curves is None else curves)
    return Address.from_bytes(keccak256(public_key[1:])[12:])


def describe_account(entropy: Secret, /, *, index: int, language: str) -> dict[str, str | int]:
    """The public metadata that a vault entry of kind BIP39_ENTROPY carries: address, language, path.

    The key is derived once by each library that is installed, along the whole path. Raises
    Misconfigured("misconfigured.backend") when any of them comes to another key or address: nothing is paid to an
    address that only one of them can sign for. Threat: T-078.
    """
    path = _path(index)
    seed = seed_from_entropy(entropy, language=language, passphrase="")
    try:
        address = _checked_address(seed, path, curves=curve.installed())
    finally:
        seed.wipe()
    return {"address": address.value, "language": language, "path": f"m/44'/60'/0'/0/{index}"}


def account_key(entropy: Secret, /, metadata: Mapping[str, str | int]) -> Secret:
    """The private key that `describe_account` described. Raises InvalidInput when `metadata` describes none."""
    index, language = _described(metadata)
    return derive_key(entropy, index=index, language=language)


def account_secrets(entropy: Secret, /, metadata: Mapping[str, str | int]) -> tuple[Secret, ...]:
    """The seed and the private key of every level from the master to the account: whoever has one of them has the
    account or is near it. Raises as `account_key`. The caller wipes them."""
    index, language = _described(metadata)
    seed = seed_from_entropy(entropy, language=language, passphrase="")
    try:
        return seed, *bip32.lineage(seed, _path(index), curve=curve.installed()[0])
    except BaseException:
        seed.wipe()
        raise


def _write_sentence(words: list[bytes], out: memoryview) -> None:
    place = 0
    for word in words:
        if place:
            out[place : place + 1] = b" "
            place += 1
        out[place : place + len(word)] = word
        place += len(word)


def _checked_address(seed: Secret, path: tuple[int, ...], *, curves: tuple[curve.Curve, ...]) -> Address:
    keys: list[Secret] = []
    try:
        keys.extend(bip32.derive(seed, path, curve=own) for own in curves)
        if not all(key.equals(keys[0]) for key in keys):
            raise Misconfigured("misconfigured.backend", detail="two libraries derive different keys")
        return Address.from_bytes(keccak256(curve.checked_public_key(keys[0], curves=curves)[1:])[12:])
    finally:
        for key in keys:
            key.wipe()


def _described(metadata: Mapping[str, str | int]) -> tuple[int, str]:
    path, language = metadata.get("path"), metadata.get("language")
    found = _PATH.fullmatch(path) if isinstance(path, str) else None
    if found is None or not isinstance(language, str):
        raise InvalidInput("invalid_input.account", detail="the vault entry describes no account")
    return int(found[1]), language


def _path(index: int) -> tuple[int, ...]:
    if type(index) is not int or not 0 <= index <= MAX_INDEX:
        raise InvalidInput(detail="an account index is within 0 and 2^31 - 1")
    purpose, coin, account = (step + bip32.HARDENED for step in (44, 60, 0))
    return purpose, coin, account, 0, index
