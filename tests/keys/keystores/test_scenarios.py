"""Published files, and files that other programs wrote, open as they must, and the broken ones do not.

Threat: T-067, T-068, T-069, T-075.
"""

from __future__ import annotations

import base64
import hashlib
import json

import pytest

from mcp_wallet_guard.errors import KeystoreError
from mcp_wallet_guard.keys import kdf
from mcp_wallet_guard.keys.keystores.age import read_age
from mcp_wallet_guard.keys.keystores.opened import OpenedKeystore
from mcp_wallet_guard.secret import Secret
from tests.keys.keystores.scenarios import NAMES, SHARED, load, read

OPENING = [name for name in NAMES if load(name)["expect"] == "opens"]


def shown(secret: Secret) -> bytes:
    with secret.reveal() as view:
        return bytes(view)


@pytest.mark.parametrize("name", OPENING)
def test_a_file_of_another_program_opens(name: str) -> None:
    scenario, before = load(name), kdf.derivations()
    opened = read(scenario)
    if isinstance(opened, OpenedKeystore):
        secret = opened.secret
        assert opened.kind == scenario["kind"]
        assert (opened.address and opened.address.value) == scenario["address"]
        assert list(opened.unread) == scenario["unread"]
    else:
        secret = opened.text
    if "secret" in scenario:
        assert shown(secret).hex() == scenario["secret"]
    else:
        assert hashlib.sha256(shown(secret)).hexdigest() == scenario["secret_sha256"]
    assert list(opened.weaknesses) == scenario["weaknesses"]
    assert opened.passphrase_form == scenario["passphrase_form"]
    assert kdf.derivations() - before == scenario["derivations"]


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(OPENING)))
def test_a_file_that_must_not_open_is_refused_after_as_many_derivations_as_are_due(name: str) -> None:
    scenario, before = load(name), kdf.derivations()
    with pytest.raises(KeystoreError) as refused:
        read(scenario)
    assert refused.value.code == scenario["expect"]
    assert kdf.derivations() - before == scenario["derivations"]


def test_every_scenario_names_its_source_and_its_end() -> None:
    for name in NAMES:
        scenario = load(name)
        assert scenario["source"], name
        assert scenario["about"], name
        assert (scenario["expect"] == "opens") == ("weaknesses" in scenario), name


@pytest.mark.skipif(not SHARED.exists(), reason="the published vectors are not here")
def test_the_scenarios_of_age_are_those_that_are_published() -> None:
    published = json.loads((SHARED / "age_scrypt_cctv.json").read_text())
    ours = {load(name)["source"].rsplit("/", 1)[1]: load(name) for name in NAMES if "CCTV" in load(name)["source"]}
    assert ours.keys() == published.keys()
    for name, scenario in ours.items():
        body = base64.b64decode(published[name]).partition(b"\n\n")[2]
        assert base64.b64decode(scenario["file_base64"]) == body


def test_a_published_file_that_is_cut_anywhere_does_not_open() -> None:
    scenario = load("age_plain")
    raw = base64.b64decode(scenario["file_base64"])
    for end in range(len(raw)):
        with pytest.raises(KeystoreError):
            read_age(raw[:end], passphrase=Secret(b"password"))
