"""A part in the making: what a reader of one function says about its arguments and their consequences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from mcp_wallet_guard.clearsign.decoders.base import Call, Knowledge, Purse
from mcp_wallet_guard.clearsign.decoders.places import is_at, wrapped_native
from mcp_wallet_guard.clearsign.decoders.showing import Note
from mcp_wallet_guard.clearsign.tree import (
    CLARITIES,
    AssetKind,
    AssetRef,
    Bound,
    Clarity,
    Consequence,
    Direction,
    Oddity,
    Part,
    PartKind,
    ShownKind,
)
from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations import abi
from mcp_wallet_guard.operations.abi_types import ADDRESS_NODES
from mcp_wallet_guard.operations.erc20 import is_unlimited
from mcp_wallet_guard.operations.values import UINT256_MAX, Address

Reader = Callable[..., None]
"""Takes the draft, then the function's arguments, and says what they do."""

EVERYTHING: Final = UINT256_MAX
CONSEQUENCE_NODES: Final = ADDRESS_NODES
"""What a consequence costs of a budget."""


def malformed(detail: str, /) -> InvalidInput:
    """Raised by a reader when the arguments cannot mean anything."""
    return InvalidInput("invalid_input.calldata", detail=detail)


@final
class Draft:
    """What becomes a part. Paths are those of `tree.Shown`; a path that nothing is said of is shown by its type."""

    __slots__ = ("call", "clarity", "consequences", "me", "notes", "oddities", "parts", "standard", "this", "title")

    def __init__(self, call: Call, /, *, title: str, standard: str) -> None:
        self.call: Call = call
        self.me: Address | None = call.sender
        """Who calls."""
        self.this: Address | None = call.runs_as
        """As whom the code runs."""
        self.title: str = title
        self.standard: str = standard
        self.clarity: Clarity = Clarity.CLEAR
        self.notes: dict[str, Note] = {}
        self.consequences: list[Consequence] = []
        self.parts: list[Part] = []
        self.oddities: list[Oddity] = []

    # ------------------------------------------------------------------------------------------------- who, what

    @property
    def knows(self) -> Knowledge:
        return self.call.knows

    @property
    def kind_of_token(self) -> AssetKind | None:
        """Which kind of token the called contract is known to be."""
        return None if self.this is None else self.call.knows.kind_of(self.this)

    @property
    def native(self) -> AssetRef:
        return AssetRef(chain=self.call.chain)

    @property
    def wrapped(self) -> AssetRef | None:
        """The chain's wrapped native currency."""
        contract = wrapped_native(self.call.chain)
        return None if contract is None else self.erc20(contract)

    @property
    def token(self) -> AssetRef | None:
        """The called contract as a fungible token."""
        return None if self.this is None else self.erc20(self.this)

    def erc20(self, contract: Address, /) -> AssetRef:
        return AssetRef(chain=self.call.chain, kind=AssetKind.ERC20, contract=contract)

    def item(self, kind: AssetKind, number: int | None, /) -> AssetRef | None:
        """One token of the called contract, or all of it for None."""
        if self.this is None:
            return None
        return AssetRef(chain=self.call.chain, kind=kind, contract=self.this, token_id=number)

    def is_at(self, place: str, /) -> bool:
        """Whether the called contract is known to be `place`. If not, its function is known by name alone."""
        found = self.call.kind is PartKind.CALL and is_at(place, self.call.chain, self.call.target)
        if not found:
            self.lower(Clarity.DECODED)
        return found

    # -------------------------------------------------------------------------------------------------- arguments

    def amount(
        self, path: str, asset: AssetRef | None, /, *, unlimited: bool = False, label: str | None = None
    ) -> None:
        """The argument counts units of `asset`."""
        kind = ShownKind.INTEGER if asset is None else ShownKind.AMOUNT
        self.notes[path] = Note(kind=kind, asset=asset, unlimited=unlimited, label=label)

    def nft(self, path: str, asset: AssetRef | None, /) -> None:
        """The argument names one token of a collection."""
        self.notes[path] = Note(kind=ShownKind.INTEGER if asset is None else ShownKind.NFT, asset=asset)

    def says(self, path: str, text: str | None, /, *, kind: ShownKind | None = None, label: str | None = None) -> None:
        """The argument in words of ours."""
        self.notes[path] = Note(kind=kind, text=text, label=label)

    def opaque(self, *datas: bytes) -> None:
        """Arguments that only the receiver of a token or a module understands."""
        if any(datas):
            self.lower(Clarity.DECODED)

    def opened(self, path: str, data: bytes, text: str, reader: Reader, /, *, label: str | None = None) -> None:
        """The argument is itself arguments, those of the function `text`, which `reader` reads.

        Raises InvalidInput("invalid_input.calldata") for anything else.
        """
        inputs = abi.parse_function(text).inputs
        decoded = abi.decode(inputs, data, budget=self.call.budget)
        if decoded.trailing:
            raise malformed("bytes after arguments inside arguments")
        self.notes[path] = Note(kind=ShownKind.GROUP, inputs=inputs, values=decoded.values, label=label)
        reader(self, path, *decoded.values)

    def calls(
        self, path: str, data: bytes, /, *, target: Address | None, sender: Address | None, value: int | None,
        kind: PartKind = PartKind.CALL, purse: Purse | None = None,
    ) -> Part:  # fmt: skip
        """The argument is a call that the contract makes."""
        part = self.call.inside(
            len(self.parts), data, kind=kind, target=target, sender=sender, value=value, purse=purse
        )
        self.parts.append(part)
        self.notes[path] = Note(kind=ShownKind.CALL, part=part)
        return part

    # ----------------------------------------------------------------------------------------------- consequences

    def out(
        self, asset: AssetRef | None, amount: int | None, /, *, owner: Address | None, to: Address | None,
        bound: Bound = Bound.EXACT,
    ) -> None:  # fmt: skip
        """`asset` leaves `owner`."""
        self._add(Direction.OUT, owner, asset, amount, counterparty=to, bound=bound)

    def receives(
        self, asset: AssetRef | None, amount: int | None, /, *, owner: Address | None, of: Address | None,
        bound: Bound = Bound.EXACT,
    ) -> None:  # fmt: skip
        """`asset` comes to `owner`."""
        self._add(Direction.IN, owner, asset, amount, counterparty=of, bound=bound)

    def moves(self, asset: AssetRef | None, amount: int, /, *, owner: Address | None, to: Address) -> None:
        """`asset` goes from `owner` to `to`, which may be the caller."""
        self.out(asset, amount, owner=owner, to=to)
        if to == self.me and to != owner:
            self.receives(asset, amount, owner=to, of=owner)

    def allow(
        self, asset: AssetRef | None, amount: int | None, /, *, owner: Address | None, to: Address,
        expires_at: int | None = None, bound: Bound = Bound.EXACT,
    ) -> None:  # fmt: skip
        """`to` may take so much of `asset` from `owner`; zero takes the right away."""
        unlimited = amount is not None and is_unlimited(amount)
        self._add(
            Direction.ALLOW, owner, asset, amount, counterparty=to, bound=bound, unlimited=unlimited,
            expires_at=expires_at,
        )  # fmt: skip

    def allow_all(self, asset: AssetRef | None, /, *, owner: Address | None, to: Address, allowed: bool) -> None:
        """`to` may take all of a collection from `owner`, now and later, or not any more."""
        amount = None if allowed else 0
        self._add(Direction.ALLOW, owner, asset, amount, counterparty=to, unlimited=allowed)

    def control(self, code: str, /, *, of: Address | None, to: Address | None = None) -> None:
        """Who decides over `of` changes, in favour of `to`. `code` is one of `tree.CONTROLS`."""
        self.call.budget.spend(nodes=CONSEQUENCE_NODES)
        self.consequences.append(Consequence(direction=Direction.CONTROL, owner=of, counterparty=to, control=code))

    # ------------------------------------------------------------------------------------------------------- else

    def lower(self, clarity: Clarity, /) -> None:
        """No clearer than `clarity`."""
        self.clarity = min(self.clarity, clarity, key=CLARITIES.index)

    def odd(self, code: str, /, **facts: str | int) -> None:
        self.oddities.append(Oddity(code=code, facts=tuple(facts.items())))

    def _add(
        self, direction: Direction, owner: Address | None, asset: AssetRef | None, amount: int | None, /, *,
        counterparty: Address | None, bound: Bound = Bound.EXACT, unlimited: bool = False,
        expires_at: int | None = None,
    ) -> None:  # fmt: skip
        self.call.budget.spend(nodes=CONSEQUENCE_NODES)
        self.consequences.append(
            Consequence(
                direction=direction,
                owner=owner,
                asset=asset,
                amount=amount,
                bound=bound,
                counterparty=counterparty,
                unlimited=unlimited,
                expires_at=expires_at,
            )
        )
