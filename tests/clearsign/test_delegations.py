"""EIP-7702 authorizations as a person is shown them. Threat: T-035."""

from __future__ import annotations

import pytest

from mcp_wallet_guard.clearsign.delegations import read_authorization
from mcp_wallet_guard.clearsign.tree import CONTROLS, Direction, PartKind
from mcp_wallet_guard.operations.authorizations import Authorization, encode
from mcp_wallet_guard.operations.values import Address
from tests.clearsign.statements import MAINNET, OWNER, SPENDER, at, codes


def test_a_delegation_hands_the_account_over() -> None:
    authorization = Authorization(chain_number=1, delegate=SPENDER, nonce=7)
    part = read_authorization(authorization, chain=MAINNET, signer=OWNER)
    (control,) = part.consequences
    assert (part.kind, part.target, part.data, codes(part)) == (
        PartKind.AUTHORIZATION, SPENDER, encode(authorization), set()
    )  # fmt: skip
    assert (control.direction, control.owner, control.counterparty) == (Direction.CONTROL, OWNER, SPENDER)
    assert control.control == "account.delegate"
    assert control.control in CONTROLS
    assert [at(part, path).raw for path in ("#.chain", "#.delegate", "#.nonce")] == [1, SPENDER, 7]


def test_the_zero_address_takes_the_code_away() -> None:
    nobody = Address("0x" + "0" * 40)
    part = read_authorization(Authorization(chain_number=1, delegate=nobody, nonce=7), chain=MAINNET, signer=OWNER)
    (control,) = part.consequences
    assert (control.control, control.counterparty) == ("account.revoke", None)
    assert control.control in CONTROLS


@pytest.mark.parametrize(("number", "code"), [(0, "authorization.every_chain"), (10, "authorization.other_chain")])
def test_an_authorization_for_other_chains_is_told(number: int, code: str) -> None:
    part = read_authorization(
        Authorization(chain_number=number, delegate=SPENDER, nonce=0), chain=MAINNET, signer=OWNER
    )
    assert codes(part) == {code}
    assert (part.chain is None) == (number == 0)
