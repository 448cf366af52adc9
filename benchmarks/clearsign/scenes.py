"""What the benchmarks of clear signing show: a wallet's knowledge, token payments that nobody saw before, and 128 kB of
calldata in every shape of which a small transaction holds the most.

A payment differs from all others in amount, nonce and payee, so that nothing about it was kept from the last one.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mcp_wallet_guard.clearsign.knowledge import KnownContracts, Names, Sources
from mcp_wallet_guard.clearsign.known_tokens import known_tokens
from mcp_wallet_guard.clearsign.owner_lists import OwnerLists
from mcp_wallet_guard.clearsign.reading_view import view_reading
from mcp_wallet_guard.clearsign.risks.known import AccountClaim, History, Known, KnownName, KnownToken, NodeClaims, Seen
from mcp_wallet_guard.clearsign.subjects import read_transaction
from mcp_wallet_guard.confirmation import ConfirmationView
from mcp_wallet_guard.evidence import Facts, TokenFacts
from mcp_wallet_guard.operations import envelopes, erc20, frozen
from mcp_wallet_guard.operations.abi import Value, encode, parse_function
from mcp_wallet_guard.operations.envelopes import Envelope, EnvelopeType
from mcp_wallet_guard.operations.evm import Eip1559, encode_unsigned
from mcp_wallet_guard.operations.frozen import FrozenOperation
from mcp_wallet_guard.operations.intents import Effect
from mcp_wallet_guard.operations.values import Account, Address, Asset, BaseUnits, ChainId

CHAIN: Final = ChainId(1)
USDC: Final = Address("0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48")
ACCOUNT: Final = Account("main", CHAIN, Address("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"))
NATIVE: Final = Asset(CHAIN, "ETH", 18)
NOW: Final = 1_790_000_000
EXPIRES_AT: Final = NOW + 600
GWEI: Final = 10**9
DEPTH: Final = 7
Shape = Callable[[int, random.Random], bytes]
"""Calldata of about so many bytes."""
CONTACTS: Final = 24
PARTNERS: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One token payment, frozen, with what was known when it was."""

    operation: FrozenOperation
    facts: Facts
    names: Names
    known: Known


def payments(count: int, /, *, seed: int) -> list[Payment]:
    """USDC transfers, half of them to a contact."""
    source = random.Random(seed)  # noqa: S311  # made-up payees
    contacts = {_address(source): f"Contact {number}" for number in range(CONTACTS)}
    known = _known(contacts, source)
    return [_payment(number, source, contacts, known) for number in range(count)]


def _payment(number: int, source: random.Random, contacts: dict[Address, str], known: Known) -> Payment:
    payee = source.choice(list(contacts)) if number % 2 else _address(source)
    amount = source.randrange(1, 10**12)
    data = erc20.encode(erc20.Call(function=erc20.Function.TRANSFER, party=payee, amount=BaseUnits(amount)))
    effect = Effect(kind="token_transfer", account=ACCOUNT, to=USDC, value=0, data=data, reference=None)
    transaction = Eip1559(
        chain=CHAIN, nonce=number, max_priority_fee_per_gas=GWEI, max_fee_per_gas=20 * GWEI, gas=60_000, to=USDC,
        value=0, data=data,
    )  # fmt: skip
    node = NodeClaims(
        chain=str(CHAIN), accounts=(AccountClaim(address=payee, has_code=False),), nonce=number, pending_nonce=number,
        balance=10**18, base_fee=GWEI,
    )  # fmt: skip
    names = Sources(pins=(NATIVE,), names=contacts, lists=(known_tokens(),))
    for address in (payee, USDC, ACCOUNT.address):
        names.name(CHAIN, address)
    for contract in (USDC, None):
        names.token(CHAIN, contract)
    operation = FrozenOperation(
        kind=frozen.KIND_EIP1559,
        account=ACCOUNT,
        unsigned_bytes=encode_unsigned(transaction),
        effect_hash=frozen.effect_hash(effect),
        expires_at=EXPIRES_AT,
    )
    known = known.model_copy(update={"node": node})
    facts = Facts(
        collected_at=NOW, chain=str(CHAIN), nonce=number, balance=10**18, base_fee=GWEI, payee_has_code=False,
        payee_name=contacts.get(payee), symbol="ETH", decimals=18,
        token=TokenFacts(address=USDC.value, symbol="USDC", decimals=6, balance=10**12),
        known=_frozen(known, payee).to_json(),
    )  # fmt: skip
    return Payment(operation=operation, facts=facts, names=names.frozen(), known=known)


