"""What comes out of a key file, and what its reader has to say about the file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import final

from mcp_wallet_guard.errors import KeystoreError
from mcp_wallet_guard.keys import curve
from mcp_wallet_guard.keys.mnemonic import address_of
from mcp_wallet_guard.keys.public_accounts import is_public
from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.secret import Secret


class SecretKind(StrEnum):
    """What the secret of a key file is."""

    SECP256K1_KEY = "secp256k1-key"
    BLS12_381_KEY = "bls12-381-key"
    BIP39_ENTROPY = "bip39-entropy"


class Weakness(StrEnum):
    """Why a file that opens protects its key worse than our own do. Who imports a key wraps it anew, at our own cost;
    with any of these, whoever saw the file is a reason to move the coins."""

    CHEAP_SCRYPT = "cheap-scrypt"
    """N below 2^17 or r below 8: the floor of our own files."""
    SCRYPT_OUTSIDE_RFC = "scrypt-outside-rfc-7914"
    """N is not below 2^(16 r): 1/8 of the memory that N promises. Old files with n=262144, r=1, p=8 are so."""
    NOT_MEMORY_HARD = "pbkdf2-not-memory-hard"
    """PBKDF2: guessing it runs on graphics cards."""
    CHEAP_PBKDF2 = "cheap-pbkdf2"
    """Fewer than 600,000 rounds."""
    SHORT_SALT = "short-salt"
    """Fewer than 16 bytes."""
    SHORT_KEY = "short-key"
    """The key was stored without its leading zeros, so the file's length says something of it."""
    UNCONFIRMED = "unconfirmed"
    """Nothing confirmed *which* key came out: no address was there to compare with, and the format leaves its
    initialisation vector unauthenticated. An edited one gives another key without a sign."""
    PUBLIC = "public"
    """Development tools print this key or recovery phrase, or it has no randomness: what else the file is does not
    matter then."""


class Unread(StrEnum):
    """A secret that the file holds besides, and that was left in it."""

    MNEMONIC = "mnemonic"
    """ethers' `x-ethers`: the recovery phrase, which nothing in the file authenticates."""
    ED25519_KEY = "ed25519-key"
    """The key of another curve in a wallet of the Open Wallet Standard."""


class PassphraseForm(StrEnum):
    """The byte form of the passphrase that opened a file."""

    AS_GIVEN = "as-given"
    NFKC = "nfkc"
    NFKD_NO_CONTROLS = "nfkd-no-controls"


class AddressRule(Enum):
    """What a key's address is compared with where the caller names none."""

    IN_FILE = "in-file"
    """With the one that the file names. A file that names none is refused."""
    UNCHECKED = "unchecked"
    """With the one that the file names, if it does. Otherwise the key is `Weakness.UNCONFIRMED`."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpenedKeystore:
    """A secret out of a key file; whoever holds this wipes it. `address` is the account's, None where the secret is
    no account's; of entropy it is the one at m/44'/60'/0'/0/`index`, which is None for other secrets. `weaknesses` and
    `unread` are in the order of their definition."""

    kind: SecretKind
    secret: Secret
    address: Address | None
    passphrase_form: PassphraseForm
    weaknesses: tuple[Weakness, ...]
    unread: tuple[Unread, ...] = ()
    index: int | None = None

    def account_key(self) -> Secret:
        """The secret, as the private key of `address`. Raises KeystoreError("keystore.kind") when it is none:
        a validator's key is not an account's, although it has as many bytes."""
        if self.kind is not SecretKind.SECP256K1_KEY:
            raise KeystoreError("keystore.kind", detail=f"the file holds a {self.kind}")
        return self.secret


def is_public_key(key: Secret, address: Address | None, /) -> bool:
    """Whether a development tool prints the key of `address`, or its bytes have an obvious pattern, as 1 has."""
    with key.reveal() as view:
        return (address is not None and is_public(address)) or len(set(view)) * 4 <= len(view)


def take_as_account_key(opened: OpenedKeystore, /, *, expected_address: Address) -> Secret:
    """The secret of `opened` as an account's private key, although the file says that it is of another kind.

    The owner's word for `expected_address` takes the place of the file's. Raises KeystoreError("keystore.kind") when
    the secret is not 32 bytes, and KeystoreError("keystore.cannot_open") when it is another account's or no key.
    """
    if len(opened.secret) != 32:
        raise KeystoreError("keystore.kind", detail=f"the file holds a {opened.kind}")
    if address_of_key(opened.secret) != expected_address:
        raise KeystoreError
    return opened.secret


def address_of_key(key: Secret, /) -> Address | None:
    """The account of 32 bytes, or None when they are no private key of secp256k1: zero, or beyond its order.

    By the best library alone: OpenSSL leaves a copy of the key, and what is compared needs no second opinion.
    """
    try:
        return address_of(key, curves=curve.installed()[:1])
    except ValueError:
        return None
