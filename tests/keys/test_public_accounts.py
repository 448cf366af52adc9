"""The list of accounts whose keys everybody has is that of the published phrases.

Threat: T-076.
"""

from __future__ import annotations

import pytest

from mcp_wallet_guard import bip39
from mcp_wallet_guard.keys import mnemonic, public_accounts
from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.secret import Secret

PHRASES = {
    "test test test test test test test test test test test junk": 20,
    "myth like bonus scare over problem client lizard pioneer submit female collect": 10,
    "candy maple cake sugar pudding cream honey rich smooth crumble sweet treat": 10,
}


@pytest.mark.parametrize("phrase", PHRASES)
def test_every_account_that_a_tool_prints_is_public_and_the_next_one_is_not(phrase: str) -> None:
    entropy = Secret(bip39.check_phrase(phrase, language="english"))
    found = [
        public_accounts.is_public(mnemonic.address_of(mnemonic.derive_key(entropy, index=index, language="english")))
        for index in range(PHRASES[phrase] + 1)
    ]
    assert found == [True] * PHRASES[phrase] + [False]


def test_another_account_is_not_public() -> None:
    assert not public_accounts.is_public(Address.from_bytes(bytes(20)))


def test_the_list_has_no_other_accounts() -> None:
    assert len(public_accounts._ADDRESSES) == sum(PHRASES.values())
