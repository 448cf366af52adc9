"""Web3 Secret Storage, version 3: reading what geth, ethers, web3.py and others wrote.

Its MAC covers the ciphertext and nothing else. The cost and the salt are held by the key that they give; the
initialisation vector and the address are not held at all, which is why the address is derived and compared: an edited
vector, or another file's address, is refused like a wrong passphrase (Threat: T-069).
Format: docs/formats/keystores.md.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from mcp_wallet_guard.errors import KeystoreError
from mcp_wallet_guard.keys.keystores import aes_ctr, members
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
from mcp_wallet_guard.keys.keystores.stretching import Cost, open_by_passphrase, read_cost
from mcp_wallet_guard.operations.values import Address, keccak256
from mcp_wallet_guard.secret import Secret

CIPHER: Final = "aes-128-ctr"
KEY_BYTES: Final = 32
_CRYPTO: Final = frozenset({"cipher", "cipherparams", "ciphertext", "kdf", "kdfparams", "mac"})
_IV: Final = frozenset({"iv"})
_ADDRESS: Final = re.compile(r"(?:0x)?([0-9a-fA-F]{40})")


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    cost: Cost
    iv: bytes
    ciphertext: bytes
    mac: bytes
    named: Address | None
    has_mnemonic: bool


def read_v3(
    raw: bytes,
    /,
    *,
    passphrase: Secret,
    address: Address | AddressRule = AddressRule.IN_FILE,
    short_keys: bool = False,
) -> OpenedKeystore:
    """The private key of a version 3 file. Blocks as long as the file's cost takes: call it in a worker thread.

    `passphrase` is the UTF-8 of what a person typed; its NFKC form is tried second. With an `address` the key must be
    that account's, whatever the file says. `short_keys` takes keys that were stored without one or two leading zero
    bytes. Raises KeystoreError: before any derivation "keystore.format", "keystore.cost", "keystore.address" (none to
    compare with); after it only "keystore.cannot_open". InvalidInput for an impossible passphrase; Unavailable when
    the memory does not suffice. Source: Web3 Secret Storage Definition.
    """
    file = _parse(raw, sizes=range(KEY_BYTES - 2 if short_keys else KEY_BYTES, KEY_BYTES + 1))
    wanted = {each for each in (file.named, address) if isinstance(each, Address)}
    if not wanted and address is not AddressRule.UNCHECKED:
        raise KeystoreError("keystore.address")
    form, (secret, found) = open_by_passphrase(
        as_given_then_nfkc(passphrase), file.cost, lambda key: _attempt(key, file, wanted)
    )
    return OpenedKeystore(
        kind=SecretKind.SECP256K1_KEY,
        secret=secret,
        address=found,
        passphrase_form=form,
        weaknesses=(*file.cost.weaknesses(), *_weaknesses(file, wanted, is_public=is_public_key(secret, found))),
        unread=(Unread.MNEMONIC,) if file.has_mnemonic else (),
    )


def mac_of(key: memoryview, ciphertext: bytes | bytearray, /) -> bytes:
    """keccak256 over the second half of the derived key and the ciphertext."""
    body = bytearray(key[16:32]) + ciphertext
    try:
        return keccak256(body)
    finally:
        body[:] = bytes(len(body))


def _parse(raw: bytes, *, sizes: range) -> _File:
    document = members.read_document(raw)
    members.constant(document, "version", 3)
    crypto = members.section(document, "Crypto" if "Crypto" in document else "crypto", members=_CRYPTO)
    members.constant(crypto, "cipher", CIPHER)
    iv = members.hexadecimal(members.section(crypto, "cipherparams", members=_IV), "iv", sizes=range(16, 17))
    return _File(
        cost=read_cost(members.text(crypto, "kdf"), members.section(crypto, "kdfparams")),
        iv=iv,
        ciphertext=members.hexadecimal(crypto, "ciphertext", sizes=sizes),
        mac=members.hexadecimal(crypto, "mac", sizes=range(32, 33)),
        named=_named(document),
        has_mnemonic="x-ethers" in document,
    )


def _named(document: dict[str, Any]) -> Address | None:
    if "address" not in document:
        return None
    found = _ADDRESS.fullmatch(members.text(document, "address"))
    if found is None:
        members.refuse("address: not 40 hex digits")
    return Address.from_bytes(bytes.fromhex(found[1]))


def _attempt(key: memoryview, file: _File, wanted: set[Address]) -> tuple[Secret, Address] | None:
    if not hmac.compare_digest(mac_of(key, file.ciphertext), file.mac):
        return None
    plain = aes_ctr.apply(key[:16], file.iv, file.ciphertext)
    secret = Secret(bytearray(KEY_BYTES - len(plain)) + plain)
    plain[:] = bytes(len(plain))
    found = address_of_key(secret)
    if found is None or wanted - {found}:
        secret.wipe()
        return None
    return secret, found


def _weaknesses(file: _File, wanted: set[Address], *, is_public: bool) -> Iterator[Weakness]:
    if len(file.ciphertext) < KEY_BYTES:
        yield Weakness.SHORT_KEY
    if not wanted:
        yield Weakness.UNCONFIRMED
    if is_public:
        yield Weakness.PUBLIC
