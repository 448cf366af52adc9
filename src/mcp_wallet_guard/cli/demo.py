"""``demo``: the guarded payment and the attacks, of `mcp_wallet_guard.testing.demo`. Needs the ``testing`` extra."""

from __future__ import annotations

from mcp_wallet_guard.cli.invocation import Invocation, run_async
from mcp_wallet_guard.cli.output import Report, note, show
from mcp_wallet_guard.errors import MissingExtra


def demo(invocation: Invocation, /) -> Report:
    """Exit status 1 when anything went otherwise than it must. Raises MissingExtra("testing")."""
    try:
        from mcp_wallet_guard.testing.demo.story import tell
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.startswith("mcp_wallet_guard"):
            raise
        raise MissingExtra("testing") from None
    as_json = invocation.options.json

    def say(line: str) -> None:
        if as_json:
            note(line)
        else:
            show(Report(fields={}, lines=(line,)), as_json=False)

    steps = run_async(lambda: tell(say=say, interactive=invocation.options.interactive))
    failed = [step for step in steps if not step.ok]
    summary = f"{len(steps) - len(failed)} of {len(steps)} expectations held."
    fields = {
        "steps": [{"title": step.title, "ok": step.ok, "said": step.said} for step in steps],
        "failed": len(failed),
    }
    return Report(fields=fields, lines=("", summary), exit_status=1 if failed else 0)
