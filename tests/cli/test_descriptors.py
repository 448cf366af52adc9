"""``descriptors``: installed from a local checkout, pinned by hash, and never anything else.  Threat: T-020."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from mcp_wallet_guard.descriptor_file import DESCRIPTORS, open_index
from mcp_wallet_guard.errors import InvalidInput, Misconfigured
from mcp_wallet_guard.operations.abi import encode
from mcp_wallet_guard.operations.abi_types import parse_function
from mcp_wallet_guard.operations.envelopes import Envelope, EnvelopeType, encode_unsigned_envelope
from mcp_wallet_guard.operations.values import Address, ChainId
from mcp_wallet_guard.testing.wallet import MadeWallet
from tests.cli.commands import Ran, run

ZOO: Final = Address.from_bytes(b"\x55" * 20)
FEED: Final = parse_function("feed(uint256 amount)")


def descriptor(**changes: Any) -> dict[str, Any]:
    return {
        "$schema": "https://example.com/erc7730-v2.schema.json",
        "context": {"contract": {"deployments": [{"chainId": 1, "address": ZOO.value}]}},
        "metadata": {"owner": "Zoo"},
        "display": {
            "formats": {
                "feed(uint256 amount)": {
                    "intent": "Feed the zoo",
                    "fields": [{"path": "#.amount", "label": "Portion", "format": "raw"}],
                }
            }
        },
    } | changes


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What a clone of a registry looks like: a descriptor, one that cannot be read, its tests, and its own files."""
    folder = tmp_path / "checkout"
    (folder / "registry" / "zoo" / "testsv2").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / ".git" / "x.json").write_text("{}")
    (folder / "registry" / "zoo" / "calldata-zoo.json").write_text(json.dumps(descriptor()))
    later = descriptor(**{"$schema": "https://example.com/erc7730-v3.schema.json"})
    (folder / "registry" / "zoo" / "calldata-later.json").write_text(json.dumps(later))
    (folder / "registry" / "zoo" / "testsv2" / "calldata-zoo.tests.json").write_text("{}")
    (folder / "outside.json").symlink_to(tmp_path)
    return folder


def command(made: MadeWallet, *words: str) -> Ran:
    return run("descriptors", *words, "--config", str(made.loaded.vault_path.parent / "guard.toml"), "--json")


def pin(made: MadeWallet, value: str) -> None:
    path = made.loaded.vault_path.parent / "guard.toml"
    path.write_text(path.read_text("utf-8") + f'\n[descriptors]\npin = "{value}"\n', "utf-8")


def test_a_checkout_is_installed_and_says_what_to_pin(made: MadeWallet, checkout: Path) -> None:
    added = command(made, "add", str(checkout)).json
    assert added["descriptors"] == 1
    assert list(added["refused"]) == ["registry/zoo/calldata-later.json"]
    listed = command(made, "list").json
    assert listed["descriptors"] == {"registry/zoo/calldata-zoo.json": "Zoo"}
    assert listed["pin"] == added["pin"]
    assert command(made, "verify").status == 6, "guard.toml pins nothing yet"
    pin(made, added["pin"])
    assert command(made, "verify").json == {"pin": added["pin"]}


def test_the_same_checkout_has_the_same_pin_and_an_edited_one_another(made: MadeWallet, checkout: Path) -> None:
    first = command(made, "add", str(checkout)).json["pin"]
    assert command(made, "add", str(checkout)).json["pin"] == first
    pin(made, first)
    (checkout / "registry" / "zoo" / "calldata-zoo.json").write_text(json.dumps(descriptor(metadata={"owner": "X"})))
    assert command(made, "add", str(checkout)).json["pin"] != first
    assert command(made, "verify").status == 6


def test_a_view_uses_a_checkout_that_is_named(made: MadeWallet, checkout: Path) -> None:
    tx = Envelope(
        type=EnvelopeType.EIP1559, chain=ChainId(1), nonce=0, max_priority_fee_per_gas=1, max_fee_per_gas=1,
        gas=50_000, to=ZOO, value=0, data=FEED.selector + encode(FEED.inputs, (7,)),
    )  # fmt: skip
    hexed = "0x" + encode_unsigned_envelope(tx).hex()
    blind = run("view", hexed, "--json").json
    told = run("view", hexed, "--descriptors", str(checkout), "--json").json
    assert (blind["level"], told["level"]) == ("blind", "clear")
    assert told["intent"] == f'Call {ZOO}: "Feed the zoo" (a descriptor\'s words)'
    installed = command(made, "add", str(checkout)).json["pin"]
    pin(made, installed)
    config = str(made.loaded.vault_path.parent / "guard.toml")
    assert run("view", hexed, "--config", config, "--json").json["level"] == "clear"


@pytest.mark.parametrize("content", [None, {}, {"x.json": b"\xff"}, {"x.json": b"{}"}])
def test_a_folder_without_a_descriptor_is_refused(
    made: MadeWallet, tmp_path: Path, content: dict[str, bytes] | None
) -> None:
    folder = tmp_path / "nothing"
    if content is not None:
        folder.mkdir()
        for name, data in content.items():
            (folder / name).write_bytes(data)
    ran = command(made, "add", str(folder))
    assert ran.status == 2
    assert command(made, "list").status == 6, "nothing was installed"


def test_what_was_installed_is_read_back_exactly_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "descriptors.json"
    files = {"a.json": b"{}", "b/c.json": '"\u202e"'.encode()}
    found = DESCRIPTORS.write(files, path)
    assert DESCRIPTORS.read(path) == (files, found)
    assert path.stat().st_mode & 0o777 == 0o600
    honest = path.read_bytes()
    for wrong in (honest + b" ", honest.replace(b'"v":1', b'"v":2'), b"[]", b"", b'{"v":1}', b'{"files":[],"v":1}'):
        path.write_bytes(wrong)
        with pytest.raises(InvalidInput):
            DESCRIPTORS.read(path)
    path.write_bytes(honest)
    with pytest.raises(Misconfigured):
        open_index(path, "0" * 64)
    path.chmod(0o666)
    with pytest.raises(Misconfigured):
        DESCRIPTORS.read(path)


def test_more_than_fits_is_refused(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.json").write_text("{}")
    assert len(replace(DESCRIPTORS, max_files=3).collect(tmp_path)) == 3
    for wrong in (replace(DESCRIPTORS, max_files=2), replace(DESCRIPTORS, max_file_bytes=1)):
        with pytest.raises(InvalidInput):
            wrong.collect(tmp_path)
