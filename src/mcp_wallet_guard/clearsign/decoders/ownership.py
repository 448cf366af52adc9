"""Who decides over a contract: Ownable in one and two steps, AccessControl, administrators."""

from __future__ import annotations

from typing import Final

from mcp_wallet_guard.clearsign.decoders.draft import Draft
from mcp_wallet_guard.clearsign.decoders.functions import Functions
from mcp_wallet_guard.operations.values import Address

OWNABLE: Final = Functions("Ownable")
ACCESS_CONTROL: Final = Functions("AccessControl")
_NOBODY: Final = bytes(20)
_DEFAULT_ADMIN: Final = bytes(32)
ROLES: Final = {
    _DEFAULT_ADMIN: "the administrator of all roles",
    bytes.fromhex("9f2df0fed2c77648de5860a4cc508cd0818c85b8b8a1ab4ceeef8d981c8956a6"): "MINTER_ROLE",
    bytes.fromhex("65d7a28e3265b37a6474929f336521b332c1681b933f6cb9f3376673440d862a"): "PAUSER_ROLE",
    bytes.fromhex("189ab7a9244df0848122154315af71fe140f3db0fe014031783b0946b8c9d2e3"): "UPGRADER_ROLE",
    bytes.fromhex("3c11d16cbaffd01df69ce1c404f6340ee057498f5f00246190ea54220576a848"): "BURNER_ROLE",
}
"""The Keccak-256 of a role's name, as contracts compute it -> the name."""


@OWNABLE.reads(
    "transferOwnership(address newOwner)", "setOwner(address newOwner)", title="Give a contract another owner"
)
def transfer_ownership(draft: Draft, new_owner: Address) -> None:
    if new_owner.raw == _NOBODY:
        draft.control("ownership.renounce", of=draft.this)
    else:
        draft.control("ownership.transfer", of=draft.this, to=new_owner)


@OWNABLE.reads("renounceOwnership()", title="Give a contract up")
def renounce_ownership(draft: Draft) -> None:
    draft.control("ownership.renounce", of=draft.this)


@OWNABLE.reads("acceptOwnership()", title="Become the owner of a contract")
def accept_ownership(draft: Draft) -> None:
    draft.control("ownership.accept", of=draft.this, to=draft.me)


@OWNABLE.reads(
    "setAdmin(address newAdmin)",
    "setPendingAdmin(address newAdmin)",
    "changeAdmin(address newAdmin)",
    "beginDefaultAdminTransfer(address newAdmin)",
    title="Give a contract another administrator",
)
def change_admin(draft: Draft, new_admin: Address) -> None:
    draft.control("admin.change", of=draft.this, to=new_admin)


@OWNABLE.reads("acceptAdmin()", "acceptDefaultAdminTransfer()", title="Become the administrator of a contract")
def accept_admin(draft: Draft) -> None:
    draft.control("admin.change", of=draft.this, to=draft.me)


@ACCESS_CONTROL.reads("grantRole(bytes32 role,address account)", title="Give an address a role in a contract")
def grant_role(draft: Draft, role: bytes, account: Address) -> None:
    draft.says("#.role", ROLES.get(role))
    draft.control("role.grant", of=draft.this, to=account)


@ACCESS_CONTROL.reads(
    "revokeRole(bytes32 role,address account)",
    "renounceRole(bytes32 role,address account)",
    title="Take a role in a contract from an address",
)
def revoke_role(draft: Draft, role: bytes, account: Address) -> None:
    draft.says("#.role", ROLES.get(role))
    draft.control("role.revoke", of=draft.this, to=account)
