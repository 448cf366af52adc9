"""What a simulation adds: it can raise a finding and never remove one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mcp_wallet_guard.clearsign.reading import Reading
from mcp_wallet_guard.clearsign.risks.known import Known
from mcp_wallet_guard.clearsign.risks.parties import is_signers
from mcp_wallet_guard.clearsign.risks.results import Check, Evidence, Gap, Hit, Saying, Severity
from mcp_wallet_guard.clearsign.simulated import Allowance, SimulationOutcome
from mcp_wallet_guard.clearsign.text import quoted
from mcp_wallet_guard.clearsign.tree import Bound, Consequence, Direction
from mcp_wallet_guard.operations.erc20 import is_unlimited
from mcp_wallet_guard.operations.values import Address

REASON_LIMIT: Final = 80
_Range = tuple[int | None, int | None]
"""Least and most; None is no bound."""


def _simulation(reading: Reading, known: Known) -> Iterator[Hit | Gap]:
    runs = known.simulation
    if not runs:
        yield Gap(missing="simulation")
        return
    if len(runs) < 2:
        yield Gap(missing="simulation.second")
    elif any(_differs(runs[0], other, known.thresholds.drift_percent) for other in runs[1:]):
        yield Hit(code="simulation.unstable", path="", source=Evidence.SIMULATION)
    for run in runs:
        yield from _of_run(run, reading, known)


def _of_run(run: SimulationOutcome, reading: Reading, known: Known) -> Iterator[Hit | Gap]:
    if run.status == "reverted":
        reason = "no reason given" if run.reason is None else quoted(run.reason, limit=REASON_LIMIT)
        yield Hit(code="simulation.reverts", path="", facts=(("reason", reason),), source=Evidence.SIMULATION)
        return
    if run.movements is None or run.allowances is None:
        yield Gap(missing="simulation.movements")
    yield from _moved(run, reading)
    yield from _received(run, reading, known)
    for allowance in run.allowances or ():
        if allowance.owner != reading.signer or allowance.amount == 0:
            continue
        if not _is_shown(allowance, reading) and not _is_old(allowance, known):
            facts = (("address", allowance.spender.value), ("asset", allowance.asset))
            yield Hit(code="simulation.new_approval", path="", facts=facts, source=Evidence.SIMULATION)
    if reading.signer in (run.code_changes or ()) and not _delegates(reading):
        yield Hit(code="simulation.code", path="", source=Evidence.SIMULATION)


def _moved(run: SimulationOutcome, reading: Reading) -> Iterator[Hit]:
    """What moves of the signer's, against what is shown."""
    if run.movements is None:
        return
    shown = _shown(reading)
    moved = {movement.asset: movement.amount for movement in run.movements if movement.account == reading.signer}
    for asset, amount in moved.items():
        # "All of a collection" has the collection's id, which that of each of its tokens begins with.
        if amount < 0 and asset not in shown and asset.rpartition("/")[0] not in shown:
            yield Hit(code="simulation.other_assets", path="", facts=(("asset", asset),), source=Evidence.SIMULATION)
    for asset, (least, most) in shown.items():
        amount = moved.get(asset, 0)
        if (least is not None and amount < least) or (most is not None and amount > most):
            yield _mismatch(asset, reading.signer)


def _received(run: SimulationOutcome, reading: Reading, known: Known) -> Iterator[Hit]:
    """Whether a plain account gets what it is shown to get. Contracts may pass it on, so they are left out."""
    if run.movements is None:
        return
    got = {(movement.account, movement.asset): movement.amount for movement in run.movements}
    due: dict[tuple[Address, str], int] = {}
    for effect in reading.of(Direction.OUT):
        c, payee = effect.consequence, effect.consequence.counterparty
        if c.asset is None or c.amount is None or c.bound is not Bound.EXACT or payee is None:
            continue
        if payee not in {c.owner, reading.signer} and known.claim(payee).has_code is False:
            key = (payee, c.asset.id)
            due[key] = due.get(key, 0) + c.amount
    for (payee, asset), amount in due.items():
        if got.get((payee, asset), 0) < amount:
            yield _mismatch(asset, payee)


