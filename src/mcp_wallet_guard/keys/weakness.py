"""Entropy that nobody may use: known to everybody, or with a pattern that chance does not make.

A pattern found is proof of a fault; none found is proof of nothing. No test on 32 bytes can say that they are random.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from mcp_wallet_guard import bip39

PUBLIC: Final = frozenset(
    {
        # What development chains use by default.
        "2150f0816c6ad265db4dcacce69b6ef3",  # Truffle and Ganache, "candy maple ..."
        "92903465e029df56cab416a53b015396",  # ganache --deterministic, "myth like ..."
        "df9bf37e6fcdf9bf37e6fcdf9bf37e3c",  # Hardhat, Anvil and Foundry, "test test ... junk"
        # What documentation and devices show.
        "b0a30c7e93a58094d213c4c0aaba22da",  # ethers.js, "radar blur ..."
        "09577e0750a43bdb700235cceeefe203",  # ethers.js, "announce room ..."
        "0c1e24e5917779d297e14d45f14e1a1a",  # Mastering Bitcoin, "army van ..."
        "3020d40059de4fcf491f9e2b191ea78d609d79825304f5cdd1b50f4ca6e300c8",  # eth-account, "coral allow ..."
        "6395861d38510eadd442a2ecb357a35bc7e1d5d25c7ac4b252b73622e3f62c4e",  # Ledger's emulator, "glory promote ..."
        # The test vectors of BIP-39, each a phrase of every language. Those of one repeated byte have a pattern.
        "9e885d952ad362caeb4efe34a8e91bd2",
        "6610b25967cdcca9d59875f5cb50b0ea75433311869e930b",
        "68a79eaca2324873eacc50cb9c6eca8cc68ea5d936f98787c60c7ebc74e6ce7c",
        "c0ba5a8e914111210f2bd131f3d5e08d",
        "6d9be1ee6ebd27a258115aad99b7317b9c8d28b6d76431c3",
        "9f6a2878b2520799a44ef18bc7df394e7061a224d2c33cd015b157d746869863",
        "23db8160a31d3e0dca3688ed941adbf3",
        "8197a4a47f0425faeaa69deebc05ca29c0a5b5cc76ceacc0",
        "066dca1a2bb7e8a1db2832148ce9933eea0f3ac9548d793112d9a95c9407efad",
        "f30f8c1da665478f49b001d94c5fc452",
        "c10ec20dc3cd9f652c7fac2f1230f7a3c828389a14392f05",
        "f585c11aec520db57dd353c69554b21a89b20fb0650966fa0a9d6f74fd989d8f",
        # The Japanese test vectors that BIP-39 names.
        "77c2b00716cec7213839159e404db50d",
        "b63a9c59a6e641f288ebc103017f1da9f8290b3da6bdef7b",
        "3e141609b97933b66a060dcddc71fad1d91677db872031e85f4c015c5e7e8982",
        "0460ef47585604c5660618db2e6a7e7f",
        "72f60ebac5dd8add8d2a25a797102c3ce21bc029c200076f",
        "2c85efc7f24ee4573d2b81a6ec66cee209b2dcbd09d8eddc51e0215b0b68e416",
        "eaebabb2383351fd31d703840b32e9e2",
        "7ac45cfe7722ee6c7ba84fbc2d5bd61b45cb2fe5eb65aa78",
        "4fa1a8bc3e6d80ee1316050e862c1812031493212b7ec3f3bb1b08f168cabeef",
        "18ab19a9f54a9274f03e5209a2ac8a91",
        "18a2e1d81b8ecfb2a333adcb0c17a5b9eb76cc5d05db91a4",
        "15da872c95a13dd738fbf50e427583ad61f18fd99f628c417a61cf8343c90419",
    }
)
"""Entropies in hex whose phrases stand in documentation and tools."""


def is_weak(entropy: bytes, /) -> bool:
    """Whether everybody knows this entropy, or it or its words have a pattern. Random bytes do with a chance below
    2^-40. `entropy` is 16, 20, 24, 28 or 32 bytes."""
    words = bip39.words_for(entropy, language="english")
    return entropy.hex() in PUBLIC or has_pattern(entropy) or len(set(words)) * 2 <= len(words)


def has_pattern(block: bytes, /) -> bool:
    """Whether a block (16 bytes or more) is made of few byte values, of two equal halves, or of equal steps."""
    half = len(block) // 2
    steps = {(after - before) % 256 for before, after in pairwise(block)}
    return block[:half] == block[half:] or len(set(block)) * 4 <= len(block) or len(steps) == 1
