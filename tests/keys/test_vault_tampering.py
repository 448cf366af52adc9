"""No edit of a vault file opens it, or opens it as something else.

Each edit carries a checksum that fits, as an attacker's would. Where a guard is shown, `second_reader` without the
whole-file MAC plays the reader that lacks it. Threat: T-068, T-069, T-070.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mcp_wallet_guard.errors import VaultError
from mcp_wallet_guard.keys import kdf
from mcp_wallet_guard.keys.vault import UnlockedVault, read_public
from tests.keys import second_reader
from tests.keys.vaults import ENTROPY, PASSPHRASE, TOTP, new_vault, put, unlock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UNKNOWN = {("fmt",), ("v",)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vault.json"


@pytest.fixture
def file(path: Path) -> dict[str, Any]:
    new_vault(path)
    loaded: dict[str, Any] = json.loads(path.read_bytes())
    return loaded


def answer(path: Path, raw: bytes) -> str:
    """What unlocking `raw` with the right passphrase says, with the file untouched by it."""
    put(path, raw)
    said = "opened"
    try:
        unlock(path)
    except VaultError as error:
        said = error.code
    assert path.read_bytes() == raw
    return said


def test_a_flipped_bit_anywhere_reads_as_damage(path: Path, file: dict[str, Any]) -> None:
    raw = path.read_bytes()
    for place in range(len(raw)):
        edited = bytearray(raw)
        edited[place] ^= 1 << place % 8
        assert answer(path, bytes(edited)) == "vault.damaged", place
    assert answer(path, raw) == "opened"


def test_a_file_cut_anywhere_reads_as_damage(path: Path, file: dict[str, Any]) -> None:
    raw = path.read_bytes()
    for length in range(0, len(raw), 7):
        assert answer(path, raw[:length]) == "vault.damaged", length


def test_an_edited_byte_with_a_fitting_checksum_never_opens(path: Path, file: dict[str, Any]) -> None:
    raw = path.read_bytes()
    version, name = raw.index(b'"v":1'), raw.index(b'"mcp-wallet-guard/vault"')
    for place in range(77, len(raw)):
        for flip in (0x01, 0x10, 0x20):
            edited = bytearray(raw)
            edited[place] ^= flip
            code = answer(path, second_reader.fix_checksum(bytes(edited)))
            may_say_format = place == version + 4 or name <= place < name + 24
            assert code == "vault.cannot_unlock" or (may_say_format and code == "vault.format"), place


def leaves(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*at, key)
        yield from leaves(inner, (*at, key))


def edited(file: dict[str, Any], at: tuple[Any, ...], change: str) -> dict[str, Any]:
    clone: dict[str, Any] = json.loads(json.dumps(file))
    parent: Any = clone
    for key in at[:-1]:
        parent = parent[key]
    old = parent[at[-1]]
    if change == "remove":
        del parent[at[-1]]
    elif change == "null":
        parent[at[-1]] = None
    elif change == "other type":
        parent[at[-1]] = [old]
    elif isinstance(old, int):
        parent[at[-1]] = old * 2 if at[-1] == "n" else old + 1
    elif isinstance(old, str):
        first = "1" if old[:1] != "1" else "2"
        parent[at[-1]] = first + old[1:]
    else:
        parent[at[-1]] = [*old, *old] if isinstance(old, list) else {**old, "added": 1}
    return clone


@pytest.mark.parametrize("change", ["other value", "other type", "remove", "null"])
def test_no_member_can_be_edited(path: Path, file: dict[str, Any], change: str) -> None:
    places = [at for at in leaves(file) if at != ("checksum",)]
    assert len(places) > 30
    for at in places:
        clone = edited(file, at, change)
        if clone == file:
            continue
        code = answer(path, second_reader.render(clone))
        allowed = {"vault.format"} if at in UNKNOWN and change == "other value" else {"vault.cannot_unlock"}
        assert code in allowed, (at, code)


def test_an_added_member_is_refused_at_every_level(path: Path, file: dict[str, Any]) -> None:
    for at in ((), ("slots", 0), ("entries", 0), ("entries", 0, "metadata"), ("settings",)):
        clone: dict[str, Any] = json.loads(json.dumps(file))
        inner: Any = clone
        for key in at:
            inner = inner[key]
        inner["extra"] = 1
        assert answer(path, second_reader.render(clone)) == "vault.cannot_unlock", at


def test_entries_cannot_be_removed_swapped_or_doubled(path: Path, file: dict[str, Any]) -> None:
    first, second = file["entries"]
    for entries in ([first], [], [second, first], [first, first, second]):
        raw = second_reader.render({**file, "entries": entries})
        assert answer(path, raw) == "vault.cannot_unlock"
    raw = second_reader.render({**file, "entries": [second]})
    careless = second_reader.read(raw, PASSPHRASE, authenticate=False)
    assert careless["secrets"] == {"phone": TOTP}, "without the MAC the wallet's key disappears unnoticed"


def test_settings_cannot_be_edited(path: Path, file: dict[str, Any]) -> None:
    raw = second_reader.render({**file, "settings": {"revision": 1, "text": '{"payees":["attacker"],"v":1}'}})
    careless = second_reader.read(raw, PASSPHRASE, authenticate=False)
    assert "attacker" in careless["settings"], "without the MAC the attacker's settings are in force"
    assert answer(path, raw) == "vault.cannot_unlock"


def test_parts_of_two_vaults_under_one_passphrase_cannot_be_mixed(path: Path, tmp_path: Path, file: Any) -> None:
    new_vault(tmp_path / "other.json")
    other = json.loads((tmp_path / "other.json").read_bytes())
    for member in ("id", "slots", "entries", "mac"):
        raw = second_reader.render({**file, member: other[member]})
        assert answer(path, raw) == "vault.cannot_unlock", member
    assert answer(path, second_reader.render(other)) == "opened"


def test_a_sealed_text_moved_to_another_entry_stays_closed_even_with_a_forged_mac(
    path: Path, file: dict[str, Any]
) -> None:
    """Entries are bound to what is said about them, not only by the MAC."""
    first, second = file["entries"]
    moved = {**second, "sealed": first["sealed"], "salt": first["salt"]}
    raw = second_reader.render({**file, "entries": [first, moved]})
    with pytest.raises(ValueError, match="MAC check failed"):
        second_reader.read(raw, PASSPHRASE, authenticate=False)


def test_parts_of_two_generations_cannot_be_mixed(path: Path, file: dict[str, Any]) -> None:
    put(path, second_reader.render(file))
    vault = unlock(path)
    vault.seal_settings(b'{"payees":["friend"],"v":1}')
    vault.save()
    newer = json.loads(path.read_bytes())
    for mix in ({**newer, "settings": file["settings"]}, {**file, "gen": newer["gen"]}, {**newer, "mac": file["mac"]}):
        assert answer(path, second_reader.render(mix)) == "vault.cannot_unlock"


@pytest.mark.parametrize(
    "cost",
    [
        {"n": 2**30},
        {"n": 2**21},
        {"n": 2**17, "r": 2**20},
        {"n": 2**17, "p": 2**20},
        {"n": 3},
        {"n": 0},
        {"n": -2},
        {"n": 2**60},
        {"r": 0},
        {"p": 0},
        {"n": 2**20, "r": 16},
    ],
)
def test_a_ruinous_cost_is_refused_before_anything_is_derived(
    path: Path, file: dict[str, Any], cost: dict[str, int]
) -> None:
    before = kdf.derivations()
    raw = second_reader.render({**file, "slots": [{**file["slots"][0], **cost}]})
    assert answer(path, raw) == "vault.cannot_unlock"
    assert kdf.derivations() == before


def test_one_derivation_is_all_that_any_edit_can_cost(path: Path, file: dict[str, Any]) -> None:
    slot = file["slots"][0]
    before = kdf.derivations()
    assert answer(path, second_reader.render({**file, "slots": [slot] * 8})) == "vault.cannot_unlock"
    assert kdf.derivations() == before
    assert answer(path, second_reader.render({**file, "slots": [{**slot, "p": 2}]})) == "vault.cannot_unlock"
    assert kdf.derivations() == before + 1


@pytest.mark.parametrize("version", [0, 2, 99])
def test_another_version_is_named_as_such(path: Path, file: dict[str, Any], version: int) -> None:
    assert answer(path, second_reader.render({**file, "v": version})) == "vault.format"


@pytest.mark.parametrize("raw", [b"hello", b"{}", b"\x00" * 4096, b'{"crypto":{},"version":3}', b"[" * 100_000])
def test_a_file_that_never_was_a_vault_is_named_as_such(path: Path, raw: bytes) -> None:
    assert answer(path, raw) == "vault.format"


def alternatives(raw: bytes) -> Iterator[bytes]:
    """The same content in other bytes, and content that JSON parsers disagree on."""
    body = raw[77:]
    yield raw[:77] + body.replace(b'"gen":2', b'"gen":2.0')
    yield raw[:77] + body.replace(b'"gen":2', b'"gen":02')
    yield raw[:77] + body.replace(b'"gen":2', b'"gen":NaN')
    yield raw[:77] + body.replace(b'"gen":2', b'"gen":1e999')
    yield raw[:77] + body.replace(b'"gen":2', b'"gen":' + b"9" * 5000)
    yield raw[:77] + body.replace(b'"gen":2', b'"gen":2,"gen":2')
    yield raw[:77] + body.replace(b'"gen":2', b'"gen": 2')
    yield raw[:77] + body.replace(b'"gen"', b'"\\u0067en"')
    yield raw[:77] + body.replace(b'"main"', b'"ma\\u0069n"')
    yield raw[:77] + body.replace(b'"main"', b'"\\ud800"')
    yield raw[:77] + body.replace(b'"main"', b'"\xff"')
    yield raw[:77] + body.replace(b'"gen":2', b'"gen":' + b"[" * 50_000)
    yield raw + b"\n"
    yield raw[:-1]
    yield raw[:-1] + b" \n"


def test_the_same_content_in_other_bytes_is_refused(path: Path, file: dict[str, Any]) -> None:
    raw = path.read_bytes()
    for other in alternatives(raw):
        assert other != raw
        assert answer(path, second_reader.fix_checksum(other)) == "vault.cannot_unlock", other[:200]


def test_reading_without_a_passphrase_is_as_strict_about_form(path: Path, file: dict[str, Any]) -> None:
    put(path, second_reader.render({**file, "extra": 1}))
    with pytest.raises(VaultError):
        read_public(path)


def test_a_wrong_passphrase_and_an_edit_are_not_told_apart(path: Path, file: dict[str, Any]) -> None:
    raw = path.read_bytes()
    said = []
    for content, passphrase in ((raw, "another passphrase"), (second_reader.render({**file, "gen": 9}), PASSPHRASE)):
        put(path, content)
        with pytest.raises(VaultError) as caught:
            unlock(path, passphrase)
        said.append((caught.value.code, caught.value.public, caught.value.detail, str(caught.value), caught.value.args))
        assert caught.value.__cause__ is None
    assert said[0] == said[1]


def test_an_older_copy_opens_and_says_that_it_is_older(path: Path, file: dict[str, Any]) -> None:
    """A file alone cannot tell that it is old; whoever remembers the generation can."""
    older = path.read_bytes()
    newer: UnlockedVault = unlock(path)
    newer.save()
    put(path, older)
    assert unlock(path).generation == newer.generation - 1
    assert ENTROPY not in older
