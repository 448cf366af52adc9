"""An edited guard.toml changes nothing until `policy apply`, whichever key it is, and the difference is named."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace

import pytest
from pydantic import BaseModel

from mcp_wallet_guard.config.document import Document
from mcp_wallet_guard.config.file import load_settings
from mcp_wallet_guard.config.settings import canonical
from mcp_wallet_guard.errors import FactorRejected, Refused
from mcp_wallet_guard.operations import evm
from mcp_wallet_guard.testing.wallet import passphrase
from tests.config.test_venues import VENUE
from tests.guard import statements
from tests.guard.rig import ETHER, Rig, Wallet, edited
from tests.guard.venue import Trader

pytestmark = pytest.mark.anyio

MALLORY = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
EDITS: Mapping[str, str] = {
    "mode": '"daemon"',
    "chain.id": "1",
    "chain.node": '"http://127.0.0.1:9/"',
    "chain.symbol": '"USD"',
    "chain.decimals": "6",
    "chain.max_fee_per_gas_gwei": '"0.000000001"',
    "chain.max_priority_fee_gwei": '"0"',
    "chain.max_gas": "900_000",
    "chain.ens": "true",
    "chain.ens_registry": f'"{MALLORY}"',
    "account.name": '"other"',
    "account.address": f'"{MALLORY}"',
    "tokens": f'symbol = "EVIL"\naddress = "{MALLORY}"\ndecimals = 0',
    "contacts": f'name = "Mallory"\naddress = "{MALLORY}"',
    "venues": VENUE.partition("[[venues]]\n")[2].replace("https://api.binance.com", "https://evil.example"),
    "policy.tokens": '{ EVIL = "1000" }',
    "policy.approvals": '"capped"',
    "policy.limits": '[{ window = "1m", count = 1 }]',
    "policy.groups": '{ friends = ["Mallory"] }',
    "policy.mandates": (
        '[{ name = "all", tools = ["pay"], asset = "ETH", group = "friends", max_per_transaction = "0.1",'
        ' max_fee = "1", amount = "1", count = 9, window = "1h", valid_days = 366 }]'
    ),
    "policy.max_per_transaction": '"50"',
    "policy.payees": f'[{{ name = "Mallory", address = "{MALLORY}" }}]',
    "policy.actions": '[{ tool = "place_order", count = 9, window = "1h" }]',
    "policy.contracts": f'[{{ name = "Mallory", address = "{MALLORY}", readable = "decoded", control = "ask" }}]',
    "policy.messages": '"ask"',
    "policy.typed_data": '"clear"',
    "policy.delegates": f'["{MALLORY}"]',
    "policy.level": '"present"',
    "policy.max_fee": '"0.000000000000000001"',
    "approval.expires_minutes": "60",
    "approval.page_port": "8_123",  # where the page listens is read from the file; it decides nothing
    "approval.wait_seconds": "3",  # and so does a server, for how long it waits
    "lock.idle_minutes": "60",
    "lock.max_hours": "24",
    "lock.locked_reads": '"refuse"',
    "descriptors.pin": f'"{"0" * 64}"',
    "lists.pin": f'"{"0" * 64}"',
    "danger.lower_level": '"no telephone for a week"',
    "danger.cheap_kdf": '"another reason than the sealed one"',
}
"""Key of guard.toml -> what somebody writes there. What a key lets through, or would stop, is tried below."""
NEEDS = {
    "policy.groups": "contacts",
    "policy.tokens": "tokens",
    "policy.level": "danger.lower_level",
    "chain.ens": "chain.ens_registry",
    "policy.mandates": "policy.groups",
    "chain.max_fee_per_gas_gwei": "chain.max_priority_fee_gwei",
}
"""Key -> another that must be edited too, or the file is not valid."""
LISTS = {"tokens", "contacts", "venues"}
"""Lists of tables, which get one more."""
LEAVES = LISTS | {"limits", "mandates", "actions", "contracts"}
"""Whose parts are not edited one by one."""


def write(rig: Rig, key: str) -> None:
    """Edit the key in its table of guard.toml, or add it there."""
    path = rig.directory / "guard.toml"
    if key in LISTS:
        path.write_text(f"{path.read_text('utf-8')}\n[[{key}]]\n{EDITS[key]}\n", "utf-8")
        return
    table, _, name = key.rpartition(".")
    lines = path.read_text("utf-8").splitlines()
    if table and not any(line.startswith(f"[{table}]") for line in lines):
        lines.append(f"[{table}]")
    start = next(number for number, line in enumerate(lines) if line.startswith(f"[{table}]")) + 1 if table else 0
    ends = (number for number in range(start, len(lines)) if lines[number].startswith("["))
    end = next(ends, len(lines))
    kept = [line for line in lines[start:end] if not line.startswith(f"{name} = ")]
    path.write_text("\n".join([*lines[:start], f"{name} = {EDITS[key]}", *kept, *lines[end:], ""]), "utf-8")


def keys(model: type[BaseModel], above: str = "") -> Iterator[str]:
    """Every key of the document."""
    for name, field in model.model_fields.items():
        kinds = [field.annotation, *(() if name in LEAVES else getattr(field.annotation, "__args__", ()))]
        tables = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        yield from keys(tables[0], f"{above}{name}.") if tables else [above + name]


def test_every_key_is_edited_here() -> None:
    assert set(keys(Document)) == {*EDITS, "vault"}, "the vault's path has a test of its own"


@pytest.mark.parametrize("key", EDITS)
async def test_an_edited_guard_toml_changes_nothing_and_the_difference_is_named(rig: Rig, key: str) -> None:
    """Threat: T-099."""
    sealed = canonical(rig.made.loaded.settings)
    written = {key}
    while needed := {NEEDS[each] for each in written & NEEDS.keys()} - written:
        written |= needed
    for each in written:
        write(rig, each)
    rig.made = replace(rig.made, loaded=load_settings(rig.directory / "guard.toml"))
    assert canonical(rig.made.loaded.settings) != sealed
    async with rig.opened() as wallet:
        assert canonical(wallet.owned.custody.session().settings) == sealed
        named = (await wallet.owned.control_status()).settings_differ
        assert all(any(change.startswith(each) for change in named) for each in written), named
        assert all(any(change.startswith(each) for each in written) for change in named), named
        if key in TRIED:
            await TRIED[key](wallet)
        await pays_as_sealed(wallet)


async def pays_as_sealed(wallet: Wallet) -> None:
    """One tenth of an ether, shown as such, on the sealed chain, from the sealed account, to anybody, with a tip."""
    rig = wallet.rig
    asked = await wallet.asked()
    request = await wallet.owned.request(asked.operation)
    shown = {field.label: field.value for field in request.view.fields}
    assert shown["Amount"] == "0.1 ETH"
    unsigned = (await wallet.row(asked.operation)).unsigned_bytes
    assert unsigned is not None
    transaction = evm.parse_unsigned(unsigned)
    assert transaction.chain == rig.chain.chain_id
    assert transaction.max_priority_fee_per_gas > 0
    await wallet.approve(asked.operation)
    assert (await wallet.done()).outcome == "mined"
    assert rig.paid() == ETHER // 10


async def over_the_limit(wallet: Wallet) -> None:
    assert await wallet.refused("0.6") == "policy.cap"


async def withdraws_nothing(wallet: Wallet) -> None:
    assert await Trader(wallet).refused(venue="exchange") == "policy.venue"


async def without_a_code(wallet: Wallet) -> None:
    request = await wallet.owned.request((await wallet.asked()).operation)
    with pytest.raises(FactorRejected):
        await wallet.answer(request, code=None)


async def after_ten_minutes(wallet: Wallet) -> None:
    asked = await wallet.asked("0.2")
    wallet.rig.clock.advance(600)
    await wallet.owned.tick()
    assert await wallet.owned.requests() == (), asked


async def after_fifteen_idle_minutes(wallet: Wallet) -> None:
    wallet.rig.clock.advance(15 * 60)
    await locked_by_now(wallet)


async def after_twelve_busy_hours(wallet: Wallet) -> None:
    for _ in range(12 * 6):
        wallet.rig.clock.advance(600)
        await wallet.owned.requests()
    await locked_by_now(wallet)


async def locked_by_now(wallet: Wallet) -> None:
    await wallet.owned.tick()
    assert wallet.owned.custody.is_locked
    await wallet.owned.unlock(passphrase())


async def read_while_locked(wallet: Wallet) -> None:
    await wallet.owned.lock()
    assert await wallet.owned.balance(None) == str(wallet.rig.chain.balance(wallet.rig.made.address))
    await wallet.owned.unlock(passphrase())


async def signing_what_is_not_named(wallet: Wallet) -> None:
    assert await statements.refused(wallet, statements.message("Hello")) == "policy.message"
    permit = statements.Signing(wallet.rig, statements.THIEF).permit()
    assert await statements.refused(wallet, statements.data(permit)) == "policy.message"
    assert await statements.refused(wallet, statements.delegate(MALLORY)) == "policy.risk"


TRIED: Mapping[str, Callable[[Wallet], Awaitable[None]]] = {
    "policy.max_per_transaction": over_the_limit,
    "venues": withdraws_nothing,
    "policy.level": without_a_code,
    "policy.messages": signing_what_is_not_named,
    "policy.typed_data": signing_what_is_not_named,
    "policy.delegates": signing_what_is_not_named,
    "danger.lower_level": without_a_code,
    "approval.expires_minutes": after_ten_minutes,
    "lock.idle_minutes": after_fifteen_idle_minutes,
    "lock.max_hours": after_twelve_busy_hours,
    "lock.locked_reads": read_while_locked,
}


async def test_a_guard_toml_that_names_another_vault_blocks_spending(rig: Rig) -> None:
    async with rig.opened() as wallet:
        operation = await wallet.approved()
    copy = rig.directory / "other.json"
    copy.write_bytes(rig.files.vault.read_bytes())
    copy.chmod(0o600)
    rig.files.anchor.rename(rig.directory / "other.anchor")
    edited(rig, '"vault.json"', '"other.json"')
    async with rig.opened() as wallet:
        assert await wallet.refused() == "blocked.vault"
        with pytest.raises(Refused):
            await wallet.owned.request(operation)
        assert rig.signatures() == []
