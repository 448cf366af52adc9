"""``init`` and what it is told: options, questions on a terminal, and an error that names what is missing."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from mcp_wallet_guard.cli.parser import make_parser
from mcp_wallet_guard.config.file import load_settings
from mcp_wallet_guard.config.known_chains import KNOWN_CHAINS, KnownChain
from tests.cli.commands import Ran, code_on, run, run_on_terminal, run_without_terminal
from tests.cli.test_init import PASSPHRASE, REASON

CHEAP = ["--kdf", "cheap", "--danger-cheap-kdf", REASON, "--json"]
SECRETS: list[tuple[str, Any]] = [
    ("New passphrase", PASSPHRASE),
    ("The same again", PASSPHRASE),
    ("the code that the app shows", lambda screen: code_on(screen, at=int(time.time()))),
]


def init(folder: Path, *words: str) -> Ran:
    return run("init", "--dir", str(folder / "guard"), *CHEAP, *words, passphrase=PASSPHRASE, with_secrets=True)


def test_the_named_chains_are_these() -> None:
    """Written down a second time, from the chains' own documentation."""
    ether = {"ethereum": 1, "sepolia": 11155111, "base": 8453, "base-sepolia": 84532, "optimism": 10}

    expected = {name: KnownChain(number=number, symbol="ETH", decimals=18, node=None) for name, number in ether.items()}
    expected["local"] = KnownChain(number=31337, symbol="ETH", decimals=18, node="http://127.0.0.1:8545")
    assert expected == KNOWN_CHAINS


def test_help_names_every_chain_that_has_a_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        make_parser().parse_args(["init", "--help"])
    shown = capsys.readouterr().out

    assert all(name in shown for name in KNOWN_CHAINS)


def test_a_chain_by_its_name_is_pinned_with_its_number(folder: Path) -> None:
    ran = init(folder, "--chain", "base", "--node", "https://node.example/", "--max-per-transaction", "0.5")

    assert ran.status == 0, ran
    settings = load_settings(Path(ran.json["config"])).settings
    assert (settings.chain.number, settings.native.symbol, settings.native.decimals) == (8453, "ETH", 18)
    assert settings.node == "https://node.example/"


def test_the_local_chain_brings_its_node_along(folder: Path) -> None:
    ran = init(folder, "--chain", "local", "--max-per-transaction", "0.5")

    assert ran.status == 0, ran
    assert load_settings(Path(ran.json["config"])).settings.node == "http://127.0.0.1:8545"


@pytest.mark.parametrize(
    ("words", "missing"),
    [
        ([], ["--chain", "--chain-id", "--node", "--max-per-transaction"]),
        (["--chain", "base"], ["--node", "--max-per-transaction"]),
        (["--chain", "local"], ["--max-per-transaction"]),
        (["--chain-id", "5", "--max-per-transaction", "1"], ["--node"]),
        (["--chain", "local", "--max-per-transaction", "1", "--wallet", "later"], ["--address"]),
    ],
)
def test_without_a_terminal_what_is_missing_is_named(folder: Path, words: list[str], missing: list[str]) -> None:
    ran = run_without_terminal("init", "--dir", str(folder / "guard"), "--json", *words, stdin="1\n" * 9)

    assert (ran.status, ran.code) == (2, "invalid_input")
    detail = ran.json["error"]["detail"]
    assert [word.strip("(),") for word in detail.split() if word.strip("(").startswith("--")] == missing
    assert not (folder / "guard").exists()


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["--chain", "base", "--chain-id", "8453"], id="a chain in two ways"),
        pytest.param(["--chain", "mainnet"], id="a chain that has no name here"),
        pytest.param(["--chain", "local", "--address", "0x" + "70" * 20], id="an address of a new wallet"),
        pytest.param(["--chain", "local", "--wallet", "later", "--address", "0x70"], id="an address that is none"),
        pytest.param(["--chain", "local", "--decimals", "-1"], id="decimals below zero"),
        pytest.param(["--chain", "local", "--server", "/nonexistent/server.py"], id="a server that is not there"),
        pytest.param(["--chain", "base", "--test-payment"], id="a test payment with real money"),
    ],
)
def test_what_does_not_fit_together_makes_nothing(folder: Path, words: list[str]) -> None:
    node = [] if "local" in words else ["--node", "https://node.example/"]
    ran = init(folder, "--max-per-transaction", "1", *node, *words)

    assert (ran.status, ran.code.partition(".")[0]) == (2, "invalid_input"), ran
    assert not (folder / "guard").exists()


def test_a_person_is_asked_for_what_is_missing_and_enter_takes_the_default(folder: Path) -> None:
    answers = [("Wallet: new", ""), ("Chain: ethereum", "local"), ("Its node", ""), ("The most that", ""),
               ("Payments: ask", ""), ("make a test payment", "no"), *SECRETS]  # fmt: skip

    ran = run_on_terminal("init", "--dir", str(folder / "guard"), *CHEAP, answers=answers)

    assert ran.status == 0, ran.err
    settings = load_settings(Path(ran.json["config"])).settings
    assert (settings.chain.number, settings.node) == (31337, "http://127.0.0.1:8545")
    assert settings.document.policy is not None
    assert settings.document.policy.max_per_transaction.text == "0.1"
    assert ran.json["in_force"] is True


def test_a_wrong_answer_is_asked_again_and_another_chain_is_told_in_numbers(folder: Path) -> None:
    answers = [("Chain: ethereum", "mars"), ("Chain: ethereum", "137"), ("symbol of its", "POL"),
               ("decimals of its", ""), ("Its node", "http://node.example"), ("Its node", "https://node.example/"),
               ("Payments: ask", "ask"), *SECRETS]  # fmt: skip

    ran = run_on_terminal(
        "init", "--dir", str(folder / "guard"), *CHEAP, "--wallet", "new", "--max-per-transaction", "3", answers=answers
    )

    assert ran.status == 0, ran.err
    settings = load_settings(Path(ran.json["config"])).settings
    assert (settings.chain.number, settings.native.symbol, settings.native.decimals) == (137, "POL", 18)
    assert "neither a number nor one of" in ran.screen


def test_three_wrong_answers_make_nothing(folder: Path) -> None:
    answers = [("Wallet: new", ""), *[("Chain: ethereum", "mars")] * 3]

    ran = run_on_terminal("init", "--dir", str(folder / "guard"), *CHEAP, answers=answers)

    assert (ran.status, ran.code) == (2, "invalid_input.chain")
    assert not (folder / "guard").exists()
