"""Wallet files of the Open Wallet Standard, schema 2: reading the account of EVM chains out of one.

AES-256-GCM authenticates the sealed text, not the accounts that stand beside it in the open: each account of an EVM
chain is derived and compared (Threat: T-069). What the sealed text is was learned from files that the reference
implementation wrote, for its document says otherwise: docs/adr/0110-ows-by-what-is-written.md. Format:
docs/formats/keystores.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mcp_wallet_guard import bip39, strict_json
from mcp_wallet_guard.errors import InvalidInput, KeystoreError
from mcp_wallet_guard.keys import mnemonic
from mcp_wallet_guard.keys.keystores import members
from mcp_wallet_guard.keys.keystores.opened import (
    AddressRule,
    OpenedKeystore,
    SecretKind,
    Unread,
    Weakness,
    address_of_key,
    is_public_key,
)
from mcp_wallet_guard.keys.keystores.passphrase_forms import as_given_then_nfkc
from mcp_wallet_guard.keys.keystores.stretching import ScryptCost, open_by_passphrase, read_cost
from mcp_wallet_guard.keys.weakness import is_weak
from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.secret import Secret

MAX_ACCOUNTS: Final = 16
_CRYPTO: Final = frozenset({"auth_tag", "cipher", "cipherparams", "ciphertext", "kdf", "kdfparams"})
_IV: Final = frozenset({"iv"})
_TAG_BYTES: Final = 16
_TEXT_SIZES: Final = range(16, 513)
_ACCOUNT: Final = re.compile(r"eip155:[1-9][0-9]{0,31}:0x([0-9a-fA-F]{40})")
_PATH: Final = re.compile(r"m/44'/60'/0'/0/(0|[1-9][0-9]{0,9})")
_KEY: Final = re.compile(r"[0-9a-f]{64}")
_KINDS: Final = {"mnemonic": SecretKind.BIP39_ENTROPY, "private_key": SecretKind.SECP256K1_KEY}


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    kind: SecretKind
    cost: ScryptCost
    iv: bytes
    sealed: bytes
    accounts: tuple[tuple[int, Address], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    secret: Secret
    address: Address
    index: int | None
    unread: tuple[Unread, ...]


def read_ows(
    raw: bytes, /, *, passphrase: Secret, address: Address | AddressRule = AddressRule.IN_FILE
) -> OpenedKeystore:
    """The BIP-39 entropy or the private key of a wallet file, with the account `address`, or else the first that the
    file names, or else account 0. All accounts of EVM chains in the file have to be the secret's, and `address`, which
    is account 0 where the file does not name it. Parameters, blocking and errors as `v3.read_v3`. An API key's file,
    which opens with a token, is refused.
    """
    file = _parse(raw)
    wanted = _wanted(file.accounts, address)
    if not wanted and address is not AddressRule.UNCHECKED:
        raise KeystoreError("keystore.address")
    form, found = open_by_passphrase(as_given_then_nfkc(passphrase), file.cost, lambda key: _attempt(key, file, wanted))
    return OpenedKeystore(
        kind=file.kind,
        secret=found.secret,
        address=found.address,
        passphrase_form=form,
        weaknesses=(*file.cost.weaknesses(), *_weaknesses(found, file.kind, is_confirmed=bool(wanted))),
        unread=found.unread,
        index=found.index,
    )


def _wanted(
    accounts: tuple[tuple[int, Address], ...], address: Address | AddressRule
) -> tuple[tuple[int, Address], ...]:
    """The accounts to compare, the one that the caller asks for first."""
    if not isinstance(address, Address):
        return accounts
    if all(each != address for _, each in accounts):
        return (0, address), *accounts
    return tuple(sorted(accounts, key=lambda account: account[1] != address))


def _parse(raw: bytes) -> _File:
    document = members.read_document(raw)
    members.constant(document, "ows_version", 2)
    kind = _KINDS.get(members.text(document, "key_type"))
    if kind is None:
        members.refuse("key_type: neither of the two that there are")
    crypto = members.section(document, "crypto", members=_CRYPTO)
    members.constant(crypto, "cipher", "aes-256-gcm")
    iv = members.hexadecimal(members.section(crypto, "cipherparams", members=_IV), "iv", sizes=range(12, 13))
    text = members.hexadecimal(crypto, "ciphertext", sizes=_TEXT_SIZES)
    tag = members.hexadecimal(crypto, "auth_tag", sizes=range(_TAG_BYTES, _TAG_BYTES + 1))
    members.constant(crypto, "kdf", "scrypt")
    cost = read_cost("scrypt", members.section(crypto, "kdfparams"))
    if not isinstance(cost, ScryptCost):
        members.refuse("kdf: not scrypt")
    return _File(kind=kind, cost=cost, iv=iv, sealed=text + tag, accounts=_accounts(document, kind))


def _accounts(document: dict[str, Any], kind: SecretKind) -> tuple[tuple[int, Address], ...]:
    """Index and address of every account of an EVM chain, each once. Others are of no interest."""
    listed = document.get("accounts")
    if type(listed) is not list:
        members.refuse("accounts: not a list")
    found: dict[tuple[int, Address], None] = {}
    for each in listed:
        if type(each) is not dict:
            members.refuse("accounts: not an object")
        named = members.text(each, "account_id")
        if not named.startswith("eip155:"):
            continue
        account, index = _ACCOUNT.fullmatch(named), _index(members.text(each, "derivation_path"), kind)
        if account is None or index is None:
            members.refuse("accounts: an account of an EVM chain that is not spelled as they are")
        found[index, Address.from_bytes(bytes.fromhex(account[1]))] = None
    if len(found) > MAX_ACCOUNTS:
        members.refuse("accounts: more than 16 of EVM chains")
    return tuple(found)


def _index(path: str, kind: SecretKind) -> int | None:
    if kind is SecretKind.SECP256K1_KEY:
        return 0 if path == "" else None
    found = _PATH.fullmatch(path)
    return int(found[1]) if found is not None and int(found[1]) <= mnemonic.MAX_INDEX else None


def _attempt(key: memoryview, file: _File, wanted: tuple[tuple[int, Address], ...]) -> _Found | None:
    text = bytearray(len(file.sealed) - _TAG_BYTES)
    try:
        AESGCM(key).decrypt_into(file.iv, file.sealed, None, text)
    except InvalidTag:
        return None
    read = _phrase if file.kind is SecretKind.BIP39_ENTROPY else _private_key
    try:
        secret, unread = read(text)
    except (ValueError, InvalidInput):
        return None
    finally:
        text[:] = bytes(len(text))
    derived = [_account(secret, file.kind, index) for index, _ in wanted or ((0, None),)]
    first = derived[0]
    if first is None or (wanted and derived != [address for _, address in wanted]):
        secret.wipe()
        return None
    index = (wanted[0][0] if wanted else 0) if file.kind is SecretKind.BIP39_ENTROPY else None
    return _Found(secret=secret, address=first, index=index, unread=unread)


def _phrase(text: bytearray) -> tuple[Secret, tuple[Unread, ...]]:
    """The entropy of an English phrase, which passes through a `str` on the way."""
    return Secret(bytearray(bip39.check_phrase(text.decode("utf-8"), language="english"))), ()


def _private_key(text: bytearray) -> tuple[Secret, tuple[Unread, ...]]:
    """The key of secp256k1 out of a JSON object that may have one of ed25519 as well; both pass through a `str`."""
    document = strict_json.loads(bytes(text), max_depth=1)
    if type(document) is not dict or not {"secp256k1"} <= document.keys() <= {"secp256k1", "ed25519"}:
        raise ValueError("not the keys of a wallet")
    if not all(type(each) is str and _KEY.fullmatch(each) for each in document.values()):
        raise ValueError("not keys in hex")
    unread = (Unread.ED25519_KEY,) if "ed25519" in document else ()
    return Secret(bytearray.fromhex(document["secp256k1"])), unread


def _account(secret: Secret, kind: SecretKind, index: int) -> Address | None:
    if kind is SecretKind.SECP256K1_KEY:
        return address_of_key(secret)
    key = mnemonic.derive_key(secret, index=index, language="english")
    try:
        return address_of_key(key)
    finally:
        key.wipe()


def _weaknesses(found: _Found, kind: SecretKind, *, is_confirmed: bool) -> Iterator[Weakness]:
    if not is_confirmed:
        yield Weakness.UNCONFIRMED
    with found.secret.reveal() as view:
        weak = kind is SecretKind.BIP39_ENTROPY and is_weak(bytes(view))
    if weak or is_public_key(found.secret, found.address):
        yield Weakness.PUBLIC
