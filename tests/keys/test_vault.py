"""A vault keeps what it is given, and opens with its passphrase only.

Threat: T-067, T-070.
"""

from __future__ import annotations

import copy
import json
import pickle
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_wallet_guard.errors import GuardError, InvalidInput, Locked, Misconfigured, VaultError
from mcp_wallet_guard.keys import kdf
from mcp_wallet_guard.keys.kdf import DEFAULT, cheap_profile
from mcp_wallet_guard.keys.passphrases import passphrase_from_text
from mcp_wallet_guard.keys.vault import EntryKind, KeyLabel, create_vault, read_public, unlock_vault
from mcp_wallet_guard.secret import Secret
from tests.keys import second_reader
from tests.keys.vaults import (
    ENTROPY,
    PASSPHRASE,
    PROFILE,
    SETTINGS,
    TOTP,
    WAIVER,
    add,
    new_vault,
    put,
    secrets_of,
    unlock,
)

FROZEN = Path(__file__).parent.parent / "vectors" / "keys" / "vault_v1.json"


def code(caught: pytest.ExceptionInfo[GuardError]) -> str:
    return caught.value.code


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vault.json"


def test_what_was_saved_comes_back(path: Path) -> None:
    made = new_vault(path)
    opened = unlock(path)
    assert (opened.id, opened.generation) == (made.id, 2)
    assert secrets_of(opened) == {"main": ENTROPY, "phone": TOTP}
    assert opened.entries == made.entries
    sealed = opened.settings
    assert sealed is not None
    assert (sealed.revision, sealed.canonical) == (1, SETTINGS)


def test_a_second_reader_written_from_the_format_opens_what_we_write(path: Path) -> None:
    made = new_vault(path)
    read = second_reader.read(path.read_bytes(), PASSPHRASE)
    assert read["secrets"] == {"main": ENTROPY, "phone": TOTP}
    assert (read["id"], read["gen"], read["settings"]) == (made.id, 2, SETTINGS.decode())
    for label in KeyLabel:
        info = f"mcp-wallet-guard/vault/v1/{label.value}".encode()
        assert made.subkey(label).equals(second_reader.hkdf(read["vmk"], bytes.fromhex(made.id), info))


def test_a_vault_file_of_the_first_release_opens_for_ever(path: Path) -> None:
    frozen = json.loads(FROZEN.read_text())
    put(path, second_reader.canonical(frozen["file"]) + b"\n")
    opened = unlock(path, frozen["passphrase"])
    assert {label: secret.hex() for label, secret in secrets_of(opened).items()} == frozen["secrets"]
    for label in KeyLabel:
        assert opened.subkey(label).equals(bytes.fromhex(frozen["subkeys"][label.value])), label


def test_a_vault_at_the_default_cost_opens_with_one_derivation_and_no_waiver(path: Path) -> None:
    create_vault(path, passphrase=passphrase_from_text(PASSPHRASE), profile=DEFAULT)
    before = kdf.derivations()
    unlock_vault(path, passphrase=passphrase_from_text(PASSPHRASE))
    assert kdf.derivations() == before + 1


def test_a_cheap_vault_stays_closed_without_the_waiver_and_costs_no_derivation(path: Path) -> None:
    new_vault(path)
    before = kdf.derivations()
    with pytest.raises(VaultError) as caught:
        unlock_vault(path, passphrase=passphrase_from_text(PASSPHRASE))
    assert (code(caught), kdf.derivations()) == ("vault.cannot_unlock", before)


@pytest.mark.parametrize(
    "wrong", ["correct horse battery stapl", "Correct horse battery staple", "correct horse battery staple "]
)
def test_another_passphrase_opens_nothing_and_leaves_the_file_alone(path: Path, wrong: str) -> None:
    new_vault(path)
    before, count = path.read_bytes(), kdf.derivations()
    with pytest.raises(VaultError) as caught:
        unlock(path, wrong)
    assert (code(caught), caught.value.detail) == ("vault.cannot_unlock", "")
    assert path.read_bytes() == before
    assert kdf.derivations() == count + 1


