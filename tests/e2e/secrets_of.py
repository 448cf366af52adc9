"""What the guard must never let out: each secret of a wallet, in every way to write it down."""

from __future__ import annotations

import hmac
import json
from typing import Any

from eth_account import Account as EthAccount
from eth_account.hdaccount import key_from_seed
from mnemonic import Mnemonic

from mcp_wallet_guard.setup import NewWallet
from tests.filters.encodings import ENCODINGS, bech32, extended_key

Planted = dict[str, Any]
"""Name -> JSON value."""

LEVELS = ("m/44'", "m/44'/60'", "m/44'/60'/0'", "m/44'/60'/0'/0")
_HALVES = {"first half", "second half in base64"}


def raw_secrets(new: NewWallet) -> dict[str, bytes]:
    """By an independent derivation: python-mnemonic and eth-account, not the guard's own code."""
    phrase = " ".join(new.words)
    EthAccount.enable_unaudited_hdwallet_features()
    account = EthAccount.from_mnemonic(phrase)
    assert account.address == new.address
    return {
        "private key": bytes(account.key),
        "entropy": bytes(Mnemonic("english").to_entropy(phrase)),
        "seed": Mnemonic.to_seed(phrase),
        "factor": new.factor_secret,
    }


def above(new: NewWallet) -> Planted:
    """The master key and each level between it and the account's key, bare and as programs hand them around."""
    seed = Mnemonic.to_seed(" ".join(new.words))
    keys = {"m": hmac.digest(b"Bitcoin seed", seed, "sha512")[:32]}
    keys |= {path: bytes(key_from_seed(seed, path)) for path in LEVELS}
    return {
        f"{name}, {form}": write(key)
        for name, key in keys.items()
        for form, write in (("hex", bytes.hex), ("extended key", extended_key), ("bech32", lambda k: bech32("nsec", k)))
    }


def encoded(name: str, secret: bytes) -> Planted:
    """`secret` in every encoding of the filter's own list. Half of a short secret is no secret."""
    return {
        f"{name}, {encoding}": write(secret)
        for encoding, write in ENCODINGS.items()
        if len(secret) == 32 or encoding not in _HALVES
    }


def phrases(new: NewWallet) -> Planted:
    """The recovery phrase as people and programs write it."""
    phrase = " ".join(new.words)
    return {
        "phrase": phrase,
        "phrase, upper": phrase.upper(),
        "phrase, words": list(new.words),
        "phrase, numbered": "\n".join(f"{i}. {word}" for i, word in enumerate(new.words, 1)),
        "phrase, mistyped": "no such words: " + " ".join((*new.words[:11], "wrnog", *new.words[11:])),
        "phrase, hex": phrase.encode().hex(),
        "phrase, json in json": json.dumps({"a": json.dumps({"b": phrase})}),
        "phrase, places": [Mnemonic("english").wordlist.index(word) for word in new.words],
        "phrase, places from 1": ", ".join(str(Mnemonic("english").wordlist.index(word) + 1) for word in new.words),
        "phrase, reversed": " ".join(reversed(new.words)),
    }


def factors(new: NewWallet) -> Planted:
    """The second factor as authenticator apps take it."""
    return {"factor, uri": new.factor_uri, "factor, shown": new.factor_uri.split("secret=")[1].split("&")[0]}


def everything(new: NewWallet) -> Planted:
    """All secrets in all encodings."""
    found: Planted = {}
    for name, secret in raw_secrets(new).items():
        found |= encoded(name, secret)
    return found | above(new) | phrases(new) | factors(new)


def forms(value: Any) -> set[str]:
    """How a value looks in text, in JSON, in JSON inside JSON, and in a repr."""
    text = value if isinstance(value, str) else json.dumps(value)
    once = json.dumps(text)[1:-1]
    shapes = {text, once, json.dumps(once)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1]}
    if not isinstance(value, str):
        shapes |= {json.dumps(value, separators=(",", ":")), repr(value)}
    return shapes


def found_in(text: str, planted: Planted) -> set[str]:
    """The names of what stands in `text` in any form."""
    return {name for name, value in planted.items() if any(form in text for form in forms(value))}
