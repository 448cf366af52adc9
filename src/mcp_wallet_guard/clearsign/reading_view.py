"""The view of anything that is no plain payment: contract calls, typed data, messages, delegations.

A pure function of a reading, of what was known, and of the names that were frozen with it. Every value of the bytes is
in it; what could not be read or checked says so. Threat: T-006, T-020, T-021, T-036.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, partial
from typing import Final

from mcp_wallet_guard.clearsign.aspects import UNCLEAR
from mcp_wallet_guard.clearsign.lookup import Lookup
from mcp_wallet_guard.clearsign.present import Presenter
from mcp_wallet_guard.clearsign.reading import Envelope, Reading
from mcp_wallet_guard.clearsign.risks.known import Known
from mcp_wallet_guard.clearsign.risks.table import told
from mcp_wallet_guard.clearsign.rollups import DataFee
from mcp_wallet_guard.clearsign.tree import AssetRef, Part, PartKind, Shown, ShownKind, worst
from mcp_wallet_guard.confirmation import ConfirmationView, Digests, FieldType, Kind, ViewFee, ViewField, spelled
from mcp_wallet_guard.operations.values import Account, Amount, Asset, BaseUnits, ChainId

KINDS: Final[dict[PartKind, Kind]] = {
    PartKind.CALL: "contract_call",
    PartKind.DELEGATECALL: "contract_call",
    PartKind.CREATE: "contract_call",
    PartKind.TYPED_DATA: "typed_data",
    PartKind.MESSAGE: "message",
    PartKind.AUTHORIZATION: "delegation",
}
_SIGNS: Final = {
    PartKind.TYPED_DATA: "Sign typed data",
    PartKind.MESSAGE: "Sign a message",
    PartKind.AUTHORIZATION: "Sign a delegation",
}
_GWEI: Final = Asset(ChainId(1), "gwei", 9)
_DIGESTS: Final = frozenset(Digests.model_fields)


def view_reading(
    reading: Reading,
    /,
    *,
    known: Known,
    names: Lookup,
    account: Account,
    operation_digest: bytes,
    expires_at: int,
    data_fee: int | None = None,
) -> ConfirmationView:
    """What a person reads before `account` signs what `reading` was made of. `expires_at` is unix seconds, `data_fee`
    the estimate in wei of what the chain charges for data, None where nobody asked."""
    presenter = Presenter(names, account=account.address)
    for_data = DataFee(account.chain, data_fee)
    raised, unchecked = told(reading, known)
    return ConfirmationView(
        kind=KINDS[reading.root.kind],
        chain=str(account.chain),
        account=account.id,
        intent=_intent(reading.root, presenter),
        level="clear" if not reading.aspects & UNCLEAR else worst(tuple(part.clarity for part in reading.parts)).value,
        effects=presenter.effects(reading.root),
        fields=tuple(_fields(reading, account, presenter, for_data)),
        fee=_fee(reading.envelope, account, presenter, for_data),
        nonce=None if reading.envelope is None else spelled(reading.envelope.nonce),
        findings=tuple([each.finding() for each in raised]),
        not_checked=tuple([each.finding() for each in unchecked]),
        operation_digest=operation_digest.hex(),
        digests=Digests.made({name: value for name, value in reading.digests if name in _DIGESTS}),
        expires_at=expires_at,
    )


def _intent(root: Part, presenter: Presenter) -> str:
    signs = _SIGNS.get(root.kind)
    return presenter.headline(root) if signs is None else f"{signs}: {presenter.headline(root)}"


def _fields(reading: Reading, account: Account, presenter: Presenter, for_data: DataFee) -> Iterator[ViewField]:
    root, envelope = reading.root, reading.envelope
    if envelope is not None:
        yield from _target(reading, presenter)
    yield from presenter.fields(root)
    if envelope is None and not root.shown:
        yield _data(root, presenter)
    me = f"{presenter.address(root.chain, account.address)} {account.name!r}".replace("'", '"')
    yield _line("Account", me, "address", "@.from", account.address.value)
    chain = str(account.chain)
    yield _line("Chain", chain, "chain", "@.chainId", chain[7:])
    if envelope is not None:
        yield from _costs(envelope, account, presenter, for_data)


def _target(reading: Reading, presenter: Presenter) -> Iterator[ViewField]:
    root, envelope = reading.root, reading.envelope
    if root.target is not None:
        value = presenter.address(root.chain, root.target)
        yield _line("Contract", value, "address", "@.to", root.target.value)
    if envelope is not None and envelope.value and root.chain is not None:
        money = presenter.money(AssetRef(chain=root.chain), envelope.value)
        yield _line("With it", money, "amount", "@.value", str(envelope.value))
    if root.data and not root.shown:
        yield _data(root, presenter)


def _data(root: Part, presenter: Presenter) -> ViewField:
    """Bytes of which nobody said what they are."""
    whole = Shown(path="#", label="Data", kind=ShownKind.BYTES, raw=root.data)
    alone = Part(path="", kind=root.kind, chain=root.chain, target=root.target, sender=root.sender, shown=(whole,))
    return presenter.fields(alone)[0]


def _costs(envelope: Envelope, account: Account, presenter: Presenter, for_data: DataFee) -> Iterator[ViewField]:
    native = AssetRef(chain=account.chain)
    money = partial(presenter.money, native)
    fees = [f"{envelope.gas} gas at {_gwei(envelope.max_fee_per_gas)}"]
    if envelope.max_priority_fee_per_gas != envelope.max_fee_per_gas:
        fees.append(f"of it at most {_gwei(envelope.max_priority_fee_per_gas)} as tip")
    if envelope.blobs:
        fees.append(f"{envelope.blobs} blobs at {_gwei(envelope.max_fee_per_blob_gas)} a gas")
    text = f"{money(envelope.max_fee)} ({', '.join(fees)})"
    text = for_data.beside(text, money)
    yield _line("Maximum fee", text, "fee", "@.fee", str(envelope.max_fee))
    total = envelope.max_fee + envelope.value
    counted = str(total + for_data.counted)
    yield _line("Total at most", for_data.total(total, money), "amount", "", counted)
    nonce = str(envelope.nonce)
    yield _line("Nonce", nonce, "integer", "@.nonce", nonce)


@lru_cache(maxsize=256)  # account, chain, contract and often the fee are those of the last one; a field is immutable
def _line(label: str, value: str, type_: FieldType, path: str, raw: str, /) -> ViewField:
    return ViewField.made({"label": label, "value": value, "type": type_, "path": path, "raw": raw, "source": "bytes"})


@lru_cache(maxsize=64)
def _gwei(wei: int) -> str:
    return f"{Amount.from_base_units(BaseUnits(wei), _GWEI).text} gwei"


def _fee(envelope: Envelope | None, account: Account, presenter: Presenter, for_data: DataFee) -> ViewFee | None:
    if envelope is None:
        return None
    native = AssetRef(chain=account.chain)
    return for_data.fee(presenter.money(native, envelope.max_fee), envelope.max_fee, native.id)
