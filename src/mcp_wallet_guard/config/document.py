"""The shape of guard.toml: strict tables, no unknown keys, money only as decimal strings.

Specified in docs/formats/settings.md. Error messages name what is expected and repeat nothing of the file, because a
node's URL may hold an API key.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from mcp_wallet_guard import danger
from mcp_wallet_guard.clearsign.recipients import nobodys
from mcp_wallet_guard.errors import Misconfigured
from mcp_wallet_guard.evidence import Model
from mcp_wallet_guard.operations.values import Address, Amount
from mcp_wallet_guard.pinned_url import PinnedUrl
from mcp_wallet_guard.policy.limits import MAX_LIMITS
from mcp_wallet_guard.policy.mandates import MAX_MANDATES, MAX_TOOLS
from mcp_wallet_guard.policy.rules import MAX_PAYEES, MAX_TOKENS
from mcp_wallet_guard.policy.withdrawals import MAX_DECIMALS, MAX_NETWORKS, MAX_VENUES, Form, MemoRule

_PATH: Final = re.compile(r"[^\x00-\x1f\x7f]{1,1024}")


def _node(url: str) -> str:
    """An address that egress speaks to, without a user name."""
    try:
        PinnedUrl.parse(url)
    except Misconfigured:
        raise ValueError(
            "is neither a plain https URL (lower case, no fragment) nor http to a loopback address such as 127.0.0.1"
        ) from None
    if "@" in urlsplit(url).netloc:
        raise ValueError("has a user name")
    return url


def _path(text: str) -> str:
    if _PATH.fullmatch(text) is None:
        raise ValueError("is not a file name")
    return text


def _cheap_kdf(reason: str) -> str:
    return danger.cheap_kdf(reason=reason).reason


def _lower_level(reason: str) -> str:
    return danger.lower_level(reason=reason).reason


def _owned(address: Address) -> Address:
    if nobodys(address) is not None:
        raise ValueError("is an address that nobody owns")
    return address


Owned = Annotated[Address, AfterValidator(_owned)]
Window = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,2}[mhd]\z")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9 ._-]{0,38}[A-Za-z0-9])?\z")]


@final
class ChainTable(Model):
    """[chain]: the one chain, its node, and the ceilings for fees."""

    id: Annotated[int, Field(ge=1, le=2**53 - 1)]
    node: Annotated[str, AfterValidator(_node), Field(repr=False)]
    symbol: Annotated[str, Field(pattern=r"^[A-Za-z0-9.]{1,12}\z")] = "ETH"
    decimals: Annotated[int, Field(ge=0, le=36)] = 18
    max_fee_per_gas_gwei: Amount = Amount("200")
    max_priority_fee_gwei: Amount = Amount("5")
    max_gas: Annotated[int, Field(ge=21_000, le=30_000_000)] = 100_000
    ens: bool = False
    ens_registry: Address | None = None


@final
class AccountTable(Model):
    """[account]: the account that pays, pinned."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}\z")]
    address: Owned


@final
class PayeeTable(Model):
    """One of [policy] payees, or of [[contacts]]: a name for an address."""

    name: Name
    address: Owned


@final
class TokenTable(Model):
    """One of [[tokens]]: an ERC-20 contract, with what its units are. Pinned, and no right to spend it yet."""

    symbol: Annotated[str, Field(pattern=r"^[A-Za-z0-9.]{1,12}\z")]
    address: Owned
    decimals: Annotated[int, Field(ge=0, le=36)]


@final
class LimitTable(Model):
    """One of [[policy.limits]]: how much of an asset, or how many payments, in a window that slides."""

    window: Window
    asset: str | None = None
    amount: Amount | None = None
    count: int | None = None
    group: str | None = None


@final
class MandateTable(Model):
    """One of [[policy.mandates]]: what needs no question once its owner approved it with a code."""

    name: Name
    tools: Annotated[tuple[str, ...], Field(min_length=1, max_length=MAX_TOOLS)]
    asset: str
    group: str
    max_per_transaction: Amount
    max_fee: Amount
    amount: Amount
    count: int
    window: Window
    valid_days: int


@final
class ActionTable(Model):
    """One of [[policy.actions]]: a tool that does something itself may be asked for, so many times in a window."""

    tool: str
    count: int
    window: Window


def _origin(url: str) -> str:
    """A venue's address without path and query: what is sent where is the adapter's to say."""
    parsed = urlsplit(_node(url))
    if parsed.path or parsed.query:
        raise ValueError("has a path; a venue's address is scheme, host and port alone")
    return url


@final
class VenueAssetTable(Model):
    """One of [[venues.assets]]: an asset on one network. `fee` is what the venue takes, or "ask": it is asked."""

    asset: Annotated[str, Field(pattern=r"^[A-Z0-9]{1,16}\z")]
    network: Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9_-]{0,23}\z")]
    decimals: Annotated[int, Field(ge=0, le=MAX_DECIMALS)]
    max_per_withdrawal: Amount
    amount: Amount
    count: int
    window: Window
    max_fee: Amount
    fee: Literal["ask"] | Amount
    memo: MemoRule
    form: Form


