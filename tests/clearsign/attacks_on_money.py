"""Attacks, honest twins and missing sources for the checks 1 to 26: allowances, control, calldata, payees."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from mcp_wallet_guard.clearsign.risks.known import (
    History,
)
from mcp_wallet_guard.clearsign.tree import Clarity, PartKind
from mcp_wallet_guard.operations.values import UINT256_MAX
from tests.clearsign.readings import (
    APES,
    COIN,
    DEAD,
    HALF_TWIN,
    KNOWN,
    MULTISEND,
    NOW,
    PAYEE,
    ROUTER,
    SAFE,
    SIGNER,
    STRANGER,
    TOKEN,
    TWIN,
    ZERO,
    allow,
    call,
    claiming,
    controls,
    knowing,
    out,
    part,
    pay,
    read,
    seen,
    typed,
    within,
)
from tests.clearsign.scenes import (
    BLIND,
    IN_SAFE,
    NOBODY_ASKED,
    SAFE_CALL,
    Case,
    delegating,
)

CASES: Final[dict[int, Case]] = {
    1: Case(
        attacks={
            "approval.unlimited": (call(allow(amount=UINT256_MAX)), KNOWN),
            "approval.above_supply": (call(allow(amount=10**15)), KNOWN),
        },
        honest=(call(allow(amount=5)), KNOWN),
        unchecked=(("node", (call(allow(amount=5)), NOBODY_ASKED)), *BLIND),
    ),
    2: Case(
        attacks={"approval.standing": (call(allow(amount=5)), KNOWN)},
        honest=(call(allow(amount=0)), KNOWN),
        unchecked=BLIND,
    ),
    3: Case(
        attacks={"approval.collection": (call(allow(asset=APES, amount=None)), KNOWN)},
        honest=(call(allow(asset=replace(APES, token_id=7), amount=1)), KNOWN),
        unchecked=BLIND,
    ),
    4: Case(
        attacks={
            "approval.signed": (typed(allow()), KNOWN),
            "approval.like": (typed(odd="typed.allowance_like"), KNOWN),
        },
        honest=(call(allow()), KNOWN),
        unchecked=(("bytes", (typed(clarity=Clarity.DECODED), KNOWN)),),
    ),
    5: Case(
        attacks={"approval.to_account": (call(allow(STRANGER)), KNOWN)},
        honest=(call(allow(ROUTER)), KNOWN),
        unchecked=(("node", (call(allow(ROUTER)), NOBODY_ASKED)),),
    ),
    6: Case(
        attacks={
            "contract.young": (call(target=ROUTER), claiming(ROUTER, has_code=True, created_at=NOW - 3600)),
            "contract.first_use": (call(target=ROUTER), knowing(history=History())),
            "contract.upgradeable": (call(target=ROUTER), claiming(ROUTER, has_code=True, upgradeable=True)),
            "contract.claimed": (call(target=ROUTER, odd="descriptor.claimed"), KNOWN),
        },
        honest=(call(target=ROUTER), KNOWN),
        unchecked=(
            ("node", (call(target=ROUTER), NOBODY_ASKED)),
            ("history", (call(target=ROUTER), knowing(history=None))),
            ("now", (call(target=ROUTER), knowing(now=None))),
        ),
    ),
    7: Case(
        attacks={
            "list.blocked": (pay(STRANGER), knowing(blocked=(STRANGER,))),
            "list.not_allowed": (pay(STRANGER), knowing(allowed=(PAYEE,))),
        },
        honest=(pay(), knowing(blocked=(STRANGER,), allowed=(PAYEE,))),
        unchecked=(("blocked", (pay(), knowing(blocked=None))),),
    ),
    8: Case(
        attacks={"control.ownership": (call(controls("ownership.transfer")), KNOWN)},
        honest=(call(allow()), KNOWN),
        unchecked=BLIND,
    ),
    9: Case(
        attacks={"control.upgrade": (call(controls("proxy.upgrade")), KNOWN)},
        honest=(call(controls("role.revoke")), KNOWN),
        unchecked=BLIND,
    ),
    10: Case(
        attacks={
            "control.safe": (call(controls("safe.module"), target=SAFE), KNOWN),
            "control.fallback": (call(controls("safe.fallback"), target=SAFE), KNOWN),
        },
        honest=(call(controls("safe.fallback", MULTISEND), target=SAFE), KNOWN),
        unchecked=(("handlers", (call(controls("safe.fallback", MULTISEND)), knowing(handlers=None))), *BLIND),
    ),
    11: Case(
        attacks={
            "delegatecall.unknown": (read(within(SAFE_CALL, replace(IN_SAFE, target=STRANGER))), KNOWN),
            "delegatecall.nested": (
                read(within(SAFE_CALL, within(IN_SAFE, IN_SAFE, replace(IN_SAFE, target=ROUTER)))),
                KNOWN,
            ),
        },
        honest=(read(within(SAFE_CALL, within(replace(IN_SAFE, path="0"), part(allow())))), KNOWN),
        unchecked=(("multisends", (read(within(SAFE_CALL, IN_SAFE)), knowing(multisends=None))),),
    ),
    12: Case(
        attacks={"safe.refund": (typed(odd="safe.refund"), KNOWN)},
        honest=(typed(), KNOWN),
        unchecked=(("bytes", (typed(clarity=Clarity.BLIND), KNOWN)),),
    ),
    13: Case(
        attacks={"account.unknown_delegate": (delegating(), KNOWN)},
        honest=(delegating(MULTISEND), KNOWN),
        unchecked=(("delegates", (delegating(MULTISEND), knowing(delegates=None))),),
    ),
    14: Case(
        attacks={"account.every_chain": (delegating(MULTISEND, chain=None), KNOWN)},
        honest=(delegating(MULTISEND), KNOWN),
        unchecked=BLIND,
    ),
    15: Case(
        attacks={
            "calldata.blind": (read(within(part(), part(clarity=Clarity.BLIND))), KNOWN),
            "calldata.partial": (call(clarity=Clarity.PARTIAL), KNOWN),
        },
        honest=(call(), KNOWN),
        unchecked=(),
    ),
    16: Case(
        attacks={
            "calldata.malformed": (call(odd="calldata.malformed"), KNOWN),
            "calldata.unusual": (call(odd="something.new"), KNOWN),
        },
        honest=(call(), KNOWN),
        unchecked=BLIND,
    ),
    17: Case(
        attacks={"calldata.trailing": (call(odd="calldata.trailing"), KNOWN)},
        honest=(call(), KNOWN),
        unchecked=BLIND,
    ),
    18: Case(
        attacks={"call.no_code": (call(target=STRANGER), KNOWN)},
        honest=(call(target=ROUTER), KNOWN),
        unchecked=(("node", (call(target=ROUTER), NOBODY_ASKED)),),
    ),
    19: Case(
        attacks={"call.not_payable": (call(value=1, signature="transfer(address,uint256)"), KNOWN)},
        honest=(call(value=1, signature="deposit()"), KNOWN),
        unchecked=BLIND,
    ),
    20: Case(
        attacks={"contract.create": (call(kind=PartKind.CREATE, target=None), KNOWN)},
        honest=(call(), KNOWN),
        unchecked=BLIND,
    ),
    21: Case(
        attacks={
            "payee.zero": (pay(ZERO), KNOWN),
            "payee.reserved": (pay(type(ZERO).from_bytes(bytes(19) + b"\x04")), KNOWN),
            "payee.burn": (call(out(DEAD, asset=COIN)), KNOWN),
            "payee.self": (pay(SIGNER), KNOWN),
        },
        honest=(pay(), KNOWN),
        unchecked=BLIND,
    ),
    22: Case(
        attacks={
            "payee.token": (call(out(TOKEN, asset=COIN)), KNOWN),
            "payee.token_contract": (pay(TOKEN), KNOWN),
        },
        honest=(pay(), KNOWN),
        unchecked=(("tokens", (pay(), knowing(tokens=None))), ("node", (pay(), NOBODY_ASKED))),
    ),
    23: Case(
        attacks={
            "payee.contract": (pay(ROUTER), KNOWN),
            "payee.contract_elsewhere": (pay(SAFE), claiming(SAFE, has_code=False, elsewhere=True)),
        },
        honest=(pay(), KNOWN),
        unchecked=(("node", (pay(), NOBODY_ASKED)), ("node", (pay(), claiming(PAYEE, has_code=False)))),
    ),
    24: Case(
        attacks={"payee.imitates": (pay(TWIN), KNOWN), "payee.half_imitates": (pay(HALF_TWIN), KNOWN)},
        honest=(pay(), KNOWN),
        unchecked=(
            ("addresses", (pay(), knowing(addresses=None))),
            ("accounts", (pay(), knowing(accounts=None))),
            ("tokens", (pay(), knowing(tokens=None))),
            ("history", (pay(), knowing(history=None))),
        ),
    ),
    25: Case(
        attacks={
            "payee.first_time": (pay(STRANGER), KNOWN),
            "payee.new": (pay(STRANGER), knowing(history=History(paid=(seen(STRANGER),)))),
        },
        honest=(pay(), KNOWN),
        unchecked=(
            ("history", (pay(STRANGER), knowing(history=None))),
            ("addresses", (pay(STRANGER), knowing(addresses=None))),
            ("accounts", (pay(STRANGER), knowing(accounts=None))),
        ),
    ),
    26: Case(
        attacks={"payee.quiet": (pay(), claiming(PAYEE, has_code=False, nonce=0))},
        honest=(pay(), KNOWN),
        unchecked=(("node", (pay(), NOBODY_ASKED)),),
    ),
}
