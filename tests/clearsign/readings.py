"""Readings and what is known beside them, made by hand: an honest payment of which everything is known, and changes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from mcp_wallet_guard.clearsign.reading import Domain, Envelope, Method, Reading
from mcp_wallet_guard.clearsign.risks.known import (
    AccountClaim,
    History,
    Known,
    KnownName,
    KnownToken,
    NodeClaims,
    Seen,
    TokenClaim,
    Venue,
    VenueAddress,
)
from mcp_wallet_guard.clearsign.simulated import Movement, SimulationOutcome
from mcp_wallet_guard.clearsign.tree import (
    AssetKind,
    AssetRef,
    Clarity,
    Consequence,
    Direction,
    Oddity,
    Part,
    PartKind,
)
from mcp_wallet_guard.operations.values import Address, ChainId


def address(digits: str) -> Address:
    """From 40 hex digits in any case."""
    return Address.from_bytes(bytes.fromhex(digits))


CHAIN: Final = ChainId(1)
OTHER_CHAIN: Final = ChainId(137)
ETHER: Final = 10**18
GWEI: Final = 10**9
NOW: Final = 1_800_000_000
SIGNER: Final = address("a1b2" + "11" * 16 + "c3d4")
PAYEE: Final = address("7099" + "22" * 16 + "79c8")
TOKEN: Final = address("a0b8" + "33" * 16 + "eb48")
ROUTER: Final = address("e592" + "44" * 16 + "1564")
STRANGER: Final = address("bad1" + "55" * 16 + "bad2")
SAFE: Final = address("5afe" + "66" * 16 + "5af1")
MULTISEND: Final = address("9641" + "77" * 16 + "02e2")
ZERO: Final = address("00" * 20)
DEAD: Final = address("00" * 18 + "dead")
# The same four digits at both ends as PAYEE's, and at its beginning alone.
TWIN: Final = address("7099" + "00" * 16 + "79c8")
HALF_TWIN: Final = address("7099" + "00" * 16 + "0001")

NATIVE: Final = AssetRef(chain=CHAIN)
COIN: Final = AssetRef(chain=CHAIN, kind=AssetKind.ERC20, contract=TOKEN)
APES: Final = AssetRef(chain=CHAIN, kind=AssetKind.ERC721, contract=TOKEN)

ENVELOPE: Final = Envelope(
    type=2, chain=CHAIN, nonce=7, gas=100_000, max_fee_per_gas=30 * GWEI, max_priority_fee_per_gas=GWEI, value=0
)
RAN: Final = SimulationOutcome(
    method="eth_simulateV1", status="ok", block=1, gas_used=50_000, movements=(), allowances=(), code_changes=()
)


def claim(who: Address, *, has_code: bool, **more: Any) -> AccountClaim:
    """A node's word about `who`, complete."""
    whole: dict[str, Any] = {"is_token": False, "elsewhere": False, "created_at": 1_600_000_000, "nonce": 50}
    return AccountClaim(address=who, has_code=has_code, **whole | more)


NODE: Final = NodeClaims(
    chain="eip155:1",
    accounts=(
        *(claim(who, has_code=False) for who in (PAYEE, STRANGER, TWIN, HALF_TWIN, ZERO, DEAD, SIGNER)),
        *(claim(who, has_code=True) for who in (ROUTER, SAFE, MULTISEND)),
        claim(TOKEN, has_code=True, is_token=True),
    ),
    tokens=(TokenClaim(contract=TOKEN, symbol="USDC", supply=10**15, balance=10**12),),
    nonce=7,
    pending_nonce=7,
    balance=100 * ETHER,
    base_fee=28 * GWEI,
    priority_fee=GWEI,
    block_gas_limit=30_000_000,
    estimated_gas=60_000,
    estimate_failed=False,
)


def seen(who: Address) -> Seen:
    """An address of the history."""
    return Seen(address=who, first=1_700_000_000, last=1_790_000_000, count=3)


KNOWN: Final = Known(
    now=NOW,
    chain="eip155:1",
    accounts=(SIGNER,),
    addresses=(KnownName(name="Alice", address=PAYEE),),
    tokens=(KnownToken(chain="eip155:1", contract=TOKEN, symbol="USDC"),),
    history=History(paid=(seen(PAYEE),), called=(seen(TOKEN), seen(ROUTER), seen(SAFE)), allowed=(seen(ROUTER),)),
    blocked=(),
    delegates=(MULTISEND,),
    multisends=(MULTISEND,),
    handlers=(MULTISEND,),
    applications=(),
    verified=(TOKEN, ROUTER, SAFE),
    venues=(
        Venue(
            name="exchange",
            memos=("XRP",),
            no_memos=("ETH",),
            white_list=(
                VenueAddress(network="ETH", address=PAYEE.value, memo=None),
                VenueAddress(network="XRP", address="rPT1", memo="77"),
            ),
        ),
    ),
    names=(),
    node=NODE,
    simulation=(RAN, RAN),
)


