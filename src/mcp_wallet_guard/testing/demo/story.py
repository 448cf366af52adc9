"""The demonstration: an agent pays, its owner approves, and attackers fail, each for a reason that is shown.

    steps = await tell(say=print)

Each step states what must be true and looks whether it is; the first that is not ends the story.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qs, urlsplit

import anyio

from mcp_wallet_guard.exchange import Done, Pending
from mcp_wallet_guard.testing.clock import SharedClock
from mcp_wallet_guard.testing.demo import attacks
from mcp_wallet_guard.testing.demo.attacks import private_key
from mcp_wallet_guard.testing.demo.owner import approve, approve_quietly
from mcp_wallet_guard.testing.demo.stage import FUNDS, PASSPHRASE, PAYEE, TOKEN, Agent, Stage, set_stage
from mcp_wallet_guard.testing.demo.telling import ETHER, Answer, Step, Story, Unexpected, code, ether, words

LIMIT_SECONDS: Final = 600.0
"""It takes some twenty seconds. The limit is for what hangs, also on a machine that is busy with something else."""
WRONG: Final = "not the passphrase"


async def tell(*, say: Callable[[str], None], interactive: bool = False) -> list[Step]:
    """Play everything. `say` gets one line of text at a time. With `interactive` a person approves the payment."""
    story = Story(say=say)
    with anyio.fail_after(None if interactive else LIMIT_SECONDS):
        async with set_stage() as stage:
            try:
                await _play(story, stage, interactive=interactive)
            except Unexpected:
                stage.log.flush()
                say("")
                say("What the processes logged:")
                for line in (stage.config.parent.parent / "log.txt").read_text(encoding="utf-8").splitlines()[-20:]:
                    say(f"  {line}")
    return story.steps


async def _play(story: Story, stage: Stage, *, interactive: bool) -> None:
    story.chapter("A wallet with 1 ETH, a locked guard in its own process, and an agent with a wallet server.")
    async with stage.agent() as agent:
        await _locked(story, stage, agent)
        done = await _paid(story, stage, agent, interactive=interactive)
        await _paid_in_tokens(story, stage, agent)
        story.chapter("Attacks, each of which must fail.")
        await attacks.smuggled_flag(story, stage, agent)
        await attacks.eager_host(story, stage)
        await attacks.replay(story, stage, agent, done)
        await attacks.changed_recipient(story, stage, agent)
        await attacks.over_the_limit(story, stage, agent)
        await attacks.imitated_payee(story, stage, agent)
        await attacks.leaking_tools(story, stage, agent)
        await attacks.code_used_twice(story, stage, agent)
        await attacks.edited_row(story, stage, agent)
    story.chapter("The books.")
    await attacks.edited_journal(story, stage)
    await _books(story, stage)


async def _locked(story: Story, stage: Stage, agent: Agent) -> None:
    said = await agent.balance()
    story.expect(said == "1 ETH", "the agent reads the balance", seen=f"balance: {said}")
    answer = await agent.pay(PAYEE, "0.1")
    story.expect(
        code(answer) == "locked", "the agent asks to pay 0.1 ETH, and the wallet is locked", seen=words(answer)
    )
    wrong = await stage.command("unlock", passphrase=WRONG)
    story.expect(wrong.status == 7, "a wrong passphrase unlocks nothing", seen=wrong.err.strip())
    ran = await stage.command("unlock", passphrase=PASSPHRASE)
    story.expect(
        ran.status == 0 and '"locked": false' in ran.out,
        "its owner unlocks it: mcp-wallet-guard unlock",
        seen="the wallet is unlocked" if ran.status == 0 else ran.err.strip(),
    )


async def _paid(story: Story, stage: Stage, agent: Agent, *, interactive: bool) -> Done:
    answer = await agent.pay(PAYEE, "0.1")
    if not isinstance(answer, Pending):
        story.fail("the same call now waits for the owner", seen=words(answer))
    story.expect(not stage.chain.sent, "the same call now waits for the owner", seen=words(answer))
    if interactive:
        done = await _wait_for_person(story, stage, agent)
    else:
        await approve(story, stage, answer.operation, amount="0.1")
        done = await agent.pay(PAYEE, "0.1")
    story.expect(
        isinstance(done, Done) and done.outcome == "mined" and not done.repeated,
        "the next identical call signs, verifies, stores, broadcasts, and returns the receipt",
        seen=words(done),
    )
    if not isinstance(done, Done) or done.receipt is None:
        story.fail("there is a receipt", seen=words(done))
    received, left = stage.chain.balance(PAYEE), stage.chain.balance(stage.wallet)
    story.expect(
        received == ETHER // 10 and FUNDS - ETHER // 10 - ETHER // 1000 < left < FUNDS - ETHER // 10,
        "the chain itself says so",
        seen=f"payee {ether(received)}, wallet {ether(left)}, transaction {done.receipt.transaction_hash}",
    )
    return done


async def _paid_in_tokens(story: Story, stage: Stage, agent: Agent) -> None:
    answer = await agent.pay_token(PAYEE, "25")
    if not isinstance(answer, Pending):
        story.fail("a payment of 25 USDC waits for the owner", seen=words(answer))
    page = await stage.person.read(answer.operation)
    story.expect(
        page.fields.get("Amount") == "25 USDC" and page.fields.get("Token", "").endswith('"USDC"'),
        "a payment of 25 USDC waits for the owner, decoded with the decimals that guard.toml pins",
        seen=page.intent,
    )
    await approve_quietly(stage, answer.operation, amount="25")
    done = await agent.pay_token(PAYEE, "25")
    received, left = stage.tokens_of(PAYEE), stage.tokens_of(stage.wallet)
    moved = (received, left) == (25_000_000, TOKEN.units - 25_000_000)
    story.expect(
        isinstance(done, Done) and done.outcome == "mined" and moved,
        "the token's contract itself says that it was paid",
        seen=f"payee {received / 10**6:g} USDC, wallet {left / 10**6:g} USDC",
    )


async def _wait_for_person(story: Story, stage: Stage, agent: Agent) -> Answer:
    story.say("")
    story.say("  Now it is your turn. The demonstration's authenticator secret, for an app or an oathtool:")
    story.say(f"    {stage.new.factor_uri}")
    story.say(f"  Open the link in    {stage.files.links}/")
    story.say(f"  or run              mcp-wallet-guard approve --config {stage.config}")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_follow, stage.clock)
        answer = await agent.pay(PAYEE, "0.1")
        while isinstance(answer, Pending):
            await anyio.sleep(1)
            answer = await agent.pay(PAYEE, "0.1")
        tasks.cancel_scope.cancel()
    stage.approved += isinstance(answer, Done)
    return answer


async def _follow(clock: SharedClock) -> None:
    """While a person types codes of a real authenticator, the scripted time is the computer's."""
    while True:
        clock.set(max(clock.now(), int(time.time())))
        await anyio.sleep(0.1)


async def _books(story: Story, stage: Stage) -> None:
    ran = await stage.command("log", "verify")
    story.expect(
        ran.status == 0 and '"keyed": true' in ran.out,
        "the journal verifies, under the vault's key: mcp-wallet-guard log verify",
        seen=ran.out.strip() or ran.err.strip(),
    )
    signed = len(stage.chain.sent)
    story.expect(
        signed == stage.approved and sum(stage.chain.sent.values()) == signed,
        "as many transactions were ever sent as the owner approved",
        seen=f"{signed} transactions, {stage.approved} approvals",
    )
    shared = parse_qs(urlsplit(stage.new.factor_uri).query)["secret"][0]
    secrets = [PASSPHRASE, " ".join(stage.new.words), stage.new.factor_secret.hex(), shared]
    secrets += [match_code for _, match_code in stage.answered]
    secrets.append(private_key(stage).removeprefix("0x"))
    story.expect(
        bool(stage.heard) and not any(secret in text for secret in secrets for text in stage.heard),
        "nothing that the agent ever received holds a passphrase, a key, a recovery phrase, a factor or a match code",
        seen=f"{len(stage.heard)} results searched",
    )
