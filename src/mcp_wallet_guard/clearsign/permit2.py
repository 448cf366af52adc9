"""Permit2: allowances and one-time transfers of any token that the owner once approved to that contract.

Known by the exact types *and* the contract's address: the same types at another contract mean what that one likes. The
owner is whoever signs. In the forms with a witness another contract's order is signed along; its members are shown, and
what they mean is not known here. Source: Permit2, `PermitHash.sol`, `AllowanceTransfer.sol`. Threat: T-028, T-030.
"""

from __future__ import annotations

import re
from typing import Final

from mcp_wallet_guard.clearsign.permits import deadline_oddities
from mcp_wallet_guard.clearsign.tree import AssetKind, AssetRef, Bound, Clarity, Consequence, Direction, ShownKind
from mcp_wallet_guard.clearsign.typed_members import Meaning, Note, Place, date_note
from mcp_wallet_guard.operations.erc20 import is_unlimited
from mcp_wallet_guard.operations.typed_data import Struct
from mcp_wallet_guard.operations.values import Address

PERMIT2: Final = Address("0x000000000022D473030F116dDEE9F6B43aC78BA3")
"""The same on every chain where it is."""

_DETAILS: Final = "PermitDetails(address token,uint160 amount,uint48 expiration,uint48 nonce)"
_TOKENS: Final = "TokenPermissions(address token,uint256 amount)"
SINGLE: Final = f"PermitSingle(PermitDetails details,address spender,uint256 sigDeadline){_DETAILS}"
BATCH: Final = f"PermitBatch(PermitDetails[] details,address spender,uint256 sigDeadline){_DETAILS}"
_ONCE: Final = "address spender,uint256 nonce,uint256 deadline"
TRANSFER: Final = f"PermitTransferFrom(TokenPermissions permitted,{_ONCE}){_TOKENS}"
BATCH_TRANSFER: Final = f"PermitBatchTransferFrom(TokenPermissions[] permitted,{_ONCE}){_TOKENS}"
# The witness's type and name are its author's; what stands before is not, nor the one type that both use.
_WITNESS: Final = re.compile(
    r"(?:PermitWitnessTransferFrom\(TokenPermissions|PermitBatchWitnessTransferFrom\(TokenPermissions\[\])"
    rf" permitted,{_ONCE},[^,()]+\)"
)
_USABLE: Final = "Signature can be used until"


def is_permit2_type(kind: str, /) -> bool:
    """Whether `kind` is a type of Permit2's, at whatever contract."""
    return kind in {SINGLE, BATCH, TRANSFER, BATCH_TRANSFER} or _is_witness(kind)


def read_permit2(kind: str, message: Struct, place: Place, /) -> Meaning | None:
    """What a message of the type `kind` does at Permit2; None for other types and contracts."""
    if place.contract != PERMIT2 or not is_permit2_type(kind):
        return None
    return _allowances(message, place) if kind in {SINGLE, BATCH} else _transfers(kind, message, place)


def _is_witness(kind: str) -> bool:
    head, _, rest = kind.partition(")")
    return _WITNESS.fullmatch(f"{head})") is not None and _TOKENS in re.findall(r"[^()]*\([^()]*\)", rest)


def _listed(message: Struct, name: str) -> list[tuple[str, Struct]]:
    """(path, struct) of the one struct or of all items of the member `name`."""
    value = message[name]
    if isinstance(value, tuple):
        return [(f"#.{name}.[{i}]", item) for i, item in enumerate(value) if isinstance(item, Struct)]
    return [(f"#.{name}", message.member(name, Struct))]


def _allowances(message: Struct, place: Place) -> Meaning:
    spender, deadline = message.member("spender", Address), message.member("sigDeadline", int)
    notes = {"#.spender": Note(label="Spender"), "#.sigDeadline": date_note(_USABLE, deadline)}
    given: list[Consequence] = []
    for path, details in _listed(message, "details"):
        token = _token(details, place)
        amount, end = details.member("amount", int), details.member("expiration", int)
        unlimited = is_unlimited(amount)
        given.append(
            Consequence(
                direction=Direction.ALLOW,
                owner=place.signer,
                asset=token,
                amount=amount,
                counterparty=spender,
                unlimited=unlimited,
                # Zero means until the end of the block that takes the permit, which the deadline bounds.
                expires_at=end or deadline,
            )
        )
        ends = date_note("Allowance ends", end) if end else Note(label="Allowance ends", text="in the same block")
        notes |= {
            path: Note(label="Allowance"),
            f"{path}.token": Note(label="Token"),
            f"{path}.amount": Note(label="Allowance", kind=ShownKind.AMOUNT, asset=token, unlimited=unlimited),
            f"{path}.expiration": ends,
            f"{path}.nonce": Note(label="Nonce"),
        }
    return Meaning(
        standard="Permit2",
        title="Allows a spender to take tokens",
        notes=notes,
        consequences=tuple(given),
        oddities=deadline_oddities(deadline),
    )


def _transfers(kind: str, message: Struct, place: Place) -> Meaning:
    spender, deadline = message.member("spender", Address), message.member("deadline", int)
    notes = {
        "#.spender": Note(label="Spender"),
        "#.nonce": Note(label="Nonce"),
        "#.deadline": date_note(_USABLE, deadline),
    }
    given: list[Consequence] = []
    for path, permitted in _listed(message, "permitted"):
        token, amount = _token(permitted, place), permitted.member("amount", int)
        unlimited = is_unlimited(amount)
        given.append(
            Consequence(
                direction=Direction.ALLOW,
                owner=place.signer,
                asset=token,
                amount=amount,
                bound=Bound.AT_MOST,
                counterparty=spender,
                unlimited=unlimited,
                expires_at=deadline,
            )
        )
        notes |= {
            path: Note(label="May be taken once"),
            f"{path}.token": Note(label="Token"),
            f"{path}.amount": Note(label="At most", kind=ShownKind.AMOUNT, asset=token, unlimited=unlimited),
        }
    witness = _is_witness(kind)
    return Meaning(
        standard="Permit2",
        title="Allows a spender to take tokens once" + (", for an order signed along" if witness else ""),
        clarity=Clarity.DECODED if witness else Clarity.CLEAR,
        notes=notes,
        consequences=tuple(given),
        oddities=deadline_oddities(deadline),
    )


def _token(struct: Struct, place: Place) -> AssetRef:
    return AssetRef(chain=place.chain, kind=AssetKind.ERC20, contract=struct.member("token", Address))