def test_the_file_holds_no_secret_in_any_plain_form(path: Path) -> None:
    vault = new_vault(path)
    raw = path.read_bytes().lower()
    keys = [second_reader.read(path.read_bytes(), PASSPHRASE)["vmk"], ENTROPY, TOTP, PASSPHRASE.encode()]
    for label in KeyLabel:
        with vault.subkey(label).reveal() as view:
            keys.append(bytes(view))
    assert not [key for key in keys if key.lower() in raw or key.hex().encode() in raw]


def test_two_saves_of_the_same_content_share_no_salt_and_a_vault_never_repeats_an_id(tmp_path: Path) -> None:
    files = [json.loads((new_vault(tmp_path / name), (tmp_path / name).read_bytes())[1]) for name in "ab"]
    drawn = [[file["id"], file["slots"][0]["salt"], *(e["salt"] for e in file["entries"])] for file in files]
    assert len({*drawn[0], *drawn[1]}) == 8


def test_each_purpose_has_its_own_key(path: Path, tmp_path: Path) -> None:
    vault, other = new_vault(path), new_vault(tmp_path / "other.json")
    seen = set()
    for label in KeyLabel:
        for one in (vault, other):
            with one.subkey(label).reveal() as view:
                seen.add(bytes(view))
    assert len(seen) == 2 * len(KeyLabel)


def test_what_is_derived_is_made_once_kept_sealed_and_forgotten_with_the_lock(path: Path) -> None:
    """Threat: T-057."""
    vault = new_vault(path)
    entry = next(entry for entry in vault.entries if entry.kind is EntryKind.BIP39_ENTROPY)
    calls: list[int] = []

    def derive(secret: Secret) -> Secret:
        calls.append(len(secret))
        return Secret(bytes(range(100, 132)))

    for _ in range(3):
        key = vault.derived(entry.id, "account", derive)
        assert key.equals(bytes(range(100, 132)))
        key.wipe()
    assert len(calls) == 1
    vault.derived(entry.id, "other", derive).wipe()
    assert len(calls) == 2, "another name is another derivation"
    assert not any(bytes(range(100, 132)).hex() in str(kept) for kept in vault._derived.values())
    vault.remove_entry(entry.id)
    with pytest.raises(InvalidInput):
        vault.derived(entry.id, "account", derive)
    vault.lock()
    assert not vault._derived
    with pytest.raises(Locked):
        vault.derived(entry.id, "account", derive)


def test_a_subkey_of_a_purpose_that_is_not_listed_is_refused(path: Path) -> None:
    with pytest.raises(ValueError, match="not a valid KeyLabel"):
        new_vault(path).subkey("mac")  # type: ignore[arg-type]


def test_an_existing_file_is_never_replaced_by_a_new_vault(path: Path) -> None:
    new_vault(path)
    before = path.read_bytes()
    with pytest.raises(Misconfigured) as caught:
        create_vault(path, passphrase=passphrase_from_text(PASSPHRASE), profile=PROFILE)
    assert (code(caught), path.read_bytes()) == ("misconfigured.vault_exists", before)


