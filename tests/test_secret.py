"""A Secret shows itself in none of the ways in which Python shows things. Threat: T-064."""

from __future__ import annotations

import copy
import json
import logging
import pickle
from dataclasses import asdict, dataclass

import pytest

from mcp_wallet_guard.secret import Secret

VALUE = b"correct horse battery"


@dataclass
class Holder:
    secret: Secret


@pytest.fixture
def secret() -> Secret:
    return Secret(VALUE)


def test_every_way_of_printing_shows_the_same_nothing(secret: Secret, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("test").warning("%s %r", secret, [secret])
    shown = [
        repr(secret), str(secret), f"{secret}", f"{secret!r:>20}", f"{secret:x>9}", f"{secret}", ascii(secret),
        repr({"key": secret}), repr(Holder(secret)), caplog.text,
    ]  # fmt: skip
    assert all("<Secret>" in text for text in shown)
    for text in shown:
        assert "horse" not in text
        assert VALUE.hex() not in text


@pytest.mark.parametrize(
    "attempt",
    [pickle.dumps, copy.copy, copy.deepcopy, json.dumps, bytes, list, iter, hash, vars, memoryview],
)
def test_no_conversion_gives_the_value_away(secret: Secret, attempt: object) -> None:
    with pytest.raises(TypeError) as caught:
        attempt(secret)  # type: ignore[operator]
    assert "horse" not in str(caught.value)


def test_a_holder_cannot_be_turned_into_a_dictionary(secret: Secret) -> None:
    with pytest.raises(TypeError):
        asdict(Holder(secret))


def test_comparison_is_refused_where_it_would_not_be_constant_time(secret: Secret) -> None:
    for other in (secret, Secret(VALUE), VALUE, None):
        with pytest.raises(TypeError):
            assert secret == other


def test_comparison_in_constant_time_is_offered(secret: Secret) -> None:
    assert secret.equals(VALUE)
    assert secret.equals(Secret(VALUE))
    assert not secret.equals(VALUE[:-1])
    assert not secret.equals(Secret(VALUE + b"x"))


def test_the_value_is_there_inside_the_block_and_read_only(secret: Secret) -> None:
    with secret.reveal() as view:
        assert bytes(view) == VALUE
        with pytest.raises(TypeError):
            view[0] = 0
    with pytest.raises(ValueError, match="released"):
        bytes(view)


def test_a_wiped_secret_is_zero_and_says_so(secret: Secret) -> None:
    buffer = secret._buffer
    secret.wipe()
    secret.wipe()
    assert not any(buffer)
    assert len(buffer) == len(VALUE)
    assert len(secret) == len(VALUE)
    with pytest.raises(ValueError, match="wiped"), secret.reveal():
        pass


def test_a_buffer_that_is_handed_over_is_wiped() -> None:
    buffer = bytearray(VALUE)
    secret = Secret(buffer)
    assert not any(buffer)
    assert secret.equals(VALUE)


def test_a_secret_owns_its_bytes() -> None:
    buffer = bytearray(VALUE)
    secret = Secret(memoryview(buffer))
    buffer[:] = bytes(len(buffer))
    assert secret.equals(VALUE)


def test_there_is_no_empty_secret_and_no_kind_of_secret() -> None:
    with pytest.raises(ValueError, match="at least one byte"):
        Secret(b"")
    with pytest.raises(TypeError):
        type("Loud", (Secret,), {})
