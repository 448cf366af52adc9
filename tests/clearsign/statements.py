"""What tests of statements share: accounts, and typed data of the common kinds as a website would send it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from mcp_wallet_guard.clearsign.statements import read_typed_data
from mcp_wallet_guard.clearsign.tree import Part, Shown
from mcp_wallet_guard.operations.typed_data import parse_typed_data
from mcp_wallet_guard.operations.values import Address, ChainId

MAINNET: Final = ChainId(1)
OWNER: Final = Address("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266")
SPENDER: Final = Address("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC")
TOKEN: Final = Address("0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48")
PERMIT2: Final = "0x000000000022D473030F116dDEE9F6B43aC78BA3"


def read(document: dict[str, Any]) -> Part:
    """As the owner's wallet on mainnet reads it."""
    return read_typed_data(parse_typed_data(document), chain=MAINNET, signer=OWNER)


def leaves(shown: tuple[Shown, ...]) -> Iterator[Shown]:
    """All shown values but the groups around them."""
    for each in shown:
        if each.children:
            yield from leaves(each.children)
        else:
            yield each


def at(part: Part, path: str) -> Shown:
    """The one value of that path."""
    (found,) = (each for each in leaves(part.shown) if each.path == path)
    return found


def codes(part: Part) -> set[str]:
    """The codes of all oddities."""
    return {each.code for each in part.oddities}


def typed(kind: str, message: dict[str, Any], *, contract: str = TOKEN.value, **domain: Any) -> dict[str, Any]:
    """Typed data of the `encodeType` string `kind`."""
    types: dict[str, list[dict[str, str]]] = {}
    for text in kind.split(")")[:-1]:
        name, _, members = text.partition("(")
        pairs = (member.split(" ") for member in members.split(","))
        types[name] = [{"name": each, "type": type_} for type_, each in pairs]
    place = {"chainId": 1, "verifyingContract": contract, **domain}
    return {
        "types": types,
        "primaryType": next(iter(types)),
        "domain": {name: value for name, value in place.items() if value is not None},
        "message": message,
    }


def permit(**change: Any) -> dict[str, Any]:
    """An ERC-2612 permit over five units."""
    message = {"owner": OWNER.value, "spender": SPENDER.value, "value": "5", "nonce": 0, "deadline": 1_700_000_000}
    kind = "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
    return typed(kind, message | change, name="USD Coin", version="2")