def _frozen(known: Known, payee: Address) -> Known:
    """What a guard freezes of it with a payment to `payee`."""
    about, before = frozenset({payee, USDC}), known.history or History()
    kept = {
        name: tuple(each for each in getattr(before, name) if each.address in about)
        for name in ("paid", "called", "allowed")
    }
    found = known.model_copy(update={"history": History(**kept)})
    return OwnerLists().about(about, found, tokens=about, chain=CHAIN, pins=frozenset({USDC}))


def read(unsigned: bytes, /, *, names: Names, known: Known) -> ConfirmationView:
    """The general way: the bytes of any transaction as a view."""
    envelope = envelopes.parse_unsigned_envelope(unsigned)
    reading = read_transaction(envelope, signer=ACCOUNT.address, knows=KnownContracts(names, envelope.chain))
    return view_reading(
        reading, known=known, names=names, account=ACCOUNT, operation_digest=bytes(32), expires_at=EXPIRES_AT
    )


def hostile(make: Shape, size: int, /, *, seed: int) -> bytes:
    """The bytes of a transaction with `size` bytes of calldata, or a little less."""
    data = make(size, random.Random(seed))  # noqa: S311  # made-up calls
    if not 0.85 * size <= len(data) <= size:
        raise ValueError(f"{make.__name__} has {len(data)} bytes")
    return envelopes.encode_unsigned_envelope(
        Envelope(
            type=EnvelopeType.EIP1559,
            chain=CHAIN,
            nonce=seed,
            max_priority_fee_per_gas=GWEI,
            max_fee_per_gas=20 * GWEI,
            gas=30_000_000,
            to=Address.from_bytes(b"\x99" * 20),
            value=0,
            data=data,
        )
    )


def _known(contacts: dict[Address, str], source: random.Random) -> Known:
    partners = tuple(
        Seen(address=_address(source), first=NOW - 9_000_000, last=NOW - 90_000, count=3) for _ in range(PARTNERS)
    )
    return Known(
        now=NOW,
        chain=str(CHAIN),
        accounts=(ACCOUNT.address,),
        addresses=tuple(KnownName(name=name, address=address) for address, name in contacts.items()),
        tokens=tuple(
            KnownToken(chain=str(CHAIN), contract=contract, symbol=asset.symbol)
            for (number, contract), asset in known_tokens().items()
            if number == CHAIN.number
        ),
        history=History(paid=partners, called=partners[:20], allowed=partners[:5]),
    )


def _address(source: random.Random) -> Address:
    return Address.from_bytes(source.randbytes(20))


# --------------------------------------------------------------------------------------------- hostile calldata


def _call(text: str, *values: Value) -> bytes:
    function = parse_function(text)
    return function.selector + encode(function.inputs, values)


def _transfer(source: random.Random) -> bytes:
    return _call("transfer(address,uint256)", _address(source), source.randrange(1 << 200))


def unknown(size: int, source: random.Random) -> bytes:
    return b"\xde\xad\xbe\xef" + source.randbytes(size - 4)


def trailing(size: int, source: random.Random) -> bytes:
    return _transfer(source) + source.randbytes(size - 68)


def malformed(size: int, source: random.Random) -> bytes:
    return parse_function("multicall(bytes[])").selector + source.randbytes(size - 4)


