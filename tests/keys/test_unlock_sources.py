"""A passphrase comes from the person's terminal or a named descriptor, never from the host's standard input."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from mcp_wallet_guard.errors import GuardError, InvalidInput
from mcp_wallet_guard.keys.unlock_sources import read_descriptor, read_terminal

PASSPHRASE = b"correct horse battery staple"
ROOT = Path(__file__).parents[2]
ASK = """
import sys
from mcp_wallet_guard.errors import GuardError
from mcp_wallet_guard.keys.unlock_sources import read_terminal
try:
    read_terminal("Passphrase: ")
    print("read")
except GuardError as error:
    print(error.code)
print(sys.stdin.readline(), end="")
"""


def at_a_terminal(typed: bytes) -> tuple[bytes, bytes, bool]:
    """What `read_terminal` answered, what the screen showed, whether echo was on again afterwards."""
    result, report = os.pipe()
    child, screen = pty.fork()
    if child == 0:
        try:
            answer = b""
            with read_terminal("Passphrase: ").reveal() as view:
                answer = bytes(view)
        except GuardError as error:
            answer = error.code.encode()
        finally:
            echo = termios.tcgetattr(0)[3] & termios.ECHO
            os.write(report, (b"on" if echo else b"off") + b"|" + answer)
            os._exit(0)
    os.close(report)
    shown = b""
    while b"Passphrase: " not in shown:
        shown += os.read(screen, 1000)
    os.write(screen, typed)
    answered = b""
    while part := os.read(result, 10_000):
        answered += part
    os.close(result)
    try:
        while part := os.read(screen, 1000):
            shown += part
    except OSError:
        pass  # Linux says so when the last process left the terminal
    os.close(screen)
    os.waitpid(child, 0)
    echo, _, answer = answered.partition(b"|")
    return answer, shown, echo == b"on"


def test_a_person_types_at_the_terminal_and_nothing_is_echoed() -> None:
    answer, shown, echo_again = at_a_terminal(PASSPHRASE + b"\n")
    assert answer == PASSPHRASE
    assert PASSPHRASE not in shown
    assert echo_again


def test_accents_arrive_in_their_normal_form() -> None:
    answer, _, _ = at_a_terminal("A\N{COMBINING RING ABOVE}ngstr\u00f6m 123456\n".encode())
    assert answer == "\u00c5ngstr\u00f6m 123456".encode()


def test_a_passphrase_that_cannot_be_one_is_refused_and_the_terminal_restored() -> None:
    answer, _, echo_again = at_a_terminal(b"short\n")
    assert (answer, echo_again) == (b"invalid_input.passphrase", True)


def test_a_line_that_a_terminal_may_have_cut_is_refused() -> None:
    assert at_a_terminal(b"x" * 1022 + b"\n")[0] == b"x" * 1022
    assert at_a_terminal("\U0001f600".encode() * 300 + b"\n")[0] == b"invalid_input.passphrase"


def test_end_of_file_at_the_terminal_is_no_passphrase() -> None:
    assert at_a_terminal(b"\x04")[0] == b"invalid_input.passphrase"


def test_without_a_terminal_standard_input_is_left_to_its_owner() -> None:
    """A stdio server's standard input holds the host's messages: `getpass` would take one for the passphrase."""
    line = '{"jsonrpc":"2.0","id":1,"method":"tools/call"}\n'
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        input=line, capture_output=True, text=True, start_new_session=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    assert done.stdout == "unavailable.terminal\n" + line


def through_a_pipe(content: bytes) -> bytes:
    reader, writer = os.pipe()
    os.write(writer, content)
    os.close(writer)
    try:
        with read_descriptor(reader).reveal() as view:
            return bytes(view)
    finally:
        os.close(reader)


@pytest.mark.parametrize(
    ("content", "means"),
    [
        (PASSPHRASE, PASSPHRASE),
        (PASSPHRASE + b"\n", PASSPHRASE),
        (b"x" * 1024 + b"\n", b"x" * 1024),
        ("\U0001f600".encode() * 1024 + b"\n", "\U0001f600".encode() * 1024),
    ],
)
def test_a_descriptor_is_read_to_its_end_less_one_newline(content: bytes, means: bytes) -> None:
    assert through_a_pipe(content) == means


@pytest.mark.parametrize("content", [b"", b"\n", b"short\n", PASSPHRASE + b"\n\n", PASSPHRASE + b"\r\n", b"x" * 20_000])
def test_a_descriptor_that_holds_something_else_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidInput) as caught:
        through_a_pipe(content)
    assert caught.value.code == "invalid_input.passphrase"


@pytest.mark.parametrize("fd", [-1, 987_654, 2**40])
def test_a_descriptor_that_is_not_open_is_refused(fd: int) -> None:
    with pytest.raises(InvalidInput):
        read_descriptor(fd)
