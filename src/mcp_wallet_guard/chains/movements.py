"""From events and payments to who has more or less of what, and who may take what.

Events are the contracts' own word, and a hostile token writes what it likes: what is read here may add a finding, never
remove one. Source: ERC-20, ERC-721, ERC-1155, ERC-6909, WETH9, Permit2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from mcp_wallet_guard.chains.shapes import lied
from mcp_wallet_guard.chains.traces import Log, Trace
from mcp_wallet_guard.clearsign.simulated import MAX_ENTRIES, Allowance, Movement
from mcp_wallet_guard.operations.values import UINT256_MAX, Address, ChainId, keccak256

NATIVE: Final = Address.from_bytes(b"\xee" * 20)
"""Where eth_simulateV1 lets events about native currency come from."""

_Change = tuple[Address, str, int]
_Grant = tuple[Address, Address, str, int | None]


def movements(trace: Trace, chain: ChainId, /) -> tuple[Movement, ...]:
    """Net changes per account and asset, without those of zero. Raises Unavailable("unavailable.node_lied")."""
    ledger: dict[tuple[Address, str], int] = {}
    for account, asset, units in _changes(trace, chain):
        ledger[account, asset] = ledger.get((account, asset), 0) + units
    _add_wrapped(trace, chain, ledger)
    found = {key: units for key, units in ledger.items() if units and any(key[0].raw)}
    if len(found) > MAX_ENTRIES or any(abs(units) > UINT256_MAX for units in found.values()):
        raise lied("movements that cannot be")
    return tuple(Movement(account=account, asset=asset, amount=units) for (account, asset), units in found.items())


def allowances(trace: Trace, chain: ChainId, /) -> tuple[Allowance, ...]:
    """The last word on each allowance, in the order in which each was first changed."""
    last: dict[tuple[Address, Address, str], int | None] = {}
    for log in trace.logs:
        read = _GRANTS.get((log.topics[0], len(log.topics), len(log.data))) if log.topics else None
        if read is not None:
            owner, spender, asset, amount = read(log, chain)
            last[owner, spender, asset] = amount
    return tuple(
        Allowance(owner=owner, spender=spender, asset=asset, amount=amount)
        for (owner, spender, asset), amount in last.items()
    )


def _changes(trace: Trace, chain: ChainId) -> Iterator[_Change]:
    native = f"{chain}/slip44:60"
    for payment in trace.payments or ():
        yield payment.sender, native, -payment.value
        yield payment.to, native, payment.value
    for log in trace.logs:
        for sender, to, asset, units in _transfers(log, chain):
            yield sender, asset, -units
            yield to, asset, units


def _transfers(log: Log, chain: ChainId) -> Iterator[tuple[Address, Address, str, int]]:
    form = (log.topics[0], len(log.topics)) if log.topics else (b"", 0)
    if form == (_TRANSFER, 3) and len(log.data) == 32:
        asset = f"{chain}/slip44:60" if log.address == NATIVE else _id(chain, "erc20", log.address)
        yield _party(log, 1), _party(log, 2), asset, _number(log.data, 0)
    elif form == (_TRANSFER, 4) and not log.data:
        token = int.from_bytes(log.topics[3])
        yield _party(log, 1), _party(log, 2), _id(chain, "erc721", log.address, token), 1
    elif form == (_TRANSFER_6909, 4) and len(log.data) == 64:
        token = int.from_bytes(log.topics[3])
        yield _party(log, 1), _party(log, 2), _id(chain, "erc6909", log.address, token), _number(log.data, 1)
    elif form == (_SINGLE, 4) and len(log.data) == 64:
        asset = _id(chain, "erc1155", log.address, _number(log.data, 0))
        yield _party(log, 2), _party(log, 3), asset, _number(log.data, 1)
    elif form == (_BATCH, 4):
        for token, units in zip(_array(log.data, 0), _array(log.data, 1), strict=False):
            yield _party(log, 2), _party(log, 3), _id(chain, "erc1155", log.address, token), units


def _add_wrapped(trace: Trace, chain: ChainId, ledger: dict[tuple[Address, str], int]) -> None:
    """Wrapped native currency tells of itself by other events. They are believed of a contract that got or gave just as
    much native currency."""
    told: dict[Address, list[tuple[Address, int]]] = {}
    for log in trace.logs:
        if len(log.topics) == 2 and len(log.data) == 32 and log.topics[0] in {_DEPOSIT, _WITHDRAWAL}:
            sign = 1 if log.topics[0] == _DEPOSIT else -1
            told.setdefault(log.address, []).append((_party(log, 1), sign * _number(log.data, 0)))
    for contract, changes in told.items():
        if ledger.get((contract, f"{chain}/slip44:60"), 0) == sum(units for _, units in changes):
            for account, units in changes:
                key = (account, _id(chain, "erc20", contract))
                ledger[key] = ledger.get(key, 0) + units


def _fungible(log: Log, chain: ChainId) -> _Grant:
    return _party(log, 1), _party(log, 2), _id(chain, "erc20", log.address), _number(log.data, 0)


def _single(log: Log, chain: ChainId) -> _Grant:
    token = int.from_bytes(log.topics[3])
    return _party(log, 1), _party(log, 2), _id(chain, "erc721", log.address, token), 1


def _everything(log: Log, chain: ChainId) -> _Grant:
    given = None if _number(log.data, 0) else 0
    return _party(log, 1), _party(log, 2), _id(chain, "erc721", log.address), given


def _permit2(log: Log, chain: ChainId) -> _Grant:
    return _party(log, 1), _party(log, 3), _id(chain, "erc20", _party(log, 2)), _number(log.data, 0)


def _multi(log: Log, chain: ChainId) -> _Grant:
    token = int.from_bytes(log.topics[3])
    return _party(log, 1), _party(log, 2), _id(chain, "erc6909", log.address, token), _number(log.data, 0)


def _operator(log: Log, chain: ChainId) -> _Grant:
    given = None if _number(log.data, 0) else 0
    return _party(log, 1), _party(log, 2), _id(chain, "erc6909", log.address), given


def _id(chain: ChainId, kind: str, contract: Address, token: int | None = None) -> str:
    return f"{chain}/{kind}:{contract.value.lower()}" + ("" if token is None else f"/{token}")


def _party(log: Log, at: int) -> Address:
    return Address.from_bytes(log.topics[at][12:])


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[32 * at : 32 * at + 32])


def _array(data: bytes, at: int) -> list[int]:
    """The array whose offset is the word `at`, empty for one that does not fit."""
    start = _number(data, at)
    count = int.from_bytes(data[start : start + 32]) if start + 32 <= len(data) else 0
    if start + 32 + 32 * count > len(data):
        return []
    return [int.from_bytes(data[start + 32 * n : start + 32 * n + 32]) for n in range(1, count + 1)]


def _event(signature: str) -> bytes:
    return keccak256(signature.encode("ascii"))


_TRANSFER: Final = _event("Transfer(address,address,uint256)")
_TRANSFER_6909: Final = _event("Transfer(address,address,address,uint256,uint256)")
_SINGLE: Final = _event("TransferSingle(address,address,address,uint256,uint256)")
_BATCH: Final = _event("TransferBatch(address,address,address,uint256[],uint256[])")
_DEPOSIT: Final = _event("Deposit(address,uint256)")
_WITHDRAWAL: Final = _event("Withdrawal(address,uint256)")

_GRANTS: Final[dict[tuple[bytes, int, int], Callable[[Log, ChainId], _Grant]]] = {
    (_event("Approval(address,address,uint256)"), 3, 32): _fungible,
    (_event("Approval(address,address,uint256)"), 4, 0): _single,
    (_event("ApprovalForAll(address,address,bool)"), 3, 32): _everything,
    (_event("Approval(address,address,address,uint160,uint48)"), 4, 64): _permit2,
    (_event("Approval(address,address,uint256,uint256)"), 4, 32): _multi,
    (_event("OperatorSet(address,address,bool)"), 3, 32): _operator,
}
"""(event, number of topics, bytes of data) -> who may take what."""
