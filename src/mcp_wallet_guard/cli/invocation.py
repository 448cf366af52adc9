"""One run of a command: where the guard's files are, and how its owner is asked.

A passphrase or a code comes from the controlling terminal, or from a descriptor that the owner named; standard input,
the environment and arguments are no source. Threat: T-065.
"""

from __future__ import annotations

import json
import locale
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, final

from mcp_wallet_guard.cli.output import Report
from mcp_wallet_guard.cli.parser import DIRECTORY, SETTINGS
from mcp_wallet_guard.errors import GuardError, InvalidInput, Misconfigured, Unavailable

if TYPE_CHECKING:
    from argparse import Namespace

    from mcp_wallet_guard.approvals.terminal import Terminal
    from mcp_wallet_guard.config.file import LoadedSettings
    from mcp_wallet_guard.daemon.client import ControlClient
    from mcp_wallet_guard.evidence import Clock
    from mcp_wallet_guard.secret import Secret

MAX_CODE_BYTES: Final = 64
T = TypeVar("T")


@final
class Invocation:
    """The options of one run, and what every command does with them."""

    def __init__(self, options: Namespace, clock: Clock | None, /) -> None:
        self.options: Final = options
        self._clock: Final = clock

    @property
    def clock(self) -> Clock:
        """The computer's clock, unless a test scripts another."""
        if self._clock is not None:
            return self._clock
        from mcp_wallet_guard.assembly import SystemClock

        return SystemClock()

    @property
    def settings_path(self) -> Path:
        """guard.toml: ``--config``, or in ``--dir``, or in the owner's home."""
        return settings_path(self.options)

    def load(self) -> LoadedSettings:
        """guard.toml as it is written. Raises Misconfigured("misconfigured.settings")."""
        from mcp_wallet_guard.config.file import load_settings

        return load_settings(self.settings_path)

    def control(self, work: Callable[[ControlClient], Awaitable[T]], /) -> T:
        """Ask the running guard. Raises Locked("not_running") and what the guard raises."""
        from mcp_wallet_guard.daemon.client import ControlClient

        directory = self._guard_directory()

        async def ask() -> T:
            client = ControlClient(directory)
            try:
                return await work(client)
            finally:
                await client.aclose()

        return run_async(ask)

    @contextmanager
    def passphrase(self, prompt: str = "Passphrase: ", /) -> Iterator[Secret]:
        """The vault's passphrase, wiped at the end. Raises Unavailable("unavailable.terminal"), InvalidInput."""
        secret = self._read_passphrase(prompt)
        try:
            yield secret
        finally:
            secret.wipe()

    @contextmanager
    def api_key(self) -> Iterator[tuple[Secret, Secret]]:
        """A venue's API key: its id and its secret, wiped at the end. What they say is not looked at here.

        Raises Unavailable("unavailable.terminal"), InvalidInput for anything but two lines.
        """
        from mcp_wallet_guard.keys.unlock_sources import read_lines_from_descriptor, read_lines_from_terminal

        descriptor = self.options.key_fd
        prompts = ("API key (it is not shown): ", "Its secret (it is not shown): ")
        lines = read_lines_from_terminal(prompts) if descriptor is None else read_lines_from_descriptor(descriptor, 2)
        try:
            yield lines[0], lines[1]
        finally:
            for line in lines:
                line.wipe()

    @contextmanager
    def new_passphrase(self) -> Iterator[Secret]:
        """A passphrase for a new vault; on the terminal it is typed twice."""
        with self.passphrase("New passphrase (12 characters or more): ") as first:
            if self.options.passphrase_fd is None:
                with self.passphrase("The same again: ") as second:
                    if not first.equals(second):
                        raise InvalidInput("invalid_input.passphrase", detail="the two were not the same")
            yield first

    @contextmanager
    def recovery_phrase(self) -> Iterator[Secret]:
        """The phrase of a wallet that its owner has already, wiped at the end. What it says is not looked at here.

        Raises Unavailable("unavailable.terminal"), InvalidInput("invalid_input.mnemonic").
        """
        from mcp_wallet_guard.keys.unlock_sources import read_phrase_from_descriptor, read_phrase_from_terminal

        descriptor = self.options.words_fd
        prompt = "Recovery phrase, in one line (it is not shown): "
        phrase = read_phrase_from_terminal(prompt) if descriptor is None else read_phrase_from_descriptor(descriptor)
        try:
            yield phrase
        finally:
            phrase.wipe()

    def code(self, prompt: str = "Code from your authenticator app: ", /) -> str:
        """A one-time code. Raises Unavailable("unavailable.terminal"), InvalidInput."""
        if self.options.code_fd is not None:
            return _read_code(self.options.code_fd)
        from mcp_wallet_guard.approvals.terminal import controlling_terminal

        with controlling_terminal() as terminal:
            return terminal.ask(prompt)

    @property
    def is_a_program(self) -> bool:
        """Whether a program takes the secrets, and nobody sits there who could be asked for a code."""
        return self.options.secrets_fd is not None and self.options.code_fd is None

    def say(self, *lines: str) -> None:
        """Something for the person at the controlling terminal. Raises Unavailable("unavailable.terminal")."""
        from mcp_wallet_guard.approvals.terminal import controlling_terminal

        with controlling_terminal() as terminal:
            terminal.say(*lines)

    def check_secrets_place(self) -> None:
        """Before something secret is made: there is a place to show it. Raises as `show_secrets`."""
        if self.options.secrets_fd is not None:
            _check_descriptor(self.options.secrets_fd)
            return
        from mcp_wallet_guard.approvals.terminal import controlling_terminal

        with controlling_terminal():
            pass

    def show_secrets(self, fields: dict[str, Any], lines: tuple[str, ...], /, *, qr: str | None = None) -> None:
        """Show what only the owner may see: on the terminal, with `qr` as a QR code where it has room for one, or as
        JSON on ``--secrets-fd``.

        Raises Unavailable("unavailable.terminal") without either, InvalidInput for standard output or error.
        """
        descriptor = self.options.secrets_fd
        if descriptor is not None:
            _check_descriptor(descriptor)
            try:
                with os.fdopen(os.dup(descriptor), "w", encoding="ascii") as file:
                    file.write(json.dumps(fields) + "\n")
            except OSError as error:
                raise Unavailable("unavailable", detail=f"the secrets could not be shown: {error.strerror}") from None
            return
        from mcp_wallet_guard.approvals.terminal import controlling_terminal

        with controlling_terminal() as terminal:
            terminal.say(*lines)
            if qr is not None:
                _draw(terminal, qr)

    def _guard_directory(self) -> Path:
        """The vault's folder. While guard.toml is broken it is the file's own, if a guard listens there: its owner must
        be able to lock a guard whatever became of the file."""
        from mcp_wallet_guard.daemon.sockets import RUN_NAME

        try:
            return self.load().vault_path.parent
        except Misconfigured:
            directory = self.settings_path.absolute().parent
            if not (directory / RUN_NAME).exists():
                raise
            return directory

    def _read_passphrase(self, prompt: str) -> Secret:
        from mcp_wallet_guard.keys.unlock_sources import read_descriptor, read_terminal

        descriptor = self.options.passphrase_fd
        return read_terminal(prompt) if descriptor is None else read_descriptor(descriptor)


