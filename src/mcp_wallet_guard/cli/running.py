"""``start``, ``stop``, ``unlock``, ``lock``, ``status``: the guard's own process. Threat: T-016, T-110."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

from mcp_wallet_guard.answers import GuardStatus, LimitStatus, MandateStatus
from mcp_wallet_guard.assembly import StateFiles, hosted
from mcp_wallet_guard.cli import telling
from mcp_wallet_guard.cli.approval import public
from mcp_wallet_guard.cli.invocation import Invocation, run_async
from mcp_wallet_guard.cli.output import Report, note, show
from mcp_wallet_guard.daemon.client import ControlClient
from mcp_wallet_guard.daemon.lock import GuardLock
from mcp_wallet_guard.daemon.run import Ready, serve_guard
from mcp_wallet_guard.errors import CATALOGUE, Misconfigured
from mcp_wallet_guard.exchange import ApprovalRequest
from mcp_wallet_guard.keys.vault import EntryKind, read_public


def start(invocation: Invocation, /) -> None:
    """Serve until ``stop``, SIGTERM or SIGINT. Says on standard output, once, that everything listens.

    Raises Misconfigured("misconfigured.already_running", "misconfigured.vault_missing"), VaultError.
    """
    loaded = invocation.load()
    if loaded.settings.mode != "daemon":
        raise Misconfigured("misconfigured.settings", detail='mode is "embedded": the MCP server runs the guard itself')
    read_public(loaded.vault_path)
    directory = StateFiles(loaded.vault_path).directory
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)

    async def serve() -> None:
        with GuardLock(directory) as lock:
            async with hosted(loaded, clock=invocation.clock, running_as="daemon") as owned:

                def ready(started: Ready) -> None:
                    for waiver in owned.custody.waivers:
                        note(f"warning: protection was lowered: {waiver}")
                    for measure in started.hardening.measures:
                        if measure.name in started.hardening.missing:
                            note(f"warning: {measure}")
                    show(_started(str(directory), owned.page_address), as_json=invocation.options.json)

                await serve_guard(
                    owned, directory=directory, lock=lock, tick=owned.tick, watch=owned.watch, ready=ready
                )

    run_async(serve)


def stop(invocation: Invocation, /) -> Report:
    """Raises Locked("not_running")."""
    invocation.control(lambda client: client.shut_down())
    return Report(fields={"stopped": True}, lines=("The guard is locked and ends.",))


def unlock(invocation: Invocation, /) -> Report:
    """Raises Locked("not_running"), VaultError, Tampered."""
    invocation.control(lambda client: client.control_status())  # before a person types a passphrase for nobody
    with invocation.passphrase() as passphrase:
        return status_report(invocation.control(lambda client: client.unlock(passphrase)))


def lock(invocation: Invocation, /) -> Report:
    """Raises Locked("not_running")."""
    return status_report(invocation.control(lambda client: client.lock()))


def status(invocation: Invocation, /) -> Report:
    """The guard, what waits, and what the files beside it say. Raises Locked("not_running")."""
    status, waiting = invocation.control(_standing)
    report = status_report(status)
    requests = [f"          {request.view.intent}  ({request.operation})" for request in waiting]
    at = next((place for place, line in enumerate(report.lines, 1) if line.startswith("Waiting:")), len(report.lines))
    on_disk, disk_lines = _on_disk(invocation, status)
    return Report(
        fields=report.fields | {"requests": [public(request) for request in waiting], "vault": on_disk},
        lines=(report.lines[0], *disk_lines, *report.lines[1:at], *requests, *report.lines[at:]),
    )


async def _standing(client: ControlClient) -> tuple[GuardStatus, tuple[ApprovalRequest, ...]]:
    status = await client.control_status()
    # Listing what waits is the owner's doing and keeps the vault open; without anything to list it is left alone.
    may_list = not status.locked and status.blocked is None and status.policy_revision is not None
    return status, await client.requests() if may_list and status.open_operations else ()


def _on_disk(invocation: Invocation, status: GuardStatus) -> tuple[dict[str, Any] | None, list[str]]:
    """What the vault file says in the open, as fields and lines. Unauthenticated: shown, and nothing decided by it."""
    try:
        loaded = invocation.load()
    except Misconfigured as error:
        return None, [f"Settings: {error.public} {error.detail}"]
    info = read_public(loaded.vault_path)
    factors = [entry for entry in info.entries if entry.kind is EntryKind.TOTP_SECRET]
    wallets = len(info.entries) - len(factors)
    sealed = None if info.settings is None else info.settings.revision
    lines = [f"Vault:    {loaded.vault_path}, wallets: {wallets}"]
    if not factors:
        lines.append(f"Factor:   {CATALOGUE['factor.none']}")
    elif not status.factor_locked:
        lines += [
            f"Factor:   one-time codes ({factor.label}), since {telling.when(factor.created_at)}" for factor in factors
        ]
    if status.policy_revision is None:
        lines.append(f"Policy:   {CATALOGUE['policy.missing'] if sealed is None else f'revision {sealed}'}")
    return {
        "path": str(loaded.vault_path),
        "wallets": wallets,
        "factors": [{"id": each.id, "label": each.label, "created_at": each.created_at} for each in factors],
        "policy_revision": sealed,
    }, lines


def status_report(status: GuardStatus, /) -> Report:
    """How a guard stands, and what its owner should do about it."""
    lines = ["The wallet is locked." if status.locked else "The wallet is unlocked."]
    if status.account is not None:
        lines.append(f"Account:  {status.account}")
    if status.page_url is not None:
        lines.append(f"Page:     {status.page_url}")
    if status.policy_revision is not None:
        lines.append(f"Policy:   revision {status.policy_revision}")
    if not status.locked:
        lines.append(f"Waiting:  {status.open_operations}")
    lines += [f"Limit:    {_limit(limit)}" for limit in status.limits]
    lines += [f"Mandate:  {_mandate(mandate)}" for mandate in status.mandates]
    if status.blocked is not None:
        lines.append(f"Blocked:  {CATALOGUE[status.blocked]}")
    if status.factor_locked:
        lines.append(f"Factor:   {CATALOGUE['factor.locked_out']}")
    if status.settings_differ:
        lines.append("guard.toml differs from what is in force (mcp-wallet-guard policy apply):")
        lines += [f"   {change}" for change in status.settings_differ]
    lines += [f"Lowered:  {waiver}" for waiver in status.waivers]
    return Report(fields=status.model_dump(mode="json"), lines=tuple(lines))


def _limit(limit: LimitStatus) -> str:
    """What was spent of it, and of how much."""
    parts = [] if limit.amount is None else [f"{limit.spent} of {limit.amount} {limit.symbol}"]
    if limit.count is not None:
        of = "" if limit.symbol is None else f" of {limit.symbol}"
        parts.append(f"{limit.payments} of {limit.count} payments{of}")
    whom = "" if limit.payees is None else f" to {limit.payees} payees"
    return f"{' and '.join(parts)}{whom} within {telling.span(limit.seconds)}"


def _mandate(mandate: MandateStatus) -> str:
    """What was paid under it, and until when it is good."""
    if mandate.expires_at is None:
        return f"{mandate.name}: not approved, so each payment is asked (mcp-wallet-guard policy apply)"
    return f"{mandate.name}: {_limit(mandate.budget)}, until {telling.when(mandate.expires_at)}"


def _started(directory: str, page: str | None) -> Report:
    return Report(
        fields={"running": True, "pid": os.getpid(), "directory": directory, "page_url": page},
        lines=(
            f"The guard of {directory} runs, locked. Approval page: {page}",
            "Unlock it in another terminal: mcp-wallet-guard unlock",
        ),
    )
