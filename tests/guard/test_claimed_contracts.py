"""Descriptors that only a node's word binds to a contract: a factory's event, and the code that a proxy runs. They are
never clear, say so, and without the proof they tell nothing. Threat: T-021, T-042."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from mcp_wallet_guard.assembly import StateFiles
from mcp_wallet_guard.clearsign.view import render_view, view_hash
from mcp_wallet_guard.descriptor_file import DESCRIPTORS
from mcp_wallet_guard.evidence import Facts
from mcp_wallet_guard.exchange import Done
from mcp_wallet_guard.frozen_rows import operation_of
from mcp_wallet_guard.operations.values import Address
from tests.chains.test_contracts import EVENT, factory
from tests.guard.rig import Wallet, apply, edited
from tests.guard.test_contract_calls import FEED, OURS, Calls, ask, calls, pending, refused  # noqa: F401  # a fixture

pytestmark = pytest.mark.anyio
BEHIND: Final = Address.from_bytes(b"\x77" * 20)


async def install(calls: Calls, wallet: Wallet, context: dict[str, Any]) -> None:  # noqa: F811  # the fixture's value
    document = json.loads(json.dumps(OURS)) | {"context": {"contract": context}}
    path = StateFiles(calls.rig.made.loaded.vault_path).descriptors
    pin = DESCRIPTORS.write({"made.json": json.dumps(document).encode()}, path)
    await apply(wallet, edited(calls.rig, "[approval]\n", f'[descriptors]\npin = "{pin}"\n\n[approval]\n'))


def at(calls: Calls, address: Address) -> dict[str, Any]:  # noqa: F811
    return {"chainId": calls.rig.made.loaded.settings.chain.number, "address": address.value}


async def test_what_a_factory_made_is_told_once_its_event_is_there_and_never_as_clear(calls: Calls) -> None:  # noqa: F811
    """What was used is frozen with the question, the node's word too."""
    chain, maker = calls.rig.chain, factory(calls.rig.chain)
    async with calls.rig.opened() as wallet:
        await install(calls, wallet, {"factory": {"deployEvent": EVENT, "deployments": [at(calls, maker)]}})
        assert await refused(wallet, calls.sink, FEED) == "policy.blind"
        chain._evm.send(maker.raw, bytes(12) + calls.sink.raw)
        waiting = await pending(wallet, calls.sink, FEED)
        view = (await wallet.owned.request(waiting.operation)).view
        assert (view.level, '"Feed an animal"' in view.intent) == ("decoded", True)
        (said,) = [finding for finding in view.findings if finding.code == "contract.claimed"]
        assert (said.severity, said.evidence) == ("warning", "node")
        row = await wallet.row(waiting.operation)
        operation = operation_of(row, calls.rig.made.loaded.settings)
    facts = Facts.model_validate_json(row.facts or "")
    assert view_hash(render_view(operation, facts)) == row.view_hash
    chain.lie("eth_getLogs", [])
    async with calls.rig.opened() as wallet:
        await wallet.approve(waiting.operation)
        answer = await ask(wallet, calls.sink, FEED)
        assert isinstance(answer, Done)
        assert answer.outcome == "mined"


async def test_a_node_that_lies_about_a_proxy_makes_no_call_clear(calls: Calls) -> None:  # noqa: F811
    """Threat: T-042. A rule for a contract asks for what is clear, unless the owner says otherwise."""
    settings = edited(calls.rig, 'readable = "decoded"\n', "")
    async with calls.rig.opened() as wallet:
        await apply(wallet, settings)
        await install(calls, wallet, {"deployments": [at(calls, BEHIND)]})
        calls.rig.chain.lie("eth_getStorageAt", "0x" + (bytes(12) + BEHIND.raw).hex())
        assert await refused(wallet, calls.sink, FEED) == "policy.blind"
        edited(calls.rig, 'name = "Sink"\n', 'name = "Sink"\nreadable = "decoded"\n')
        await apply(wallet, calls.rig.made.loaded.settings)
        view = (await wallet.owned.request((await pending(wallet, calls.sink, FEED)).operation)).view
        codes = {finding.code for finding in view.findings}
        assert {"contract.claimed", "contract.upgradeable"} <= codes


async def test_a_descriptor_of_the_contract_itself_needs_no_nodes_word(calls: Calls) -> None:  # noqa: F811
    async with calls.rig.opened() as wallet:
        await install(calls, wallet, {"deployments": [at(calls, calls.sink)]})
        calls.rig.chain.lie("eth_getStorageAt", "0x" + (bytes(12) + BEHIND.raw).hex())
        view = (await wallet.owned.request((await pending(wallet, calls.sink, FEED)).operation)).view
        assert view.level == "clear"
        assert "contract.claimed" not in {finding.code for finding in view.findings}


@pytest.mark.parametrize("method", ["eth_getStorageAt", "eth_getLogs", "eth_getCode"])
async def test_a_node_that_does_not_say_leaves_it_open(calls: Calls, method: str) -> None:  # noqa: F811
    async with calls.rig.opened() as wallet:
        maker = factory(calls.rig.chain)
        await install(calls, wallet, {"factory": {"deployEvent": EVENT, "deployments": [at(calls, maker)]}})
        calls.rig.chain._evm.send(maker.raw, bytes(12) + calls.sink.raw)
        calls.rig.chain.fail(method)
        expected = {"eth_getStorageAt": None, "eth_getLogs": "policy.blind", "eth_getCode": "unavailable.node"}[method]
        if expected is not None:
            assert await refused(wallet, calls.sink, FEED) == expected
            return
        view = (await wallet.owned.request((await pending(wallet, calls.sink, FEED)).operation)).view
        assert "contract.upgradeable" not in {finding.code for finding in view.findings}
