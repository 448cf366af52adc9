"""Contracts whose code is replaced: ERC-1967 proxies and their administrators, UUPS, beacons, ERC-2535 diamonds."""

from __future__ import annotations

from typing import Final

from mcp_wallet_guard.clearsign.decoders.draft import Draft, malformed
from mcp_wallet_guard.clearsign.decoders.functions import Functions
from mcp_wallet_guard.clearsign.tree import PartKind, ShownKind
from mcp_wallet_guard.operations.values import Address

PROXY: Final = Functions("ERC-1967")
DIAMOND: Final = Functions("ERC-2535")
_CUTS: Final = ("Add", "Replace", "Remove")


@PROXY.reads(
    "upgradeTo(address implementation)",
    "setImplementation(address implementation)",
    title="Replace the code of a contract",
)
def upgrade_to(draft: Draft, implementation: Address) -> None:
    draft.control("proxy.upgrade", of=draft.this, to=implementation)


@PROXY.reads(
    "upgradeToAndCall(address implementation,bytes data)", title="Replace the code of a contract", payable=True
)
def upgrade_to_and_call(draft: Draft, implementation: Address, data: bytes) -> None:
    _upgrade(draft, draft.this, implementation, data)


@PROXY.reads("upgrade(address proxy,address implementation)", title="Replace the code of a proxy")
def upgrade(draft: Draft, proxy: Address, implementation: Address) -> None:
    draft.control("proxy.upgrade", of=proxy, to=implementation)


@PROXY.reads(
    "upgradeAndCall(address proxy,address implementation,bytes data)", title="Replace the code of a proxy", payable=True
)
def upgrade_and_call(draft: Draft, proxy: Address, implementation: Address, data: bytes) -> None:
    _upgrade(draft, proxy, implementation, data)


@PROXY.reads("changeProxyAdmin(address proxy,address newAdmin)", title="Give a proxy another administrator")
def change_proxy_admin(draft: Draft, proxy: Address, new_admin: Address) -> None:
    draft.control("admin.change", of=proxy, to=new_admin)


@DIAMOND.reads(
    "diamondCut((address facetAddress,uint8 action,bytes4[] functionSelectors)[] cuts,address init,bytes initData)",
    title="Replace code of a contract",
)
def diamond_cut(
    draft: Draft, cuts: tuple[tuple[Address, int, tuple[bytes, ...]], ...], init: Address, data: bytes
) -> None:
    for number, (facet, action, _selectors) in enumerate(cuts):
        if action >= len(_CUTS):
            raise malformed("an action of a diamond")
        draft.says(f"#.cuts.[{number}].action", _CUTS[action], kind=ShownKind.ENUM)
        draft.control("proxy.upgrade", of=draft.this, to=facet)
    if any(init.raw):
        draft.calls("#.initData", data, kind=PartKind.DELEGATECALL, target=init, sender=draft.this, value=0)
    elif data:
        raise malformed("data for no contract")


def _upgrade(draft: Draft, proxy: Address | None, implementation: Address, data: bytes) -> None:
    draft.control("proxy.upgrade", of=proxy, to=implementation)
    if data:
        draft.calls("#.data", data, kind=PartKind.DELEGATECALL, target=implementation, sender=proxy, value=0)
