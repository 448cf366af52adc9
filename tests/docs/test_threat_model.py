"""docs/threat-model.md claims of no attack more than docs/threats.toml does."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
PAGE: Final = (DOCS / "threat-model.md").read_text(encoding="utf-8")
STATES: Final[dict[str, str]] = {
    name: entry["state"] for name, entry in tomllib.loads((DOCS / "threats.toml").read_text(encoding="utf-8")).items()
}
BRACKET: Final = re.compile(r"\(([^()]*T-\d{3}[^()]*)\)")
IDENTIFIER: Final = re.compile(r"T-\d{3}")
SAID: Final = re.compile(r"(T-\d{3}),? (partly|later)\b")


def claims(text: str) -> Iterator[tuple[str, str]]:
    """Each id in brackets with the state that it is said to have: `guarded` unless another one stands beside it."""
    for bracket in BRACKET.findall(text):
        if " to T-" in bracket:
            first, last = IDENTIFIER.findall(bracket)[:2]
            yield from ((name, "later or partly") for name in sorted(STATES) if first <= name <= last)
            continue
        found = IDENTIFIER.findall(bracket)
        said = dict.fromkeys(found, "later") if "all later" in bracket else dict(SAID.findall(bracket))
        yield from ((name, said.get(name, "guarded")) for name in found)


def test_every_attack_is_in_the_state_that_the_page_says() -> None:
    wrong = [(name, said) for name, said in claims(PAGE) if STATES.get(name, "unlisted") not in said.split(" or ")]
    assert wrong == []
    assert IDENTIFIER.findall(PAGE.replace("an id here such as T-001", "")) == [
        name for bracket in BRACKET.findall(PAGE) for name in IDENTIFIER.findall(bracket)
    ], "ids stand in brackets, where they are looked at"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a (T-001) b", [("T-001", "guarded")]),
        ("(T-001, T-063, partly)", [("T-001", "guarded"), ("T-063", "partly")]),
        ("(T-049, T-050, all later)", [("T-049", "later"), ("T-050", "later")]),
        ("(words: T-022, partly)", [("T-022", "partly")]),
        ("(T-070 partly, T-088)", [("T-070", "partly"), ("T-088", "guarded")]),
    ],
)
def test_a_claim_is_read_as_it_is_meant(text: str, said: list[tuple[str, str]]) -> None:
    assert list(claims(text)) == said


def test_every_attacker_of_the_list_has_a_row() -> None:
    """Positions of docs/threats.toml -> how the page calls who is there."""
    rows = {
        "llm": "the model", "host": "the host", "third_party_mcp": "other MCP servers", "rpc_node": "the RPC node",
        "api_response": "texts from chain", "local_user": "programs of the same user", "network": "a web site",
        "stolen_disk": "a thief of the disk", "stolen_totp": "a thief of one code", "crash": "chance",
        "integrator_error": "the server's author", "supply_chain": "installed packages", "signer_device": "a signer",
        "user_phished": "who misleads the owner", "concurrent": "chance",
    }  # fmt: skip
    table = PAGE.partition("## Who attacks")[2].partition("\n## ")[0]
    assert [name for name, row in rows.items() if not re.search(rf"^\| [^|]*{row}[^|]* \|", table, re.MULTILINE)] == []
    entries = tomllib.loads((DOCS / "threats.toml").read_text(encoding="utf-8")).values()
    assert {entry["position"] for entry in entries} == rows.keys()
