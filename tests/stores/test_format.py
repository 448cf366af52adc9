"""docs/formats/state-store.md and journal.md are enough to check a store: a second reader, written from them alone.

It uses SQLite, hashlib, hmac and rfc8785, and nothing of the library.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.evidence import FactorRow, Row
from mcp_wallet_guard.journal.events import MAX_DATA_BYTES, Kind
from mcp_wallet_guard.stores.anchor import AnchorFile, anchor_of
from mcp_wallet_guard.stores.sealing import canonical
from mcp_wallet_guard.stores.sqlite_file import schema
from mcp_wallet_guard.stores.tables import TABLES, Field
from tests.database import execute
from tests.stores.samples import KEY, NOW, dropping, event, filled, row_key

FORMATS = Path(__file__).resolve().parents[2] / "docs" / "formats"
STATE = (FORMATS / "state-store.md").read_text(encoding="utf-8")
JOURNAL = (FORMATS / "journal.md").read_text(encoding="utf-8")

scalars = st.none() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(st.characters(exclude_categories=["Cs"]))


def subkey(store_id: str, label: str) -> bytes:
    """RFC 5869 with one block of output."""
    extracted = hmac.digest(bytes.fromhex(store_id), KEY, "sha256")
    return hmac.digest(extracted, f"mcp-wallet-guard/store/v1/{label}".encode() + b"\x01", "sha256")


def mac(store_id: str, label: str, value: Any) -> bytes:
    return hmac.digest(subkey(store_id, label), rfc8785.dumps(value), "sha256")


@pytest.mark.anyio
async def test_a_reader_written_from_the_format_pages_finds_every_mac_and_the_sum(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    store = await filled(path)
    await store.transact(dropping(FactorRow, "a"), now=NOW)
    await store.seal()
    await store.append_unsealed(event("locked"))
    await store.unseal(row_key(), now=NOW + 5)
    assert store.head is not None
    anchor = anchor_of(store.head)
    await store.close()

    (head,) = execute(path, "SELECT * FROM head")
    _, store_id, index, digest, masked, highest_time, head_mac = head
    assert head_mac == mac(store_id, "head", [store_id, index, digest.hex(), masked.hex(), highest_time])
    assert highest_time == NOW + 5

    total = -int.from_bytes(masked) + int.from_bytes(mac(store_id, "mask", [index, digest.hex()]))
    tables = re.findall(r"(?m)^### `(\w+)`", STATE)
    for table in tables:
        names = [column[1] for column in execute(path, f"PRAGMA table_info({table})")]
        assert names[-2:] == ["entry", "mac"]
        for *values, entry, row_mac in execute(path, f"SELECT * FROM {table}"):
            columns = [
                [name, [value.hex()] if isinstance(value, bytes) else value]
                for name, value in zip(names, values, strict=False)
            ]
            assert row_mac == mac(store_id, "row", [table, entry, columns])
            total += int.from_bytes(hmac.digest(subkey(store_id, "live"), row_mac, "sha256"))
    assert total % 2**256 == 0

    previous = bytes(32)
    for number, subject, body, digest, entry_mac in execute(path, "SELECT * FROM journal ORDER BY entry"):
        fields = json.loads(body)
        assert rfc8785.dumps(fields) == body
        assert (fields["v"], fields["index"], fields["subject"]) == (1, number, subject)
        assert bytes.fromhex(fields["prev"]) == previous
        assert digest == hashlib.sha256(b"mcp-wallet-guard/journal/v1\x00" + body).digest()
        assert entry_mac == mac(store_id, "entry", [number, digest.hex()])
        previous = digest
    assert previous == head[3]

    AnchorFile(tmp_path / "vault.anchor", row_key()).write(anchor)
    data = (tmp_path / "vault.anchor").read_bytes()
    fields = json.loads(data[:4096].rstrip(b"\0"))
    assert data == (rfc8785.dumps(fields) + b"\n").ljust(8192, b"\0")
    said = bytes.fromhex(fields.pop("mac"))
    assert said == hmac.digest(KEY, b"mcp-wallet-guard/anchor/v1\x00" + rfc8785.dumps(fields), "sha256")


def test_the_page_lists_every_table_with_its_columns() -> None:
    """A new column is a new schema: it is written down here, and gets a migration once a release is out."""
    listed = {
        table: re.findall(r"`(\w+)`", columns) for table, columns in re.findall(r"(?m)^### `(\w+)`\n((?:.+\n)+)", STATE)
    }
    assert listed == {table.name: list(table.names) for table in TABLES.values()}


def test_the_page_lists_every_kind_of_event() -> None:
    listed = set(re.findall(r"`((?:store|guard|policy|mandate|factor|approval|operation|tool|filter)\.\w+)`", JOURNAL))
    assert listed == {kind.value for kind in Kind}
    assert f"{MAX_DATA_BYTES:,}" in JOURNAL


@given(st.recursive(scalars, lambda inner: st.lists(inner, max_size=4), max_leaves=12))
def test_what_a_mac_covers_is_canonical_json(value: Any) -> None:
    assert canonical([value]) == rfc8785.dumps([value])


@given(st.lists(scalars | st.binary(), min_size=2, max_size=2, unique_by=repr))
def test_no_two_values_of_a_column_have_one_form(values: list[Any]) -> None:
    one, two = ([value.hex()] if isinstance(value, bytes) else value for value in values)
    assert canonical([one]) != canonical([two])


def test_the_schema_has_one_strict_table_for_each_record() -> None:
    assert all(statement.endswith("STRICT") for statement in schema() if statement.startswith("CREATE TABLE"))
    factors = next(statement for statement in schema() if '"factors"' in statement)
    assert '"id" TEXT NOT NULL PRIMARY KEY' in factors
    approvals = next(statement for statement in schema() if '"approvals"' in statement)
    assert '"consumed_at" INTEGER,' in approvals
    assert '"digest" BLOB NOT NULL' in approvals


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        (Field("x", int, nullable=False), [0, -1, 2**53 - 1], [None, True, 1.0, "1", b"1", 2**53, -(2**53)]),
        (Field("x", str, nullable=False), ["", "a", "\x00", "é"], [None, b"a", 1, "\ud800"]),
        (Field("x", bytes, nullable=True), [None, b"", b"a"], ["a", bytearray(b"a"), memoryview(b"a"), 1]),
    ],
)
def test_a_column_holds_exactly_its_own_type(field: Field, good: list[object], bad: list[object]) -> None:
    assert all(field.holds(value) for value in good)
    assert not any(field.holds(value) for value in bad)


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: str(table.name))
def test_a_row_and_its_values_are_the_same_thing(table: Any) -> None:
    values = tuple("k" if field.type is str else 1 if field.type is int else b"v" for field in table.fields)
    row = table.row(values)
    assert isinstance(row, Row)
    assert table.values(row) == values
    assert table.values(row)[0] == row.key
