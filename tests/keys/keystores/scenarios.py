"""The scenarios of tests/vectors/keys/keystores: one file each, in the form of docs/formats/keystores.md, "Vectors"."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, Final

from mcp_wallet_guard.keys.keystores.age import OpenedAge, read_age
from mcp_wallet_guard.keys.keystores.eip2335 import read_eip2335
from mcp_wallet_guard.keys.keystores.opened import AddressRule, OpenedKeystore
from mcp_wallet_guard.keys.keystores.ows import read_ows
from mcp_wallet_guard.keys.keystores.v3 import read_v3
from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.secret import Secret

FOLDER: Final = Path(__file__).parents[2] / "vectors" / "keys" / "keystores"
SHARED: Final = Path(__file__).parents[3].parent / "shared" / "vectors" / "keys"
NAMES: Final = sorted(path.stem for path in FOLDER.glob("*.json"))


def load(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


def raw_of(scenario: dict[str, Any]) -> bytes:
    if "file_base64" in scenario:
        return base64.b64decode(scenario["file_base64"])
    return json.dumps(scenario["file"]).encode()


def read(scenario: dict[str, Any], raw: bytes | None = None) -> OpenedKeystore | OpenedAge:
    raw = raw_of(scenario) if raw is None else raw
    passphrase, options = Secret(scenario["passphrase"].encode()), scenario["options"]
    said = options.get("address", "in-file")
    address = Address.parse(said) if said.startswith("0x") else AddressRule(said)
    match scenario["format"]:
        case "v3":
            return read_v3(raw, passphrase=passphrase, address=address, short_keys=options.get("short_keys", False))
        case "eip2335":
            return read_eip2335(raw, passphrase=passphrase)
        case "ows":
            return read_ows(raw, passphrase=passphrase, address=address)
        case _:
            return read_age(raw, passphrase=passphrase)