def test_a_missing_vault_is_named(path: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        unlock(path)
    assert code(caught) == "misconfigured.vault_missing"


def test_a_new_passphrase_replaces_the_old_one_and_keeps_the_keys(path: Path) -> None:
    vault = new_vault(path)
    vault.change_passphrase(passphrase_from_text("another long passphrase"), profile=cheap_profile(WAIVER))
    vault.save()
    assert secrets_of(unlock(path, "another long passphrase")) == {"main": ENTROPY, "phone": TOTP}
    assert read_public(path).id == vault.id
    with pytest.raises(VaultError):
        unlock(path)


def test_a_removed_entry_is_gone_and_the_others_stay(path: Path) -> None:
    vault = new_vault(path)
    vault.remove_entry(vault.entries[0].id)
    vault.save()
    assert secrets_of(unlock(path)) == {"phone": TOTP}


def test_changes_are_not_durable_before_save(path: Path) -> None:
    vault = new_vault(path)
    add(vault, EntryKind.TOTP_SECRET, "tablet", TOTP, {})
    vault.seal_settings(b"{}")
    assert len(unlock(path).entries) == 2
    vault.save()
    opened = unlock(path)
    assert (len(opened.entries), opened.generation) == (3, 3)
    assert opened.settings is not None
    assert opened.settings.revision == 2


def test_the_file_before_the_last_save_is_kept(path: Path) -> None:
    vault = new_vault(path)
    before = path.read_bytes()
    vault.save()
    assert path.with_name("vault.json.bak").read_bytes() == before
    assert path.with_name("vault.json.bak").stat().st_mode & 0o777 == 0o600


def test_a_file_that_somebody_else_wrote_meanwhile_is_not_overwritten(path: Path) -> None:
    first, second = new_vault(path), unlock(path)
    second.save()
    written = path.read_bytes()
    with pytest.raises(Misconfigured) as caught:
        first.save()
    assert (code(caught), path.read_bytes()) == ("misconfigured.already_running", written)


def test_a_locked_vault_answers_nothing_but_its_name(path: Path) -> None:
    vault = new_vault(path)
    entry = vault.entries[0].id
    handed_out = vault.open_entry(entry)
    vault.lock()
    vault.lock()
    assert vault.is_locked
    assert (len(vault.id), vault.generation) == (32, 2)
    for call in (
        lambda: vault.entries,
        lambda: vault.settings,
        lambda: vault.subkey(KeyLabel.ROWS),
        lambda: vault.open_entry(entry),
        lambda: add(vault, EntryKind.TOTP_SECRET, "x", TOTP, {}),
        lambda: vault.remove_entry(entry),
        lambda: vault.seal_settings(b"{}"),
        lambda: vault.change_passphrase(passphrase_from_text(PASSPHRASE), profile=PROFILE),
        vault.save,
    ):
        with pytest.raises(Locked):
            call()
    assert handed_out.equals(ENTROPY)
    with pytest.raises(ValueError, match="wiped"), vault._vmk.reveal():
        pass


def test_an_unlocked_vault_shows_and_copies_nothing(path: Path) -> None:
    vault = new_vault(path)
    assert repr(vault) == f"<UnlockedVault {vault.id}>"
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            attempt(vault)


def test_what_a_file_says_without_a_passphrase_is_no_secret(path: Path) -> None:
    vault = new_vault(path)
    info = read_public(path)
    assert (info.id, info.generation, info.slot_kinds) == (vault.id, 2, ("scrypt",))
    assert info.entries == vault.entries
    with pytest.raises(TypeError):
        info.entries[0].metadata["address"] = "0x1"  # type: ignore[index]


@pytest.mark.parametrize("size", [1, 15, 17, 31, 33, 64])
def test_entropy_of_a_size_that_no_phrase_has_is_refused(path: Path, size: int) -> None:
    vault = new_vault(path)
    with pytest.raises(InvalidInput):
        add(vault, EntryKind.BIP39_ENTROPY, "odd", bytes(size), {})
    assert len(vault.entries) == 2


@pytest.mark.parametrize(
    ("label", "metadata"),
    [
        ("", {}),
        ("a" * 65, {}),
        ("new\nline", {}),
        ("caf\N{LATIN SMALL LETTER E WITH ACUTE}", {}),
        ("ok", {"Upper": 1}),
        ("ok", {"": 1}),
        ("ok", {"a": "\x00"}),
        ("ok", {"a": 1.5}),
        ("ok", {"a": True}),
        ("ok", {"a": 2**53}),
        ("ok", {"a": "x" * 257}),
        ("ok", {f"a{i}": i for i in range(17)}),
    ],
)
def test_a_label_or_metadata_outside_the_format_is_refused(
    path: Path, label: str, metadata: dict[str, str | int]
) -> None:
    vault = new_vault(path)
    with pytest.raises(InvalidInput):
        add(vault, EntryKind.TOTP_SECRET, label, TOTP, metadata)
    vault.save()
    assert len(unlock(path).entries) == 2


def test_settings_that_are_too_large_or_no_text_are_refused(path: Path) -> None:
    vault = new_vault(path)
    for text in (b"x" * (2**18 + 1), b"\xff"):
        with pytest.raises(InvalidInput):
            vault.seal_settings(text)
    assert vault.settings is not None
    assert vault.settings.revision == 1


def test_a_vault_has_a_size_that_it_cannot_outgrow(path: Path) -> None:
    vault = new_vault(path)
    for number in range(254):
        add(vault, EntryKind.TOTP_SECRET, str(number), TOTP, {})
    with pytest.raises(InvalidInput):
        add(vault, EntryKind.TOTP_SECRET, "one too many", TOTP, {})
    vault.save()
    assert len(unlock(path).entries) == 256


def test_entries_that_make_the_file_too_large_are_not_saved(path: Path) -> None:
    vault = new_vault(path)
    for number in range(254):
        add(vault, EntryKind.TOTP_SECRET, str(number), TOTP, {f"a{i}": "x" * 256 for i in range(16)})
    before = path.read_bytes()
    with pytest.raises(InvalidInput) as caught:
        vault.save()
    assert (code(caught), path.read_bytes()) == ("invalid_input.size", before)


def test_an_unknown_entry_is_refused(path: Path) -> None:
    vault = new_vault(path)
    for call in (vault.open_entry, vault.remove_entry):
        with pytest.raises(InvalidInput):
            call("0" * 32)


@pytest.mark.parametrize("broken", [lambda size: b"", lambda size: bytes(size + 1), bytearray])
def test_a_random_source_that_gives_something_else_makes_no_vault(path: Path, broken: object) -> None:
    with pytest.raises(ValueError, match="random source"):
        create_vault(path, passphrase=passphrase_from_text(PASSPHRASE), profile=PROFILE, draw=broken)  # type: ignore[arg-type]
    assert not path.exists()


names = st.from_regex(r"[a-z][a-z0-9_]{0,31}", fullmatch=True)
numbers = st.integers(-(2**53) + 1, 2**53 - 1)
texts = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=64)


