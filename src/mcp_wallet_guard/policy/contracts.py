"""Which contracts may be called, and how well a person must be able to read the call.

A call is permitted only if its contract is named, every part of it can be read, and everything that it does fits what
the rest of the policy allows: whoever gets or may take tokens is a payee or the named contract itself, each token is
under its cap, nothing is without a limit, and control changes hands only where the owner said that this may be asked.
Threat: T-020, T-028, T-036.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, final

from mcp_wallet_guard.clearsign.recipients import nobodys
from mcp_wallet_guard.clearsign.tree import CLARITIES, Clarity
from mcp_wallet_guard.errors import Misconfigured
from mcp_wallet_guard.operations.names import is_entry_name
from mcp_wallet_guard.operations.values import Address

MAX_CONTRACTS: Final = 64
READABLE: Final = frozenset({Clarity.CLEAR, Clarity.DECODED})


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ContractRule:
    """A contract that may be called. `readable` is the worst clarity that may be asked about: nothing that is partial
    or blind is ever signed. `control` says whether calls that change who decides may be asked about."""

    name: str
    address: Address
    readable: Clarity = Clarity.CLEAR
    control: bool = False

    def __post_init__(self) -> None:
        if not is_entry_name(self.name):
            raise _invalid("a name is 1 to 40 letters, digits, spaces, dots, underscores, hyphens")
        address: object = self.address
        if type(address) is not Address or nobodys(self.address) is not None:
            raise _invalid("an address is one that a contract can have")
        if self.readable not in READABLE:
            raise _invalid("readable: nothing that cannot be read is signed")

    def reads(self, clarity: Clarity, /) -> bool:
        """Whether a call of this clarity may be asked about."""
        return CLARITIES.index(clarity) >= CLARITIES.index(self.readable)


def check_contracts(rules: Iterable[ContractRule], /) -> None:
    """Raises Misconfigured("misconfigured.settings") for other types, too many, and what is there twice."""
    found = tuple(rules)
    if len(found) > MAX_CONTRACTS or any(type(rule) is not ContractRule for rule in found):
        raise _invalid(f"at most {MAX_CONTRACTS} rules")
    for seen in ({rule.name.casefold() for rule in found}, {rule.address for rule in found}):
        if len(seen) != len(found):
            raise _invalid("a name or an address is there twice")


def _invalid(detail: str) -> Misconfigured:
    return Misconfigured("misconfigured.settings", detail=f"contracts: {detail}")
