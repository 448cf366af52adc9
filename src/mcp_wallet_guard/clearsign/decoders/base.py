"""What a decoder is given and what it hands back, and the call that it reads.

Nothing here knows a function: `table` knows ours, and others join as further `Decoder` values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol, final

from mcp_wallet_guard.clearsign.tree import AssetKind, Clarity, Consequence, Oddity, Part, PartKind, Shown
from mcp_wallet_guard.operations.abi import Budget
from mcp_wallet_guard.operations.abi_types import ADDRESS_NODES
from mcp_wallet_guard.operations.bulk import in_bulk
from mcp_wallet_guard.operations.values import Address, ChainId

PART_NODES: Final = 2 * ADDRESS_NODES
"""What a call within a call costs of a budget: 512 of them in one transaction, which is more than anybody reads."""


class Knowledge(Protocol):
    """What is known of the contracts of one chain, from sources that are trusted. None: not known."""

    def kind_of(self, contract: Address, /) -> AssetKind | None:
        """Which kind of token a contract is."""
        ...

    def underlying_of(self, vault: Address, /) -> Address | None:
        """The token that an ERC-4626 vault holds."""
        ...


@final
class Nothing:
    """Knows no contract."""

    __slots__ = ()

    def kind_of(self, _contract: Address, /) -> AssetKind | None:
        return None

    def underlying_of(self, _vault: Address, /) -> Address | None:
        return None


@final
@dataclass(slots=True)
class Purse:
    """The native currency that came with a call, in wei, as far as a router has not paid with it."""

    wei: int

    def pays(self, amount: int, /) -> bool:
        """Whether it pays `amount`, which is then gone. A router pays with all or with nothing of it."""
        if amount > self.wei:
            return False
        self.wei -= amount
        return True


@final
@in_bulk
@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Bytes on their way to a contract. `path`, `kind`, `chain`, `target`, `sender` and `value` are those of the part
    that comes of it. `purse` is what the code sees as sent along, `read` reads a call inside this one."""

    chain: ChainId
    target: Address | None
    sender: Address | None
    value: int | None
    data: bytes
    budget: Budget
    knows: Knowledge
    purse: Purse
    read: Callable[[Call], Part]
    kind: PartKind = PartKind.CALL
    path: str = ""

    @property
    def runs_as(self) -> Address | None:
        """The account as which the called code acts: that of the outer contract for a DELEGATECALL."""
        return self.sender if self.kind is PartKind.DELEGATECALL else self.target

    def part(
        self, *, clarity: Clarity, title: str, shown: tuple[Shown, ...], signature: str | None = None,
        standard: str | None = None, consequences: tuple[Consequence, ...] = (), parts: tuple[Part, ...] = (),
        oddities: tuple[Oddity, ...] = (),
    ) -> Part:  # fmt: skip
        """What a decoder says of this call."""
        return Part(
            path=self.path,
            kind=self.kind,
            chain=self.chain,
            target=self.target,
            sender=self.sender,
            value=self.value,
            data=self.data,
            clarity=clarity,
            signature=signature,
            standard=standard,
            title=title,
            shown=shown,
            consequences=consequences,
            parts=parts,
            oddities=oddities,
        )

    def inside(
        self, number: int, data: bytes, /, *, kind: PartKind, target: Address | None, sender: Address | None,
        value: int | None, purse: Purse | None = None,
    ) -> Part:  # fmt: skip
        """The part of a call that this one makes, its `number`-th.

        Raises InvalidInput("invalid_input.calldata") when the budget has nothing left for one more.
        """
        self.budget.spend(nodes=PART_NODES)
        path = f"{self.path}.{number}" if self.path else str(number)
        purse = Purse(value or 0) if purse is None else purse
        call = replace(self, path=path, data=data, kind=kind, target=target, sender=sender, value=value, purse=purse)
        return self.read(call)


class Decoder(Protocol):
    """Reads some calls."""

    def read(self, call: Call, /) -> Part | None:
        """The part, None when it does not know the function. Raises nothing, whatever the bytes: what it knows and
        cannot read is a part that is BLIND."""
        ...
