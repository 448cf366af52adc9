"""``log verify``: the journal as it is on the disk. Threat: T-088."""

from __future__ import annotations

from mcp_wallet_guard.answers import LogReport
from mcp_wallet_guard.assembly import StateFiles, build_guard
from mcp_wallet_guard.cli.invocation import Invocation, run_async
from mcp_wallet_guard.cli.output import Report
from mcp_wallet_guard.config.file import LoadedSettings
from mcp_wallet_guard.daemon.lock import GuardLock
from mcp_wallet_guard.errors import Locked, Unavailable


def verify(invocation: Invocation, /) -> Report:
    """By the running guard when there is one, under the key when that is unlocked; else by this process, keyless.

    Raises Tampered("tampered.journal") with the first bad entry in its detail, Unavailable("unavailable.store").
    """
    try:
        report = invocation.control(lambda client: client.verify_log())
    except Locked as error:
        if error.code != "not_running":
            raise
        loaded = invocation.load()
        report = run_async(lambda: _verify_offline(invocation, loaded))
    return Report(
        fields=report.model_dump(mode="json"),
        lines=(report.message, f"{report.entries} entries; the last is {report.head}"),
    )


async def _verify_offline(invocation: Invocation, loaded: LoadedSettings) -> LogReport:
    files = StateFiles(loaded.vault_path)
    if not files.database.exists():
        raise Unavailable("unavailable.store", detail=f"{files.database}: no such file")
    with GuardLock(files.directory):
        owned = build_guard(loaded, clock=invocation.clock)
        await owned.custody.store.open()
        try:
            return await owned.verify_log()
        finally:
            await owned.custody.store.close()
