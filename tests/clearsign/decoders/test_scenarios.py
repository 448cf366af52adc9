"""Every function that we know, called honestly: exactly these words, values and consequences.

The scenarios are data, in tests/vectors/calldata; `cast` says how they are written.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard.clearsign.decoders import table, universal_router
from mcp_wallet_guard.clearsign.tree import CONTROLS, Clarity, Direction, Part, Shown, ShownKind
from tests.clearsign.decoders.cast import WHO, described, read, spelled_call

FOLDER: Final = Path(__file__).parents[2] / "vectors" / "calldata"
SCENARIOS: Final[list[dict[str, Any]]] = [
    scenario for path in sorted(FOLDER.glob("*.json")) for scenario in json.loads(path.read_text())
]


def named(scenario: dict[str, Any]) -> str:
    name = scenario["function"].partition("(")[0]
    return f"{name}, {scenario['case']}" if "case" in scenario else name


def data_of(scenario: dict[str, Any]) -> bytes:
    return spelled_call(scenario["function"], scenario["arguments"])


def part_of(scenario: dict[str, Any], data: bytes | None = None) -> Part:
    data = data_of(scenario) if data is None else data
    return read(data, to=WHO[scenario["to"]], value=scenario.get("value", 0))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=named)
def test_a_call_says_exactly_what_it_does(scenario: dict[str, Any]) -> None:
    assert described(part_of(scenario)) == scenario["expect"]


def test_every_function_of_the_table_has_a_scenario() -> None:
    known = {each.text for functions in table.STANDARDS for each in functions.known}

    assert known == {scenario["function"] for scenario in SCENARIOS}


def test_every_command_of_the_universal_router_has_a_scenario() -> None:
    run = {
        byte & 0x7F
        for scenario in SCENARIOS
        if scenario["function"].startswith("execute(bytes commands")
        for byte in bytes.fromhex(scenario["arguments"][0].removeprefix("0x"))
    }

    assert set(universal_router.commands()) <= run | {0x02}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=named)
def test_a_control_has_words_and_an_amount_has_an_asset(scenario: dict[str, Any]) -> None:
    for part in part_of(scenario).walk():
        for consequence in part.consequences:
            assert (consequence.control in CONTROLS) is (consequence.direction is Direction.CONTROL)
        for shown in flat(part.shown):
            assert (shown.asset is not None) is (shown.kind in {ShownKind.AMOUNT, ShownKind.NFT})
            assert (shown.part is not None) is (shown.kind is ShownKind.CALL)


def flat(shown: tuple[Shown, ...]) -> list[Shown]:
    return [each for one in shown for each in (one, *flat(one.children))]


@given(st.sampled_from(SCENARIOS), st.data())
def test_any_changed_byte_changes_what_is_said(scenario: dict[str, Any], data: st.DataObject) -> None:
    honest = data_of(scenario)
    at = data.draw(st.integers(0, len(honest) - 1))
    byte = data.draw(st.integers(1, 255))
    changed = honest[:at] + bytes([honest[at] ^ byte]) + honest[at + 1 :]

    assert described(part_of(scenario, changed)) != scenario["expect"]


@given(st.sampled_from(SCENARIOS), st.data())
def test_a_call_that_is_cut_short_is_not_read(scenario: dict[str, Any], data: st.DataObject) -> None:
    """Unless what is left is a shorter call of its own: a selector without arguments."""
    honest = data_of(scenario)
    part = part_of(scenario, honest[: data.draw(st.integers(1, max(len(honest) - 1, 1)))])

    if len(honest) > 4:
        assert part.clarity is Clarity.BLIND
        assert part.oddities[0].code in {"calldata.malformed", "calldata.unknown"}


@given(st.sampled_from(SCENARIOS), st.binary(min_size=1, max_size=40))
def test_bytes_after_a_call_are_shown_and_change_nothing_else(scenario: dict[str, Any], tag: bytes) -> None:
    part = part_of(scenario, data_of(scenario) + tag)
    said = described(part)

    assert said.pop("shows") == [
        *scenario["expect"]["shows"], f"#.trailing [Bytes after the arguments] bytes 0x{tag.hex()}",
    ]  # fmt: skip
    assert said.pop("odd") == [*scenario["expect"].get("odd", []), "calldata.trailing"]
    assert said == {key: value for key, value in scenario["expect"].items() if key not in {"shows", "odd"}}
