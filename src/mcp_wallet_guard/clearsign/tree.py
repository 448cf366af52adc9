"""What bytes say, as a tree of parts: calls and statements, their arguments, and what each does to somebody's money.

A `Part` holds raw values only: amounts in smallest units, addresses, bytes. Names, symbols and decimals are facts,
which the view adds. Decoders make parts, checks read them, and nothing in them comes from a tool's arguments.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, final

from mcp_wallet_guard.operations.bulk import in_bulk
from mcp_wallet_guard.operations.values import Address, ChainId


class Clarity(StrEnum):
    """How much of a part a person can read."""

    CLEAR = "clear"
    """A built-in decoder or a descriptor bound to this contract shows every value."""
    DECODED = "decoded"
    """The function is known, and what its arguments mean is not."""
    PARTIAL = "partial"
    """Something inside it cannot be read."""
    BLIND = "blind"
    """Unknown or malformed."""


CLARITIES: Final = (Clarity.BLIND, Clarity.PARTIAL, Clarity.DECODED, Clarity.CLEAR)
"""Worst first."""


class Source(StrEnum):
    """Where a value or a name comes from."""

    BYTES = "bytes"
    """The bytes that are signed."""
    OURS = "ours"
    CONFIG = "config"
    """The owner's settings: pinned assets, contacts."""
    LIST = "list"
    """A pinned token list."""
    HISTORY = "history"
    """What this wallet did before."""
    DESCRIPTOR = "descriptor"
    ENS = "ens"
    NODE = "node"


TRUSTED: Final = frozenset({Source.OURS, Source.CONFIG, Source.LIST, Source.HISTORY})
"""Sources whose word for a symbol, a name or decimals is taken."""


class AssetKind(StrEnum):
    """The CAIP-19 namespaces that we know."""

    NATIVE = "slip44"
    ERC20 = "erc20"
    ERC721 = "erc721"
    ERC1155 = "erc1155"
    ERC6909 = "erc6909"


@final
@in_bulk
@dataclass(frozen=True, slots=True, kw_only=True)
class AssetRef:
    """Which asset, without saying what a unit of it is. `contract` is None for the native currency alone, `token_id`
    is None for a currency and for "all of this collection"."""

    chain: ChainId
    kind: AssetKind = AssetKind.NATIVE
    contract: Address | None = None
    token_id: int | None = None

    @property
    def id(self) -> str:
        """CAIP-19."""
        if self.contract is None:
            return f"{self.chain}/slip44:60"
        number = "" if self.token_id is None else f"/{self.token_id}"
        return f"{self.chain}/{self.kind}:{self.contract.value.lower()}{number}"


class Direction(StrEnum):
    """What happens to an asset or a right, seen from its `owner`."""

    OUT = "out"
    IN = "in"
    ALLOW = "allow"
    """Somebody may take it later."""
    CONTROL = "control"
    """Who decides over an account, a contract or a role changes."""


class Bound(StrEnum):
    """Whether an amount is what will move, or the most or least of it."""

    EXACT = "exact"
    AT_MOST = "at_most"
    AT_LEAST = "at_least"


@final
@in_bulk
@dataclass(frozen=True, slots=True, kw_only=True)
class Consequence:
    """One thing that a part does to somebody. `amount` is in the smallest unit, None when the bytes bound it by no
    number ("all", or what another call leaves). `counterparty` receives, may take, or gains control. `control` is a
    code of `CONTROLS`, for the direction CONTROL alone. `expires_at` is unix seconds."""

    direction: Direction
    owner: Address | None
    asset: AssetRef | None = None
    amount: int | None = None
    bound: Bound = Bound.EXACT
    counterparty: Address | None = None
    unlimited: bool = False
    expires_at: int | None = None
    control: str | None = None


