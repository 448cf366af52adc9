"""A guarded wallet whose owner also has an account at a venue: the venue, its key in the vault, and moves of tests."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, final

from mcp_wallet_guard import setup
from mcp_wallet_guard.assembly import StateFiles, open_vault
from mcp_wallet_guard.config.file import load_settings
from mcp_wallet_guard.exchange import Done, Pending, Proposal, RefusedAnswer, WithdrawalReceipt
from mcp_wallet_guard.secret import Secret
from mcp_wallet_guard.testing.chain import SimulatedChain
from mcp_wallet_guard.testing.clock import ScriptedClock
from mcp_wallet_guard.testing.person import Authenticator
from mcp_wallet_guard.testing.venue import SimulatedVenue
from mcp_wallet_guard.testing.wallet import passphrase
from tests.guard.rig import Answer, Rig, Wallet, at_rest, make_rig

KEY_ID: Final = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
SECRET: Final = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"  # the venue's documented example
COLD: Final = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
DESK: Final = "rEb8TK3gBgk5auZkwc6sHnwrGVJH8DuaLh"
VENUE: Final = """
[[venues]]
name = "binance"
kind = "binance"
url = "{url}"
account = "Trading"
wallet = "spot"

[[venues.assets]]
asset = "USDC"
network = "ARBITRUM"
decimals = 6
max_per_withdrawal = "500"
amount = "600"
count = 4
window = "24h"
max_fee = "1"
fee = "{fee}"
memo = "none"
form = "evm"

[[venues.assets]]
asset = "XRP"
network = "XRP"
decimals = 6
max_per_withdrawal = "500"
amount = "600"
count = 4
window = "24h"
max_fee = "1"
fee = "0.2"
memo = "required"
form = "xrp"

[[venues.addresses]]
name = "Cold wallet"
network = "ARBITRUM"
address = "{cold}"

[[venues.addresses]]
name = "Other desk"
network = "XRP"
address = "{desk}"
memo = "104729"
"""


def settings_for(venue: SimulatedVenue, *, fee: str = "0.1") -> str:
    return VENUE.format(url=venue.url, fee=fee, cold=COLD, desk=DESK)


def make_venue_rig(
    folder: Path, chain: SimulatedChain, venue: SimulatedVenue, *, fee: str = "0.1", key: bool = True
) -> Rig:
    """A wallet whose settings name the venue, with its key sealed for 30 days. Blocking."""
    rig = make_rig(folder, chain, more=settings_for(venue, fee=fee))
    if key:
        add_key(rig)
    return rig


def copied(rig: Rig, folder: Path) -> Rig:
    """The same wallet at the same time in a folder of its own, on a chain that was used since."""
    shutil.copytree(rig.directory.parent, folder)
    clock, made = ScriptedClock(rig.clock.now()), rig.made
    place = folder / "wallet"
    loaded = replace(made.loaded, path=place / made.loaded.path.name, vault_path=place / made.loaded.vault_path.name)
    made = replace(made, loaded=loaded, clock=clock, authenticator=Authenticator(made.new.factor_secret, clock))
    return replace(rig, made=made, clock=clock, sent_before=at_rest(rig.chain))


def add_key(rig: Rig, *, secret: str = SECRET, days: int = 30) -> None:
    """What `mcp-wallet-guard venue key` does. Blocking."""
    loaded = load_settings(rig.directory / "guard.toml")
    opened = open_vault(StateFiles(loaded.vault_path), passphrase(), waiver=loaded.settings.cheap_kdf)
    try:
        setup.add_credential(
            opened,
            venue="binance",
            key_id=Secret(bytearray(KEY_ID.encode())),
            secret=Secret(bytearray(secret.encode())),
            now=rig.clock.now(),
            days=days,
        )
    finally:
        opened.lock()


@final
@dataclass(slots=True)
class Trader:
    """An open guard and the withdrawals that tests ask of it."""

    wallet: Wallet

    async def withdraw(self, amount: str = "25.5", /, **changes: str | None) -> Answer:
        """A tool's call that does not wait."""
        return await self.wait(0, amount, **changes)

    async def wait(self, seconds: float, amount: str = "25.5", /, **changes: str | None) -> Answer:
        """A tool's call that waits for the owner."""
        intent: dict[str, str | None] = {
            "kind": "exchange_withdrawal", "venue": "binance", "asset": "USDC", "network": "ARBITRUM", "to": COLD,
            "amount": amount, **changes,
        }  # fmt: skip
        asked = {name: value for name, value in intent.items() if value is not None}
        proposal = Proposal(principal="local", tool="cash_out", intent=asked)
        return await self.wallet.owned.propose(proposal, wait_seconds=seconds)

    async def asked(self, amount: str = "25.5", **changes: str | None) -> Pending:
        answer = await self.withdraw(amount, **changes)
        assert isinstance(answer, Pending), answer
        return answer

    async def approved(self, amount: str = "25.5", **changes: str | None) -> str:
        operation = (await self.asked(amount, **changes)).operation
        await self.wallet.approve(operation)
        return operation

    async def done(self, amount: str = "25.5", **changes: str | None) -> Done:
        answer = await self.withdraw(amount, **changes)
        assert isinstance(answer, Done), answer
        return answer

    async def withdrawn(self, amount: str = "25.5", **changes: str | None) -> Done:
        """The honest way, from the question to the venue's answer."""
        await self.approved(amount, **changes)
        return await self.done(amount, **changes)

    async def refused(self, amount: str = "25.5", **changes: str | None) -> str:
        answer = await self.withdraw(amount, **changes)
        assert isinstance(answer, RefusedAnswer), answer
        return answer.code

    async def outcome(self, operation: str) -> Done:
        answer = await self.wallet.owned.outcome(operation, principal="local")
        assert isinstance(answer, Done), answer
        return answer


def receipt_of(done: Done) -> WithdrawalReceipt:
    assert done.withdrawal is not None, done
    assert done.receipt is None
    return done.withdrawal
