"""Names and written addresses: spelled oddly, with a wrong checksum, or pointing elsewhere. Threat: T-022, T-025."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from mcp_wallet_guard.clearsign.reading import Reading, UsedName
from mcp_wallet_guard.clearsign.risks.known import Known, ResolvedName
from mcp_wallet_guard.clearsign.risks.parties import everybody
from mcp_wallet_guard.clearsign.risks.results import Check, Evidence, Gap, Hit, Saying, Severity
from mcp_wallet_guard.clearsign.text import NAME_LIMIT, is_plain, quoted, suspicion
from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations.values import Address, keccak256

NAMES: Final = {
    "name.not_normal": "The name {name} is not in its normal form. It may imitate another.",
    "name.claimed": "The address calls itself {name}, and that name does not stand for it.",
}
"""Code -> the sentence for a person, here and of a payment."""
_HEX: Final = re.compile(r"0x[0-9a-fA-F]{40}")


def _checksums(reading: Reading, _: Known) -> Iterator[Hit | Gap]:
    if reading.written is None:
        yield Gap(missing="written")
        return
    chain = reading.root.chain
    for path, text in reading.written:
        try:
            Address.parse(text)
        except InvalidInput:
            of_chain = chain is not None and _is_of_chain(text, chain.number)
            code = "address.chain_checksum" if of_chain else "address.checksum"
            yield Hit(code=code, path=path, facts=(("address", quoted(text, limit=44)),))


def _is_of_chain(text: str, chain: int) -> bool:
    """Whether the checksum is that of the chain, which some chains have of their own. Source: EIP-1191."""
    if _HEX.fullmatch(text) is None:
        return False
    lower = text.lower()
    digest = keccak256(f"{chain}{lower}".encode("ascii")).hex()
    mixed = (c.upper() if c.isalpha() and digest[at] >= "8" else c for at, c in enumerate(lower[2:]))
    return text == "0x" + "".join(mixed)


def _names(reading: Reading, known: Known) -> Iterator[Hit | Gap]:
    for used in reading.names:
        yield from _used(used, reading)
        found = next((entry for entry in known.names or () if entry.name == used.name), None)
        if found is None:
            yield Gap(missing="names")
        else:
            yield from _resolved(used, found)
    for claim in known.claims or ():
        if not claim.holds:
            code = "name.claimed" if claim.normal else "name.not_normal"
            yield Hit(code=code, path="", facts=(("name", quoted(claim.name, limit=NAME_LIMIT)),), source=Evidence.NODE)
    for party in everybody(reading):
        name = known.named.get(party.address.value)
        odd = None if name is None else suspicion(name)
        if odd is not None:
            yield Hit(code=odd, path=party.path, source=Evidence.HISTORY)


def _used(used: UsedName, reading: Reading) -> Iterator[Hit]:
    if not is_plain(used.name):
        yield Hit(code="name.nonascii", path="", facts=_name(used))
    if all(party.address != used.address for party in everybody(reading)):
        yield Hit(code="name.elsewhere", path="", facts=(*_name(used), ("address", used.address.value)))


def _resolved(used: UsedName, found: ResolvedName) -> Iterator[Hit]:
    if not found.normal:
        yield Hit(code="name.not_normal", path="", facts=_name(used), source=Evidence.NODE)
    if found.address != used.address:
        yield Hit(code="name.changed", path="", facts=_name(used), source=Evidence.NODE)
    elif found.previous not in {None, used.address}:
        yield Hit(code="name.changed", path="", facts=_name(used), source=Evidence.HISTORY)
    if found.reverse != used.name:
        yield Hit(code="name.one_way", path="", facts=_name(used), source=Evidence.NODE)


def _name(used: UsedName) -> tuple[tuple[str, str], ...]:
    return (("name", quoted(used.name, limit=NAME_LIMIT)),)


CHECKS: Final = (
    Check(
        number=27,
        subject="an address was written with a wrong checksum",
        needs=(Evidence.BYTES,),
        effects=False,
        sayings=(
            Saying(
                code="address.checksum",
                severity=Severity.REFUSE,
                sentence="The address {address} has no correct checksum. A digit may be wrong.",
            ),
            Saying(
                code="address.chain_checksum",
                severity=Severity.REFUSE,
                sentence="The address {address} has the checksum of one chain only (EIP-1191). Have it written in the "
                "common form.",
            ),
        ),
        examine=_checksums,
    ),
    Check(
        number=28,
        subject="a name is odd, or stands for another address",
        needs=(Evidence.NODE, Evidence.HISTORY),
        sayings=(
            Saying(
                code="name.not_normal",
                severity=Severity.DANGER,
                sentence=NAMES["name.not_normal"],
            ),
            Saying(code="name.claimed", severity=Severity.DANGER, sentence=NAMES["name.claimed"]),
            Saying(
                code="name.nonascii",
                severity=Severity.DANGER,
                sentence="The name {name} contains characters that may imitate others.",
            ),
            Saying(
                code="name.changed",
                severity=Severity.DANGER,
                sentence="The name {name} stands for another address than before.",
            ),
            Saying(
                code="name.one_way",
                severity=Severity.DANGER,
                sentence="The address does not give the name {name} back. Compare every digit.",
            ),
            Saying(
                code="name.elsewhere",
                severity=Severity.DANGER,
                sentence="The name {name} stands for {address}, and nothing goes there.",
            ),
            Saying(
                code="text.invisible",
                severity=Severity.DANGER,
                sentence="The payee's name contains characters that hide or reorder text.",
            ),
            Saying(
                code="text.nonascii",
                severity=Severity.WARNING,
                sentence="The payee's name contains characters that may imitate others.",
            ),
        ),
        examine=_names,
    ),
)
