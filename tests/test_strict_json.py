"""JSON from outside: what is read, what is refused, and that no depth ends the process."""

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_wallet_guard import strict_json

DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=12,
)


@given(DOCUMENTS)
def test_every_ordinary_document_is_read_as_it_is(document: object) -> None:
    assert strict_json.loads(json.dumps(document).encode()) == document


@pytest.mark.parametrize(
    "raw",
    [b'{"a":1,"a":2}', b"NaN", b"[Infinity]", b"", b"{", b"\xff", b'{"a":1} x', b"[" * 65 + b"]" * 65],
    ids=["duplicate", "nan", "infinity", "empty", "cut", "not-utf8", "trailing", "too-deep"],
)
def test_what_two_parsers_could_read_differently_is_refused(raw: bytes) -> None:
    """Threat: T-033."""
    with pytest.raises(ValueError, match=r"^(not strict JSON|nested deeper than 64)$"):
        strict_json.loads(raw)


def test_brackets_inside_strings_are_no_depth() -> None:
    text = '"' + "[" * 1000 + '\\"' + "{" * 1000
    assert strict_json.loads(json.dumps([text]).encode()) == [text]


def test_the_deepest_document_that_is_allowed_is_read() -> None:
    assert strict_json.loads(b"[" * 64 + b"]" * 64) is not None


def test_a_raised_recursion_limit_and_deep_nesting_end_a_process_only_without_the_guard() -> None:
    """Threat: T-106."""
    deep = "b'[' * 200_000"
    attack = f"import sys, json; sys.setrecursionlimit(10**7); json.loads({deep})"
    guarded = f"import sys; sys.setrecursionlimit(10**7); from mcp_wallet_guard.strict_json import loads; loads({deep})"
    assert subprocess.run([sys.executable, "-c", attack], capture_output=True, check=False).returncode < 0
    stopped = subprocess.run([sys.executable, "-c", guarded], capture_output=True, check=False)
    assert stopped.returncode == 1
    assert b"nested deeper than 64" in stopped.stderr