@final
class VenueAddressTable(Model):
    """One of [[venues.addresses]]: where withdrawals may go. Nowhere else."""

    name: Name
    network: str
    address: str
    memo: str | None = None


@final
class VenueTable(Model):
    """One of [[venues]]: a trading venue that the owner's API key, kept in the vault, may withdraw from."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}\z")]
    kind: Literal["binance"]
    url: Annotated[str, AfterValidator(_origin)]
    account: Name
    wallet: Literal["spot", "funding"]
    window_seconds: Annotated[int, Field(ge=1, le=60)] = 10
    assets: Annotated[tuple[VenueAssetTable, ...], Field(min_length=1, max_length=MAX_NETWORKS)]
    addresses: Annotated[tuple[VenueAddressTable, ...], Field(min_length=1, max_length=MAX_PAYEES)]


@final
class ContractTable(Model):
    """One of [[policy.contracts]]: a contract that may be called, if what the call does can be read."""

    name: Name
    address: Owned
    readable: Literal["clear", "decoded"] = "clear"
    control: Literal["refuse", "ask"] = "refuse"


@final
class PolicyTable(Model):
    """[policy]: what may be asked. Without this table nothing may. `tokens` gives each token its cap, `groups` gives
    payees and contacts a name for all of them."""

    max_per_transaction: Amount
    tokens: Annotated[dict[str, Amount], Field(max_length=MAX_TOKENS)] = Field(default_factory=dict)
    approvals: Literal["refuse", "capped"] = "refuse"
    limits: Annotated[tuple[LimitTable, ...], Field(max_length=MAX_LIMITS)] = ()
    mandates: Annotated[tuple[MandateTable, ...], Field(max_length=MAX_MANDATES)] = ()
    actions: Annotated[tuple[ActionTable, ...], Field(max_length=MAX_LIMITS)] = ()
    contracts: Annotated[tuple[ContractTable, ...], Field(max_length=MAX_TOKENS)] = ()
    messages: Literal["refuse", "ask"] = "refuse"
    typed_data: Literal["refuse", "clear", "described"] = "refuse"
    delegates: Annotated[tuple[Owned, ...], Field(max_length=MAX_TOKENS)] = ()
    groups: Annotated[dict[Name, tuple[Name, ...]], Field(max_length=MAX_LIMITS)] = Field(default_factory=dict)
    payees: Literal["any"] | Annotated[tuple[PayeeTable, ...], Field(min_length=1, max_length=MAX_PAYEES)]
    level: Literal["factor", "present"] = "factor"
    max_fee: Amount | None = None


@final
class ApprovalTable(Model):
    """[approval]: how long a person has, and where the page listens on loopback (0: any free port)."""

    expires_minutes: Annotated[int, Field(ge=1, le=60)] = 10
    page_port: Annotated[int, Field(ge=0, le=65_535)] = 0
    wait_seconds: Annotated[int, Field(ge=0, le=50)] = 25


@final
class LockTable(Model):
    """[lock]: when the vault locks itself, and whether balances are read while it is locked."""

    idle_minutes: Annotated[int, Field(ge=1, le=720)] = 15
    max_hours: Annotated[int, Field(ge=1, le=24)] = 12
    locked_reads: Literal["allow", "refuse"] = "refuse"


@final
class DescriptorsTable(Model):
    """[descriptors]: which installed ERC-7730 descriptors may tell what a call does, by the hash of all of them."""

    pin: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None


@final
class ListsTable(Model):
    """[lists]: which installed lists of addresses and tokens are consulted, by the hash of all of them."""

    pin: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None


@final
class DangerTable(Model):
    """[danger]: every way to lower protection, each with its reason."""

    lower_level: Annotated[str, AfterValidator(_lower_level)] | None = None
    cheap_kdf: Annotated[str, AfterValidator(_cheap_kdf)] | None = None


@final
class Document(Model):
    """A whole guard.toml."""

    vault: Annotated[str, AfterValidator(_path)]
    mode: Literal["daemon", "embedded"] = "daemon"
    chain: ChainTable
    account: AccountTable
    tokens: Annotated[tuple[TokenTable, ...], Field(max_length=MAX_TOKENS)] = ()
    contacts: Annotated[tuple[PayeeTable, ...], Field(max_length=MAX_PAYEES)] = ()
    venues: Annotated[tuple[VenueTable, ...], Field(max_length=MAX_VENUES)] = ()
    policy: PolicyTable | None = None
    approval: ApprovalTable = ApprovalTable()
    lock: LockTable = LockTable()
    descriptors: DescriptorsTable = DescriptorsTable()
    lists: ListsTable = ListsTable()
    danger: DangerTable = DangerTable()

    @model_validator(mode="after")
    def _level_has_its_waiver(self) -> Document:
        if self.policy is not None and self.policy.level != "factor" and self.danger.lower_level is None:
            raise ValueError("policy.level below factor needs danger.lower_level with a reason")
        return self
