"""Where a passphrase or a recovery phrase may come from: a person at the controlling terminal, or a file descriptor
that is named.

Standard input is never a source of its own accord: in a stdio MCP server it belongs to the host, and Python's
`getpass` falls back to it. Environment variables and arguments are no source at all: other processes see them.
"""

from __future__ import annotations

import os
import termios
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from mcp_wallet_guard.errors import InvalidInput, Unavailable
from mcp_wallet_guard.keys.passphrases import MAX_BYTES, passphrase_from_bytes
from mcp_wallet_guard.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator

_TERMINAL: Final = "/dev/tty"
_NEWLINE: Final = 0x0A
_MAX_LINE: Final = 1023
"""Bytes of a line, its end included, that every terminal delivers whole. Above, macOS (1024) and Linux (4096) cut."""


def read_terminal(prompt: str, /) -> Secret:
    """Ask on the controlling terminal, without echo. Blocks until a line is typed.

    Raises Unavailable("unavailable.terminal") when this process has no terminal or does not run in its foreground;
    InvalidInput("invalid_input.passphrase") for what cannot be a passphrase.
    """
    return _passphrase(_typed(prompt, "invalid_input.passphrase"))


def read_descriptor(fd: int, /) -> Secret:
    """Read descriptor `fd` to its end; one trailing newline is dropped. The caller opened it and closes it.

    Raises InvalidInput("invalid_input.passphrase") when it cannot be read or holds no acceptable passphrase.
    """
    return _passphrase(_given(fd, "invalid_input.passphrase"))


def read_phrase_from_terminal(prompt: str, /) -> Secret:
    """A recovery phrase, as `read_terminal` reads. What it says is not looked at here.

    Raises Unavailable("unavailable.terminal"), InvalidInput("invalid_input.mnemonic") for an empty or too long line.
    """
    return _phrase(_typed(prompt, "invalid_input.mnemonic"))


def read_phrase_from_descriptor(fd: int, /) -> Secret:
    """A recovery phrase, as `read_descriptor` reads. Raises InvalidInput("invalid_input.mnemonic")."""
    return _phrase(_given(fd, "invalid_input.mnemonic"))


def read_lines_from_terminal(prompts: tuple[str, ...], /) -> tuple[Secret, ...]:
    """A line for each prompt, as `read_terminal` reads. What they say is not looked at here.

    Raises Unavailable("unavailable.terminal"), InvalidInput for an empty line.
    """
    return tuple(_line(_typed(prompt, "invalid_input")) for prompt in prompts)


def read_lines_from_descriptor(fd: int, count: int, /) -> tuple[Secret, ...]:
    """`count` lines, as `read_descriptor` reads. Raises InvalidInput for another number, or an empty one."""
    given = _given(fd, "invalid_input")
    lines = given.removesuffix(b"\n").split(b"\n")
    given[:] = bytes(len(given))
    if len(lines) != count:
        for line in lines:
            line[:] = bytes(len(line))
        raise InvalidInput(detail=f"the descriptor does not hold exactly {count} lines")
    return tuple(_line(line) for line in lines)


def _typed(prompt: str, code: str) -> bytearray:
    try:
        fd = os.open(_TERMINAL, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        raise Unavailable("unavailable.terminal") from None
    try:
        with _silent(fd):
            os.write(fd, prompt.encode())
            typed = _read(fd, until_newline=True)
            os.write(fd, b"\n")
    except (OSError, termios.error):
        raise Unavailable("unavailable.terminal") from None
    finally:
        os.close(fd)
    if len(typed) > _MAX_LINE:
        typed[:] = bytes(len(typed))
        raise InvalidInput(code, detail="the terminal may have cut the line; use a descriptor")
    return typed


def _given(fd: int, code: str) -> bytearray:
    try:
        return _read(fd, until_newline=False)
    except (OSError, OverflowError):
        raise InvalidInput(code, detail="the descriptor cannot be read") from None


@contextmanager
def _silent(fd: int) -> Iterator[None]:
    if os.tcgetpgrp(fd) != os.getpgrp():  # a read in the background would stop the whole process
        raise OSError("not in the foreground")
    before = termios.tcgetattr(fd)
    silent = [*before]
    silent[3] = (before[3] & ~termios.ECHO) | termios.ICANON
    try:
        termios.tcsetattr(fd, termios.TCSAFLUSH, silent)
        yield
    finally:
        with suppress(termios.error):
            termios.tcsetattr(fd, termios.TCSAFLUSH, before)


def _read(fd: int, *, until_newline: bool) -> bytearray:
    """At most one byte more than a passphrase may have, so that a longer one is noticed. The buffer never grows:
    growing would leave a copy behind."""
    buffer = bytearray(MAX_BYTES + 2)
    filled = 0
    while filled < len(buffer):
        with memoryview(buffer) as whole, whole[filled:] as rest:
            count = os.readv(fd, [rest])
        filled += count
        if count == 0 or (until_newline and buffer[filled - 1] == _NEWLINE):
            break
    typed = buffer[:filled]
    buffer[:] = bytes(len(buffer))
    return typed


def _line(typed: bytearray) -> Secret:
    if typed.endswith(b"\n"):
        del typed[-1:]
    if not typed.strip():
        raise InvalidInput(detail="an empty line")
    return Secret(typed)


def _phrase(typed: bytearray) -> Secret:
    if not typed.strip() or len(typed) > MAX_BYTES:
        typed[:] = bytes(len(typed))
        raise InvalidInput("invalid_input.mnemonic")
    return Secret(typed)


def _passphrase(typed: bytearray) -> Secret:
    if typed.endswith(b"\n"):
        del typed[-1:]
    if len(typed) > MAX_BYTES:
        typed[:] = bytes(len(typed))
        raise InvalidInput("invalid_input.passphrase")
    return passphrase_from_bytes(typed)