def settings_path(options: Namespace, /) -> Path:
    """Where the options say that guard.toml is."""
    if options.config is not None:
        return Path(options.config)
    folder = Path.home() / DIRECTORY if options.dir is None else Path(options.dir)
    return folder / SETTINGS


Run = Callable[[Invocation], Report | None]
"""What stands behind a command's name."""


def run_async(work: Callable[[], Awaitable[T]], /) -> T:
    """Run `work` in an event loop of its own; the one GuardError inside a group is raised as itself."""
    import anyio

    try:
        return anyio.run(work)
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        if isinstance(error, GuardError):
            raise error from None
        raise


def _draw(terminal: Terminal, text: str) -> None:
    from mcp_wallet_guard.cli.qr import columns, drawing

    lines = drawing(text, half_blocks=locale.getencoding().lower() in {"utf-8", "utf8"})
    if terminal.columns is None or columns(lines) <= terminal.columns:
        terminal.draw(lines)


def _read_code(descriptor: int) -> str:
    try:
        typed = b""
        while chunk := os.read(descriptor, MAX_CODE_BYTES + 1 - len(typed)):
            typed += chunk
        return typed.decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise InvalidInput("invalid_input", detail="the code's descriptor cannot be read") from None


def _check_descriptor(descriptor: int) -> None:
    import fcntl

    if descriptor <= 2:
        raise InvalidInput("invalid_input", detail="--secrets-fd is above 2: not an output that others may read")
    try:
        mode = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE
    except OSError:
        mode = os.O_RDONLY
    if mode == os.O_RDONLY:
        raise InvalidInput("invalid_input", detail="the secrets descriptor is not open for writing")
