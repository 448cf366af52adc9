"""Who decides over a contract, an account or a Safe, and code that runs as the account itself. Threat: T-020."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mcp_wallet_guard.clearsign.aspects import DELEGATES, GOVERNS, ODD, RUNS, SIGNS_IN, STATES
from mcp_wallet_guard.clearsign.reading import Effect, Reading
from mcp_wallet_guard.clearsign.risks.calldata import with_oddity
from mcp_wallet_guard.clearsign.risks.known import Known
from mcp_wallet_guard.clearsign.risks.parties import delegations, is_signers
from mcp_wallet_guard.clearsign.risks.results import Check, Evidence, Fact, Gap, Hit, Saying, Severity
from mcp_wallet_guard.clearsign.tree import CONTROLS, Direction, Part, PartKind
from mcp_wallet_guard.operations.values import Address

_OWNERSHIP: Final = frozenset(
    {
        "ownership.transfer", "ownership.renounce", "ownership.accept", "role.grant", "role.revoke", "admin.change",
    }
)  # fmt: skip
_UPGRADES: Final = frozenset({"proxy.upgrade", "safe.mastercopy"})
_ELSEWHERE: Final = (
    _OWNERSHIP | _UPGRADES | {"safe.fallback", "account.delegate", "account.revoke", "delegatecall", "create"}
)
"""What other checks raise, or another part of this one."""
_OF_A_SAFE: Final = "Safe"


def _facts(effect: Effect) -> tuple[Fact, ...]:
    gaining = effect.consequence.counterparty
    return (
        ("what", CONTROLS.get(effect.consequence.control or "", "Who controls an account changes")),
        ("address", "an address that is not named" if gaining is None else gaining.value),
    )


def _changes(reading: Reading, controls: frozenset[str]) -> Iterator[Effect]:
    return (effect for effect in reading.of(Direction.CONTROL) if effect.consequence.control in controls)


def _ownership(reading: Reading, _: Known) -> Iterator[Hit | Gap]:
    for effect in _changes(reading, _OWNERSHIP):
        yield Hit(code="control.ownership", path=effect.path, facts=_facts(effect))


def _upgrade(reading: Reading, _: Known) -> Iterator[Hit | Gap]:
    for effect in _changes(reading, _UPGRADES):
        yield Hit(code="control.upgrade", path=effect.path, facts=_facts(effect))


def _safe(reading: Reading, known: Known) -> Iterator[Hit | Gap]:
    for effect in reading.of(Direction.CONTROL):
        if effect.consequence.control not in _ELSEWHERE:
            yield Hit(code="control.safe", path=effect.path, facts=_facts(effect))
    for effect in _changes(reading, frozenset({"safe.fallback"})):
        if known.handlers is None:
            yield Gap(missing="handlers", path=effect.path)
        if effect.consequence.counterparty not in (known.handlers or ()):
            yield Hit(code="control.fallback", path=effect.path, facts=_facts(effect), source=Evidence.LIST)


def _delegatecalls(reading: Reading, known: Known) -> Iterator[Hit | Gap]:
    """What is not Safe's own batch contract is refused, also when there is no list of those."""
    told: set[str] = set()
    for path, target, nested in _running(reading.root, within=None, inside=False):
        told.add(path)
        if known.multisends is None:
            yield Gap(missing="multisends", path=path)
        facts = (("address", "a contract that is not named" if target is None else target.value),)
        if nested:
            yield Hit(code="delegatecall.nested", path=path, facts=facts)
        elif target not in (known.multisends or ()):
            yield Hit(code="delegatecall.unknown", path=path, facts=facts, source=Evidence.LIST)
    for part in with_oddity(reading, "safe.delegatecall"):
        inside = part.path + ("." if part.path else "")
        if not any(path.split("#")[0] == part.path or path.startswith(inside) for path in told):
            yield Hit(code="delegatecall.unknown", path=part.path, facts=(("address", "a contract that is not named"),))


def _running(part: Part, *, within: Address | None, inside: bool) -> Iterator[tuple[str, Address | None, bool]]:
    """(path, whose code, whether within another delegatecall) of all code that runs as somebody else. A contract that
    calls itself in this way, as every `multicall` does, changes nobody."""
    runs = part.kind is PartKind.DELEGATECALL and part.target != within
    if runs:
        yield part.path, part.target, inside
    for index, consequence in enumerate(part.consequences):
        same = runs and consequence.counterparty == part.target
        if consequence.control == "delegatecall" and not same and not _is_told(consequence.counterparty, part):
            yield f"{part.path}#consequences.{index}", consequence.counterparty, inside
    for child in part.parts:
        yield from _running(child, within=part.target, inside=inside or runs)


def _is_told(target: Address | None, part: Part) -> bool:
    return any(child.kind is PartKind.DELEGATECALL and child.target == target for child in part.parts)


def _refund(reading: Reading, _: Known) -> Iterator[Hit | Gap]:
    for part in with_oddity(reading, "safe.refund"):
        yield Hit(code="safe.refund", path=part.path)


