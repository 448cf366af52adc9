"""The contracts that are called: new ones, unknown ones, none at all, and those that cannot keep money."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mcp_wallet_guard.clearsign.reading import Reading
from mcp_wallet_guard.clearsign.risks.calldata import odd
from mcp_wallet_guard.clearsign.risks.known import Known
from mcp_wallet_guard.clearsign.risks.parties import CALLS, Party, called, spenders
from mcp_wallet_guard.clearsign.risks.results import Check, Evidence, Gap, Hit, Saying, Severity
from mcp_wallet_guard.clearsign.tree import PartKind
from mcp_wallet_guard.operations.values import Address

_NOT_PAYABLE: Final = frozenset(
    {
        "transfer(address,uint256)",
        "transferFrom(address,address,uint256)",
        "approve(address,uint256)",
        "increaseAllowance(address,uint256)",
        "decreaseAllowance(address,uint256)",
        "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)",
        "permit(address,address,uint256,uint256,bool,uint8,bytes32,bytes32)",
        "setApprovalForAll(address,bool)",
        "safeTransferFrom(address,address,uint256,uint256,bytes)",
        "safeBatchTransferFrom(address,address,uint256[],uint256[],bytes)",
        "withdraw(uint256)",
    }
)
"""Methods of tokens that take no native currency. ERC-721's own transfers may take it, so they are not here."""


def _others(reading: Reading) -> Iterator[Party]:
    """Called contracts and spenders, each once."""
    seen: set[Address] = set()
    for party in (*called(reading), *spenders(reading)):
        if party.address not in seen:
            seen.add(party.address)
            yield party


def _young(reading: Reading, known: Known) -> Iterator[Hit | Gap]:
    for party in reading.once(_others):
        created = known.claim(party.address).created_at
        if created is None:
            yield Gap(missing="node", path=party.path)
        elif known.now is None:
            yield Gap(missing="now", path=party.path)
        elif created > known.now - known.thresholds.young_seconds:
            yield Hit(code="contract.young", path=party.path, facts=party.facts, source=Evidence.NODE)
        if (str(party.part.chain), party.address.value) in known.listed_tokens:
            continue  # who pinned a token means to use it
        if known.history is None:
            yield Gap(missing="history", path=party.path)
        elif not known.history.is_partner(party.address):
            yield Hit(code="contract.first_use", path=party.path, facts=party.facts, source=Evidence.HISTORY)


def _no_code(reading: Reading, known: Known) -> Iterator[Hit | Gap]:
    for party in called(reading):
        has_code = known.claim(party.address).has_code
        if has_code is None:
            yield Gap(missing="node", path=party.path)
        elif not has_code:
            yield Hit(code="call.no_code", path=party.path, facts=party.facts, source=Evidence.NODE)


def _stuck(reading: Reading, _: Known) -> Iterator[Hit | Gap]:
    for part in reading.parts:
        if part.kind in CALLS and part.value and part.signature in _NOT_PAYABLE:
            yield Hit(code="call.not_payable", path=part.path)
    yield from odd(reading, "call.not_payable")


def _creates(reading: Reading, _: Known) -> Iterator[Hit | Gap]:
    if reading.envelope is not None and reading.envelope.creates:
        yield Hit(code="contract.create", path=reading.root.path)
    for part in reading.parts:
        makes = any(consequence.control == "create" for consequence in part.consequences)
        if makes or part.kind is PartKind.CREATE:
            yield Hit(code="contract.create", path=part.path)


def _unverified(reading: Reading, known: Known) -> Iterator[Hit | Gap]:
    verified = frozenset(known.verified or ())
    for party in reading.once(_others):
        if known.verified is None:
            yield Gap(missing="verified", path=party.path)
        elif party.address not in verified:
            yield Hit(code="contract.unverified", path=party.path, facts=party.facts, source=Evidence.LIST)


CHECKS: Final = (
    Check(
        number=6,
        subject="a contract is new, or new to this wallet",
        needs=(Evidence.NODE, Evidence.HISTORY),
        sayings=(
            Saying(
                code="contract.young",
                severity=Severity.WARNING,
                sentence="The contract {address} has existed for only a few days.",
            ),
            Saying(
                code="contract.first_use",
                severity=Severity.WARNING,
                sentence="This wallet never used the contract {address} before.",
            ),
        ),
        examine=_young,
    ),
    Check(
        number=18,
        subject="a call goes to an address without code",
        needs=(Evidence.NODE,),
        sayings=(
            Saying(
                code="call.no_code",
                severity=Severity.WARNING,
                sentence="{address} is called like a contract, and has no code. The call would do nothing but pay.",
            ),
        ),
        examine=_no_code,
    ),
    Check(
        number=19,
        subject="a call sends money to a method that takes none",
        needs=(Evidence.BYTES,),
        sayings=(
            Saying(
                code="call.not_payable",
                severity=Severity.WARNING,
                sentence="The call sends the chain's own currency to a method that takes none. It fails, or the money "
                "is stuck.",
            ),
        ),
        examine=_stuck,
    ),
    Check(
        number=20,
        subject="a contract is created",
        needs=(Evidence.BYTES,),
        sayings=(
            Saying(
                code="contract.create",
                severity=Severity.DANGER,
                sentence="This creates a contract. What its code does cannot be shown.",
            ),
        ),
        examine=_creates,
    ),
    Check(
        number=41,
        subject="a contract's source is not on your list of verified ones",
        needs=(Evidence.LIST,),
        sayings=(
            Saying(
                code="contract.unverified",
                severity=Severity.NOTICE,
                sentence="The contract {address} is not on your list of verified contracts.",
            ),
        ),
        examine=_unverified,
    ),
)
