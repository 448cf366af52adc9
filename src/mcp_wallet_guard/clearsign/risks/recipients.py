"""The effective recipients: nobody's, contracts, look-alikes and strangers. Threat: T-021, T-025, T-120."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mcp_wallet_guard.clearsign.reading import Reading
from mcp_wallet_guard.clearsign.recipients import NOBODYS, imitated, nobodys
from mcp_wallet_guard.clearsign.risks.known import Known
from mcp_wallet_guard.clearsign.risks.parties import addresses, everybody, payees, spenders
from mcp_wallet_guard.clearsign.risks.results import Check, Evidence, Gap, Hit, Saying, Severity
from mcp_wallet_guard.clearsign.text import NAME_LIMIT, quoted
from mcp_wallet_guard.clearsign.tree import Direction, Part
from mcp_wallet_guard.operations.values import Address

PAYEE_CONTRACT: Final = "payee.contract"
PAYEE_IMITATES: Final = "payee.imitates"


def _blocked(reading: Reading, known: Known) -> Iterator[Hit | Gap]:
    if known.blocked is None:
        yield Gap(missing="blocked")
    elif known.blocked:
        blocked = frozenset(known.blocked)
        for path, address in addresses(reading):
            if address in blocked:
                yield Hit(code="list.blocked", path=path, facts=(("address", address.value),), source=Evidence.LIST)
    if known.allowed is not None:
        allowed = frozenset(known.allowed) | known.own
        for party in everybody(reading):
            if party.address not in allowed:
                yield Hit(code="list.not_allowed", path=party.path, facts=party.facts, source=Evidence.LIST)


def _nobodys(reading: Reading, _: Known) -> Iterator[Hit | Gap]:
    for party in (*payees(reading), *spenders(reading)):
        lost = nobodys(party.address)
        if lost is not None:
            yield Hit(code=lost, path=party.path, facts=party.facts)
        elif party.address == reading.signer:
            yield Hit(code="payee.self", path=party.path, facts=party.facts)


def _tokens(reading: Reading, known: Known) -> Iterator[Hit | Gap]:
    for party in payees(reading):
        asset = None if party.consequence is None else party.consequence.asset
        if asset is not None and asset.contract == party.address and not _gives_back(party.part):
            yield Hit(code="payee.token", path=party.path, facts=party.facts)
            continue
        if party.is_callee:
            continue
        if known.tokens is None:
            yield Gap(missing="tokens", path=party.path)
        listed = (str(party.part.chain), party.address.value) in known.listed_tokens
        claim = known.claim(party.address)
        if listed or claim.is_token:
            source = Evidence.LIST if listed else Evidence.NODE
            yield Hit(code="payee.token_contract", path=party.path, facts=party.facts, source=source)
        elif claim.is_token is None and claim.has_code is not False:
            yield Gap(missing="node", path=party.path)


def _gives_back(part: Part) -> bool:
    """Whether something comes back, as when a token is unwrapped or a share redeemed at its own contract."""
    return any(consequence.direction is Direction.IN for consequence in part.consequences)


def _contracts(reading: Reading, known: Known) -> Iterator[Hit | Gap]:
    for party in payees(reading):
        if party.is_callee or party.address == reading.signer:
            continue
        claim = known.claim(party.address)
        if claim.has_code:
            yield Hit(code=PAYEE_CONTRACT, path=party.path, facts=party.facts, source=Evidence.NODE)
        elif claim.has_code is None or claim.elsewhere is None:
            yield Gap(missing="node", path=party.path)
        elif claim.elsewhere:
            yield Hit(code="payee.contract_elsewhere", path=party.path, facts=party.facts, source=Evidence.NODE)


def _imitations(reading: Reading, known: Known) -> Iterator[Hit | Gap]:
    for missing in ("addresses", "accounts", "tokens", "history"):
        if getattr(known, missing) is None:
            yield Gap(missing=missing)
    seen: set[str] = set()
    for path, address in addresses(reading):
        if address.value in seen or known.is_familiar(address):
            continue
        seen.add(address.value)
        starting, ending = known.alike(address)
        name = imitated(address, starting)
        if name is not None:
            yield Hit(code=PAYEE_IMITATES, path=path, facts=_alike(address, name), source=Evidence.HISTORY)
            continue
        # Many contracts were mined to begin or to end with zeros: that alone makes nobody alike.
        head, tail = address.value[2:6].lower(), address.value[-4:].lower()
        half = (*(starting if _is_telling(head) else ()), *(ending if _is_telling(tail) else ()))
        if half:
            facts = _alike(address, half[0][0])
            yield Hit(code="payee.half_imitates", path=path, facts=facts, source=Evidence.HISTORY)


def _alike(address: Address, name: str) -> tuple[tuple[str, str], ...]:
    return (("address", address.value), ("name", quoted(name, limit=NAME_LIMIT)))


def _is_telling(digits: str) -> bool:
    return len(set(digits)) > 1


def _strangers(reading: Reading, known: Known) -> Iterator[Hit | Gap]:
    for party in (*payees(reading), *spenders(reading)):
        if party.address == reading.signer or party.address in known.own or party.address.value in known.named:
            continue
        if known.addresses is None:
            yield Gap(missing="addresses", path=party.path)
        if known.accounts is None:
            yield Gap(missing="accounts", path=party.path)
        if known.history is None:
            yield Gap(missing="history", path=party.path)
        elif not known.history.is_partner(party.address):
            yield Hit(code="payee.first_time", path=party.path, facts=party.facts, source=Evidence.HISTORY)
            continue
        if known.addresses is not None:
            yield Hit(code="payee.new", path=party.path, facts=party.facts, source=Evidence.HISTORY)


def _quiet(reading: Reading, known: Known) -> Iterator[Hit | Gap]:
    for party in payees(reading):
        if party.address == reading.signer or party.address in known.own:
            continue
        claim = known.claim(party.address)
        if claim.has_code:
            continue
        if claim.nonce is None:
            yield Gap(missing="node", path=party.path)
        elif claim.nonce < known.thresholds.quiet_nonce:
            facts = (*party.facts, ("count", claim.nonce))
            yield Hit(code="payee.quiet", path=party.path, facts=facts, source=Evidence.NODE)


CHECKS: Final = (
    Check(
        number=7,
        subject="an address is blocked, or not among those you allow",
        needs=(Evidence.LIST,),
        sayings=(
            Saying(
                code="list.blocked",
                severity=Severity.REFUSE,
                sentence="{address} is on your list of blocked addresses.",
            ),
            Saying(
                code="list.not_allowed",
                severity=Severity.NOTICE,
                sentence="{address} is not on your list of allowed addresses.",
            ),
        ),
        examine=_blocked,
    ),
    Check(
        number=21,
        subject="what is sent is lost, or comes back",
        needs=(Evidence.BYTES,),
        sayings=(
            Saying(code="payee.zero", severity=Severity.REFUSE, sentence=NOBODYS["payee.zero"]),
            Saying(code="payee.reserved", severity=Severity.DANGER, sentence=NOBODYS["payee.reserved"]),
            Saying(code="payee.burn", severity=Severity.DANGER, sentence=NOBODYS["payee.burn"]),
            Saying(code="payee.self", severity=Severity.WARNING, sentence="The payee is this account itself."),
        ),
        examine=_nobodys,
    ),
    Check(
        number=22,
        subject="the payee is a token's contract",
        needs=(Evidence.LIST, Evidence.NODE),
        sayings=(
            Saying(
                code="payee.token",
                severity=Severity.DANGER,
                sentence="The payee is the token's own contract. What is sent there is lost.",
            ),
            Saying(
                code="payee.token_contract",
                severity=Severity.DANGER,
                sentence="The payee {address} is the contract of a token. What is sent there is often lost.",
            ),
        ),
        examine=_tokens,
    ),
    Check(
        number=23,
        subject="the payee is a contract, here or on another chain",
        needs=(Evidence.NODE,),
        sayings=(
            Saying(
                code=PAYEE_CONTRACT,
                severity=Severity.WARNING,
                sentence="The payee is a contract. What it does with the money cannot be shown.",
            ),
            Saying(
                code="payee.contract_elsewhere",
                severity=Severity.DANGER,
                sentence="{address} is a contract on another chain and nothing on this one. Its owner may not reach "
                "what is sent here.",
            ),
        ),
        examine=_contracts,
    ),
    Check(
        number=24,
        subject="an address looks like one that you know",
        needs=(Evidence.HISTORY,),
        sayings=(
            Saying(
                code=PAYEE_IMITATES,
                severity=Severity.DANGER,
                sentence="The address looks like that of {name}, and is another.",
            ),
            Saying(
                code="payee.half_imitates",
                severity=Severity.WARNING,
                sentence="{address} begins or ends like the address of {name}, and is another.",
            ),
        ),
        examine=_imitations,
    ),
    Check(
        number=25,
        subject="a recipient is new to this wallet",
        needs=(Evidence.HISTORY,),
        sayings=(
            Saying(
                code="payee.first_time",
                severity=Severity.WARNING,
                sentence="This wallet never paid {address} before.",
            ),
            Saying(
                code="payee.new",
                severity=Severity.NOTICE,
                sentence="The payee has no name in your address book.",
            ),
        ),
        examine=_strangers,
    ),
    Check(
        number=26,
        subject="the payee's account was hardly ever used",
        needs=(Evidence.NODE,),
        sayings=(
            Saying(
                code="payee.quiet",
                severity=Severity.NOTICE,
                sentence="The payee's account has sent {count} transactions so far.",
            ),
        ),
        examine=_quiet,
    ),
)
