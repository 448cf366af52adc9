"""``view``: what something would do if it were signed, read from its bytes alone. Nothing is signed, sent or asked.

Names and tokens come from guard.toml where there is one, from token lists that are named, and from the few tokens that
everybody knows. Threat: T-020, T-021.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from mcp_wallet_guard.assembly import StateFiles
from mcp_wallet_guard.clearsign import known_contracts
from mcp_wallet_guard.clearsign.descriptors.index import Index
from mcp_wallet_guard.clearsign.descriptors.reading import Described
from mcp_wallet_guard.clearsign.inputs import MAX_BYTES, Looked, Subject, parse_input, read_subject
from mcp_wallet_guard.clearsign.knowledge import KnownContracts, Sources
from mcp_wallet_guard.clearsign.known_tokens import NATIVE, known_tokens
from mcp_wallet_guard.clearsign.owner_lists import OwnerLists
from mcp_wallet_guard.clearsign.reading import Reading
from mcp_wallet_guard.clearsign.reading_view import view_reading
from mcp_wallet_guard.clearsign.renderers.markdown import markdown
from mcp_wallet_guard.clearsign.renderers.plain import MIN_WIDTH, plain_text
from mcp_wallet_guard.clearsign.risks.known import Known, KnownName, KnownToken
from mcp_wallet_guard.clearsign.risks.table import results
from mcp_wallet_guard.clearsign.token_lists import read_token_list
from mcp_wallet_guard.cli.invocation import Invocation
from mcp_wallet_guard.cli.output import Report
from mcp_wallet_guard.config.settings import Settings
from mcp_wallet_guard.confirmation import ConfirmationView
from mcp_wallet_guard.descriptor_file import DESCRIPTORS, open_index
from mcp_wallet_guard.errors import InvalidInput, Misconfigured
from mcp_wallet_guard.list_file import open_lists
from mcp_wallet_guard.operations import envelopes
from mcp_wallet_guard.operations.envelopes import Envelope
from mcp_wallet_guard.operations.typed_data import TypedData
from mcp_wallet_guard.operations.values import Account, Address, Asset, ChainId
from mcp_wallet_guard.signers.backend import load_backend, public_key_to_address

NOBODY: Final = Address("0x0000000000000000000000000000000000000000")
_HEX: Final = re.compile(r"0x[0-9a-fA-F]+")


def view(invocation: Invocation, /) -> Report:
    """Show one thing. Raises InvalidInput for what is none of those that can be signed."""
    options = invocation.options
    if options.width < MIN_WIDTH:
        raise InvalidInput("invalid_input", detail=f"--width is at least {MIN_WIDTH}")
    looked = _looked(options.what, message=options.message)
    settings = _settings(invocation)
    chain = _chain(looked.subject, options.chain_id, settings)
    signer = _signer(looked, options.account, settings)
    lists = _lists(options.token_list or (), invocation, settings)
    sources = _sources(chain, settings, lists)
    knows = KnownContracts(sources, chain)
    described = Described(_index(options.descriptors, invocation, settings), sources)
    reading = read_subject(
        looked.subject, chain=chain, signer=signer, knows=knows, described=described, written=looked.written
    )
    known = lists.concerning(reading, _known(chain, signer, settings), chain=chain, pins=sources.pinned)
    shown = view_reading(
        reading,
        known=known,
        names=sources,
        account=Account("signer" if settings is None else settings.account.name, chain, signer),
        operation_digest=_digest(reading),
        expires_at=0,
    )
    return _report(shown, reading, known, options.format, width=options.width, checks=options.checks)


def _report(shown: ConfirmationView, reading: Reading, known: Known, form: str, *, width: int, checks: bool) -> Report:
    body = markdown(shown) if form == "markdown" else plain_text(shown, width=width)
    lines = tuple(body.split("\n"))
    found = results(reading, known) if checks else ()
    if found:
        lines += ("", *(f"{each.status.value:<12}{each.code}: {each.sentence}" for each in found))
    fields = shown.model_dump(mode="json")
    if checks:
        fields |= {"checks": [{"code": each.code, "status": each.status.value, "path": each.path} for each in found]}
    return Report(fields=fields, lines=lines)


def _looked(what: str, *, message: bool) -> Looked:
    text = _text(what)
    if not message:
        return parse_input(text)
    data = bytes.fromhex(text[2:]) if _HEX.fullmatch(text) and len(text) % 2 == 0 else text.encode("utf-8")
    return Looked(subject=data)


def _text(what: str) -> str:
    """The text itself when it is hex or JSON, else what is in the file; ``-`` is standard input."""
    if what == "-":
        return _decoded(sys.stdin.buffer.read(4 * MAX_BYTES + 1))
    if _HEX.fullmatch(what) or what.lstrip().startswith("{"):
        return what
    return _decoded(_file(Path(what)))


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidInput("invalid_input", detail="not text in UTF-8") from None


def _file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(8 * MAX_BYTES + 1)
    except OSError as error:
        raise InvalidInput("invalid_input", detail=f"{path}: {error.strerror}") from None


def _settings(invocation: Invocation) -> Settings | None:
    """guard.toml where there is one: looking at something takes no wallet. One that was named must be there."""
    named = invocation.options.dir is not None or invocation.options.config is not None
    try:
        return invocation.load().settings
    except Misconfigured:
        if named:
            raise
        return None


def _index(folder: Path | None, invocation: Invocation, settings: Settings | None) -> Index:
    """A checkout that was named; else the installed descriptors, if guard.toml pins them."""
    if folder is not None:
        return Index(DESCRIPTORS.collect(folder))
    if settings is None or settings.descriptors is None:
        return Index({})
    path = StateFiles(invocation.load().vault_path).descriptors
    return open_index(path, settings.descriptors)


def _lists(named: Sequence[Path], invocation: Invocation, settings: Settings | None) -> OwnerLists:
    """The installed lists, if guard.toml pins them, and the token lists that were named."""
    if settings is None or settings.lists is None:
        found = OwnerLists()
    else:
        found = open_lists(StateFiles(invocation.load().vault_path).lists, settings.lists)
    return replace(found, tokens=(*(read_token_list(_file(path)) for path in named), *found.tokens))


def _chain(subject: Subject, number: int | None, settings: Settings | None) -> ChainId:
    if isinstance(subject, Envelope):
        return subject.chain
    if number is not None:
        return ChainId(number)
    if settings is not None:
        return settings.chain
    named = subject.domain.chain_id if isinstance(subject, TypedData) else None
    return ChainId(named) if named is not None and 0 < named < 2**64 else ChainId(1)


def _signer(looked: Looked, address: str | None, settings: Settings | None) -> Address:
    if looked.signature is not None and isinstance(looked.subject, Envelope):
        y_parity, r, s = looked.signature
        unsigned = envelopes.encode_unsigned_envelope(looked.subject)
        signature = r.to_bytes(32) + s.to_bytes(32) + bytes([y_parity])
        try:
            return public_key_to_address(load_backend().recover(envelopes.signing_hash(unsigned), signature))
        except ValueError:
            raise InvalidInput("invalid_input.transaction", detail="nobody can have signed this") from None
    if address is not None:
        return Address.parse(address)
    return NOBODY if settings is None else settings.account.address


def _sources(chain: ChainId, settings: Settings | None, lists: OwnerLists) -> Sources:
    if settings is not None and settings.chain == chain:
        pins: tuple[Asset, ...] = (settings.native, *settings.tokens)
    else:
        pins = (Asset(chain, NATIVE[chain.number], 18),) if chain.number in NATIVE else ()
    names = {} if settings is None else {entry.address: entry.name for entry in settings.address_book}
    return Sources(pins=pins, names=names, lists=lists.all_tokens)


def _known(chain: ChainId, signer: Address, settings: Settings | None) -> Known:
    listed = tuple(
        KnownToken(chain=str(chain), contract=contract, symbol=asset.symbol)
        for (number, contract), asset in sorted(known_tokens().items(), key=lambda each: (each[0][0], each[0][1].value))
        if number == chain.number
    )
    if settings is None:
        delegates = tuple(Address(each) for each in sorted(known_contracts.DELEGATES))
        return Known(chain=str(chain), tokens=listed, delegates=delegates)
    return Known(
        chain=str(settings.chain),
        accounts=(settings.account.address, signer),
        addresses=tuple(KnownName(name=entry.name, address=entry.address) for entry in settings.address_book),
        tokens=listed,
        delegates=() if settings.policy is None else settings.policy.delegates,
    )


def _digest(reading: Reading) -> bytes:
    """A stand-in for an operation's digest: there is no operation, so it is the hash of what would be signed."""
    return hashlib.sha256(bytes.fromhex(dict(reading.digests)["signing"])).digest()
