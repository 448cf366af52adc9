"""Recovery shares: any `threshold` of `count` lists of words give a wallet's entropy back, fewer give nothing.

Extra `slip39`. The library does the arithmetic; this file decides what may go in and says what is wrong without a word
of a share, which the library's own messages repeat. Source: SLIP-39.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from shamir_mnemonic import rs1024, shamir
from shamir_mnemonic.constants import CUSTOMIZATION_STRING_EXTENDABLE, CUSTOMIZATION_STRING_ORIG
from shamir_mnemonic.share import Share
from shamir_mnemonic.utils import MnemonicError
from shamir_mnemonic.wordlist import WORD_INDEX_MAP

from mcp_wallet_guard.bip39 import ENTROPY_BYTES
from mcp_wallet_guard.errors import InvalidInput, Unavailable
from mcp_wallet_guard.keys.entropy import new_entropy
from mcp_wallet_guard.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_THRESHOLD: Final = 2
MAX_SHARES: Final = 16
MAX_GIVEN: Final = 64
ITERATION_EXPONENT: Final = 1
MAX_ITERATION_EXPONENT: Final = 6
"""640,000 rounds of PBKDF2, half a second. A share may ask for 500 times as many."""

_WORDS: Final = {size: 7 + (8 * size + 9) // 10 for size in ENTROPY_BYTES}
_CHARACTERS: Final = 512


@final
class Slip39:
    """Splits and combines. Loaded as `shares:slip39` of the table in `assembly`, which names the missing extra."""

    def split(
        self, entropy: Secret, /, *, threshold: int, count: int, passphrase: Secret | None = None
    ) -> tuple[str, ...]:
        """`count` shares of 20 to 33 words, `threshold` of which give `entropy` (16 to 32 bytes) back. Python cannot
        wipe the words.

        Every share is tried before any is returned. With a `passphrase`, printable ASCII, the shares give another
        secret for each passphrase, and nothing says which is right: compare the address. Raises InvalidInput for
        numbers outside 2..threshold..count..16 (one share that is enough would be a copy of the wallet, Threat:
        T-077), Unavailable("unavailable.entropy") when the random source is not healthy. Takes about 0.1 s.
        """
        if not (_is_int(threshold) and _is_int(count) and MIN_THRESHOLD <= threshold <= count <= MAX_SHARES):
            raise InvalidInput(detail=f"shares are {MIN_THRESHOLD} to {MAX_SHARES}, as is their threshold")
        if len(entropy) not in _WORDS:
            raise InvalidInput("invalid_input.mnemonic", detail="the entropy has a size that BIP-39 does not know")
        typed = _printable(passphrase)
        new_entropy().wipe()  # shares made with a broken source would give the wallet away one by one
        with entropy.reveal() as view:
            (made,) = shamir.generate_mnemonics(1, [(threshold, count)], bytes(view), typed, True, ITERATION_EXPONENT)
        _check_made(made, entropy, threshold=threshold, passphrase=typed)
        return tuple(made)

    def combine(self, shares: Sequence[str], /, *, passphrase: Secret | None = None) -> Secret:
        """The secret of exactly as many shares as are needed, of one or several groups. The caller wipes it.

        Raises InvalidInput("invalid_input.share"); its detail names shares and words by their places, counted from
        one, and never a word (Threat: T-057). A share that asks for more than 640,000 rounds is refused before any
        work (Threat: T-068). With a wrong passphrase another secret comes out: compare the address.
        """
        typed = _printable(passphrase)
        if not 1 <= len(shares) <= MAX_GIVEN:
            raise _refusal(f"{len(shares)} shares; 1 to {MAX_GIVEN} are taken")
        read = [_share(text, number) for number, text in enumerate(shares, 1)]
        _check_belong_together(read)
        secret = _recovered([share.mnemonic() for share in read], typed)
        if secret is None:
            raise _refusal("the shares are readable, but do not belong together")
        return secret


def _recovered(shares: list[str], passphrase: bytes) -> Secret | None:
    try:
        return Secret(shamir.combine_mnemonics(shares, passphrase))
    except (MnemonicError, ValueError):
        return None


def _check_made(made: list[str], entropy: Secret, *, threshold: int, passphrase: bytes) -> None:
    """Raises Unavailable unless the first shares give `entropy`, and every share, with its next ones, the same
    encrypted secret as they do. That takes none of the passphrase's thousands of rounds."""
    count = len(made)
    sealed = {_sealed([made[(start + step) % count] for step in range(threshold)]) for start in range(count)}
    recovered = _recovered(made[:threshold], passphrase)
    if len(sealed) != 1 or recovered is None or not recovered.equals(entropy):
        raise Unavailable(detail="the shares do not give the wallet back; none was kept")


def _sealed(shares: list[str]) -> bytes:
    try:
        sealed: bytes = shamir.recover_ems(shamir.decode_mnemonics(shares)).ciphertext
    except MnemonicError:
        return b""
    return sealed


def _share(text: str, number: int) -> Share:
    if type(text) is not str or len(text) > _CHARACTERS:
        raise _refusal(f"share {number} is too long")
    words = text.lower().split()
    if len(words) not in _WORDS.values():
        raise _refusal(f"share {number} has {len(words)} words; 20, 23, 27, 30 or 33 expected")
    unknown = ", ".join(str(place) for place, word in enumerate(words, 1) if word not in WORD_INDEX_MAP)
    if unknown:
        raise _refusal(f"share {number}, not in the list: word {unknown}")
    places = [WORD_INDEX_MAP[word] for word in words]
    texts = (CUSTOMIZATION_STRING_ORIG, CUSTOMIZATION_STRING_EXTENDABLE)
    if not rs1024.verify_checksum(places, texts[places[1] >> 4 & 1]):
        raise _refusal(f"share {number}: every word is known, but the checksum is wrong")
    share = _parsed(words)
    if share is None:
        raise _refusal(f"share {number} contradicts itself")
    if share.iteration_exponent > MAX_ITERATION_EXPONENT:
        raise _refusal(f"share {number} asks for more work than is done here")
    return share


def _parsed(words: list[str]) -> Share | None:
    try:
        return Share.from_mnemonic(" ".join(words))
    except MnemonicError:
        return None


def _check_belong_together(shares: list[Share]) -> None:
    first = shares[0]
    for number, share in enumerate(shares, 1):
        if share.common_parameters() != first.common_parameters() or len(share.value) != len(first.value):
            raise _refusal(f"share {number} is of another set than share 1")
        for earlier, other in enumerate(shares[: number - 1], 1):
            if (other.group_index, other.index) == (share.group_index, share.index):
                raise _refusal(f"share {number} is share {earlier} again, or contradicts it")
    groups = {share.group_index for share in shares}
    if len(groups) != first.group_threshold:
        raise _refusal(f"shares of {len(groups)} groups; {first.group_threshold} groups are needed")
    for group in sorted(groups):
        members = [share for share in shares if share.group_index == group]
        if {share.member_threshold for share in members} != {len(members)}:
            needed = members[0].member_threshold
            raise _refusal(f"{len(members)} shares of group {group + 1}; {needed} are needed")


def _printable(passphrase: Secret | None) -> bytes:
    if passphrase is None:
        return b""
    with passphrase.reveal() as view:
        if not all(32 <= byte <= 126 for byte in view):
            raise InvalidInput("invalid_input.passphrase", detail="SLIP-39 takes printable ASCII only")
        return bytes(view)


def _is_int(value: object) -> bool:
    return type(value) is int


def _refusal(detail: str) -> InvalidInput:
    return InvalidInput("invalid_input.share", detail=detail)
