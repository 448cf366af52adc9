"""``lists``: installed from a local mine, pinned by hash, and used by ``view``. Threat: T-025, T-040, T-071."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from mcp_wallet_guard.operations.abi import encode
from mcp_wallet_guard.operations.abi_types import parse_function
from mcp_wallet_guard.operations.envelopes import Envelope, EnvelopeType, encode_unsigned_envelope
from mcp_wallet_guard.operations.values import Address, ChainId
from mcp_wallet_guard.testing.wallet import MadeWallet
from tests.cli.commands import Ran, run

THIEF: Final = Address.from_bytes(b"\xee" * 20)
COIN: Final = Address.from_bytes(b"\xc0" * 20)


def blocked(*addresses: Address) -> str:
    return json.dumps({"v": 1, "kind": "blocked", "name": "Mine", "addresses": {str(each): "x" for each in addresses}})


def tokens(decimals: int) -> str:
    entry = {"chainId": 1, "address": COIN.value, "symbol": "COIN", "decimals": decimals}
    return json.dumps({"name": "x", "tokens": [entry]})


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    found = tmp_path / "mine"
    found.mkdir()
    (found / "blocked.json").write_text(blocked(THIEF))
    (found / "tokens.json").write_text(tokens(6))
    return found


def config(made: MadeWallet) -> str:
    return str(made.loaded.vault_path.parent / "guard.toml")


def command(made: MadeWallet, *words: str) -> Ran:
    return run("lists", *words, "--config", config(made), "--json")


def pin(made: MadeWallet, value: str) -> None:
    path = made.loaded.vault_path.parent / "guard.toml"
    path.write_text(path.read_text("utf-8") + f'\n[lists]\npin = "{value}"\n', "utf-8")


def transfer(to: Address) -> str:
    function = parse_function("transfer(address to,uint256 value)")
    tx = Envelope(
        type=EnvelopeType.EIP1559, chain=ChainId(1), nonce=0, max_priority_fee_per_gas=1, max_fee_per_gas=1,
        gas=50_000, to=COIN, value=0, data=function.selector + encode(function.inputs, (to, 1_500_000)),
    )  # fmt: skip
    return "0x" + encode_unsigned_envelope(tx).hex()


def shown(made: MadeWallet, to: Address, *more: str) -> dict[str, Any]:
    found: dict[str, Any] = run("view", transfer(to), "--config", config(made), *more, "--json").json
    return found


def test_a_folder_is_installed_and_says_what_to_pin(made: MadeWallet, mine: Path) -> None:
    added = command(made, "add", str(mine)).json
    sizes = {"blocked.json": {"kind": "blocked", "entries": 1}, "tokens.json": {"kind": "tokens", "entries": 1}}
    assert (added["lists"], added["disputed"]) == (sizes, {})
    assert command(made, "list").json == added
    assert command(made, "verify").status == 6, "guard.toml pins nothing yet"
    pin(made, added["pin"])
    assert command(made, "verify").json == added
    (mine / "blocked.json").write_text(blocked(COIN))
    assert command(made, "add", str(mine)).json["pin"] != added["pin"]
    assert command(made, "verify").status == 6


def test_a_view_shows_who_is_blocked_and_which_unit_a_list_gives(made: MadeWallet, mine: Path) -> None:
    """Threat: T-025. The findings of a view say it, whatever else they say."""
    assert shown(made, THIEF)["effects"][0]["symbol"] is None
    pin(made, command(made, "add", str(mine)).json["pin"])
    told = shown(made, THIEF)
    assert told["effects"][0]["text"].startswith("1.5 COIN to ")
    assert told["effects"][0]["symbol_source"] == "list"
    assert "list.blocked" in {finding["code"] for finding in told["findings"]}
    honest = shown(made, Address.from_bytes(b"\x22" * 20))
    assert "list.blocked" not in {finding["code"] for finding in (*honest["findings"], *honest["not_checked"])}
    (mine / "tokens.json").write_text(tokens(18))
    command(made, "add", str(mine))
    assert run("view", transfer(THIEF), "--config", config(made)).status == 6, "they are not the pinned ones"


def test_lists_that_disagree_are_named_and_neither_is_believed(made: MadeWallet, mine: Path) -> None:
    """Threat: T-040."""
    (mine / "others.json").write_text(tokens(18))
    added = command(made, "add", str(mine)).json
    assert added["disputed"] == {f"eip155:1/erc20:{COIN}": ["COIN, 18 decimals", "COIN, 6 decimals"]}
    pin(made, added["pin"])
    told = shown(made, THIEF)
    assert told["effects"][0]["symbol"] is None
    assert told["effects"][0]["text"].startswith(f"1500000 units of the unknown token {COIN}")
    assert "token.disputed" in {finding["code"] for finding in told["findings"]}
    assert command(made, "verify").json["disputed"] == added["disputed"]


@pytest.mark.parametrize("content", [None, {}, {"x.json": "nonsense"}, {"x.json": '{"v":1,"kind":"allowed"}'}])
def test_a_folder_that_cannot_be_read_whole_installs_nothing(
    made: MadeWallet, mine: Path, tmp_path: Path, content: dict[str, str] | None
) -> None:
    place = mine if content else tmp_path / "nothing"
    if content == {}:
        place.mkdir()
    for name, text in (content or {}).items():
        (place / name).write_text(text)
    assert command(made, "add", str(place)).status == 2
    assert command(made, "list").status == 6, "nothing was installed"
