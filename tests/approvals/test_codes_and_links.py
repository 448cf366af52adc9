"""Match codes, link files and pairings: small values that must not be mistaken for one another."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.approvals import links, pairing
from mcp_wallet_guard.approvals.links import LinkFiles
from mcp_wallet_guard.approvals.match_code import ALPHABET, check_match_code, match_code
from mcp_wallet_guard.errors import FactorRejected, InvalidInput, Misconfigured, Unavailable
from mcp_wallet_guard.secret import Secret

KEY = Secret(b"k" * 32)
ZERO = bytes(32)


def code(key: Secret = KEY, salt: bytes = ZERO, digest: bytes = ZERO, view: bytes = ZERO) -> str:
    return match_code(key, salt=salt, operation_digest=digest, view_hash=view)


def test_a_match_code_is_six_characters_that_nobody_confuses() -> None:
    assert len(ALPHABET) == len(set(ALPHABET)) == 32
    assert not set("ILOU") & set(ALPHABET)
    first, second = code().split("-")
    assert len(first) == len(second) == 3
    assert set(first + second) <= set(ALPHABET)


def test_the_match_code_follows_its_specification() -> None:
    # Bit by bit, unlike the code under test: the first 30 bits in Crockford's base 32.
    mac = hmac.new(b"k" * 32, b"mcp-wallet-guard/match-code/v1\x00" + bytes(96), hashlib.sha256).digest()
    bits = "".join(f"{byte:08b}" for byte in mac)[:30]
    characters = [ALPHABET[int(bits[at : at + 5], 2)] for at in range(0, 30, 5)]
    assert code() == "".join(characters[:3]) + "-" + "".join(characters[3:])


def test_key_salt_digest_and_view_each_change_the_code() -> None:
    """Threat: T-103."""
    one = b"\x01" + bytes(31)
    codes = {code(), code(key=Secret(one)), code(salt=one), code(digest=one), code(view=one)}
    assert len(codes) == 5


@pytest.mark.parametrize("lengths", [(15, 32, 32), (32, 31, 33), (32, 33, 31), (32, 0, 64)])
def test_parts_of_another_length_are_refused_so_that_none_can_shift_into_the_next(lengths: tuple[int, ...]) -> None:
    salt, digest, view = (bytes(length) for length in lengths)
    with pytest.raises(ValueError, match="32 bytes"):
        code(salt=salt, digest=digest, view=view)


@pytest.mark.parametrize("typed", ["ABC-DEF", "abcdef", " a b c d e f ", "abc def", "A-B-C-D-E-F"])
def test_case_spaces_and_hyphens_do_not_matter(typed: str) -> None:
    check_match_code("ABC-DEF", typed)


@pytest.mark.parametrize(
    "typed",
    ["", "ABC-DE", "ABC-DEG", "ABC-DEFF", "ABC_DEF", "ABC\u2010DEF", "\uff21BC-DEF", "ABC\tDEF", "A" * 99, "yes"],
)
def test_anything_else_is_refused(typed: str) -> None:
    with pytest.raises(FactorRejected) as refused:
        check_match_code("ABC-DEF", typed)
    assert refused.value.code == "match_code.rejected"


def test_characters_whose_upper_case_grows_are_refused() -> None:
    with pytest.raises(FactorRejected):
        check_match_code("SSA-BCD", "\u00dfabcd")


@given(st.text(max_size=40))
def test_no_text_is_accepted_that_is_not_the_code(typed: str) -> None:
    bare = typed.upper().replace(" ", "").replace("-", "")
    if bare == "K7MQ2R" and typed.isascii() and len(typed) <= 32:
        check_match_code("K7M-Q2R", typed)
    else:
        with pytest.raises(FactorRejected):
            check_match_code("K7M-Q2R", typed)


# --- links --------------------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path) -> LinkFiles:
    return LinkFiles(tmp_path / "links")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_a_link_file_is_one_line_that_only_its_owner_may_read(files: LinkFiles) -> None:
    umask = os.umask(0)
    try:
        path = files.write("op-1", "http://127.0.0.1:1/p/op-1/s")
    finally:
        os.umask(umask)
    assert path == files.path("op-1")
    assert path.read_text() == "http://127.0.0.1:1/p/op-1/s\n"
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert [one.name for one in path.parent.iterdir()] == ["op-1.url"]


def test_a_new_link_replaces_the_old_one_whole(files: LinkFiles) -> None:
    files.write("op-1", "http://old/" + "x" * 99)
    assert files.write("op-1", "http://new").read_text() == "http://new\n"


def test_a_draft_that_a_crash_left_behind_does_no_harm(files: LinkFiles) -> None:
    files.write("op-0", "x")
    (files.directory / ".op-1.url.part").write_text("half")
    assert files.write("op-1", "http://new").read_text() == "http://new\n"


@pytest.mark.parametrize("planted", ["op-1.url", ".op-1.url.part"])
def test_a_planted_symbolic_link_is_replaced_and_never_followed(files: LinkFiles, tmp_path: Path, planted: str) -> None:
    """Threat: T-071."""
    files.write("op-0", "x")
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (files.directory / planted).symlink_to(victim)
    path = files.write("op-1", "http://new")
    assert victim.read_text() == "precious"
    assert not path.is_symlink()
    assert path.read_text() == "http://new\n"


def test_a_links_directory_that_is_a_symbolic_link_is_refused(files: LinkFiles, tmp_path: Path) -> None:
    """Threat: T-071."""
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    files.directory.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Misconfigured) as refused:
        files.write("op-1", "x")
    assert refused.value.code == "misconfigured.permissions"
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("open_to", [0o755, 0o770, 0o701])
def test_a_links_directory_that_others_may_enter_is_refused(files: LinkFiles, open_to: int) -> None:
    """Threat: T-071, T-110."""
    files.directory.mkdir()
    files.directory.chmod(open_to)
    for use in (lambda: files.write("op-1", "x"), lambda: files.delete("op-1"), files.sweep):
        with pytest.raises(Misconfigured):
            use()


def test_a_file_in_place_of_the_directory_is_refused(files: LinkFiles) -> None:
    """Threat: T-071."""
    files.directory.write_text("")
    with pytest.raises(Misconfigured):
        files.write("op-1", "x")


@pytest.mark.parametrize("name", ["op-1.url", ".op-1.url.part"])
def test_a_directory_in_place_of_a_link_file_is_refused(files: LinkFiles, name: str) -> None:
    """Threat: T-071."""
    files.write("op-0", "x")
    (files.directory / name).mkdir()
    with pytest.raises(Misconfigured):
        files.write("op-1", "x")


def test_no_directory_to_write_into_is_a_dependency_that_failed(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        LinkFiles(tmp_path / "missing" / "links").write("op-1", "x")


def test_a_full_disk_leaves_no_half_of_a_link(files: LinkFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write("op-0", "x")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unavailable) as refused:
        files.write("op-1", "secret-part-of-a-link")
    assert refused.value.code == "unavailable.store"
    assert [one.name for one in files.directory.iterdir()] == ["op-0.url"]


@pytest.mark.parametrize("operation", ["", "..", "../x", "a/b", "a.url", "a\x00b", "\u00e9", "x" * 65, "a b"])
def test_an_id_that_is_no_file_name_is_refused(files: LinkFiles, operation: str) -> None:
    for use in (lambda: files.write(operation, "x"), lambda: files.delete(operation), lambda: files.path(operation)):
        with pytest.raises(InvalidInput):
            use()
    with pytest.raises(InvalidInput):
        files.sweep([operation])


def test_a_decided_operations_link_is_deleted_and_deleting_twice_is_nothing(files: LinkFiles) -> None:
    files.delete("op-1")  # not even the directory exists
    files.write("op-1", "x")
    files.write("op-2", "x")
    files.delete("op-1")
    files.delete("op-1")
    assert [one.name for one in files.directory.iterdir()] == ["op-2.url"]


def test_the_start_sweeps_what_no_open_operation_needs(files: LinkFiles) -> None:
    assert files.sweep() == 0
    for operation in ("op-1", "op-2", "op-3"):
        files.write(operation, "x")
    (files.directory / ".op-4.url.part").write_text("half")
    (files.directory / "notes.txt").write_text("the owner's")
    assert files.sweep(["op-2"]) == 3
    assert sorted(one.name for one in files.directory.iterdir()) == ["notes.txt", "op-2.url"]


def test_a_link_secret_has_256_bits_and_is_kept_as_its_hash() -> None:
    secret, hashed = links.new_link_secret()
    assert len(secret) == 43
    assert hashed == links.link_hash(secret)
    assert secret.encode() not in hashed
    assert links.new_link_secret()[0] != secret
    links.check_link(hashed, secret)


def test_an_operations_id_is_a_word_that_no_command_takes_for_an_option_and_no_shell_for_more() -> None:
    ids = {links.new_operation_id() for _ in range(300)}

    assert len(ids) == 300
    assert all(re.fullmatch(r"[0-9a-f]{32}", each) for each in ids)


@pytest.mark.parametrize("offered", ["", "A" * 43, "A" * 42, "A" * 44, "\u00e9" * 43, "A" * 42 + "\n"])
def test_a_guessed_link_is_refused(offered: str) -> None:
    """Threat: T-015."""
    _, hashed = links.new_link_secret()
    with pytest.raises(FactorRejected) as refused:
        links.check_link(hashed, offered)
    assert refused.value.code == "pairing.required"


def test_a_spent_link_fits_nothing() -> None:
    secret, _ = links.new_link_secret()
    with pytest.raises(FactorRejected):
        links.check_link(links.SPENT, secret)


# --- pairings -----------------------------------------------------------------------------------------------------


def test_a_pairing_lasts_twelve_hours_and_the_store_never_sees_its_token() -> None:
    token, row = pairing.new_pairing(KEY, now=1000)
    assert row.expires_at == 1000 + 12 * 3600
    assert token not in row.token_hash
    assert row.token_hash == pairing.token_hash(KEY, token)
    pairing.check_pairing(row, now=row.expires_at - 1)
    for missing, now in ((row, row.expires_at), (None, 0)):
        with pytest.raises(FactorRejected):
            pairing.check_pairing(missing, now=now)


def test_another_vaults_key_knows_no_token_of_this_one() -> None:
    token, row = pairing.new_pairing(KEY, now=0)
    assert pairing.token_hash(Secret(b"x" * 32), token) != row.token_hash


@pytest.mark.parametrize("token", ["", "short", "x" * 44, "\u00e9" * 43, "a b" + "x" * 40])
def test_text_that_cannot_be_a_token_is_not_hashed(token: str) -> None:
    with pytest.raises(FactorRejected):
        pairing.token_hash(KEY, token)


def test_the_cookie_is_named_after_its_store() -> None:
    assert pairing.cookie_name("4f2a") == "wallet-guard-4f2a"
    for hostile in ("", "a;b", "a=b", "a\r\nSet-Cookie: x", "x" * 65):
        with pytest.raises(Misconfigured):
            pairing.cookie_name(hostile)
