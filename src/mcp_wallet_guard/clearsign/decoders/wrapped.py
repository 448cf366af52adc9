"""Wrapped native currency: WETH9 and its twins on other chains.

``deposit()`` and ``withdraw(uint256)`` are names of many other contracts too, so they are read in full only where the
contract is known.
"""

from __future__ import annotations

from typing import Final

from mcp_wallet_guard.clearsign.decoders.draft import Draft
from mcp_wallet_guard.clearsign.decoders.functions import Functions
from mcp_wallet_guard.clearsign.decoders.places import WRAPPED

WETH: Final = Functions("WETH9")


@WETH.reads("deposit()", title="Wrap native currency", payable=True)
def deposit(draft: Draft) -> None:
    if draft.is_at(WRAPPED):
        draft.receives(draft.token, draft.call.value, owner=draft.me, of=draft.this)
    else:
        draft.title = "Deposit native currency"


@WETH.reads("withdraw(uint256 amount)", title="Unwrap native currency")
def withdraw(draft: Draft, amount: int) -> None:
    if draft.is_at(WRAPPED):
        draft.amount("#.amount", draft.token)
        draft.out(draft.token, amount, owner=draft.me, to=draft.this)
        draft.receives(draft.native, amount, owner=draft.me, of=draft.this)
    else:
        draft.title = "Withdraw"