CONTROLS: Final[dict[str, str]] = {
    "ownership.transfer": "The contract gets another owner",
    "ownership.renounce": "The contract's owner gives the contract up",
    "ownership.accept": "The account becomes the contract's owner",
    "role.grant": "An address gets a role in the contract",
    "role.revoke": "An address loses a role in the contract",
    "admin.change": "The contract gets another administrator",
    "proxy.upgrade": "The contract's code is replaced",
    "safe.owners": "The Safe's owners change",
    "safe.threshold": "The number of owners who must sign changes",
    "safe.module": "A module may act for the Safe without its owners",
    "safe.module_removed": "A module may no longer act for the Safe",
    "safe.agree": "The Safe agrees, or one of its owners does, to something of which only a hash is signed",
    "safe.guard": "The Safe's guard changes",
    "safe.fallback": "The Safe's fallback handler changes",
    "safe.mastercopy": "The Safe's code is replaced",
    "account.delegate": "The account's code is set: it may do everything with the account",
    "account.revoke": "The account's code is taken away",
    "account.module": "A module may act for the account",
    "account.module_removed": "A module may no longer act for the account",
    "delegatecall": "Another contract's code runs as the account itself",
    "create": "A contract is created",
}
"""Code -> our words."""


class ShownKind(StrEnum):
    """How a shown value is to be read."""

    AMOUNT = "amount"
    ADDRESS = "address"
    DATE = "date"
    DURATION = "duration"
    INTEGER = "integer"
    FLAG = "flag"
    ENUM = "enum"
    TEXT = "text"
    BYTES = "bytes"
    NFT = "nft"
    CHAIN = "chain"
    CALL = "call"
    GROUP = "group"


Raw = bool | int | bytes | str | Address | None


@final
@in_bulk
@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One value that a person must see. `label` is ours, or a descriptor's (then `source` says so). `raw` is the value
    as in the bytes. An AMOUNT or NFT has its `asset`. `text` is how a descriptor or an enumeration says it; without one
    the view formats `raw` by its kind. A CALL has `part`, a GROUP has `children`."""

    path: str
    label: str
    kind: ShownKind
    raw: Raw = None
    source: Source = Source.BYTES
    asset: AssetRef | None = None
    unlimited: bool = False
    text: str | None = None
    part: Part | None = None
    children: tuple[Shown, ...] = ()


class PartKind(StrEnum):
    """What a part is."""

    CALL = "call"
    DELEGATECALL = "delegatecall"
    CREATE = "create"
    TYPED_DATA = "typed_data"
    MESSAGE = "message"
    AUTHORIZATION = "authorization"


@final
@in_bulk
@dataclass(frozen=True, slots=True, kw_only=True)
class Oddity:
    """Something that was unusual in the bytes. `code` is stable; `facts` are numbers and texts of ours or hex."""

    code: str
    facts: tuple[tuple[str, str | int], ...] = ()


@final
@in_bulk
@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One thing that the bytes say. `path` is "" at the top and "0.2" for the third inside the first.

    `target` is the contract, None for a creation or a plain message. `sender` is who calls, None when CALL and
    DELEGATECALL cannot be told apart. `value` is wei, None when unknown. `standard` names what defines it ("ERC-20").
    `title` is our own words for what it does.
    """

    path: str
    kind: PartKind
    chain: ChainId | None
    target: Address | None
    sender: Address | None
    value: int | None = 0
    data: bytes = b""
    clarity: Clarity = Clarity.BLIND
    signature: str | None = None
    standard: str | None = None
    title: str = ""
    shown: tuple[Shown, ...] = ()
    consequences: tuple[Consequence, ...] = ()
    parts: tuple[Part, ...] = ()
    oddities: tuple[Oddity, ...] = field(default=())

    def walk(self) -> Iterator[Part]:
        """This part and all inside it, in order."""
        yield self
        for part in self.parts:
            yield from part.walk()


def worst(clarities: Iterator[Clarity] | tuple[Clarity, ...], /) -> Clarity:
    """The worst of some, BLIND for none."""
    return min(clarities, key=CLARITIES.index, default=Clarity.BLIND)
