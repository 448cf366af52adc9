"""Running the command line: in this process, in one without a terminal, and on a terminal of its own."""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import io
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyotp
from anyio.from_thread import start_blocking_portal

from mcp_wallet_guard.cli.main import main
from mcp_wallet_guard.config.file import load_settings
from mcp_wallet_guard.embedded import EmbeddedGuard
from mcp_wallet_guard.evidence import Clock
from mcp_wallet_guard.testing.clock import SharedClock
from mcp_wallet_guard.testing.wallet import PASSPHRASE, MadeWallet

ROOT: Final = Path(__file__).resolve().parents[2]
TIMEOUT: Final = 120.0
IN_SCRIPTED_TIME: Final = """\
import sys
from pathlib import Path
from mcp_wallet_guard.cli.main import main
from mcp_wallet_guard.testing.clock import SharedClock
sys.exit(main(sys.argv[2:], clock=SharedClock(Path(sys.argv[1]))))
"""


@dataclass(frozen=True, kw_only=True)
class Ran:
    """How a command ended, and everything that it wrote, by place."""

    status: int
    out: str
    err: str
    secrets: str = ""
    screen: str = ""

    @property
    def json(self) -> dict[str, Any]:
        """Standard output, which is one JSON object and nothing else."""
        parsed: dict[str, Any] = json.loads(self.out)
        assert self.out.count("\n") == 1
        return parsed

    @property
    def code(self) -> str:
        """The code of the error that was reported."""
        return str(self.json["error"]["code"])


def run(
    *words: str,
    clock: Clock | None = None,
    passphrase: str | None = None,
    code: str | None = None,
    phrase: str | None = None,
    key: str | None = None,
    with_secrets: bool = False,
) -> Ran:
    """The command in this process, with descriptors for what a person would type."""
    argv = list(words)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.ExitStack() as stack:
        if passphrase is not None:
            argv += ["--passphrase-fd", str(stack.enter_context(readable(passphrase)))]
        if code is not None:
            argv += ["--code-fd", str(stack.enter_context(readable(code)))]
        if phrase is not None:
            argv += ["--words-fd", str(stack.enter_context(readable(phrase)))]
        if key is not None:
            argv += ["--key-fd", str(stack.enter_context(readable(key)))]
        secrets = stack.enter_context(tempfile.TemporaryFile("w+"))
        if with_secrets:
            argv += ["--secrets-fd", str(secrets.fileno())]
        with redirect_stdout(out), redirect_stderr(err):
            status = main(argv, clock=clock)
        secrets.seek(0)
        return Ran(status=status, out=out.getvalue(), err=err.getvalue(), secrets=secrets.read())


def run_without_terminal(
    *words: str, limits: Callable[[], None] | None = None, stdin: str = "", keep: Sequence[int] = ()
) -> Ran:
    """The command in a session of its own, which has no controlling terminal; `stdin` is what a host may pipe in."""
    done = subprocess.run(
        line(*words),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT,
        start_new_session=True,
        preexec_fn=limits,
        pass_fds=keep,
    )
    return Ran(status=done.returncode, out=done.stdout, err=done.stderr)


def run_on_terminal(
    *words: str,
    answers: Sequence[tuple[str, str | Callable[[str], str]]],
    clock: SharedClock | None = None,
    columns: int = 0,
) -> Ran:
    """The command on a terminal of its own. Each answer is typed when its prompt is on the screen; a callable gets the
    screen. Standard output and error are pipes, as when a program started the command."""
    keyboard, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))

    def take_terminal() -> None:
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        line(*words) if clock is None else [sys.executable, "-c", IN_SCRIPTED_TIME, str(clock.path), *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=take_terminal,  # noqa: PLW1509  one call of the system, no lock
        pass_fds=[terminal],
    )
    os.close(terminal)
    try:
        screen = _converse(keyboard, list(answers))
        out, err = process.communicate(timeout=TIMEOUT)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
        os.close(keyboard)
    return Ran(status=process.returncode, out=out, err=err, screen=screen)


def line(*words: str) -> list[str]:
    """The command's words, as a process."""
    return [sys.executable, "-m", "mcp_wallet_guard.cli.main", *words]


def code_on(screen: str, *, at: int) -> str:
    """What the owner's app shows at `at` (unix seconds), once it has the secret that stands on the screen."""
    secret = re.findall(r"secret=([A-Z2-7]+)", screen)[-1]
    return str(pyotp.TOTP(secret).at(at))


@contextmanager
def readable(text: str) -> Iterator[int]:
    """A descriptor that gives `text`."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "w", encoding="utf-8") as file:
        file.write(text)
    try:
        yield reader
    finally:
        os.close(reader)


@contextmanager
def daemon(made: MadeWallet) -> Iterator[None]:
    """A guard on its sockets, in a thread of this process, in the wallet's scripted time."""
    loaded = load_settings(made.loaded.path)
    with start_blocking_portal() as portal:
        guard = portal.call(lambda: EmbeddedGuard.start(loaded, clock=made.clock, running_as="daemon"))
        try:
            yield
        finally:
            portal.call(guard.aclose)


@contextmanager
def serving(words: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A process that said that it listens; it ends with the block."""
    process = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        ready = process.stdout.readline()
        assert ready, process.communicate()[1]
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=TIMEOUT)


def unlock(config: Path) -> Ran:
    """The owner unlocks the running guard."""
    done = run("unlock", "--config", str(config), "--json", passphrase=PASSPHRASE)
    assert done.status == 0, done
    return done


def _converse(keyboard: int, answers: list[tuple[str, str | Callable[[str], str]]]) -> str:
    """Type each answer once its prompt is there; the screen, until the program lets go of the terminal."""
    screen, seen, until = "", 0, time.monotonic() + TIMEOUT
    text = codecs.getincrementaldecoder("utf-8")()
    while time.monotonic() < until:
        if not select.select([keyboard], [], [], 0.2)[0]:
            continue
        try:
            read = os.read(keyboard, 4096)
        except OSError:  # Linux says EIO when the last user of the terminal is gone
            return screen
        if not read:
            return screen
        screen += text.decode(read).replace("\r", "")
        if answers and answers[0][0] in screen[seen:]:
            _, answer = answers.pop(0)
            seen = len(screen)
            os.write(keyboard, (answer if isinstance(answer, str) else answer(screen)).encode() + b"\n")
    raise AssertionError(f"the program did not end; the screen says: {screen[-2000:]!r}")
