"""The owner's part: link, page, match code, one-time code."""

from __future__ import annotations

import stat

from mcp_wallet_guard.testing.demo.stage import PAYEE, Stage
from mcp_wallet_guard.testing.demo.telling import Story


async def approve(story: Story, stage: Stage, operation: str, /, *, amount: str) -> None:
    """A careful owner approves a payment of `amount` to the payee, the first time with all that leads there."""
    link = stage.files.links / f"{operation}.url"
    mode = stat.S_IMODE(link.stat().st_mode)
    secret = link.read_text(encoding="ascii").strip().rsplit("/", 1)[1]
    story.expect(
        mode == 0o600 and len(secret) > 40 and not any(secret in text for text in stage.heard),
        "the owner takes the link from a file of their own, which the agent never saw",
        seen=f"links/{link.name}, mode {mode:04o}",
    )
    page = await stage.person.read(operation)
    story.expect(
        page.fields.get("Amount", "").startswith(f"{amount} ") and bool(page.match_code),
        "the link pairs the owner's browser, and the approval page shows the decoded transfer",
        seen=f"{page.intent} Match code: {page.match_code}",
    )
    stage.answered.append((page.form("/approve"), page.match_code))
    before = len(stage.chain.sent)
    await approve_quietly(stage, operation, amount=amount)
    story.expect(
        len(stage.chain.sent) == before and not link.exists(),
        "the owner types the match code and a one-time code; nothing is signed yet, and the link is gone",
        seen="approved: the next identical call within two minutes signs",
    )


async def approve_quietly(stage: Stage, operation: str, /, *, amount: str) -> None:
    """The same without words. Raises UnexpectedPage when the page shows anything else."""
    stage.next_code_time()
    await stage.person.approve(operation, expect_to=PAYEE.value, expect_amount=amount)
    stage.approved += 1