def batch(size: int, source: random.Random) -> bytes:
    return _call("multicall(bytes[])", tuple(_transfer(source) for _ in range(size // 160 - 1)))


def empty_calls(size: int, _source: random.Random) -> bytes:
    return _call("multicall(bytes[])", (b"",) * (size // 64 - 2))


def few_large(size: int, source: random.Random) -> bytes:
    return _call("multicall(bytes[])", tuple(unknown(size // 8 - 128, source) for _ in range(8)))


def aggregate(size: int, source: random.Random) -> bytes:
    calls = tuple((_address(source), True, _transfer(source)) for _ in range(size // 256 - 1))
    return _call("aggregate3((address,bool,bytes)[])", calls)


def nested(size: int, source: random.Random) -> bytes:
    """A batch in a batch, as deep as is read, with the most in the innermost."""
    data = batch(size - 160 * DEPTH, source)
    for _ in range(DEPTH - 1):
        data = _call("multicall(bytes[])", (data,))
    return data


def widening(size: int, source: random.Random) -> bytes:
    """Batches with some calls and one more batch in each."""
    data = batch(size // DEPTH - 160, source)
    for _ in range(DEPTH - 1):
        calls = tuple(_transfer(source) for _ in range(size // DEPTH // 160 - 1))
        data = _call("multicall(bytes[])", (*calls, data))
    return data


def multisend(size: int, source: random.Random) -> bytes:
    data = _transfer(source)
    one = b"\x00" + source.randbytes(20) + bytes(32) + len(data).to_bytes(32) + data
    return _call("multiSend(bytes)", one * ((size - 100) // len(one)))


def collectibles(size: int, source: random.Random) -> bytes:
    count = (size - 400) // 64
    numbers = tuple(source.randrange(1 << 256) for _ in range(count))
    return _call(
        "safeBatchTransferFrom(address,address,uint256[],uint256[],bytes)",
        ACCOUNT.address, _address(source), numbers, (1,) * count, b"",
    )  # fmt: skip


def route(size: int, source: random.Random) -> bytes:
    """Addresses, each of which is a hash to write."""
    path = tuple(_address(source) for _ in range(min((size - 260) // 32, 1_000)))
    rest = source.randbytes(size - 260 - 32 * len(path))
    swap = "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)"
    return _call(swap, 1, 1, path, ACCOUNT.address, NOW) + rest


def many_addresses(size: int, source: random.Random) -> bytes:
    path = tuple([_address(source)] * ((size - 260) // 32))
    return _call("swapExactTokensForTokens(uint256,uint256,address[],address,uint256)", 1, 1, path, ACCOUNT.address, 1)


def operations(size: int, source: random.Random) -> bytes:
    """User operations of ERC-4337 with calls in them."""
    inner = _call("execute(address,uint256,bytes)", _address(source), 1, _transfer(source))
    operation = (_address(source), 0, b"", inner, bytes(32), 0, bytes(32), b"", bytes(65))
    one = 32 * 20 + len(inner)
    text = "handleOps((address,uint256,bytes,bytes,bytes32,uint256,bytes32,bytes,bytes)[],address)"
    return _call(text, (operation,) * (size // one), _address(source))


def commands(size: int, source: random.Random) -> bytes:
    """The most commands of a Universal Router: wrapping of native currency."""
    inputs = encode(parse_function("f(address,uint256)").inputs, (_address(source), 1))
    count = (size - 400) // 129
    return _call("execute(bytes,bytes[],uint256)", b"\x0b" * count, (inputs,) * count, NOW)


def allowances(size: int, source: random.Random) -> bytes:
    """A batch of Permit2 allowances."""
    count = (size - 500) // 128
    details = tuple((_address(source), 1, NOW, 1) for _ in range(count))
    text = "permit(address,((address,uint160,uint48,uint48)[],address,uint256),bytes)"
    return _call(text, ACCOUNT.address, (details, _address(source), NOW), bytes(65))


SHAPES: Final[dict[str, Shape]] = {
    "an unknown function": unknown,
    "a transfer and a tail": trailing,
    "a batch of noise": malformed,
    "a batch of transfers": batch,
    "a batch of nothing": empty_calls,
    "a batch of few large calls": few_large,
    "calls of many contracts": aggregate,
    "batches in batches": nested,
    "batches beside calls": widening,
    "a Safe's batch": multisend,
    "collectibles": collectibles,
    "a route of addresses": route,
    "a longer route": many_addresses,
    "user operations": operations,
    "router commands": commands,
    "allowances": allowances,
}
