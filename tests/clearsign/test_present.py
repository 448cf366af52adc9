"""A tree of parts is shown in full: exact amounts, full addresses, and nobody's claim as a fact."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.clearsign.lookup import AddressKind, AddressName, TokenName
from mcp_wallet_guard.clearsign.present import Presenter
from mcp_wallet_guard.clearsign.tree import (
    AssetKind,
    AssetRef,
    Bound,
    Clarity,
    Consequence,
    Direction,
    Part,
    PartKind,
    Shown,
    ShownKind,
    Source,
)
from mcp_wallet_guard.operations.values import Address, ChainId

CHAIN: Final = ChainId(1)
ME: Final = Address("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266")
BOB: Final = Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
EVE: Final = Address("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC")
USDC: Final = Address("0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48")
TOKEN: Final = AssetRef(chain=CHAIN, kind=AssetKind.ERC20, contract=USDC)
ETHER: Final = AssetRef(chain=CHAIN)


@dataclass(frozen=True)
class Known:
    """A lookup made of what it knows."""

    tokens: dict[Address | None, TokenName] = field(
        default_factory=lambda: {
            USDC: TokenName(symbol="USDC", decimals=6, source=Source.CONFIG),
            None: TokenName(symbol="ETH", decimals=18, source=Source.CONFIG),
        }
    )
    names: dict[Address, AddressName] = field(
        default_factory=lambda: {BOB: AddressName(name="Bob", source=Source.CONFIG)}
    )

    def token(self, chain: ChainId, contract: Address | None, /) -> TokenName | None:
        return self.tokens.get(contract) if chain == CHAIN else None

    def name(self, chain: ChainId, address: Address, /) -> AddressName | None:
        return self.names.get(address) if chain == CHAIN else None

    def names_of(self, chain: ChainId, address: Address, /) -> tuple[AddressName, ...]:
        found = self.name(chain, address)
        return () if found is None else (found,)

    def kinds(self, chain: ChainId, address: Address, /) -> frozenset[AddressKind]:
        return frozenset()

    def collection(self, chain: ChainId, contract: Address, /) -> AddressName | None:
        return None

    def block_time(self, chain: ChainId, height: int, /) -> int | None:
        return None


SHOWS: Final = Presenter(Known(), account=ME)


def part(**changes: Any) -> Part:
    values: dict[str, Any] = {"path": "", "kind": PartKind.CALL, "chain": CHAIN, "target": USDC, "sender": ME}
    return Part(**(values | changes))


def shown(**changes: Any) -> str:
    values: dict[str, Any] = {"path": "#.x", "label": "X", "kind": ShownKind.INTEGER}
    return SHOWS.fields(part(shown=(Shown(**(values | changes)),)))[0].value


def effect(**changes: Any) -> str:
    values: dict[str, Any] = {"direction": Direction.OUT, "owner": ME, "asset": TOKEN, "amount": 1_500_000}
    return SHOWS.effects(part(consequences=(Consequence(**(values | {"counterparty": BOB} | changes)),)))[0].text


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, f'1.5 USDC to {BOB} "Bob"'),
        ({"counterparty": EVE}, f"1.5 USDC to {EVE}"),
        ({"counterparty": ME}, "1.5 USDC to this account"),
        ({"counterparty": None}, "1.5 USDC to somebody"),
        ({"owner": EVE}, f'1.5 USDC of {EVE} to {BOB} "Bob"'),
        ({"bound": Bound.AT_MOST}, f'at most 1.5 USDC to {BOB} "Bob"'),
        ({"amount": None}, f'all USDC to {BOB} "Bob"'),
        ({"direction": Direction.IN, "bound": Bound.AT_LEAST}, "at least 1.5 USDC"),
        ({"direction": Direction.IN, "owner": EVE}, f"1.5 USDC, for {EVE}"),
        ({"direction": Direction.ALLOW}, f'{BOB} "Bob" may take 1.5 USDC'),
        ({"direction": Direction.ALLOW, "expires_at": 0}, f'{BOB} "Bob" may take 1.5 USDC, until 1970-01-01 00:00:00Z'),
        (
            {"direction": Direction.ALLOW, "unlimited": True, "amount": 2**256 - 1},
            f'{BOB} "Bob" may take without limit ({(2**256 - 1) // 10**6}.{(2**256 - 1) % 10**6} USDC)',
        ),
        ({"asset": ETHER, "amount": 1}, f'0.000000000000000001 ETH to {BOB} "Bob"'),
        (
            {"direction": Direction.CONTROL, "control": "ownership.transfer", "asset": None, "counterparty": EVE},
            f"The contract gets another owner: {EVE} (contract {USDC})",
        ),
    ],
)
def test_an_effect_says_who_what_and_how_much(changes: dict[str, Any], text: str) -> None:
    assert effect(**changes) == text


def test_a_claimed_symbol_gives_neither_its_decimals_nor_its_name_as_a_fact() -> None:
    claims = Known(tokens={USDC: TokenName(symbol="USDC", decimals=0, source=Source.NODE)})
    asked = part(
        consequences=(Consequence(direction=Direction.OUT, owner=ME, asset=TOKEN, amount=5, counterparty=BOB),)
    )
    found = Presenter(claims, account=ME).effects(asked)[0]
    assert found.text == f'5 units of the token {USDC} that calls itself "USDC" to {BOB} "Bob"'
    assert (found.amount, found.symbol, found.decimals, found.raw) == (None, None, None, "5")


def test_an_unknown_token_is_a_number_of_units_of_an_address() -> None:
    stranger = AssetRef(chain=CHAIN, kind=AssetKind.ERC20, contract=EVE)
    assert effect(asset=stranger, amount=7) == f'7 units of the unknown token {EVE} to {BOB} "Bob"'


def test_a_pinned_token_of_another_chain_is_unknown_here() -> None:
    elsewhere = AssetRef(chain=ChainId(10), kind=AssetKind.ERC20, contract=USDC)
    assert effect(asset=elsewhere, amount=1) == f'1 unit of the unknown token {USDC} to {BOB} "Bob"'


def test_an_nft_is_its_collection_and_number() -> None:
    nft = AssetRef(chain=CHAIN, kind=AssetKind.ERC721, contract=EVE, token_id=7)
    assert effect(asset=nft, amount=1) == f'the collection {EVE} #7 to {BOB} "Bob"'
    every = AssetRef(chain=CHAIN, kind=AssetKind.ERC721, contract=EVE)
    assert effect(asset=every, amount=None) == f'all the collection {EVE} to {BOB} "Bob"'


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"raw": 5}, "5"),
        ({"raw": -5}, "-5"),
        ({"raw": True, "kind": ShownKind.FLAG}, "yes"),
        ({"raw": False, "kind": ShownKind.FLAG}, "no"),
        ({"raw": 0, "kind": ShownKind.DATE}, "1970-01-01 00:00:00Z"),
        ({"raw": 61, "kind": ShownKind.DURATION}, "00:01:01"),
        ({"raw": 10, "kind": ShownKind.CHAIN}, "eip155:10"),
        ({"raw": 0, "kind": ShownKind.CHAIN}, "every chain"),
        ({"raw": 1_500_000, "kind": ShownKind.AMOUNT, "asset": TOKEN}, "1.5 USDC"),
        ({"raw": 1_500_000, "kind": ShownKind.AMOUNT, "asset": TOKEN, "text": "1 USDC"}, "1.5 USDC"),
        ({"raw": b"", "kind": ShownKind.BYTES}, "nothing"),
        ({"raw": b"\x01\x02", "kind": ShownKind.BYTES}, "2 bytes: 0x0102"),
        ({"raw": 'a"\u202eb', "kind": ShownKind.TEXT}, '"a\\"\\u{202e}b"'),
        ({"raw": 1, "kind": ShownKind.ENUM, "text": "Stable rate"}, "Stable rate"),
        ({"raw": 1, "kind": ShownKind.ENUM, "text": "Stable\n", "source": Source.DESCRIPTOR}, '"Stable\\u{a}"'),
    ],
)
def test_a_value_is_shown_by_its_kind(changes: dict[str, Any], text: str) -> None:
    assert shown(**changes) == text


def test_long_bytes_are_their_beginning_their_length_and_their_hash() -> None:
    raw = bytes(range(256)) + b"\x00"
    head = raw[:64].hex()
    assert shown(raw=raw, kind=ShownKind.BYTES) == f"257 bytes: 0x{head} ... SHA-256 {hashlib.sha256(raw).hexdigest()}"
    assert shown(raw=raw[:256], kind=ShownKind.BYTES) == f"256 bytes: 0x{raw[:256].hex()}"


def test_a_label_of_a_descriptor_is_quoted_and_ours_is_not() -> None:
    label = "Pay\u202e"
    theirs = Shown(path="", label=label, kind=ShownKind.INTEGER, raw=1, source=Source.DESCRIPTOR)
    assert SHOWS.fields(part(shown=(theirs,)))[0].label == '"Pay\\u{202e}"'


def test_the_members_of_a_message_that_nobody_knows_have_their_names_in_quotes() -> None:
    """Threat: T-021. A member may be called like one of our labels."""
    member = Shown(path="#.Maximum fee", label="Maximum fee", kind=ShownKind.INTEGER, raw=0)
    unknown = part(kind=PartKind.TYPED_DATA, clarity=Clarity.DECODED, shown=(member,))
    assert SHOWS.fields(unknown)[0].label == '"Maximum fee"'
    known = part(kind=PartKind.TYPED_DATA, clarity=Clarity.CLEAR, shown=(member,))
    assert SHOWS.fields(known)[0].label == "Maximum fee"


def test_every_part_is_shown_once_wherever_it_stands() -> None:
    inner = part(path="0", title="Send", shown=(Shown(path="#.n", label="N", kind=ShownKind.INTEGER, raw=1),))
    placed = Shown(path="#.data", label="Data", kind=ShownKind.CALL, part=inner)
    fields = SHOWS.fields(part(shown=(placed,), parts=(inner, part(path="1", title="More"))))
    assert [each.value for each in fields] == [f"Call {USDC}: Send", f"Call {USDC}: More"]
    assert [child.value for child in fields[0].children] == ["1"]


def test_the_effects_of_inner_parts_are_effects_of_the_whole() -> None:
    consequence = Consequence(direction=Direction.ALLOW, owner=ME, asset=TOKEN, amount=1, counterparty=EVE)
    deep = part(path="0.0.0", consequences=(consequence,))
    whole = part(parts=(part(path="0", parts=(part(path="0.0", parts=(deep,)),)),))
    assert [(each.direction, each.path) for each in SHOWS.effects(whole)] == [("allow", "0.0.0")]


@given(text=st.text(max_size=400), amount=st.integers(0, 2**256 - 1), decimals=st.integers(0, 77))
def test_whatever_stands_outside_becomes_printable_and_amounts_read_back(text: str, amount: int, decimals: int) -> None:
    known = Known(
        tokens={USDC: TokenName(symbol="T", decimals=decimals, source=Source.LIST)},
        names={BOB: AddressName(name=text, source=Source.ENS)},
    )
    fields = Presenter(known, account=ME).fields(
        part(
            shown=(
                Shown(path="a", label=text, kind=ShownKind.TEXT, raw=text, source=Source.DESCRIPTOR),
                Shown(path="b", label="b", kind=ShownKind.ADDRESS, raw=BOB),
                Shown(path="c", label="c", kind=ShownKind.AMOUNT, raw=amount, asset=TOKEN),
            )
        )
    )
    for each in fields:
        assert re.fullmatch(r"[ -~]*", each.value + each.label)
    whole, _, fraction = fields[2].value.removesuffix(" T").partition(".")
    assert int(whole + fraction.ljust(decimals, "0")) == amount