@settings(max_examples=25, deadline=None)
@given(
    secrets=st.lists(st.binary(min_size=16, max_size=64), max_size=4),
    metadata=st.dictionaries(names, texts | numbers, max_size=8),
    sealed=st.none() | st.text(max_size=200),
)
def test_any_content_survives_both_readers(
    tmp_path_factory: pytest.TempPathFactory,
    secrets: list[bytes],
    metadata: dict[str, str | int],
    sealed: str | None,
) -> None:
    path = tmp_path_factory.mktemp("any") / "vault.json"
    vault = create_vault(path, passphrase=passphrase_from_text(PASSPHRASE), profile=PROFILE)
    for number, secret in enumerate(secrets):
        vault.add_entry(
            kind=EntryKind.TOTP_SECRET, label=str(number), metadata=metadata, secret=Secret(secret), created_at=number
        )
    if sealed is not None:
        vault.seal_settings(sealed.encode())
    vault.save()
    expected = {str(number): secret for number, secret in enumerate(secrets)}
    opened = unlock(path)
    assert secrets_of(opened) == expected
    assert all(entry.metadata == metadata for entry in opened.entries)
    assert (opened.settings and opened.settings.canonical.decode()) == sealed
    assert second_reader.read(path.read_bytes(), PASSPHRASE)["secrets"] == expected


def test_generations_only_grow(path: Path) -> None:
    vault = new_vault(path)
    seen = [vault.generation]
    for _ in range(3):
        vault.save()
        seen.append(unlock(path).generation)
    assert all(after == before + 1 for before, after in pairwise(seen))
