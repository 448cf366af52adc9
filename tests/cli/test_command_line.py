"""The command line as such: what it understands, what it never repeats, how it fails, what it loads."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from mcp_wallet_guard.cli import output
from mcp_wallet_guard.cli.parser import make_parser
from mcp_wallet_guard.cli.reference import commands, render
from mcp_wallet_guard.errors import GuardError, InvalidInput, MissingExtra, Tampered, Unavailable
from tests.cli.commands import ROOT, Ran, run, run_without_terminal


def options() -> Iterator[tuple[str, argparse.Action]]:
    for name, parser in commands(make_parser()):
        for action in parser._actions:
            yield name, action


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["pay"], id="an unknown command"),
        pytest.param([], id="no command"),
        pytest.param(["wallet"], id="no command in a group"),
        pytest.param(["status", "--verbose"], id="an unknown option"),
        pytest.param(["status", "--jso"], id="an abbreviation"),
        pytest.param(["unlock", "--passphrase-fd", "-1"], id="a negative descriptor"),
        pytest.param(["unlock", "--passphrase-fd", "three"], id="a descriptor that is no number"),
        pytest.param(["status", "--dir", "a", "--config", "b"], id="two places"),
        pytest.param(["approve", "one", "two"], id="two ids"),
    ],
)
def test_what_is_not_understood_is_invalid_input(words: list[str]) -> None:
    ran = run(*words, "--json")

    assert (ran.status, ran.code) == (2, "invalid_input")
    assert ran.err.startswith("error: An argument is not valid.")


def test_a_secret_typed_as_an_argument_is_not_repeated() -> None:
    for words in (
        ["unlock", "--passphrase=hunter2hunter2"],
        ["unlock", "hunter2hunter2"],
        ["unlock", "--code", "hunter2"],
    ):
        ran = run(*words, "--json")

        assert ran.status == 2
        assert "hunter2" not in ran.out + ran.err


def test_no_option_takes_a_secret() -> None:
    taking = {
        option
        for _, action in options()
        for option in action.option_strings
        if any(word in option for word in ("pass", "code", "secret", "word", "key", "seed", "phrase"))
    }

    assert taking == {"--passphrase-fd", "--code-fd", "--secrets-fd", "--words-fd", "--key-fd"}


def test_every_command_takes_json_and_has_a_sentence() -> None:
    for name, parser in commands(make_parser()):
        assert "--json" in {option for action in parser._actions for option in action.option_strings}, name
        assert parser.description is not None, name
        assert parser.description.endswith("."), name


def test_every_command_has_its_function() -> None:
    for name, parser in commands(make_parser()):
        module, _, function = parser.get_default("run").partition(":")
        loaded = __import__(f"mcp_wallet_guard.cli.{module}", fromlist=[function])
        assert callable(getattr(loaded, function)), name


def test_the_reference_is_what_the_parser_says() -> None:
    """Write it anew with: python -m mcp_wallet_guard.cli.reference > docs/cli.md"""
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == render()


def test_help_and_version_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    for words, expected in (
        (["--help"], "COMMAND"),
        (["start", "--help"], "foreground"),
        (["--version"], "mcp-wallet-guard 0"),
    ):
        with pytest.raises(SystemExit) as ended:
            run(*words)
        assert ended.value.code == 0
        done = subprocess.run(
            [sys.executable, "-m", "mcp_wallet_guard.cli.main", *words], capture_output=True, text=True, check=True
        )
        assert expected in done.stdout


def test_importing_the_command_line_loads_no_framework_no_chain_and_no_key() -> None:
    heavy = {
        "web3", "mcp", "eth_account", "pydantic", "starlette", "uvicorn", "apsw", "cryptography", "anyio",
        "mcp_wallet_guard.keys", "mcp_wallet_guard.testing", "mcp_wallet_guard.assembly",
    }  # fmt: skip
    code = "import sys; before = {*sys.modules}; import mcp_wallet_guard.cli.main; print(*{*sys.modules} - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert heavy & set(done.stdout.split()) == set()


def test_the_demonstration_is_only_loaded_when_it_is_asked_for() -> None:
    done = subprocess.run(
        [
            sys.executable, "-c",
            "from mcp_wallet_guard.cli import approval, factor, init, log, policy, running, store, wallet; import sys;"
            "print(*(name for name in sys.modules if name.startswith('mcp_wallet_guard.testing')))",
        ],
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert done.stdout.split() == []


@dataclass
class BrokenClock:
    """A clock that fails: how an error comes into the middle of a command."""

    error: BaseException

    def now(self) -> int:
        raise self.error


def failing(error: BaseException, config: str, *words: str) -> Ran:
    return run("start", "--config", config, "--json", *words, clock=BrokenClock(error))


@pytest.mark.parametrize(
    ("error", "status"),
    [(Tampered("tampered.journal"), 4), (Unavailable(), 5), (InvalidInput(), 2), (MissingExtra("testing"), 6)],
)
def test_an_error_has_its_exit_status(config: str, error: GuardError, status: int) -> None:
    ran = failing(error, config)

    assert (ran.status, ran.code) == (status, error.code)
    assert ran.json["error"]["message"] == error.public
    assert ran.err.startswith(f"error: {error.public}")


def test_a_missing_extra_names_the_line_that_installs_it(config: str) -> None:
    assert "pip install 'mcp-wallet-guard[testing]'" in failing(MissingExtra("testing"), config).err


def test_an_unexpected_error_says_a_fixed_sentence_and_nothing_of_itself(config: str) -> None:
    ran = failing(ZeroDivisionError("hunter2"), config)

    assert (ran.status, ran.code) == (70, "unexpected")
    assert ran.err == f"error: {output.UNEXPECTED}\n"
    assert "hunter2" not in ran.out


def test_debug_shows_where_an_unexpected_error_came_from(config: str) -> None:
    assert "ZeroDivisionError" in failing(ZeroDivisionError(), config, "--debug").err


def test_an_interrupted_command_ends_quietly(config: str) -> None:
    ran = failing(KeyboardInterrupt(), config)

    assert (ran.status, ran.out, ran.err) == (130, "", "")


def test_what_is_printed_moves_no_cursor() -> None:
    assert output.printable("a\x1b[2Jb\u202ec\n") == "a\\u{1b}[2Jb\\u{202e}c\\u{a}"


def test_an_error_is_one_json_object_on_standard_output_and_a_sentence_on_standard_error() -> None:
    ran = run_without_terminal("status", "--dir", "/nonexistent", "--json")

    assert (ran.status, ran.code) == (6, "misconfigured.settings")
    assert ran.err.startswith("error: guard.toml is not valid.")
