"""Real proofs of one payment, and of its neighbours that differ in exactly one thing."""

from __future__ import annotations

from typing import Any

from mcp_wallet_guard.ceremony import check_authorized, check_confirmed, check_proven
from mcp_wallet_guard.clearsign.view import check_decoded
from mcp_wallet_guard.danger import lower_level
from mcp_wallet_guard.evidence import EVIDENCE, ApprovalRow, Channel, Evidence, Level, Obligations, canonical
from mcp_wallet_guard.operations.values import Account, BaseUnits, ChainId
from mcp_wallet_guard.policy.engine import Reserved, check_permitted
from mcp_wallet_guard.policy.rules import ANY, Policy
from mcp_wallet_guard.proofs import Authorized, Confirmed, Decoded, Permitted, Proven, mint
from tests.clearsign.transfers import CLAIMS, ETHER, SENDER, STRANGER, effect, facts, freeze

EXPIRES = 1_790_000_600
NOW = EXPIRES - 500
REVISION = 3
LOCAL = "local"


def decoded(view: dict[str, Any] | None = None, frozen: dict[str, Any] | None = None, **asked: Any) -> Decoded:
    """Step 3 of a payment of 0.1 ETH: `view` changes the facts, `frozen` nonce and fees, `asked` the effect."""
    what = effect(**asked)
    about = facts(chain=str(what.account.chain), **(view or {}))
    return check_decoded(freeze(what, **(frozen or {})), about, effect=what)


OURS = decoded()
OTHER_NONCE = decoded(frozen={"nonce": 8})
OTHER_FEE = decoded(frozen={"max_fee_per_gas": 21 * 10**9})
OTHER_AMOUNT = decoded(value=ETHER // 5)
OTHER_PAYEE = decoded(to=STRANGER)
OTHER_CHAIN = decoded(account=Account(name="main", chain=ChainId(1), address=SENDER))
OTHER_REFERENCE = decoded(reference="again")
OTHER_VIEW = decoded(view={"payee_name": "Mallory"})
"""The same bytes and digest, shown with another name."""

OTHER_BYTES = {
    "nonce": OTHER_NONCE, "fee": OTHER_FEE, "amount": OTHER_AMOUNT, "payee": OTHER_PAYEE, "chain": OTHER_CHAIN,
}  # fmt: skip
OTHER_EFFECTS = {
    "amount": OTHER_AMOUNT, "payee": OTHER_PAYEE, "chain": OTHER_CHAIN, "reference": OTHER_REFERENCE,
}  # fmt: skip


def permitted(about: Decoded = OURS, *, level: Level = Level.FACTOR, revision: int = REVISION) -> Permitted:
    """Step 4 under a policy that asks for `level`."""
    waiver = lower_level(reason="a test of the levels") if level < Level.FACTOR else None
    rules = Policy(payees=ANY, max_per_transaction=BaseUnits(ETHER), level=level, waiver=waiver)
    return check_permitted(rules, about, revision=revision, facts=CLAIMS, reserved=Reserved())


def obliged(about: Decoded = OURS, *, level: Level = Level.FACTOR, approvers: int = 1) -> Permitted:
    """Step 4 with obligations that no policy can express yet: several people, or a level that proves nobody."""
    return mint(
        Permitted,
        operation_digest=about.operation.digest,
        view_hash=about.view_hash,
        policy_revision=REVISION,
        obligations=Obligations(level=level, approvers=approvers),
    )


def answer(about: Decoded = OURS, **changes: Any) -> Evidence:
    """A yes with a one-time code, as the desk writes it."""
    values: dict[str, Any] = {
        "channel": Channel.PAGE, "approver": "owner", "operation_digest": about.operation.digest.hex(),
        "view_hash": about.view_hash.hex(), "level": int(Level.FACTOR), "at": NOW, "factor_id": "totp-1",
        "factor_step": 59_666_670,
    }  # fmt: skip
    return Evidence(**(values | changes))


def bare(level: Level, about: Decoded = OURS, **changes: Any) -> Evidence:
    """A yes that claims a level without the step of a code."""
    return answer(about, level=int(level), factor_id=None, factor_step=None, **changes)


def stored(*answers: Evidence) -> str:
    """The evidence column, as the desk writes it."""
    return canonical(EVIDENCE.dump_python(answers, mode="json"))


def approval(*answers: Evidence, about: Decoded = OURS, **changes: Any) -> ApprovalRow:
    """The approval of a payment with these answers."""
    values: dict[str, Any] = {
        "operation": "op-1", "digest": about.operation.digest, "view_hash": about.view_hash,
        "policy_revision": REVISION, "principal": LOCAL, "expires_at": EXPIRES, "level": 3, "approvers": 1,
        "link_hash": b"l" * 32, "match_salt": b"s" * 16, "evidence": stored(*answers),
    }  # fmt: skip
    return ApprovalRow(**(values | changes))


def authorized(about: Decoded = OURS, *, principal: str = LOCAL) -> Authorized:
    return check_authorized(
        principal=principal,
        tool="pay",
        effect_hash=about.operation.effect_hash,
        principals=frozenset({principal}),
        open_operations=0,
    )


def confirmed(about: Decoded = OURS, *, given: Evidence | None = None) -> Confirmed:
    """Step 5 with the answer `given`, or one with a code. The lowest policy, so that every level gets its proof."""
    row = approval(answer(about) if given is None else given, about=about)
    return check_confirmed(about, permitted(about, level=Level.PRESENT), row, now=NOW)


def proven(about: Decoded = OURS, *, given: Evidence | None = None) -> Proven:
    """Step 6 in the same way."""
    row = approval(answer(about) if given is None else given, about=about)
    return check_proven(about, permitted(about, level=Level.PRESENT), row)
