"""ERC-7930 interoperable addresses: chain-specific addresses in one byte string, strictly parsed.

Names follow ``<address>@<chain>#<checksum>``; the checksum is that of ERC-7828: the first four bytes of the Keccak-256
of everything after the version. Source: ERC-7930; the chain types are CAIP-350's for EVM (0) and Solana (2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

from mcp_wallet_guard.clearsign.descriptors.limits import refuse
from mcp_wallet_guard.operations.values import Address, ChainId, keccak256

_VERSION: Final = b"\x00\x01"
_EVM: Final = b"\x00\x00"
_SOLANA: Final = b"\x00\x02"
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_CAIP2_REFERENCE: Final = 32


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Interoperable:
    """`address` is the text of the address alone, "" for a chain's identifier; `chain` CAIP-2 text, "" for none.
    `evm` is the address of an EVM chain, `evm_chain` that chain, where there are such. `checksum` is 8 hex digits."""

    address: str
    chain: str
    checksum: str
    evm: Address | None = None
    evm_chain: ChainId | None = None

    def name(self, shown: str | None = None, /) -> str:
        """The interoperable name, with `shown` in place of the address."""
        return f"{self.address if shown is None else shown}@{self.chain}#{self.checksum}"


def parse(data: bytes, /) -> Interoperable:
    """Raises InvalidInput("invalid_input.descriptor") for other bytes, other versions and chains of other kinds."""
    reference_end = 5 + (data[4] if len(data) > 5 else 0)
    if data[:2] != _VERSION or len(data) <= reference_end or len(data) != reference_end + 1 + data[reference_end]:
        refuse("not an interoperable address of version 1")
    kind, reference, address = data[2:4], data[5:reference_end], data[reference_end + 1 :]
    if not reference and not address:
        refuse("an interoperable address names an address or a chain")
    checksum = keccak256(data[2:])[:4].hex().upper()
    if kind == _EVM:
        return _evm(reference, address, checksum)
    if kind != _SOLANA or len(reference) not in {0, 32} or len(address) not in {0, 32}:
        refuse("the kind of chain is not known")
    chain = f"solana:{_base58(reference)[:_CAIP2_REFERENCE]}" if reference else "solana"
    return Interoperable(address=_base58(address), chain=chain, checksum=checksum)


def _evm(reference: bytes, address: bytes, checksum: str) -> Interoperable:
    number = int.from_bytes(reference)
    if reference[:1] == b"\x00" or number >= 2**64 or len(address) not in {0, 20}:
        refuse("not an address of an EVM chain")
    found = Address.from_bytes(address) if address else None
    return Interoperable(
        address="" if found is None else found.value,
        chain=f"eip155:{number}" if reference else "eip155",
        checksum=checksum,
        evm=found,
        evm_chain=ChainId(number) if number else None,
    )


def _base58(data: bytes) -> str:
    number, digits = int.from_bytes(data), ""
    while number:
        number, digit = divmod(number, 58)
        digits = _BASE58[digit] + digits
    return "1" * (len(data) - len(data.lstrip(b"\x00"))) + digits
