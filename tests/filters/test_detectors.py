"""Secrets of others do not leave, and data of the chain does.

Each attack is shown twice: it passes where only the vault's own secrets are looked for, and is stopped here.
"""

from __future__ import annotations

from typing import Any

import pytest

from mcp_wallet_guard.errors import InvalidInput, Tampered
from mcp_wallet_guard.filters import fingerprints as fp
from mcp_wallet_guard.filters import outbound
from mcp_wallet_guard.filters.detectors import Hint, Look
from mcp_wallet_guard.filters.inbound import check_arguments
from mcp_wallet_guard.filters.outbound import check_released, is_clean
from tests.filters import foreign

OWN = fp.build([bytes(range(32)), bytes(range(40, 72))], key=bytes(range(32)))
NONE = fp.FingerprintSet()


@pytest.fixture
def fingerprints_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The filter as it was: without detectors."""
    monkeypatch.setattr(outbound, "in_text", lambda text: Look(None, Hint.NOTHING))
    monkeypatch.setattr(outbound, "in_fields", lambda *_, **__: None)
    monkeypatch.setattr(outbound, "_look_short", outbound._look)


@pytest.mark.usefixtures("fingerprints_only")
@pytest.mark.parametrize("form", foreign.ALL)
def test_fingerprints_alone_let_a_strangers_secret_through(form: str) -> None:
    payload = foreign.ALL[form]
    assert check_released({"x": payload}, fingerprints=OWN).payload == {"x": payload}


@pytest.mark.parametrize("form", foreign.ALL)
def test_a_strangers_secret_is_blocked_in_every_form(form: str) -> None:
    """Threat: T-057, T-058, T-060, T-061."""
    payload = foreign.ALL[form]
    for prints in (OWN, NONE):
        for planted in (payload, {"note": "all is well", "deep": [payload]}):
            with pytest.raises(Tampered) as caught:
                check_released(planted, fingerprints=prints)
            assert caught.value.code == "tampered.result"
            assert_names_no_secret(caught.value)


@pytest.mark.parametrize("form", foreign.ALL)
def test_a_strangers_secret_is_refused_as_an_argument(form: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_arguments({"memo": foreign.ALL[form]}, fingerprints=OWN)
    assert caught.value.code == "invalid_input.secret"
    assert_names_no_secret(caught.value)


@pytest.mark.parametrize("form", [form for form in foreign.ALL if type(foreign.ALL[form]) is str])
def test_a_strangers_secret_is_not_logged(form: str) -> None:
    """Threat: T-057."""
    text = foreign.ALL[form]
    for record in (text, f"pay failed: {text}", f'  File "a.py", line 3, in f\nValueError: {text}\n\n{(text,)!r}'):
        assert not is_clean(record, fingerprints=NONE)


def assert_names_no_secret(error: Any) -> None:
    shown = f"{error!r} {error} {error.detail} {error.public}"
    assert foreign.KEY.hex() not in shown
    assert foreign.TWELVE[0] not in shown.split()
    assert error.detail.startswith("withheld: ")
