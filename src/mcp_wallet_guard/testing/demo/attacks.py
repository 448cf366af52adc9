"""The attacks of the demonstration. Each really happens, must fail, and shows why; its honest twin goes on working."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, Final

import anyio
from eth_account import Account
from mcp.client.context import ClientRequestContext
from mcp_types import ElicitRequestParams, ElicitResult

from mcp_wallet_guard.evidence import EVIDENCE, Channel, Evidence, Level
from mcp_wallet_guard.exchange import Done, Pending
from mcp_wallet_guard.testing.demo.owner import approve_quietly
from mcp_wallet_guard.testing.demo.stage import IMITATION, PAYEE, THIEF, Agent, Stage
from mcp_wallet_guard.testing.demo.telling import Story, code, words

_SQL: Final = """
import apsw, json, sys
database = apsw.Connection(sys.argv[1])
database.set_busy_timeout(10_000)
rows = [database.execute(sql, values).fetchall() for sql, values in json.loads(sys.stdin.read())]
database.close()
print(json.dumps(rows))
"""
"""Another program of the same user, with the database in its hands."""


async def smuggled_flag(story: Story, stage: Stage, agent: Agent, /) -> None:
    """The model adds an argument that the tool does not have (T-002)."""
    before = len(stage.chain.sent)
    answer = await agent.pay(PAYEE, "0.2", confirmed=True)
    story.expect(
        code(answer) == "invalid_input.unknown_argument" and len(stage.chain.sent) == before,
        "the model smuggles in confirmed=true",
        seen=words(answer),
    )


async def eager_host(story: Story, stage: Stage, /) -> None:
    """A host says yes to every question for its user (T-004). The open request is then declined by the owner."""
    asked: list[str] = []

    async def accept(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:  # noqa: ARG001
        asked.append(params.model_dump_json())
        return ElicitResult(action="accept")

    before = len(stage.chain.sent)
    async with stage.agent(elicitation=accept) as eager:
        answer = await eager.pay(PAYEE, "0.2")
    stage.heard.extend(asked)
    if not isinstance(answer, Pending):
        story.fail("a host accepts every question for its user", seen=words(answer))
    story.expect(
        len(asked) > 0 and not answer.approved and len(stage.chain.sent) == before,
        "a host accepts every question for its user",
        seen=f"accepted {len(asked)} times; {words(answer)}",
    )
    await stage.person.decline(answer.operation)
    async with stage.agent(elicitation=accept) as eager:
        answer = await eager.pay(PAYEE, "0.2")
    story.expect(
        code(answer) == "declined" and len(stage.chain.sent) == before,
        "the owner declines it, and the host's yes changes nothing",
        seen=words(answer),
    )


async def replay(story: Story, stage: Stage, agent: Agent, done: Done, /) -> None:
    """One approval, spent, is used again: by the agent, and by someone with the owner's browser (T-009)."""
    before, held = dict(stage.chain.sent), stage.chain.balance(PAYEE)
    again = await agent.pay(PAYEE, "0.1")
    story.expect(
        isinstance(again, Done)
        and again.repeated
        and again.receipt == done.receipt
        and dict(stage.chain.sent) == before
        and stage.chain.balance(PAYEE) == held,
        "the agent makes the paid call again: the same receipt, and nothing is paid twice",
        seen=words(again),
    )
    stage.next_code_time()
    fresh = stage.person.authenticator.display()
    answers = [await stage.look(done.operation)]
    for form, match_code in stage.answered:
        answers.append(await stage.person.submit(form, match_code=match_code, code=fresh))
    story.expect(
        all(not page.match_code and not page.continuation and page.alert for page in answers)
        and dict(stage.chain.sent) == before,
        "the spent approval's form is sent again, with the right match code and a fresh one-time code",
        seen=answers[-1].alert,
    )


async def changed_recipient(story: Story, stage: Stage, agent: Agent, /) -> None:
    """The owner approved one payee; the call comes with another (T-006)."""
    honest = await agent.pay(PAYEE, "0.05")
    if not isinstance(honest, Pending):
        story.fail("another payment waits", seen=words(honest))
    await approve_quietly(stage, honest.operation, amount="0.05")
    before = len(stage.chain.sent)
    answer = await agent.pay(THIEF, "0.05")
    story.expect(
        isinstance(answer, Pending)
        and not answer.approved
        and answer.operation != honest.operation
        and len(stage.chain.sent) == before
        and stage.chain.balance(THIEF) == 0,
        "the recipient is changed after the owner approved",
        seen=f"another operation, without an approval; {words(answer)}",
    )
    done = await agent.pay(PAYEE, "0.05")
    story.expect(
        isinstance(done, Done) and not done.repeated and stage.chain.balance(THIEF) == 0,
        "what the owner did approve is paid",
        seen=words(done),
    )


async def over_the_limit(story: Story, stage: Stage, agent: Agent, /) -> None:
    """More than the owner's policy lets anybody ask, in either currency; nobody is asked (T-007)."""
    before = len(stage.chain.sent)
    ether, tokens = await agent.pay(PAYEE, "0.500000000000000001"), await agent.pay_token(PAYEE, "100.000001")
    story.expect(
        code(ether) == code(tokens) == "policy.cap" and len(stage.chain.sent) == before,
        "one wei more than 0.5 ETH, and a millionth more than 100 USDC, are asked for",
        seen=words(tokens),
    )


async def imitated_payee(story: Story, stage: Stage, agent: Agent, /) -> None:
    """An address that was ground to look like a known one (T-025)."""
    ether, tokens = await agent.pay(IMITATION, "0.1"), await agent.pay_token(IMITATION, "25")
    story.expect(
        code(ether) == code(tokens) == "policy.imitation" and stage.tokens_of(IMITATION) == 0,
        f"the payee is {IMITATION.value[:6]}...{IMITATION.value[-4:]}, as Alice's is, and another",
        seen=words(ether),
    )


