"""Who decides over a Safe: owners, threshold, modules, guards, handlers, code."""

from __future__ import annotations

from typing import Final

from mcp_wallet_guard.clearsign.decoders.draft import Draft, malformed
from mcp_wallet_guard.clearsign.decoders.functions import Functions
from mcp_wallet_guard.clearsign.tree import PartKind
from mcp_wallet_guard.operations.values import Address

CONTROL: Final = Functions("Safe")


@CONTROL.reads("addOwnerWithThreshold(address owner,uint256 threshold)", title="Add an owner to a Safe")
def add_owner(draft: Draft, owner: Address, _threshold: int) -> None:
    draft.control("safe.owners", of=draft.this, to=owner)
    draft.control("safe.threshold", of=draft.this)


@CONTROL.reads("removeOwner(address prevOwner,address owner,uint256 threshold)", title="Remove an owner from a Safe")
def remove_owner(draft: Draft, _previous: Address, _owner: Address, _threshold: int) -> None:
    draft.control("safe.owners", of=draft.this)
    draft.control("safe.threshold", of=draft.this)


@CONTROL.reads("swapOwner(address prevOwner,address oldOwner,address newOwner)", title="Replace an owner of a Safe")
def swap_owner(draft: Draft, _previous: Address, _old: Address, new: Address) -> None:
    draft.control("safe.owners", of=draft.this, to=new)


@CONTROL.reads("changeThreshold(uint256 threshold)", title="Change how many owners must sign")
def change_threshold(draft: Draft, _threshold: int) -> None:
    draft.control("safe.threshold", of=draft.this)


@CONTROL.reads("enableModule(address module)", title="Let a module act for a Safe")
def enable_module(draft: Draft, module: Address) -> None:
    draft.control("safe.module", of=draft.this, to=module)


@CONTROL.reads("disableModule(address prevModule,address module)", title="Stop a module of a Safe")
def disable_module(draft: Draft, _previous: Address, module: Address) -> None:
    draft.control("safe.module_removed", of=draft.this, to=module)


@CONTROL.reads("setGuard(address guard)", "setModuleGuard(address guard)", title="Change a Safe's guard")
def set_guard(draft: Draft, guard: Address) -> None:
    draft.control("safe.guard", of=draft.this, to=guard)


@CONTROL.reads("setFallbackHandler(address handler)", title="Change a Safe's fallback handler")
def set_fallback_handler(draft: Draft, handler: Address) -> None:
    draft.control("safe.fallback", of=draft.this, to=handler)


@CONTROL.reads("changeMasterCopy(address masterCopy)", title="Replace a Safe's code")
def change_master_copy(draft: Draft, master_copy: Address) -> None:
    draft.control("safe.mastercopy", of=draft.this, to=master_copy)


@CONTROL.reads(
    "setup(address[] owners,uint256 threshold,address to,bytes data,address fallbackHandler,address paymentToken,"
    "uint256 payment,address paymentReceiver)",
    title="Set a Safe up",
)
def setup(
    draft: Draft, owners: tuple[Address, ...], _threshold: int, to: Address, data: bytes, handler: Address,
    payment_token: Address, payment: int, payment_receiver: Address,
) -> None:  # fmt: skip
    for owner in owners:
        draft.control("safe.owners", of=draft.this, to=owner)
    draft.control("safe.threshold", of=draft.this)
    if any(handler.raw):
        draft.control("safe.fallback", of=draft.this, to=handler)
    asset = draft.erc20(payment_token) if any(payment_token.raw) else draft.native
    draft.amount("#.payment", asset)
    if payment:
        receiver = payment_receiver if any(payment_receiver.raw) else None
        draft.out(asset, payment, owner=draft.this, to=receiver)
    if any(to.raw):
        draft.calls("#.data", data, kind=PartKind.DELEGATECALL, target=to, sender=draft.this, value=0)
    elif data:
        raise malformed("data for no contract")
