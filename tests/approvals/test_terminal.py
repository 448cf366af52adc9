"""The approver on the terminal: a real one, and the ways around it that are closed."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mcp_wallet_guard.approvals.terminal import Outcome, Terminal, ask_on_terminal, controlling_terminal
from mcp_wallet_guard.errors import AlreadyUsed, Expired, InvalidInput, LockedOut, Unavailable
from mcp_wallet_guard.evidence import Channel
from mcp_wallet_guard.testing.clock import ScriptedClock
from mcp_wallet_guard.testing.person import Authenticator
from tests.approvals.desk import TOTP_SECRET, MemoryDesk, a_view


@pytest.fixture
def phone(clock: ScriptedClock) -> Authenticator:
    return Authenticator(TOTP_SECRET, clock)


async def talk(desk: MemoryDesk, *typed: str, operation: str = "op-1") -> tuple[Outcome, str]:
    writer = io.StringIO()
    terminal = Terminal(io.StringIO("".join(f"{line}\n" for line in typed)), writer)
    return await ask_on_terminal(desk, operation, terminal=terminal, clock=desk.clock), writer.getvalue()


async def code_for(desk: MemoryDesk, operation: str = "op-1") -> str:
    return (await desk.request(operation)).match_code


async def test_match_code_and_code_approve(desk: MemoryDesk, phone: Authenticator) -> None:
    outcome, shown = await talk(desk, await code_for(desk), phone.code())
    assert outcome is Outcome.APPROVED
    assert desk.cases["op-1"].approved is Channel.TERMINAL
    assert "the next identical call within 2 minutes signs it, once" in shown


async def test_the_whole_view_is_printed_before_the_match_code(desk: MemoryDesk) -> None:
    request = await desk.request("op-1")
    _, shown = await talk(desk)
    assert shown.index(request.text) < shown.index(request.match_code)
    assert shown.count(request.match_code) == 1


async def test_a_waiting_call_is_said_to_sign_at_once(desk: MemoryDesk, phone: Authenticator) -> None:
    desk.waiting.add("op-1")
    _, shown = await talk(desk, await code_for(desk), phone.code())
    assert "It is being signed now" in shown


async def test_decline_declines(desk: MemoryDesk) -> None:
    outcome, _ = await talk(desk, "DECLINE")
    assert outcome is Outcome.DECLINED
    with pytest.raises(Exception, match="declined"):
        await desk.request("op-1")


@pytest.mark.parametrize("typed", [(), ("",), ("yes", "123456"), ("y", "y", "y", "y"), ("A" * 5000, "123456")], ids=str)
async def test_nothing_else_decides(desk: MemoryDesk, typed: tuple[str, ...]) -> None:
    outcome, shown = await talk(desk, *typed)
    assert outcome is Outcome.LEFT
    assert desk.cases["op-1"].closed is None
    assert shown.endswith("Nothing was decided.\n")


async def test_an_empty_code_is_not_sent(desk: MemoryDesk) -> None:
    outcome, _ = await talk(desk, await code_for(desk), "")
    assert outcome is Outcome.LEFT
    assert "approve" not in desk.calls


async def test_a_slip_may_be_corrected(desk: MemoryDesk, phone: Authenticator) -> None:
    right = await code_for(desk)
    outcome, shown = await talk(desk, "AAA-AAA", "123456", right, "12345", right, phone.code())
    assert outcome is Outcome.APPROVED
    assert "The match code was not accepted." in shown
    assert "A code is six ASCII digits." in shown


async def test_three_tries_are_all(desk: MemoryDesk, phone: Authenticator) -> None:
    outcome, _ = await talk(desk, *["AAA-AAA", "123456"] * 3, await code_for(desk), phone.code())
    assert outcome is Outcome.LEFT


async def test_a_view_that_changed_between_tries_is_shown_again(desk: MemoryDesk) -> None:
    class Changing(io.StringIO):
        def write(self, text: str, /) -> int:
            if text == "The code was not accepted.\n":
                desk.refreeze("op-1", a_view(amount="99 ETH"))
            return super().write(text)

    writer = Changing()
    old = await code_for(desk)
    terminal = Terminal(io.StringIO(f"{old}\n000000\n{old}\n000000\n"), writer)
    assert await ask_on_terminal(desk, "op-1", terminal=terminal, clock=desk.clock) is Outcome.LEFT
    assert "99 ETH" in writer.getvalue()
    assert "changed after you read it" in writer.getvalue()
    assert desk.cases["op-1"].closed is None
    assert desk.factor.failures == 1  # the old match code stood before the second guess


async def test_lock_out_expiry_and_unknown_ids_come_out_as_they_are(desk: MemoryDesk, clock: ScriptedClock) -> None:
    right = await code_for(desk)
    assert (await talk(desk, *[right, "000000"] * 3))[0] is Outcome.LEFT
    with pytest.raises(LockedOut):
        await talk(desk, *[right, "000000"] * 3)
    with pytest.raises(InvalidInput):
        await talk(desk, operation="nothing")
    clock.advance(600)
    with pytest.raises(Expired):
        await talk(desk)


async def test_an_approved_request_cannot_be_asked_again(desk: MemoryDesk, phone: Authenticator) -> None:
    await talk(desk, await code_for(desk), phone.code())
    with pytest.raises(AlreadyUsed):
        await talk(desk)


def test_control_bytes_never_reach_the_terminal() -> None:
    """Threat: T-021, T-089."""
    writer = io.StringIO()
    Terminal(io.StringIO(), writer).say("a\x1b[2Jb\u202ec\rd\x9b31m\te\nf")
    assert writer.getvalue() == r"a\u{1b}[2Jb\u{202e}c\u{d}d\u{9b}31m\u{9}e\u{a}f" + "\n"


@pytest.mark.parametrize("path", ["/dev/null", "/nonexistent/tty"])
def test_what_is_no_terminal_is_refused(path: str) -> None:
    """Threat: T-004."""
    with pytest.raises(Unavailable) as refused, controlling_terminal(path):
        pass
    assert refused.value.code == "unavailable.terminal"


def test_a_pipe_on_standard_input_is_no_person() -> None:
    """Threat: T-004."""
    # A host starts the command in a session without a terminal and pipes the answers in.
    script = (
        "from mcp_wallet_guard.approvals.terminal import controlling_terminal\n"
        "from mcp_wallet_guard.errors import Unavailable\n"
        "try:\n"
        "    with controlling_terminal(): print('opened')\n"
        "except Unavailable as error: print(error.code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=b"ABC-DEF\n123456\n",
        capture_output=True,
        start_new_session=True,
        timeout=30,
        check=True,
    )
    assert done.stdout == b"unavailable.terminal\n"


async def test_a_person_at_a_real_terminal_approves(desk: MemoryDesk, phone: Authenticator) -> None:
    right, code = await code_for(desk), phone.code()
    master, slave = pty.openpty()
    path, shown = os.ttyname(slave), bytearray()

    def person() -> None:
        answers = [(b"decline): ", f" {right.lower()} \n"), (b"app: ", f"{code[:3]} {code[3:]}\n")]
        deadline = time.monotonic() + 10
        while answers and time.monotonic() < deadline:
            shown.extend(os.read(master, 4096))
            if shown.endswith(answers[0][0]):
                os.write(master, answers.pop(0)[1].encode())
        while b"lapses." not in shown and time.monotonic() < deadline:
            shown.extend(os.read(master, 4096))

    thread = threading.Thread(target=person)
    thread.start()
    try:
        with controlling_terminal(path) as terminal:
            outcome = await ask_on_terminal(desk, "op-1", terminal=terminal, clock=desk.clock)
    finally:
        thread.join(15)
        os.close(master)
        os.close(slave)
    assert outcome is Outcome.APPROVED
    assert right.encode() in shown


def test_opening_the_terminal_leaves_no_descriptor_behind() -> None:
    master, slave = pty.openpty()
    try:
        before = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0
        for _ in range(5):
            with controlling_terminal(os.ttyname(slave)):
                pass
        after = len(list(Path("/proc/self/fd").iterdir())) if before else 0
    finally:
        os.close(master)
        os.close(slave)
    assert after == before
