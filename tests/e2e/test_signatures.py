"""Signatures over stdio, with a real daemon: the client gets exactly the account's signature, past the outbound filter.

Threat: T-001, T-009, T-034, T-062.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from mcp_wallet_guard.evidence import Channel
from mcp_wallet_guard.exchange import ANSWER, Done
from mcp_wallet_guard.operations.hashes import Bytes32, Signature
from mcp_wallet_guard.testing.chain import SimulatedChain
from tests.e2e.rig import ERAS, Daemon, Home, answer_of, connected, make_home, running_daemon, told

pytestmark = pytest.mark.anyio
TEXT = "I am the owner of this account."


@pytest.fixture
def daemon(base: Path, chain: SimulatedChain) -> Iterator[Daemon]:
    def asks(text: str) -> str:
        return text.replace('approvals = "refuse"', 'approvals = "refuse"\nmessages = "ask"')

    with running_daemon(make_home(base, chain, edit=asks)) as running:
        yield running


async def approve(home: Home) -> None:
    """The owner at the terminal reads the message, and types match code and code."""
    async with home.control() as control:
        (request,) = await control.requests()
        shown = {field.label: field.value for field in request.view.fields}
        assert (request.view.kind, shown["Message"]) == ("message", f'"{TEXT}"')
        await control.approve(
            request.operation,
            view_hash=request.view_hash,
            match_code=request.match_code,
            code=home.code(),
            channel=Channel.TERMINAL,
        )


async def test_a_message_is_signed_after_its_owner_approved_it_and_once(daemon: Daemon) -> None:
    home = daemon.home
    async with connected(home, ERAS[0], kind="signing") as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert "SignatureReceipt" in str(tools["sign_in"].output_schema)
        assert told(answer_of(await client.call_tool("sign_in", {"text": TEXT})))[0] == "pending"
        await approve(home)
        answer = answer_of(await client.call_tool("sign_in", {"text": TEXT}))
        assert told(answer) == ("done", "signed")
    async with connected(home, ERAS[1], kind="signing") as client:
        again = answer_of(await client.call_tool("sign_in", {"text": TEXT}))
        assert again == answer | {"repeated": True}, "from a fresh process that speaks the other version"
        # What is no text, or not named in the settings, is refused before anybody is asked.
        assert told(answer_of(await client.call_tool("sign_in", {"text": "0x" + "5e" * 32}))) == (
            "refused", "policy.blind",
        )  # fmt: skip
        refused = answer_of(await client.call_tool("sign_data", {"data": "{}"}))
        assert told(refused) == ("refused", "invalid_input.typed_data")
        nobody = answer_of(await client.call_tool("delegate", {"to": home.address.value}))
        assert told(nobody) == ("refused", "policy.risk")
    done = ANSWER.validate_python(answer, strict=False)
    assert isinstance(done, Done)
    assert done.signed is not None
    assert (type(done.signed.signature), type(done.signed.signing)) == (Signature, Bytes32)
    signer = Account.recover_message(encode_defunct(text=TEXT), signature=done.signed.signature)
    assert signer == done.signed.account == home.address.value
