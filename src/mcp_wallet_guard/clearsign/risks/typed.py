"""Chains and domains: for which chain and which contract a signature counts. Threat: T-008, T-033, T-037, T-042."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mcp_wallet_guard.clearsign.aspects import ODD, REFUSED, STATES
from mcp_wallet_guard.clearsign.reading import Method, Reading
from mcp_wallet_guard.clearsign.risks.calldata import odd, with_oddity
from mcp_wallet_guard.clearsign.risks.known import Known
from mcp_wallet_guard.clearsign.risks.results import Check, Evidence, Gap, Hit, Saying, Severity
from mcp_wallet_guard.clearsign.text import NAME_LIMIT, quoted
from mcp_wallet_guard.clearsign.tree import PartKind


def _chain(reading: Reading, known: Known) -> Iterator[Hit | Gap]:
    if reading.envelope is not None and reading.envelope.chain is None:
        yield Hit(code="chain.replayable", path=reading.root.path)
    yield from _signed_chains(reading, known)
    if known.node is None or known.node.chain is None:
        yield Gap(missing="node")
    elif known.chain is not None and known.node.chain != known.chain:
        yield Hit(code="chain.node", path="", facts=(("chain", known.node.chain),), source=Evidence.NODE)


def _signed_chains(reading: Reading, known: Known) -> Iterator[Hit | Gap]:
    if known.chain is None:
        yield Gap(missing="chain")
        return
    chains = [(part.path, str(part.chain)) for part in reading.parts if part.chain is not None]
    if reading.envelope is not None and reading.envelope.chain is not None:
        chains.append((reading.root.path, str(reading.envelope.chain)))
    if reading.domain is not None and reading.domain.chain is not None:
        chains.append((reading.root.path, f"eip155:{reading.domain.chain}"))
    chains += [(found.path, str(found.chain)) for found in reading.delegations if found.chain is not None]
    # A number that no chain can have is not in the tree; the decoder saw it all the same.
    for part in (*with_oddity(reading, "typed.other_chain"), *with_oddity(reading, "authorization.other_chain")):
        if part.chain is None:
            chains.append((part.path, "a number that no chain has"))
    for path, chain in chains:
        if chain != known.chain:
            yield Hit(code="chain.wrong", path=path, facts=(("chain", chain), ("own", known.chain)))


def _domain(reading: Reading, known: Known) -> Iterator[Hit | Gap]:
    yield from odd(reading, "typed.no_chain", "typed.no_contract", "typed.salt", "typed.own_contract")
    domain = reading.domain
    if domain is None:
        if reading.root.kind is PartKind.TYPED_DATA:
            yield Gap(missing="domain", path=reading.root.path)
        return
    if domain.chain is None:
        yield Hit(code="typed.no_chain", path=reading.root.path)
    if domain.contract is None:
        yield Hit(code="typed.no_contract", path=reading.root.path)
    elif domain.contract == reading.signer or domain.contract in known.own:
        yield Hit(code="typed.own_contract", path=reading.root.path)
    elif known.accounts is None:
        yield Gap(missing="accounts", path=reading.root.path)
    yield from _application(reading, known)


def _application(reading: Reading, known: Known) -> Iterator[Hit | Gap]:
    domain = reading.domain
    if domain is None or domain.name is None:
        return
    if known.applications is None:
        yield Gap(missing="applications", path=reading.root.path)
    name = skeleton(domain.name)
    for application in known.applications or ():
        if skeleton(application.name) == name and domain.contract not in application.contracts:
            facts = (("name", quoted(application.name, limit=NAME_LIMIT)),)
            yield Hit(code="typed.imitates", path=reading.root.path, facts=facts, source=Evidence.LIST)


def skeleton(text: str, /) -> str:
    """Text with the look-alikes of ASCII made one. Other characters stay: they are escaped where they are shown."""
    alike = text.lower().replace("rn", "m").replace("vv", "w").translate(_ALIKE)
    return "".join(alike.split())


_ALIKE: Final = str.maketrans({"0": "o", "1": "l", "i": "l", "|": "l", "5": "s", "-": "", "_": "", ".": ""})


def _content(reading: Reading, known: Known) -> Iterator[Hit | Gap]:
    yield from odd(reading, "typed.nested")
    if reading.invalid == "invalid_input.typed_data":
        yield Hit(code="typed.malformed", path=reading.root.path)
    elif reading.domain is not None:
        if reading.domain.types > known.thresholds.typed_types:
            facts = (("count", reading.domain.types),)
            yield Hit(code="typed.many_types", path=reading.root.path, facts=facts)
    elif reading.root.kind is PartKind.TYPED_DATA or reading.method is Method.TYPED_DATA_V4:
        yield Gap(missing="domain", path=reading.root.path)


CHECKS: Final = (
    Check(
        number=29,
        subject="it counts on another chain than the wallet's",
        needs=(Evidence.BYTES, Evidence.NODE),
        effects=False,
        sayings=(
            Saying(
                code="chain.wrong",
                severity=Severity.REFUSE,
                sentence="This counts on the chain {chain}. The wallet is set up for {own}.",
            ),
            Saying(
                code="chain.replayable",
                severity=Severity.REFUSE,
                sentence="This names no chain, so it can be used again on every chain where the account has money.",
            ),
            Saying(
                code="chain.node",
                severity=Severity.REFUSE,
                sentence="The node says that it is on the chain {chain}, which is not the wallet's.",
            ),
        ),
        examine=_chain,
    ),
    Check(
        number=30,
        subject="the domain of typed data is incomplete or imitates another",
        needs=(Evidence.BYTES, Evidence.LIST),
        effects=False,
        sayings=(
            Saying(
                code="typed.no_chain",
                severity=Severity.REFUSE,
                sentence="The message names no chain, so the signature counts on all of them.",
            ),
            Saying(
                code="typed.no_contract",
                severity=Severity.DANGER,
                sentence="The message names no contract, so any contract may accept the signature.",
            ),
            Saying(
                code="typed.salt",
                severity=Severity.WARNING,
                sentence="The domain has a salt, whose meaning only its contract knows.",
            ),
            Saying(
                code="typed.imitates",
                severity=Severity.DANGER,
                sentence="The message says that it is for {name}, and its contract is none of theirs.",
            ),
            Saying(
                code="typed.own_contract",
                severity=Severity.DANGER,
                sentence="The message is for one of your own accounts as if it were a contract.",
            ),
        ),
        examine=_domain,
        about=STATES | ODD,
    ),
    Check(
        number=31,
        subject="the typed data is ambiguous or hides something",
        needs=(Evidence.BYTES,),
        effects=False,
        sayings=(
            Saying(
                code="typed.malformed",
                severity=Severity.REFUSE,
                sentence="The message does not keep to its own types, so what is shown may not be what is signed.",
            ),
            Saying(
                code="typed.many_types",
                severity=Severity.WARNING,
                sentence="The message has {count} types. Nobody can overlook so many.",
            ),
            Saying(
                code="typed.nested",
                severity=Severity.WARNING,
                sentence="The message wraps another one. Compare its digest with what you want to sign.",
            ),
        ),
        examine=_content,
        about=STATES | REFUSED | ODD,
    ),
)
