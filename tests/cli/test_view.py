"""``view`` shows what something would do if it were signed, from its bytes alone, and asks nobody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import jsonschema  # type: ignore[import-untyped]
import pytest
from eth_account import Account as EthAccount

from mcp_wallet_guard.clearsign.view import view_schema
from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations.abi import Value, encode
from mcp_wallet_guard.operations.abi_types import parse_function
from mcp_wallet_guard.operations.authorizations import Authorization, SignedAuthorization, encode_authorization
from mcp_wallet_guard.operations.envelopes import Envelope, EnvelopeType, encode_unsigned_envelope
from mcp_wallet_guard.operations.statements import SignTypedData
from mcp_wallet_guard.operations.values import Address, ChainId
from mcp_wallet_guard.testing.wallet import MadeWallet
from tests.cli.commands import ROOT, Ran, run

ME: Final = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
BOB: Final = Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
EVE: Final = Address("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC")
USDC: Final = Address("0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48")
BATCH: Final = Address("0xcA11bde05977b3631167028862bE2a173976CA11")


def calldata(signature: str, *values: Value) -> bytes:
    function = parse_function(signature)
    return function.selector + encode(function.inputs, values)


PAYS: Final = calldata("transfer(address to,uint256 value)", BOB, 1_500_000)
ALLOWS: Final = calldata("approve(address spender,uint256 amount)", EVE, 2**256 - 1)
ENVELOPE: Final = Envelope(
    type=EnvelopeType.EIP1559,
    chain=ChainId(1),
    nonce=7,
    max_priority_fee_per_gas=10**9,
    max_fee_per_gas=20 * 10**9,
    gas=200_000,
    to=USDC,
    value=0,
    data=PAYS,
)
FOREIGN: Final = SignedAuthorization(
    authorization=Authorization(chain_number=1, delegate=EVE, nonce=1), y_parity=0, r=1, s=1
)
PERMIT: Final[dict[str, Any]] = {
    "types": {
        "Permit": [
            {"name": name, "type": kind}
            for name, kind in (
                ("owner", "address"), ("spender", "address"), ("value", "uint256"), ("nonce", "uint256"),
                ("deadline", "uint256"),
            )
        ]
    },
    "primaryType": "Permit",
    "domain": {"name": "USD Coin", "version": "2", "chainId": 1, "verifyingContract": USDC.value},
    "message": {"owner": ME, "spender": EVE.value, "value": str(2**256 - 1), "nonce": 0, "deadline": 2_000_000_000},
}  # fmt: skip


def hexed(envelope: Envelope) -> str:
    return "0x" + encode_unsigned_envelope(envelope).hex()


def seen(what: str, *more: str) -> Ran:
    ran = run("view", what, "--account", ME, *more)
    assert ran.status == 0, ran.err
    return ran


def test_a_transfer_is_shown_with_its_amount_and_payee() -> None:
    out = seen(hexed(ENVELOPE)).out
    assert out.startswith(f"Call {USDC}: Send tokens\n")
    assert f"1.5 USDC to {BOB}" in " ".join(out.split())
    assert "0.004 ETH (200000 gas at 20 gwei" in " ".join(out.split())
    assert "DANGER" not in out


def test_an_allowance_hidden_in_a_batch_is_told_as_one_at_the_top_is() -> None:
    """Threat: T-020."""
    calls = ((USDC, False, ALLOWS), (USDC, False, PAYS))
    batch = calldata("aggregate3((address target,bool allowFailure,bytes callData)[] calls)", calls)
    hidden = seen(hexed(replace(ENVELOPE, to=BATCH, data=batch)), "--json").json
    plain = seen(hexed(replace(ENVELOPE, data=ALLOWS)), "--json").json
    for shown in (hidden, plain):
        assert "approval.unlimited" in {finding["code"] for finding in shown["findings"]}
        assert {"allow"} <= {effect["direction"] for effect in shown["effects"]}
    assert hidden["effects"][0]["path"] == "0"


@pytest.mark.parametrize("kind", list(EnvelopeType))
def test_every_envelope_is_shown(kind: EnvelopeType) -> None:
    one_price = kind in {EnvelopeType.LEGACY, EnvelopeType.EIP2930}
    blobs = (b"\x01" + bytes(31),) if kind is EnvelopeType.EIP4844 else ()
    envelope = replace(
        ENVELOPE,
        type=kind,
        max_priority_fee_per_gas=20 * 10**9 if one_price else 10**9,
        blob_hashes=blobs,
        max_fee_per_blob_gas=10**9 if blobs else 0,
        authorizations=(FOREIGN,) if kind is EnvelopeType.EIP7702 else (),
    )
    shown = seen(hexed(envelope), "--json").json
    assert (shown["kind"], shown["level"], shown["nonce"]) == ("contract_call", "clear", 7)
    controls = [effect["control"] for effect in shown["effects"] if effect["direction"] == "control"]
    assert controls == (["account.delegate"] if kind is EnvelopeType.EIP7702 else [])
    blob_fee = 131_072 * 10**9 if blobs else 0
    assert int(shown["fee"]["raw"]) == 200_000 * 20 * 10**9 + blob_fee


def test_the_view_is_valid_under_the_published_schema() -> None:
    validator = jsonschema.Draft202012Validator(view_schema())
    for what in (hexed(ENVELOPE), json.dumps(PERMIT), "0x" + b"hello".hex()):
        more = ("--message",) if what.endswith(b"hello".hex()) else ()
        validator.validate(seen(what, "--json", *more).json)


def test_typed_data_of_a_file_is_shown_as_the_allowance_that_it_is(tmp_path: Path) -> None:
    """Threat: T-029."""
    file = tmp_path / "permit.json"
    file.write_text(json.dumps(PERMIT), encoding="utf-8")
    shown = seen(str(file), "--json").json
    assert shown["kind"] == "typed_data"
    assert [(effect["direction"], effect["unlimited"]) for effect in shown["effects"]] == [("allow", True)]
    assert shown["digests"]["eip712_domain"] is not None
    assert shown["findings"][0]["severity"] == "danger"


def test_typed_data_with_a_wrong_checksum_are_shown_with_a_finding_and_not_signed() -> None:
    """Threat: T-025."""
    wrong = EVE.value.swapcase().replace("0X", "0x")
    for spender, codes in ((EVE.value, []), (EVE.value.lower(), []), (wrong, ["address.checksum"])):
        document = {**PERMIT, "message": {**PERMIT["message"], "spender": spender}}
        shown = seen(json.dumps(document), "--json").json
        findings = [each for each in shown["findings"] if each["code"] == "address.checksum"]
        assert [each["code"] for each in findings] == codes
        assert all(each["path"] == "#.spender" and wrong in each["text"] for each in findings)
        assert "address.checksum" not in [each["code"] for each in shown["not_checked"]]
    with pytest.raises(InvalidInput):
        SignTypedData(typed_data=json.dumps({**PERMIT, "message": {**PERMIT["message"], "spender": wrong}}))
    SignTypedData(typed_data=json.dumps(PERMIT))


def test_a_transaction_as_json_is_the_same_as_its_bytes(tmp_path: Path) -> None:
    fields = {
        "chainId": 1, "nonce": "0x7", "to": USDC.value, "value": "0x0", "gas": "0x30d40", "data": "0x" + PAYS.hex(),
        "maxFeePerGas": hex(20 * 10**9), "maxPriorityFeePerGas": hex(10**9), "type": "0x2",
    }  # fmt: skip
    file = tmp_path / "tx.json"
    file.write_text(json.dumps(fields), encoding="utf-8")
    assert seen(str(file), "--json").json == seen(hexed(ENVELOPE), "--json").json


def test_a_signed_transaction_is_shown_for_whoever_signed_it() -> None:
    signer = EthAccount.from_key("0x" + "42" * 32)
    signed = signer.sign_transaction(
        {"type": 2, "chainId": 1, "nonce": 7, "to": USDC.value, "value": 0, "gas": 200_000, "data": "0x" + PAYS.hex(),
         "maxFeePerGas": 20 * 10**9, "maxPriorityFeePerGas": 10**9}
    )  # fmt: skip
    shown = run("view", "0x" + signed.raw_transaction.hex(), "--json").json
    assert shown["account"] == f"eip155:1:{signer.address}"
    assert shown["digests"]["signing"] == seen(hexed(ENVELOPE), "--json").json["digests"]["signing"]


def test_a_message_is_shown_as_text_and_a_hash_in_disguise_is_told() -> None:
    """Threat: T-034."""
    assert '"Hello, Bob"' in seen("0x" + b"Hello, Bob".hex(), "--message").out
    assert "message.hash" in {
        finding["code"] for finding in seen("0x" + "ab" * 32, "--message", "--json").json["findings"]
    }


def test_an_authorization_is_shown_as_control_over_the_account() -> None:
    """Threat: T-035."""
    data = encode_authorization(Authorization(chain_number=0, delegate=EVE, nonce=1))
    shown = seen("0x" + data.hex(), "--json").json
    assert shown["kind"] == "delegation"
    assert [effect["control"] for effect in shown["effects"]] == ["account.delegate"]
    assert "danger" in {finding["severity"] for finding in shown["findings"]}


def test_a_list_that_is_named_gives_its_tokens_a_unit(tmp_path: Path) -> None:
    listed = tmp_path / "list.json"
    entry = {"chainId": 1, "address": EVE.value, "symbol": "EVE", "decimals": 3}
    listed.write_text(json.dumps({"tokens": [entry]}), encoding="utf-8")
    other = hexed(replace(ENVELOPE, to=EVE))
    assert "1500 EVE" in " ".join(seen(other, "--token-list", str(listed)).out.split())
    assert f"1500000 units of the unknown token {EVE}" in " ".join(seen(other).out.split())


def test_names_come_from_guard_toml_where_there_is_one(made: MadeWallet) -> None:
    config = str(made.loaded.vault_path.parent / "guard.toml")
    shown = run("view", hexed(ENVELOPE), "--config", config, "--json").json
    assert shown["account"].endswith(made.address.value)


def test_a_guard_toml_that_was_named_must_be_there(tmp_path: Path) -> None:
    assert run("view", hexed(ENVELOPE), "--config", str(tmp_path / "guard.toml"), "--json").status == 6


def test_markdown_and_narrow_lines_say_the_same() -> None:
    assert "- **Leaves**: 1\\.5 USDC to " in seen(hexed(ENVELOPE), "--format", "markdown").out
    narrow = seen(hexed(ENVELOPE), "--width", "40").out
    assert max(map(len, narrow.splitlines())) <= 40
    assert run("view", hexed(ENVELOPE), "--width", "19", "--json").code == "invalid_input"


def test_every_check_can_be_listed() -> None:
    ran = seen(hexed(ENVELOPE), "--checks")
    assert "passed      approval.unlimited: Checked, and it is not so" in ran.out
    checks = seen(hexed(ENVELOPE), "--checks", "--json").json["checks"]
    assert {"passed", "not_checked"} <= {check["status"] for check in checks}


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("0x", "invalid_input"),
        ("0xzz", "invalid_input"),
        ("0x02", "invalid_input.transaction"),
        ("{}", "invalid_input.transaction"),
        ('{"types": {}}', "invalid_input.typed_data"),
        ('{"chainId": 1, "chainId": 1}', "invalid_input"),
        ('{"chainId": 1, "nonce": 0, "gas": 21000, "gasPrice": 1, "from": "0x"}', "invalid_input.transaction"),
        ('{"chainId": 1, "nonce": 0, "gas": 21000}', "invalid_input.transaction"),
        ('{"chainId": 1, "nonce": 1.5, "gas": 21000, "gasPrice": 1}', "invalid_input.transaction"),
        ('{"chainId": 1, "nonce": 0, "gas": 21000, "gasPrice": 1, "type": "0x2"}', "invalid_input.transaction"),
        ('{"chainId": 1, "nonce": 0, "gas": 21000, "gasPrice": 1, "data": "0x0"}', "invalid_input.transaction"),
        ('{"chainId": 1, "nonce": 0, "gas": 21000, "gasPrice": 1, "to": "0xAb"}', "invalid_input.address"),
        ('{"chainId": 1, "nonce": 0, "gas": 21000, "gasPrice": 1, "to": 7}', "invalid_input.address"),
        ("no-such-file.json", "invalid_input"),
    ],
)
def test_what_cannot_be_signed_gets_a_clear_error(what: str, code: str) -> None:
    ran = run("view", what, "--json")
    assert (ran.status, ran.code) == (2, code)


def test_the_same_bytes_give_the_same_view_in_another_process() -> None:
    here = seen(hexed(ENVELOPE), "--json").out
    words = [sys.executable, "-m", "mcp_wallet_guard.cli.main", "view", "-", "--account", ME, "--json"]
    there = subprocess.run(  # our own command
        words, input=hexed(ENVELOPE), capture_output=True, text=True, check=True, cwd=ROOT,
        env=os.environ | {"TZ": "Asia/Kathmandu", "LC_ALL": "C", "PYTHONHASHSEED": "7"},
    )  # fmt: skip
    assert there.stdout == here