def knowing(**changes: Any) -> Known:
    """`KNOWN`, with changes."""
    return KNOWN.model_copy(update=changes)


def node(**changes: Any) -> Known:
    """`KNOWN`, with changes to what the node says."""
    return knowing(node=NODE.model_copy(update=changes))


def claiming(who: Address, **claims: Any) -> Known:
    """`KNOWN`, with other claims about one address."""
    others = tuple(entry for entry in NODE.accounts if entry.address != who)
    return node(accounts=(*others, AccountClaim(address=who, **claims)))


def out(
    to: Address | None = PAYEE, *, asset: AssetRef | None = NATIVE, amount: int | None = ETHER, **more: Any
) -> Consequence:
    """Something leaves the signer."""
    whole: dict[str, Any] = {"owner": SIGNER} | more
    return Consequence(direction=Direction.OUT, asset=asset, amount=amount, counterparty=to, **whole)


def comes(asset: AssetRef | None = COIN, *, amount: int | None = 10**6, **more: Any) -> Consequence:
    """Something comes in."""
    whole: dict[str, Any] = {"owner": SIGNER} | more
    return Consequence(direction=Direction.IN, asset=asset, amount=amount, **whole)


def allow(
    spender: Address | None = ROUTER, *, asset: AssetRef | None = COIN, amount: int | None = 5, **more: Any
) -> Consequence:
    """Somebody may take something."""
    whole: dict[str, Any] = {"owner": SIGNER} | more
    return Consequence(direction=Direction.ALLOW, asset=asset, amount=amount, counterparty=spender, **whole)


def controls(code: str, who: Address | None = STRANGER) -> Consequence:
    """Control over something changes."""
    return Consequence(direction=Direction.CONTROL, owner=SIGNER, counterparty=who, control=code)


def part(
    *consequences: Consequence,
    kind: PartKind = PartKind.CALL,
    target: Address | None = TOKEN,
    data: bytes = b"\x01\x02\x03\x04",
    odd: str | None = None,
    **more: Any,
) -> Part:
    """A part that is read in full."""
    oddities = () if odd is None else (Oddity(code=odd),)
    whole: dict[str, Any] = {"path": "", "chain": CHAIN, "sender": SIGNER, "clarity": Clarity.CLEAR} | more
    return Part(kind=kind, target=target, data=data, consequences=consequences, oddities=oddities, **whole)


def within(outer: Part, *inner: Part) -> Part:
    """`outer` with parts inside it, whose paths follow."""
    return _placed(replace(outer, parts=inner), outer.path)


def _placed(one: Part, path: str) -> Part:
    prefix = path + "." if path else ""
    return replace(one, path=path, parts=tuple(_placed(each, f"{prefix}{at}") for at, each in enumerate(one.parts)))


def read(root: Part, *, value: int = 0, **more: Any) -> Reading:
    """A transaction of which everything was handed over."""
    whole: dict[str, Any] = {
        "method": Method.TRANSACTION,
        "envelope": replace(ENVELOPE, value=value),
        "written": (),
        "digests": (("effect", "ab" * 32),),
    }
    return Reading(signer=SIGNER, root=root, **whole | more)


def call(*consequences: Consequence, **more: Any) -> Reading:
    """A call of a contract with these consequences."""
    return read(part(*consequences, **more))


def pay(to: Address = PAYEE, *, value: int = ETHER, **more: Any) -> Reading:
    """A plain payment in the chain's own currency."""
    return read(part(out(to, amount=value), target=to, data=b"", value=value), value=value, **more)


def typed(*consequences: Consequence, domain: Domain | None = None, **more: Any) -> Reading:
    """Typed data with these consequences."""
    whole = domain or Domain(name="Permit2", chain=1, contract=ROUTER)
    return Reading(
        signer=SIGNER,
        root=part(*consequences, kind=PartKind.TYPED_DATA, target=ROUTER, **more),
        method=Method.TYPED_DATA_V4,
        domain=whole,
        written=(),
        digests=(("effect", "ab" * 32),),
    )


def message(data: bytes = b"hello", *, odd: str | None = None, **more: Any) -> Reading:
    """A message for personal_sign."""
    root = part(kind=PartKind.MESSAGE, target=None, data=data, odd=odd, chain=None)
    whole: dict[str, Any] = {"method": Method.PERSONAL_SIGN, "written": ()} | more
    return Reading(signer=SIGNER, root=root, **whole)


def moved(*movements: tuple[Address, AssetRef, int], **more: Any) -> SimulationOutcome:
    """A run in which this moves."""
    listed = tuple(Movement(account=who, asset=asset.id, amount=amount) for who, asset, amount in movements)
    return RAN.model_copy(update={"movements": listed} | more)


PAID: Final = moved((SIGNER, NATIVE, -ETHER), (PAYEE, NATIVE, ETHER))
"""What an honest simulation of `pay()` gives."""
UNREAD: Final = read(part(clarity=Clarity.BLIND))
"""A call of which nothing is known."""