async def leaking_tools(story: Story, stage: Stage, agent: Agent, /) -> None:
    """Somebody left the key in a note, and a tool reads notes (T-057, T-060, T-061)."""
    key = stage.config.with_name("key.txt")
    key.write_text(f"the wallet's key is {private_key(stage)}", encoding="utf-8")
    phrase = stage.config.with_name("phrase.txt")
    phrase.write_text(" ".join(stage.new.words), encoding="utf-8")
    stage.config.with_name("shopping.txt").write_text("12", encoding="utf-8")
    told = [await agent.read("read_note", "key"), await agent.read("read_note", "phrase")]
    story.expect(
        all(private_key(stage)[2:] not in text and stage.new.words[3] not in text for text in told),
        "a tool returns the wallet's key, then its recovery phrase",
        seen=told[0],
    )
    broken = await agent.read("count_note", "key")
    story.expect(
        private_key(stage)[2:] not in broken and "fail" in broken,
        "a tool stumbles over the key, and Python's error text holds it",
        seen=broken,
    )
    honest = [await agent.read("read_note", "shopping"), await agent.read("count_note", "shopping")]
    story.expect(honest == ["12", "12"], "the same tools about another note", seen=", ".join(honest))
    key.unlink()
    phrase.unlink()


def private_key(stage: Stage) -> str:
    """The key of the wallet's account, as another wallet would make it from the recovery phrase."""
    Account.enable_unaudited_hdwallet_features()
    return str(Account.from_mnemonic(" ".join(stage.new.words)).key.to_0x_hex())


async def code_used_twice(story: Story, stage: Stage, agent: Agent, /) -> None:
    """A code that approved one payment is typed for the next (T-079)."""
    waiting = await agent.pay(PAYEE, "0.02", reference="second")
    if not isinstance(waiting, Pending):
        story.fail("another payment waits", seen=words(waiting))
    page = await stage.person.read(waiting.operation)
    used = stage.person.authenticator.display()
    refused = await stage.person.submit(page.form("/approve"), match_code=page.match_code, code=used)
    answer = await agent.pay(PAYEE, "0.02", reference="second")
    story.expect(
        bool(refused.alert) and isinstance(answer, Pending) and not answer.approved,
        "a one-time code that was used is typed again, with the right match code",
        seen=refused.alert,
    )


async def edited_row(story: Story, stage: Stage, agent: Agent, /) -> None:
    """Somebody writes an approval into the database, as the guard itself would write it (T-070)."""
    waiting = await agent.pay(PAYEE, "0.02", reference="second")
    if not isinstance(waiting, Pending):
        story.fail("another payment waits", seen=words(waiting))
    operation = waiting.operation
    found = await _intrude(
        stage,
        ("SELECT hex(digest), hex(view_hash), evidence FROM approvals WHERE operation = ?", [operation]),
        ("SELECT state, approved_at, changed_at FROM operations WHERE id = ?", [operation]),
    )
    digest, view_hash, evidence = found[0][0]
    state, approved_at, changed_at = found[1][0]
    now = stage.clock.now()
    forged = Evidence(
        channel=Channel.PAGE, approver="owner", operation_digest=digest.lower(), view_hash=view_hash.lower(),
        level=int(Level.FACTOR), at=now, factor_id="0" * 32, factor_step=now // 30,
    )  # fmt: skip
    write_evidence = "UPDATE approvals SET evidence = ? WHERE operation = ?"
    write_state = "UPDATE operations SET state = ?, approved_at = ?, changed_at = ? WHERE id = ?"
    await _intrude(
        stage,
        (write_evidence, [EVIDENCE.dump_json((forged,)).decode(), operation]),
        (write_state, ["approved", now, now, operation]),
    )
    before = len(stage.chain.sent)
    answer = await agent.pay(PAYEE, "0.02", reference="second")
    story.expect(
        code(answer) == "tampered.row" and len(stage.chain.sent) == before,
        "an approval is written into the database",
        seen=words(answer),
    )
    await _intrude(
        stage, (write_evidence, [evidence, operation]), (write_state, [state, approved_at, changed_at, operation])
    )
    await approve_quietly(stage, operation, amount="0.02")
    done = await agent.pay(PAYEE, "0.02", reference="second")
    story.expect(
        isinstance(done, Done) and not done.repeated and len(stage.chain.sent) == before + 1,
        "the row is put back as it was, the owner approves, and it is paid",
        seen=words(done),
    )


async def edited_journal(story: Story, stage: Stage, /) -> None:
    """Somebody makes the journal say something else (T-088)."""
    read = "SELECT CAST(body AS TEXT) FROM journal WHERE entry = ?"
    write = "UPDATE journal SET body = CAST(? AS BLOB) WHERE entry = ?"
    body = (await _intrude(stage, (read, [5])))[0][0][0]
    await _intrude(stage, (write, [body.replace('"at":1', '"at":2', 1), 5]))
    ran = await stage.command("log", "verify")
    story.expect(
        ran.status == 4 and "tampered.journal" in ran.out,
        "an entry of the journal is changed, and the journal is verified",
        seen=" ".join(ran.err.split()),
    )
    await _intrude(stage, (write, [body, 5]))


async def _intrude(stage: Stage, *statements: tuple[str, list[Any]]) -> Any:
    done = await anyio.run_process(
        [sys.executable, "-c", _SQL, str(stage.files.database)],
        input=json.dumps(statements).encode(),
        stderr=subprocess.PIPE,
    )
    return json.loads(done.stdout)
