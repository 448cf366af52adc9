"""``init --preset small-budget``: small payments to known payees, inert until a code allowed them. Threat: T-018."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal

from mcp_wallet_guard.config.file import load_settings
from mcp_wallet_guard.embedded import EmbeddedGuard
from mcp_wallet_guard.testing.clock import SharedClock
from tests.cli.commands import Ran, code_on, run, run_on_terminal, run_without_terminal, unlock
from tests.cli.test_enrolment import TYPED
from tests.cli.test_init import words
from tests.cli.test_init_questions import CHEAP, init

PAYEE = "0x7070707070707070707070707070707070707070"
SMALL = ["--chain", "local", "--max-per-transaction", "1", "--preset", "small-budget"]
ALICE = ["--payee", f"Alice={PAYEE}"]


@pytest.fixture
def clock(folder: Path) -> SharedClock:
    """The same time for a process of its own."""
    return SharedClock.create(folder / "clock", start=int(time.time()))


@contextmanager
def guarding(config: str, clock: SharedClock) -> Iterator[None]:
    """A guard of this wallet, unlocked."""
    loaded = load_settings(Path(config))
    with start_blocking_portal() as portal:
        guard = portal.call(lambda: EmbeddedGuard.start(loaded, clock=clock, running_as="daemon"))
        try:
            unlock(loaded.path)
            yield
        finally:
            portal.call(guard.aclose)


def mandate(config: str) -> tuple[bool, str]:
    """Whether it is in force, and how status tells of it."""
    (told,) = run("status", "--config", config, "--json").json["mandates"]
    (line,) = [line for line in run("status", "--config", config).out.splitlines() if line.startswith("Mandate:")]
    return told["expires_at"] is not None, line


def test_the_code_of_the_enrolment_allows_what_was_shown_before_it(folder: Path, clock: SharedClock) -> None:
    def code(screen: str) -> str:
        assert "you allow this to be paid without a question" in screen
        assert PAYEE in screen
        assert "up to 0.005 ETH" in screen
        return code_on(screen, at=clock.now())

    answers = [*TYPED, ("the code that the app shows", code)]
    ran = run_on_terminal(*words(folder / "guard", preset="small-budget"), *ALICE, answers=answers, clock=clock)

    assert (ran.status, ran.json["small_budget"]) == (0, "approved"), ran.err
    with guarding(ran.json["config"], clock):
        in_force, line = mandate(ran.json["config"])
    assert in_force
    assert line.startswith("Mandate:  small payments: 0 of 0.02 ETH and 0 of 10 payments")


def test_without_a_code_it_is_inert_until_policy_apply_gets_one(folder: Path, clock: SharedClock) -> None:
    ran = run(*words(folder / "guard", preset="small-budget"), *ALICE, passphrase="correct horse battery staple",
              with_secrets=True, clock=clock)  # fmt: skip
    config = ran.json["config"]
    assert (ran.status, ran.json["small_budget"]) == (0, "inert")
    assert ran.json["next"][-1] == "mcp-wallet-guard policy apply"

    with guarding(config, clock):
        before = mandate(config)
        clock.advance(30)
        applied = run("policy", "apply", "--config", config, code=code_on(ran.secrets, at=clock.now()))
        after = mandate(config)

    assert before[0] is False
    assert "small payments: not approved, so each payment is asked (mcp-wallet-guard policy apply)" in before[1]
    assert applied.status == 0, applied
    assert after[0]


def test_a_person_names_payees_until_there_are_no_more(folder: Path) -> None:
    answers = [("Wallet: new", ""), ("The most that", ""), ("Payments: ask", "small-budget"), ("A payee", "Alice"),
               ("A payee", f"Alice={PAYEE}"), ("no more", f"Bob=0x{'ab' * 20}"), ("no more", f"Bob={PAYEE}"),
               ("no more", "")]  # fmt: skip
    answers += [(question, "") for question in ("one small", "its fee", "together", "Within", "how many pay", "days")]

    place = ["--dir", str(folder / "guard"), "--chain", "local", "--node", "http://127.0.0.1:8545"]
    ran = run_on_terminal(
        "init", *place, *CHEAP, answers=[*answers, ("make a test", "no"), ("New passphrase", "short")]
    )

    assert ran.code == "misconfigured.settings", "one address has two names"
    assert "An address is 0x and 40 hex digits" in ran.screen


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param([*SMALL], id="nobody to pay"),
        pytest.param([*SMALL, "--payee", PAYEE], id="a payee without a name"),
        pytest.param([*SMALL, "--payee", "Alice=0x70"], id="a payee without an address"),
        pytest.param([*SMALL, *ALICE, "--budget-window", "soon"], id="a window that is none"),
        pytest.param([*SMALL, *ALICE, "--budget", "0.001"], id="a budget below one payment"),
        pytest.param([*SMALL[:-2], *ALICE], id="a payee of another preset"),
        pytest.param([*SMALL[:-2], "--budget", "1"], id="a budget of another preset"),
    ],
)
def test_a_budget_that_is_none_makes_nothing(folder: Path, wrong: list[str]) -> None:
    ran = run_without_terminal("init", "--dir", str(folder / "guard"), "--json", *wrong)

    assert ran.status in {2, 6}, ran
    assert ran.code.startswith(("invalid_input", "misconfigured.settings"))
    assert not (folder / "guard").exists()


def test_all_bounds_are_options(folder: Path) -> None:
    bounds = {"small-payment": "1", "small-fee": "2", "budget": "3", "budget-count": "4", "budget-window": "5h",
              "budget-days": "6", "budget-tool": "tip"}  # fmt: skip
    ran: Ran = init(folder, *SMALL, *ALICE, *(word for name, text in bounds.items() for word in (f"--{name}", text)))

    assert ran.status == 0, ran
    (table,) = load_settings(Path(ran.json["config"])).settings.document.policy.mandates  # type: ignore[union-attr]
    told = table.model_dump(mode="json")
    keys = ("max_per_transaction", "max_fee", "amount", "count", "window", "valid_days", "tools")
    assert [told[key] for key in keys] == ["1", "2", "3", 4, "5h", 6, ["tip"]]
