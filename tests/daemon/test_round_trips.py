"""Every method of both sockets answers through the daemon as the guard itself would."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from mcp_wallet_guard.approvals.base import ApprovalDesk, Continuation
from mcp_wallet_guard.daemon import methods
from mcp_wallet_guard.daemon.base import GuardControl, Port, Role, ServedGuard
from mcp_wallet_guard.daemon.client import ControlClient, DaemonClient
from mcp_wallet_guard.errors import (
    FactorRejected,
    InvalidInput,
    Locked,
    Misconfigured,
    NotAuthorized,
    PolicyDenied,
    Unavailable,
    VaultError,
)
from mcp_wallet_guard.evidence import Channel
from mcp_wallet_guard.exchange import Done, Pending, Proposal, ReadRecord, RefusedAnswer
from mcp_wallet_guard.mcp.base import GuardPort
from mcp_wallet_guard.secret import Secret
from tests.daemon.memory_guard import CODE, INTENT, MATCH_CODE, PASSPHRASE, PROTECTED, VIEW_HASH, MemoryGuard, served

PROPOSAL = Proposal(principal="local", tool="pay", intent=INTENT)


def _public(protocol: type) -> dict[str, object]:
    return {n: v for n, v in vars(protocol).items() if not n.startswith("_") and (callable(v) or type(v) is property)}


def test_the_port_of_this_room_is_the_port_of_the_mcp_room() -> None:
    ours, theirs = _public(Port), _public(GuardPort)
    assert ours.keys() == theirs.keys()
    for name, method in ours.items():
        assert inspect.signature(method) == inspect.signature(theirs[name])  # type: ignore[arg-type]


def test_the_two_tables_hold_exactly_the_methods_of_their_protocols() -> None:
    assert set(methods.METHODS[Role.MCP]) == set(_public(GuardPort)) - {"aclose"}
    assert set(methods.METHODS[Role.CONTROL]) == (set(_public(ApprovalDesk)) | set(_public(GuardControl))) - {
        "store_id"
    }


def test_each_method_is_run_in_exactly_one_way() -> None:
    for table in methods.METHODS.values():
        for method in table.values():
            assert (method.run is None) is (method.run_with_secret is not None)


def test_the_clients_fit_the_protocols(directory: Path) -> None:
    ports: list[GuardPort] = [DaemonClient(directory), MemoryGuard()]
    desks: list[ApprovalDesk] = [ControlClient(directory), MemoryGuard()]
    controls: list[GuardControl] = [ControlClient(directory), MemoryGuard()]
    guards: list[ServedGuard] = [MemoryGuard()]
    for protocol, objects in ((GuardPort, ports), (ApprovalDesk, desks), (GuardControl, controls), (Port, guards)):
        for each in objects:
            assert _public(protocol).keys() <= set(dir(type(each)))


async def test_a_payment_is_proposed_approved_and_answered(directory: Path, guard: MemoryGuard) -> None:
    client, owner = DaemonClient(directory), ControlClient(directory)
    async with served(guard, directory):
        assert (await client.propose(PROPOSAL, wait_seconds=0)) == RefusedAnswer(
            code="locked", message="The wallet is locked. Its owner unlocks it with: mcp-wallet-guard unlock"
        )
        with pytest.raises(Locked):
            await owner.requests()
        with pytest.raises(Locked):
            _ = owner.store_id
        with Secret(PASSPHRASE).reveal() as typed:
            status = await owner.unlock(Secret(typed))
        assert not status.locked
        assert owner.store_id == "store-1"

        pending = await client.propose(PROPOSAL, wait_seconds=0)
        assert isinstance(pending, Pending)
        assert await client.status(pending.operation, principal="local") == pending
        (request,) = await owner.requests()
        assert await owner.request(pending.operation) == request
        with pytest.raises(FactorRejected, match="match code"):
            await owner.approve(
                pending.operation, view_hash=VIEW_HASH, match_code="-", code=CODE, channel=Channel.TERMINAL
            )
        assert (
            await owner.approve(
                pending.operation,
                view_hash=request.view_hash,
                match_code=request.match_code,
                code=CODE,
                channel=Channel.TERMINAL,
            )
            is Continuation.NEXT_CALL
        )
        done = await client.propose(PROPOSAL, wait_seconds=1)
        assert isinstance(done, Done)
        assert done == await guard.outcome(pending.operation, principal="local")
        assert done == await client.outcome(pending.operation, principal="local")
        assert guard.signed == [pending.operation]
        await client.aclose()
        await owner.aclose()


async def test_every_other_method_answers_as_the_guard_itself_does(directory: Path, guard: MemoryGuard) -> None:
    client, owner = DaemonClient(directory), ControlClient(directory)
    async with served(guard, directory):
        assert await client.fingerprints() == await guard.fingerprints()
        await owner.unlock(Secret(PASSPHRASE))
        assert await client.info() == await guard.info()
        assert await client.balance(None) == "1000000000000000000"
        assert await client.balance("0x00") == "0"
        assert await client.history(100) == await guard.history(100) == guard.past
        assert await client.history(1) == guard.past[:1]
        for number in (0, 101, True):
            with pytest.raises(InvalidInput):
                await client.history(number)
        fingerprints = await client.fingerprints()
        assert fingerprints == await guard.fingerprints()
        assert fingerprints.contains(PROTECTED)
        record = ReadRecord(tool="balance", principal="local", outcome="blocked", code="tampered.result", incident="i1")
        await client.record_read(record)
        assert guard.reads == [record]
        with pytest.raises(Unavailable) as full:
            await client.record_read(ReadRecord(tool="full", principal="local", outcome="released"))
        assert full.value.code == "unavailable.store"

        pending = await client.propose(PROPOSAL, wait_seconds=0)
        assert isinstance(pending, Pending)
        await owner.decline(pending.operation, channel=Channel.TERMINAL)
        assert (await client.status(pending.operation, principal="local")).message == "terminal"
        assert await owner.pair_by_link("op", "link-of-op") == "token-by-link"
        with pytest.raises(FactorRejected) as unpaired:
            await owner.pair_by_link("op", "guessed")
        assert unpaired.value.code == "pairing.required"
        assert await owner.pair_by_code(CODE) == "token-by-code"
        assert await owner.is_paired("token-by-code") is True
        assert await owner.is_paired("other") is False
        assert await owner.control_status() == await guard.control_status()
        settings = bytes(range(256))
        await owner.apply_policy(settings, code=CODE)
        assert guard.settings == settings
        assert await owner.unlock_factor(Secret(PASSPHRASE), code=CODE) == await guard.control_status()
        assert await owner.verify_log() == await guard.verify_log()
        for about in (None, "op-1"):
            assert await owner.read_log(last=2, about=about) == await guard.read_log(last=2, about=about)
        with pytest.raises(InvalidInput) as unheard:
            await owner.read_log(last=1, about="unknown")
        assert unheard.value.code == "invalid_input.id"
        for last in (0, 1001):
            with pytest.raises(InvalidInput):
                await owner.read_log(last=last, about=None)
        assert (await owner.lock()).locked
        await client.aclose()
        await owner.aclose()


async def test_errors_cross_mcp_sock_as_kind_and_code_without_detail(directory: Path, guard: MemoryGuard) -> None:
    """Threat: T-057."""
    client = DaemonClient(directory)
    async with served(guard, directory):
        with pytest.raises(InvalidInput) as unknown:
            await client.status("nobody's", principal="local")
        assert (unknown.value.code, unknown.value.detail) == ("invalid_input.id", "")
        with pytest.raises(NotAuthorized) as stranger:
            await client.propose(Proposal(principal="stranger", tool="pay", intent=INTENT), wait_seconds=0)
        assert stranger.value.detail == ""
        await client.aclose()


async def test_details_reach_the_owner_on_control_sock_without_control_characters(
    directory: Path, guard: MemoryGuard
) -> None:
    owner = ControlClient(directory)
    async with served(guard, directory):
        await owner.unlock(Secret(PASSPHRASE))
        with pytest.raises(FactorRejected) as rejected:
            await owner.approve(
                "op", view_hash=VIEW_HASH, match_code=MATCH_CODE, code="000000", channel=Channel.TERMINAL
            )
        assert rejected.value.detail == "step 7 of factor totp-1?[2J"
        with pytest.raises(PolicyDenied) as denied:
            await owner.apply_policy(b"forbidden", code=CODE)
        assert len(denied.value.detail) == 2048
        with pytest.raises(Misconfigured) as extra:
            await owner.apply_policy(b"needs an extra", code=CODE)
        assert (extra.value.code, extra.value.detail) == ("missing_extra", "pip install 'mcp-wallet-guard[ledger]'")
        with pytest.raises(VaultError):
            await owner.unlock(Secret(b"another passphrase"))
        await owner.aclose()


async def test_a_page_cannot_speak_over_the_terminals_socket(directory: Path, guard: MemoryGuard) -> None:
    owner = ControlClient(directory)
    async with served(guard, directory):
        for channel in (Channel.PAGE, Channel.UNPAIRED_PAGE):
            with pytest.raises(InvalidInput):
                await owner.decline("op", channel=channel)
            with pytest.raises(InvalidInput):
                await owner.approve("op", view_hash=VIEW_HASH, match_code=MATCH_CODE, code=CODE, channel=channel)
        await owner.aclose()


async def test_what_does_not_fit_into_a_frame_is_refused_before_it_is_sent(directory: Path, guard: MemoryGuard) -> None:
    client, owner = DaemonClient(directory), ControlClient(directory)
    async with served(guard, directory):
        huge = Proposal(principal="local", tool="pay", intent={"to": "0" * 300_000})
        with pytest.raises(InvalidInput) as size:
            await client.propose(huge, wait_seconds=0)
        assert size.value.code == "invalid_input.size"
        with pytest.raises(InvalidInput):
            await client.propose(Proposal(principal="local", tool="pay", intent={"to": "\ud800"}), wait_seconds=0)
        with pytest.raises(InvalidInput):
            await client.status("x" * 257, principal="local")
        with pytest.raises(InvalidInput):
            await owner.apply_policy(bytes(200_000), code=CODE)
        with pytest.raises(InvalidInput):
            await owner.unlock(Secret(bytes(4097)))
        assert (await client.info()).locked
        assert (await owner.control_status()).locked
        await client.aclose()
        await owner.aclose()


@pytest.mark.parametrize("address", ["0xbroken", "typed wrongly", "huge"])
async def test_a_bug_of_the_guard_is_unavailable_to_the_caller_and_its_text_goes_nowhere(
    directory: Path, guard: MemoryGuard, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Threat: T-057."""
    client = DaemonClient(directory)
    async with served(guard, directory):
        with pytest.raises(Unavailable) as error:
            await client.balance(address)
        assert error.value.code == "unavailable"
        assert (await client.info()).locked
        await client.aclose()
    assert PASSPHRASE.decode() not in caplog.text
