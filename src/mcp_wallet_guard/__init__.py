"""mcp-wallet-guard: the agent proposes, a person decides, the guard signs.

    from mcp_wallet_guard import Address, Amount, Transfer, WalletGuard

These are the public names. They load on first use, so that importing the package loads no framework, no chain library
and no key; rooms such as `mcp_wallet_guard.testing` are imported by their own names.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mcp_wallet_guard.confirmation import ConfirmationView
    from mcp_wallet_guard.errors import (
        GuardError,
        InvalidInput,
        Misconfigured,
        MissingExtra,
        Refused,
        Tampered,
        Unavailable,
    )
    from mcp_wallet_guard.evidence import Level
    from mcp_wallet_guard.exchange import (
        Done,
        HistoryEntry,
        Pending,
        Receipt,
        RefusedAnswer,
        Settled,
        SignatureReceipt,
        WithdrawalReceipt,
    )
    from mcp_wallet_guard.operations.hashes import Bytes32, Signature, TxHash
    from mcp_wallet_guard.operations.intents import (
        ContractCall,
        Intent,
        TokenApproval,
        TokenTransfer,
        Transfer,
        UnsignedTransaction,
    )
    from mcp_wallet_guard.operations.statements import Authorize7702, SignMessage, SignTypedData
    from mcp_wallet_guard.operations.values import Account, Address, Amount, Asset, BaseUnits, ChainId
    from mcp_wallet_guard.operations.withdrawals import ExchangeWithdrawal
    from mcp_wallet_guard.secret import Secret
    from mcp_wallet_guard.wallet_guard import WalletGuard

__all__ = [
    "Account",
    "Address",
    "Amount",
    "Asset",
    "Authorize7702",
    "BaseUnits",
    "Bytes32",
    "ChainId",
    "ConfirmationView",
    "ContractCall",
    "Done",
    "ExchangeWithdrawal",
    "GuardError",
    "HistoryEntry",
    "Intent",
    "InvalidInput",
    "Level",
    "Misconfigured",
    "MissingExtra",
    "Pending",
    "Receipt",
    "Refused",
    "RefusedAnswer",
    "Secret",
    "Settled",
    "SignMessage",
    "SignTypedData",
    "Signature",
    "SignatureReceipt",
    "Tampered",
    "TokenApproval",
    "TokenTransfer",
    "Transfer",
    "TxHash",
    "Unavailable",
    "UnsignedTransaction",
    "WalletGuard",
    "WithdrawalReceipt",
]

_HOMES: Final[dict[str, str]] = {
    **dict.fromkeys(
        ("GuardError", "InvalidInput", "Misconfigured", "MissingExtra", "Refused", "Tampered", "Unavailable"), "errors"
    ),
    "ConfirmationView": "confirmation",
    "Level": "evidence",
    **dict.fromkeys(
        (
            "Done",
            "HistoryEntry",
            "Pending",
            "Receipt",
            "RefusedAnswer",
            "Settled",
            "SignatureReceipt",
            "WithdrawalReceipt",
        ),
        "exchange",
    ),
    **dict.fromkeys(("Bytes32", "Signature", "TxHash"), "operations.hashes"),
    **dict.fromkeys(
        ("ContractCall", "Intent", "TokenApproval", "TokenTransfer", "Transfer", "UnsignedTransaction"),
        "operations.intents",
    ),
    **dict.fromkeys(("Authorize7702", "SignMessage", "SignTypedData"), "operations.statements"),
    **dict.fromkeys(("Account", "Address", "Amount", "Asset", "BaseUnits", "ChainId"), "operations.values"),
    "ExchangeWithdrawal": "operations.withdrawals",
    "Secret": "secret",
    "WalletGuard": "wallet_guard",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
