"""What an owner runs after an error: each code of the catalogue, and its next command.

None stands where no command helps: another argument, another code, waiting, or an edit of guard.toml. What a policy
denied has none on purpose: no error text leads an owner towards allowing what an agent asked for. Knows no other module
of the package but errors, so that it is cheap.
"""

from __future__ import annotations

import shlex
from argparse import Namespace
from typing import TYPE_CHECKING, Final

from mcp_wallet_guard.cli.parser import PROGRAM

if TYPE_CHECKING:
    from pathlib import Path

NEXT: Final[dict[str, str | None]] = {
    # Refused
    "not_authorized": None,
    "rate_limited": "requests",
    "locked": "unlock",
    "not_running": "start",
    "policy.denied": None,
    "policy.missing": "policy apply",
    "policy.sealed": "policy apply",
    "policy.payee": None,
    "policy.cap": None,
    "policy.token": None,
    "policy.unlimited": None,
    "policy.mandate": None,
    "policy.action": None,
    "policy.contract": None,
    "policy.blind": None,
    "policy.control": None,
    "policy.risk": None,
    "policy.blocked": None,
    "policy.message": None,
    "policy.data_fee": None,
    "policy.imitation": None,
    "policy.undecodable": None,
    "policy.venue": None,
    "policy.venue_address": None,
    "policy.venue_memo": None,
    "policy.venue_fee": None,
    "policy.changed": None,
    "over_budget": "status",
    "over_balance": None,
    "too_large": None,
    "declined": None,
    "expired": None,
    "superseded": None,
    "already_used": None,
    "blocked.unknown": "log tail",
    "blocked.store": "store acknowledge",
    "blocked.mode": "status",
    "blocked.vault": "status",
    "blocked.lists": "lists verify",
    "venue.no_key": "venue key",
    "venue.key_expired": "venue key",
    "factor.rejected": None,
    "factor.none": "factor enrol",
    "factor.exists": None,
    "factor.format": None,
    "factor.locked_out": "factor unlock",
    "factor.door_closed": "approve",
    "match_code.rejected": "approve",
    "pairing.required": "approve",
    # Tampered
    "tampered.row": "log verify",
    "tampered.journal": "log verify",
    "tampered.store": "log verify",
    "tampered.operation": "log tail",
    "tampered.signature": "log tail",
    "tampered.settings": None,
    "tampered.result": "log tail",
    # Unavailable
    "unavailable": None,
    "unavailable.node": None,
    "unavailable.node_lied": None,
    "unavailable.venue": None,
    "unavailable.store": None,
    "unavailable.clock": None,
    "unavailable.stale": None,
    "unavailable.daemon": "status",
    "unavailable.entropy": None,
    "unavailable.terminal": None,
    # Misconfigured
    "misconfigured": None,
    "misconfigured.settings": None,
    "misconfigured.lists": "lists verify",
    "misconfigured.vault_missing": "init",
    "misconfigured.vault_exists": "wallet address",
    "misconfigured.mode": None,
    "misconfigured.tool": None,
    "misconfigured.already_running": "stop",
    "misconfigured.permissions": None,
    "misconfigured.protocol": "stop",
    "misconfigured.backend": None,
    "missing_extra": None,
    "unclassified": None,
    # InvalidInput
    "invalid_input": None,
    "invalid_input.address": None,
    "invalid_input.amount": None,
    "invalid_input.precision": None,
    "invalid_input.zero": None,
    "invalid_input.token": None,
    "invalid_input.chain": None,
    "invalid_input.account": "wallet address",
    "invalid_input.transaction": None,
    "invalid_input.calldata": None,
    "invalid_input.typed_data": None,
    "invalid_input.message": None,
    "invalid_input.descriptor": None,
    "invalid_input.list": None,
    "invalid_input.unknown_argument": None,
    "invalid_input.secret": None,
    "invalid_input.size": None,
    "invalid_input.withdrawal": None,
    "invalid_input.reference": None,
    "invalid_input.passphrase": None,
    "invalid_input.mnemonic": None,
    "invalid_input.extended_key": None,
    "invalid_input.share": None,
    "invalid_input.dice": None,
    "invalid_input.id": "requests",
    # Vault
    "vault.cannot_unlock": None,
    "vault.damaged": None,
    "vault.format": None,
    "keystore.cannot_open": None,
    "keystore.format": None,
    "keystore.cost": None,
    "keystore.address": None,
    "keystore.kind": None,
}


def next_command(code: str, options: Namespace | None, /) -> str | None:
    """The line to type after an error of this code, for the same folder or settings; None where there is none.

    A missing guard.toml is an error like a broken one, and only the former has a command.
    """
    from mcp_wallet_guard.cli.invocation import settings_path

    command = NEXT.get(code)
    place = None if options is None or not hasattr(options, "dir") else options
    if code == "misconfigured.settings" and place is not None and not settings_path(place).exists():
        command = "init"
    return None if command is None else " ".join([PROGRAM, command, *_located(place)])


def _located(options: Namespace | None) -> list[str]:
    if options is None:
        return []
    given: list[tuple[str, Path | None]] = [("--dir", options.dir), ("--config", options.config)]
    return [part for name, path in given if path is not None for part in (name, shlex.quote(str(path)))]
