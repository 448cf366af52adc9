"""``log verify``, ``log tail``, ``log explain``: the journal as it is on the disk. Threat: T-088."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TypeVar

from mcp_wallet_guard.answers import LogPage
from mcp_wallet_guard.assembly import StateFiles, build_guard
from mcp_wallet_guard.cli import telling
from mcp_wallet_guard.cli.invocation import Invocation, run_async
from mcp_wallet_guard.cli.output import Report
from mcp_wallet_guard.config.file import LoadedSettings
from mcp_wallet_guard.daemon.base import GuardControl
from mcp_wallet_guard.daemon.lock import GuardLock
from mcp_wallet_guard.daemon.methods import MAX_ENTRIES
from mcp_wallet_guard.errors import InvalidInput, Locked, Unavailable

T = TypeVar("T")
_KEYLESS = "The chain of all entries is whole. Its seal was not checked: that needs an unlocked guard."
_KEYED = "Every entry was verified under the vault's key."


def verify(invocation: Invocation, /) -> Report:
    """By the running guard when there is one, under the key when that is unlocked; else by this process, keyless.

    Raises Tampered("tampered.journal") with the first bad entry in its detail, Unavailable("unavailable.store").
    """
    report = _ask(invocation, lambda guard: guard.verify_log())
    return Report(
        fields=report.model_dump(mode="json"),
        lines=(report.message, f"{report.entries} entries; the last is {report.head}"),
    )


def tail(invocation: Invocation, /) -> Report:
    """The newest entries, a line each, verified as by `verify`. Raises as it does."""
    last = invocation.options.lines
    if not 1 <= last <= MAX_ENTRIES:
        raise InvalidInput("invalid_input", detail=f"--lines is between 1 and {MAX_ENTRIES}")
    page = _ask(invocation, lambda guard: guard.read_log(last=last, about=None))
    entries = [json.loads(body) for body in page.entries]
    return _report(page, entries, tuple(telling.heading(fields) for fields in entries))


def explain(invocation: Invocation, /) -> Report:
    """One operation from its question to its end: what was asked and shown, who approved it how, what became of it.

    Raises as `verify`, and InvalidInput("invalid_input.id") when the journal has nothing about it.
    """
    about = invocation.options.about
    page = _ask(invocation, lambda guard: guard.read_log(last=MAX_ENTRIES, about=about))
    entries = [json.loads(body) for body in page.entries]
    return _report(page, entries, (*telling.explanation(entries), ""))


def _report(page: LogPage, entries: list[object], lines: tuple[str, ...]) -> Report:
    older = ("Older entries are left out.",) if page.more else ()
    return Report(
        fields={"entries": entries, "keyed": page.keyed, "more": page.more},
        lines=(*older, *lines, _KEYED if page.keyed else _KEYLESS),
    )


def _ask(invocation: Invocation, question: Callable[[GuardControl], Awaitable[T]]) -> T:
    try:
        return invocation.control(question)
    except Locked as error:
        if error.code != "not_running":
            raise
        loaded = invocation.load()
        return run_async(lambda: _ask_offline(invocation, loaded, question))


async def _ask_offline(
    invocation: Invocation, loaded: LoadedSettings, question: Callable[[GuardControl], Awaitable[T]]
) -> T:
    files = StateFiles(loaded.vault_path)
    if not files.database.exists():
        raise Unavailable("unavailable.store", detail=f"{files.database}: no such file")
    with GuardLock(files.directory):
        owned = build_guard(loaded, clock=invocation.clock)
        await owned.custody.store.open()
        try:
            return await question(owned)
        finally:
            await owned.custody.store.close()
