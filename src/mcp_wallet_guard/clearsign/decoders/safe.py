"""What a Safe does: transactions of its owners and modules, batches of MultiSend, approvals by hash, new Safes.

Whatever a Safe calls, it calls as itself; what it runs by DELEGATECALL runs as the Safe. Threat: T-020.
"""

from __future__ import annotations

from typing import Final

from mcp_wallet_guard.clearsign.decoders import places
from mcp_wallet_guard.clearsign.decoders.draft import Draft, malformed
from mcp_wallet_guard.clearsign.decoders.functions import Functions
from mcp_wallet_guard.clearsign.decoders.showing import Note
from mcp_wallet_guard.clearsign.tree import Clarity, PartKind, Shown, ShownKind
from mcp_wallet_guard.operations.abi_types import ADDRESS_NODES
from mcp_wallet_guard.operations.values import Address

SAFE: Final = Functions("Safe")
_KINDS: Final = (PartKind.CALL, PartKind.DELEGATECALL)
_WORDS: Final = ("Call", "Delegate call")
_HEAD: Final = 1 + 20 + 32 + 32
"""Operation, address, value, size of the data."""
_TRANSACTION: Final = "address to,uint256 value,bytes data,uint8 operation"


@SAFE.reads(
    f"execTransaction({_TRANSACTION},uint256 safeTxGas,uint256 baseGas,uint256 gasPrice,address gasToken,"
    "address refundReceiver,bytes signatures)",
    title="Let a Safe do something",
    payable=True,
)
def exec_transaction(
    draft: Draft, to: Address, value: int, data: bytes, operation: int, _safe_gas: int, _base_gas: int, gas_price: int,
    gas_token: Address, refund_receiver: Address, _signatures: bytes,
) -> None:  # fmt: skip
    exec_from_module(draft, to, value, data, operation)
    asset = draft.erc20(gas_token) if any(gas_token.raw) else draft.native
    draft.amount("#.gasPrice", asset)
    if gas_price:
        receiver = refund_receiver if any(refund_receiver.raw) else None  # else whoever sends the transaction
        draft.out(asset, None, owner=draft.this, to=receiver)


@SAFE.reads(
    f"execTransactionFromModule({_TRANSACTION})",
    f"execTransactionFromModuleReturnData({_TRANSACTION})",
    title="Let a Safe do something, as one of its modules",
)
def exec_from_module(draft: Draft, to: Address, value: int, data: bytes, operation: int) -> None:
    kind = _operation(operation)
    draft.says("#.operation", _WORDS[operation], kind=ShownKind.ENUM)
    draft.amount("#.value", draft.native)
    moved = value if kind is PartKind.CALL else 0
    draft.calls("#.data", data, kind=kind, target=to, sender=draft.this, value=moved)


@SAFE.reads("multiSend(bytes transactions)", title="Several calls of a Safe", payable=True)
def multi_send(draft: Draft, transactions: bytes) -> None:
    if draft.call.kind is PartKind.CALL:
        draft.is_at(places.MULTISEND)
    shown: list[Shown] = []
    at = 0
    while at < len(transactions):
        data_at = at + _HEAD
        size = int.from_bytes(transactions[data_at - 32 : data_at])
        if len(transactions) < data_at or len(transactions) - data_at < size:
            raise malformed("a transaction of a MultiSend that is cut short")
        shown.append(_packed(draft, len(shown), transactions[at:data_at], transactions[data_at : data_at + size]))
        at = data_at + size
    draft.notes["#.transactions"] = Note(kind=ShownKind.GROUP, children=tuple(shown))


@SAFE.reads("approveHash(bytes32 hashToApprove)", title="Agree to a Safe's transaction of which only a hash is known")
def approve_hash(draft: Draft, _digest: bytes) -> None:
    draft.lower(Clarity.PARTIAL)
    draft.control("safe.agree", of=draft.this, to=draft.me)


@SAFE.reads("signMessage(bytes data)", title="Sign a message as a Safe")
def sign_message(draft: Draft, _message: bytes) -> None:
    draft.lower(Clarity.PARTIAL)
    draft.control("safe.agree", of=draft.this)


@SAFE.reads(
    "createProxyWithNonce(address singleton,bytes initializer,uint256 saltNonce)",
    title="Create a Safe",
)
def create_proxy(draft: Draft, _singleton: Address, initializer: bytes, _salt: int) -> None:
    draft.lower(Clarity.DECODED)  # whose code it is that becomes the Safe's, the bytes only name
    draft.control("create", of=draft.me)
    if initializer:
        draft.calls("#.initializer", initializer, target=None, sender=draft.this, value=0)


def _operation(operation: int) -> PartKind:
    if operation >= len(_KINDS):
        raise malformed("an operation of a Safe")
    return _KINDS[operation]


def _packed(draft: Draft, number: int, head: bytes, data: bytes) -> Shown:
    path = f"#.transactions.[{number}]"
    draft.call.budget.spend(nodes=ADDRESS_NODES)
    kind, to, value = _operation(head[0]), Address.from_bytes(head[1:21]), int.from_bytes(head[21:53])
    # From 1.5.0 on, the zero address stands for the Safe itself; before, it was nobody's.
    target = to if any(to.raw) else draft.this
    moved = value if kind is PartKind.CALL else 0
    part = draft.calls(f"{path}.data", data, kind=kind, target=target, sender=draft.this, value=moved)
    return Shown(
        path=path,
        label=f"Transaction {number + 1}",
        kind=ShownKind.GROUP,
        children=(
            Shown(path=f"{path}.operation", label="Operation", kind=ShownKind.ENUM, raw=head[0], text=_WORDS[head[0]]),
            Shown(path=f"{path}.to", label="To", kind=ShownKind.ADDRESS, raw=to),
            Shown(path=f"{path}.value", label="Amount", kind=ShownKind.AMOUNT, raw=value, asset=draft.native),
            Shown(path=f"{path}.data", label="Call", kind=ShownKind.CALL, raw=data, part=part),
        ),
    )
