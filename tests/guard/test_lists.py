"""Lists through the whole guard: who is blocked gets nothing, whatever the policy says, and a list that was taken away
stops the wallet. Threat: T-025, T-028, T-040, T-071."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest

from mcp_wallet_guard.assembly import StateFiles
from mcp_wallet_guard.clearsign.view import view_hash
from mcp_wallet_guard.errors import Misconfigured
from mcp_wallet_guard.exchange import Pending
from mcp_wallet_guard.list_file import LISTS
from mcp_wallet_guard.operations.abi import Value, encode
from mcp_wallet_guard.operations.abi_types import parse_function
from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.testing.chain import SimulatedChain
from tests.guard.rig import Rig, Wallet, apply, edited
from tests.guard.statements import BOB, DELEGATE, Signing, asked, data, delegate, done, make_signing, refused
from tests.guard.test_contract_calls import ACCEPTS_ALL
from tests.guard.venue import COLD, Trader

pytestmark = pytest.mark.anyio
THIEF: Final = Address.from_bytes(b"\xed" * 20)


@pytest.fixture
def signing(tmp_path: Path, chain: SimulatedChain) -> Signing:
    """Bob and the thief may be paid and may take tokens, and a contract that accepts every call may be called."""
    made = make_signing(tmp_path, chain)
    sink = Address.from_bytes(chain._evm.deploy(ACCEPTS_ALL))
    edited(
        made.rig,
        f'payees = [{{ name = "Bob", address = "{BOB}" }}]',
        f'payees = [{{ name = "Bob", address = "{BOB}" }}, {{ name = "Thief", address = "{THIEF}" }}]',
    )
    named = f'[[policy.contracts]]\nname = "Sink"\naddress = "{sink}"\nreadable = "decoded"\n\n[approval]\n'
    edited(made.rig, "[approval]\n", named)
    return made


def sink_of(signing: Signing) -> Address:
    policy = signing.rig.made.loaded.settings.policy
    assert policy is not None
    return policy.contracts[0].address


def blocked(*addresses: Address | str) -> bytes:
    body = {"v": 1, "kind": "blocked", "name": "Mine", "addresses": {str(each): "" for each in addresses}}
    return json.dumps(body).encode()


def tokens(*entries: tuple[Address, str, int], chain: int) -> bytes:
    named = [{"chainId": chain, "address": str(a), "symbol": s, "decimals": d} for a, s, d in entries]
    return json.dumps({"name": "x", "tokens": named}).encode()


def install(rig: Rig, *files: bytes) -> str:
    path = StateFiles(rig.made.loaded.vault_path).lists
    return LISTS.write({f"{number}.json": each for number, each in enumerate(files)}, path)


async def pinned(rig: Rig, wallet: Wallet, *files: bytes) -> None:
    pin = install(rig, *files)
    await apply(wallet, edited(rig, "[lock]\n", f'[lists]\npin = "{pin}"\n\n[lock]\n'))


def call(to: Address, signature: str, *values: Value) -> dict[str, str]:
    function = parse_function(signature)
    calldata = function.selector + encode(function.inputs, values)
    return {"kind": "contract_call", "to": to.value, "data": "0x" + calldata.hex(), "value": "0"}


async def replaced(rig: Rig, wallet: Wallet, *files: bytes) -> None:
    """Other lists, sealed in place of those."""
    old = rig.made.loaded.settings.lists
    pin = install(rig, *files)
    await apply(wallet, edited(rig, f'pin = "{old}"', f'pin = "{pin}"'))


PAY: Final = {"kind": "transfer", "to": THIEF.value, "amount": "0.1"}


async def test_whoever_is_blocked_is_refused_in_every_form_and_others_are_not(signing: Signing) -> None:
    """Threat: T-025. All of it is allowed by the policy."""
    sink = sink_of(signing)
    forms = (
        PAY,
        {"kind": "token_transfer", "token": "USDC", "to": THIEF.value, "amount": "1"},
        {"kind": "token_approval", "token": "USDC", "spender": THIEF.value, "amount": "1"},
        call(sink, "deposit()"),
        data(signing.permit(spender=THIEF)),
        data(signing.batch(5, spender=THIEF)),
        delegate(DELEGATE),
    )
    async with signing.rig.opened() as wallet:
        await pinned(signing.rig, wallet, blocked(THIEF, sink, DELEGATE))
        for intent in forms:
            assert await refused(wallet, intent) == "policy.blocked", intent
        honest = await asked(wallet, data(signing.permit()))
        view = (await wallet.owned.request(honest.operation)).view
        assert "list.blocked" not in {finding.code for finding in (*view.findings, *view.not_checked)}
        await replaced(signing.rig, wallet, blocked(Address.from_bytes(b"\x77" * 20)))
        for intent in forms:
            await asked(wallet, intent)
    assert signing.rig.signatures() == []


async def test_an_approval_from_before_the_list_signs_nothing(signing: Signing) -> None:
    """Threat: T-099."""
    async with signing.rig.opened() as wallet:
        await apply(wallet, signing.rig.made.loaded.settings)
        waiting = await asked(wallet, PAY)
        await wallet.approve(waiting.operation)
        await pinned(signing.rig, wallet, blocked(THIEF))
        assert await refused(wallet, PAY) in {"policy.changed", "policy.blocked"}
        assert await refused(wallet, PAY) == "policy.blocked"
    assert signing.rig.sent() == set()


async def test_an_allowance_is_taken_back_from_one_that_is_blocked(signing: Signing) -> None:
    """Threat: T-028."""
    async with signing.rig.opened() as wallet:
        await pinned(signing.rig, wallet, blocked(THIEF))
        back = {"kind": "token_approval", "token": "USDC", "spender": THIEF.value, "amount": "0"}
        await wallet.approve((await asked(wallet, back)).operation)
        assert (await done(wallet, back)).outcome == "mined"
        await asked(wallet, data(signing.permit(0, spender=THIEF)))
        assert await refused(wallet, back | {"amount": "0.000001"}) == "policy.blocked"


@pytest.mark.parametrize("change", ["gone", "edited", "replaced"])
async def test_a_list_that_somebody_took_away_stops_the_wallet(signing: Signing, change: str) -> None:
    """Threat: T-071. Put back, everything goes on with the next unlock."""
    rig, path = signing.rig, StateFiles(signing.rig.made.loaded.vault_path).lists
    honest = PAY | {"to": BOB.value}
    async with rig.opened() as wallet:
        await pinned(rig, wallet, blocked(THIEF))
    kept = path.read_bytes()
    if change == "gone":
        path.unlink()
    elif change == "edited":
        path.write_bytes(kept.replace(THIEF.value.encode(), BOB.value.encode()))
    else:
        install(rig, blocked(BOB))
    async with rig.opened() as wallet:
        for intent in (honest, PAY, data(signing.permit())):
            assert await refused(wallet, intent) == "blocked.lists"
    path.write_bytes(kept)
    path.chmod(0o600)
    async with rig.opened() as wallet:
        await asked(wallet, honest)
        assert await refused(wallet, data(signing.permit(spender=THIEF))) == "policy.blocked"


async def test_settings_without_their_lists_are_not_put_in_force(signing: Signing) -> None:
    async with signing.rig.opened() as wallet:
        await pinned(signing.rig, wallet, blocked(THIEF))
        settings = edited(signing.rig, "[lists]\n", "[lists] # another\n")
        other = edited(signing.rig, f'pin = "{settings.lists}"', f'pin = "{"0" * 64}"')
        with pytest.raises(Misconfigured) as wrong:
            await apply(wallet, other)
        assert wrong.value.code == "misconfigured.lists"
        assert await refused(wallet, PAY) == "policy.blocked", "the lists in force are as they were"


async def test_a_list_gives_the_unit_of_a_token_and_lets_nobody_spend_it(signing: Signing) -> None:
    """Threat: T-040. The view is the same in another process, without the list."""
    rig, sink = signing.rig, sink_of(signing)
    back = call(sink, "approve(address spender,uint256 value)", THIEF, 0)
    given = call(sink, "approve(address spender,uint256 value)", BOB, 2_500_000)
    async with rig.opened() as wallet:
        await pinned(rig, wallet, tokens((sink, "SINK", 6), chain=signing.chain))
        assert await refused(wallet, given) == "policy.token"
        waiting = await asked(wallet, back)
        view = (await wallet.owned.request(waiting.operation)).view
        row = await wallet.row(waiting.operation)
        assert (view.level, [effect.symbol for effect in view.effects]) == ("clear", ["SINK"])
        assert [effect.symbol_source for effect in view.effects] == ["list"]
        assert view_hash(view) == row.view_hash
    async with rig.opened() as wallet:
        await wallet.approve(waiting.operation)
        assert (await done(wallet, back)).outcome == "mined"
        assert (await wallet.row(waiting.operation)).view_hash == row.view_hash
        # The list says six places here and eight there: nobody is believed, and what was clear is not any more.
        lists = (tokens((sink, "SINK", 6), chain=signing.chain), tokens((sink, "SINK", 8), chain=signing.chain))
        await replaced(rig, wallet, *lists)
        other = call(sink, "decreaseAllowance(address spender,uint256 less)", BOB, 1)
        view = (await wallet.owned.request((await asked(wallet, other)).operation)).view
        assert "token.disputed" in {finding.code for finding in view.findings}
        assert [effect.symbol for effect in view.effects] == [None]


async def test_nothing_is_withdrawn_to_an_address_that_is_blocked(venue_rig: Rig) -> None:
    """Threat: T-025."""
    async with venue_rig.opened() as wallet:
        await pinned(venue_rig, wallet, blocked(THIEF))
        assert isinstance(await Trader(wallet).withdraw(), Pending)
        await replaced(venue_rig, wallet, blocked(COLD))
        assert await Trader(wallet).refused() == "policy.blocked"