def _delegates(reading: Reading, known: Known) -> Iterator[Hit | Gap]:
    for delegation in delegations(reading):
        if delegation.revokes:
            continue
        if known.delegates is None:
            yield Gap(missing="delegates", path=delegation.path)
        if delegation.delegate not in (known.delegates or ()):
            facts = (("address", delegation.delegate.value),)
            yield Hit(code="account.unknown_delegate", path=delegation.path, facts=facts, source=Evidence.LIST)


def _every_chain(reading: Reading, _: Known) -> Iterator[Hit | Gap]:
    found = [delegation.path for delegation in delegations(reading) if delegation.chain is None]
    found += [part.path for part in with_oddity(reading, "authorization.every_chain")]
    if found:
        yield Hit(code="account.every_chain", path=found[0])


def _owners(reading: Reading, known: Known) -> Iterator[Hit | Gap]:
    """Of a Safe's own messages the owner is the Safe, which the signer only speaks for."""
    for effect in reading.of(Direction.ALLOW, Direction.OUT):
        owner, part = effect.consequence.owner, effect.part
        if part.kind is not PartKind.TYPED_DATA or is_signers(owner, reading) or owner in known.own:
            continue
        if (part.standard or "").startswith(_OF_A_SAFE):
            continue
        if known.accounts is None:
            yield Gap(missing="accounts", path=effect.path)
        yield Hit(code="owner.mismatch", path=effect.path)
    if reading.sign_in is not None and reading.sign_in.address != reading.signer:
        yield Hit(code="owner.mismatch", path=reading.root.path)
    for part in (*with_oddity(reading, "typed.other_owner"), *with_oddity(reading, "siwe.other_signer")):
        named = {c.owner for c in part.consequences}
        if not named or not named <= known.own:
            yield Hit(code="owner.mismatch", path=part.path)


CHECKS: Final = (
    Check(
        number=8,
        subject="the owner, a role or an administrator of a contract changes",
        needs=(Evidence.BYTES,),
        sayings=(Saying(code="control.ownership", severity=Severity.DANGER, sentence="{what}: {address}."),),
        examine=_ownership,
        about=GOVERNS,
    ),
    Check(
        number=9,
        subject="a contract's code is replaced",
        needs=(Evidence.BYTES,),
        sayings=(
            Saying(
                code="control.upgrade",
                severity=Severity.DANGER,
                sentence="{what}: {address}. It may do anything from then on.",
            ),
        ),
        examine=_upgrade,
        about=GOVERNS,
    ),
    Check(
        number=10,
        subject="it changes who controls a Safe or a smart account",
        needs=(Evidence.BYTES, Evidence.LIST),
        sayings=(
            Saying(code="control.safe", severity=Severity.DANGER, sentence="{what}: {address}."),
            Saying(
                code="control.fallback",
                severity=Severity.DANGER,
                sentence="{what}: {address}, which is none of Safe's own.",
            ),
        ),
        examine=_safe,
        about=GOVERNS,
    ),
    Check(
        number=11,
        subject="another contract's code runs as the account itself",
        needs=(Evidence.LIST, Evidence.BYTES),
        sayings=(
            Saying(
                code="delegatecall.unknown",
                severity=Severity.REFUSE,
                sentence="The code of {address} would run as the account itself and may take everything.",
            ),
            Saying(
                code="delegatecall.nested",
                severity=Severity.REFUSE,
                sentence="Within a batch, the code of {address} would run as the account itself and may take "
                "everything.",
            ),
        ),
        examine=_delegatecalls,
        about=RUNS | GOVERNS | ODD,
    ),
    Check(
        number=12,
        subject="a Safe pays a refund to whoever sends its transaction",
        needs=(Evidence.BYTES,),
        sayings=(
            Saying(
                code="safe.refund",
                severity=Severity.DANGER,
                sentence="The Safe also pays whoever sends this, beyond what is shown as its effect.",
            ),
        ),
        examine=_refund,
        about=ODD,
    ),
    Check(
        number=13,
        subject="the account gets code that you do not trust",
        needs=(Evidence.LIST,),
        sayings=(
            Saying(
                code="account.unknown_delegate",
                severity=Severity.REFUSE,
                sentence="The account would get the code of {address}, which you do not trust. It may take everything "
                "at any time.",
            ),
        ),
        examine=_delegates,
        about=DELEGATES | GOVERNS,
    ),
    Check(
        number=14,
        subject="the account's code changes on every chain",
        needs=(Evidence.BYTES,),
        sayings=(
            Saying(
                code="account.every_chain",
                severity=Severity.DANGER,
                sentence="This sets the account's code on every chain, not only on this one.",
            ),
        ),
        examine=_every_chain,
        about=DELEGATES | GOVERNS | ODD,
    ),
    Check(
        number=32,
        subject="the message speaks for another account than the one that signs",
        needs=(Evidence.BYTES,),
        sayings=(
            Saying(
                code="owner.mismatch",
                severity=Severity.REFUSE,
                sentence="The message speaks for another account than the one that signs.",
            ),
        ),
        examine=_owners,
        about=STATES | SIGNS_IN | ODD,
    ),
)