def _mismatch(asset: str, account: Address) -> Hit:
    facts = (("asset", asset), ("address", account.value))
    return Hit(code="simulation.mismatch", path="", facts=facts, source=Evidence.SIMULATION)


def _shown(reading: Reading) -> dict[str, _Range]:
    """By how much the signer's holding of each asset changes, as it is shown."""
    shown: dict[str, _Range] = {}
    for effect in reading.of(Direction.OUT, Direction.IN):
        c = effect.consequence
        if c.asset is None or not is_signers(c.owner, reading) or c.counterparty == reading.signer:
            continue
        least, most = shown.get(c.asset.id, (0, 0))
        less, more = _range(c)
        shown[c.asset.id] = (_sum(least, less), _sum(most, more))
    return shown


def _range(c: Consequence) -> _Range:
    if c.amount is None:
        return (None, 0) if c.direction is Direction.OUT else (0, None)
    least = 0 if c.bound is Bound.AT_MOST else c.amount
    most = None if c.bound is Bound.AT_LEAST else c.amount
    if c.direction is Direction.IN:
        return least, most
    return None if most is None else -most, -least


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _is_shown(allowance: Allowance, reading: Reading) -> bool:
    for effect in reading.of(Direction.ALLOW):
        c = effect.consequence
        if c.asset is None or c.counterparty != allowance.spender or not is_signers(c.owner, reading):
            continue
        if _place(c.asset.id) != _place(allowance.asset):
            continue
        if c.unlimited or c.amount is None or (allowance.amount is not None and allowance.amount <= c.amount):
            return True
    return False


def _place(asset: str) -> str:
    """Contract and number alone: the event for a whole collection does not tell of which kind it is."""
    return asset.rpartition(":")[2]


def _is_old(allowance: Allowance, known: Known) -> bool:
    """Whether it is what is left of an earlier allowance: many tokens say so whenever some of it is used."""
    if allowance.amount is None or is_unlimited(allowance.amount) or known.history is None:
        return False
    return any(seen.address == allowance.spender for seen in known.history.allowed)


def _delegates(reading: Reading) -> bool:
    return any(e.consequence.control in {"account.delegate", "account.revoke"} for e in reading.of(Direction.CONTROL))


def _differs(one: SimulationOutcome, other: SimulationOutcome, percent: int) -> bool:
    """Whether two runs disagree by more than a market moves between two blocks."""
    if one.status != other.status:
        return True
    if one.allowances is not None and other.allowances is not None and set(one.allowances) != set(other.allowances):
        return True
    if one.movements is None or other.movements is None:
        return False
    first = {(m.account, m.asset): m.amount for m in one.movements}
    second = {(m.account, m.asset): m.amount for m in other.movements}
    return any(
        abs(first.get(key, 0) - second.get(key, 0)) * 100 > abs(first.get(key, 0)) * percent
        for key in first.keys() | second.keys()
    )


CHECKS: Final = (
    Check(
        number=40,
        subject="a simulation shows something else than what is shown here",
        needs=(Evidence.SIMULATION,),
        sayings=(
            Saying(
                code="simulation.reverts",
                severity=Severity.DANGER,
                sentence="In a simulation it fails: {reason}. The fee would be lost.",
            ),
            Saying(
                code="simulation.mismatch",
                severity=Severity.DANGER,
                sentence="In a simulation another amount of {asset} moves for {address} than is shown.",
            ),
            Saying(
                code="simulation.other_assets",
                severity=Severity.DANGER,
                sentence="In a simulation something leaves the account that is not shown: {asset}.",
            ),
            Saying(
                code="simulation.new_approval",
                severity=Severity.DANGER,
                sentence="In a simulation {address} may take {asset} afterwards, which is not shown.",
            ),
            Saying(
                code="simulation.code",
                severity=Severity.DANGER,
                sentence="In a simulation the account's own code changes, which is not shown.",
            ),
            Saying(
                code="simulation.unstable",
                severity=Severity.DANGER,
                sentence="Two simulations give different results. A contract may notice that it is simulated.",
            ),
        ),
        examine=_simulation,
    ),
)
