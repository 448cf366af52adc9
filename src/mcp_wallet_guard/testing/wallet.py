"""GuardedWallet: a whole guarded wallet in a temporary folder, for tests of wallet servers.

    made = make_wallet(folder, chain=chain, clock=clock)
    async with made.open() as wallet:
        pending = await wallet.pay(payee, "0.1")
        await wallet.approve(pending.operation)
        done = await wallet.pay(payee, "0.1")

Everything in it is the real thing (vault, store, journal, factor, signer, a chain's node); only the scrypt cost is low,
through a waiver that the journal names, and the clock is scripted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import anyio

from mcp_wallet_guard import danger, setup
from mcp_wallet_guard.assembly import build_guard, running
from mcp_wallet_guard.config.file import LoadedSettings
from mcp_wallet_guard.config.presets import ask_everything
from mcp_wallet_guard.evidence import Channel
from mcp_wallet_guard.exchange import Done, Pending, Proposal, RefusedAnswer
from mcp_wallet_guard.operations.values import Account, Address, Amount, Asset
from mcp_wallet_guard.owner import OwnedGuard
from mcp_wallet_guard.policy.rules import Payee
from mcp_wallet_guard.secret import Secret
from mcp_wallet_guard.testing.chain import SimulatedChain
from mcp_wallet_guard.testing.clock import ScriptedClock, SharedClock
from mcp_wallet_guard.testing.person import Authenticator

WAIVER_REASON: Final = "tests and demonstrations only"
PASSPHRASE: Final = "correct horse battery staple"  # noqa: S105  # a published example, for test wallets
FUNDS: Final = 10**18


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FundedToken:
    """An ERC-20 contract to be made: the wallet holds all of its `units`, and may spend `limit` at once."""

    symbol: str = "USDC"
    decimals: int = 6
    units: int = 1_000_000_000
    limit: str = "100"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MadeWallet:
    """A wallet on disk: vault, settings in force, and its owner's authenticator. `address` holds `FUNDS` wei."""

    loaded: LoadedSettings
    chain: SimulatedChain
    clock: ScriptedClock | SharedClock
    new: setup.NewWallet
    authenticator: Authenticator

    @property
    def address(self) -> Address:
        """The wallet's account."""
        return Address.parse(self.new.address)

    @property
    def directory(self) -> Path:
        """Where vault, store, anchor and links are."""
        return self.loaded.vault_path.parent

    @asynccontextmanager
    async def open(self, *, unlock: bool = True) -> AsyncIterator[GuardedWallet]:
        """A guard of this wallet in this process, without sockets and page, closed at the end."""
        async with running(build_guard(self.loaded, clock=self.clock)) as owned:
            if unlock:
                await owned.unlock(passphrase())
            yield GuardedWallet(self, owned)


@final
class GuardedWallet:
    """An open guard and the few moves that tests make."""

    def __init__(self, made: MadeWallet, owned: OwnedGuard, /) -> None:
        self.made: Final = made
        self.owned: Final = owned

    async def pay(
        self, to: Address, amount: str, /, *, reference: str | None = None, wait_seconds: float = 0
    ) -> Done | Pending | RefusedAnswer:
        """What a tool's call does: propose a transfer."""
        intent = {"kind": "transfer", "to": to.value, "amount": amount}
        if reference is not None:
            intent["reference"] = reference
        proposal = Proposal(principal="local", tool="pay", intent=intent)
        return await self.owned.propose(proposal, wait_seconds=wait_seconds)

    async def approve(self, operation: str, /) -> None:
        """What the owner does at the terminal: read the view, type the match code and a fresh code."""
        request = await self.owned.request(operation)
        await self.owned.approve(
            operation,
            view_hash=request.view_hash,
            match_code=request.match_code,
            code=self.fresh_code(),
            channel=Channel.TERMINAL,
        )

    def fresh_code(self) -> str:
        """A code that no earlier step has used; moves the clock on for it."""
        self.made.clock.advance(30)
        return self.made.authenticator.code()


def pin_token(chain: SimulatedChain, holder: Address, token: FundedToken, /) -> Asset:
    """Make the contract; what settings pin of it."""
    contract = chain.deploy_token(decimals=token.decimals, holder=holder, units=token.units)
    return Asset(chain.chain_id, token.symbol, token.decimals, contract)


def passphrase() -> Secret:
    """The passphrase of every made wallet."""
    return setup.passphrase_from(PASSPHRASE)


def make_wallet(
    folder: Path,
    /,
    *,
    chain: SimulatedChain,
    clock: ScriptedClock | SharedClock,
    max_per_transaction: str = "0.5",
    mode: str = "embedded",
    tokens: Sequence[FundedToken] = (),
    contacts: Sequence[Payee] = (),
    more: str = "",
    cheap: bool = True,
) -> MadeWallet:
    """Make vault, wallet, factor and settings in `folder`, which is made too, and fund the account. Blocking; runs an
    event loop of its own: use a worker thread from async code. `more` stands at the end of guard.toml. Without `cheap`
    the scrypt cost is a real one."""
    waiver = danger.cheap_kdf(reason=WAIVER_REASON) if cheap else None
    new = setup.new_vault(folder / "vault.json", passphrase=passphrase(), label="main", now=clock.now(), waiver=waiver)
    account = Account("main", chain.chain_id, Address.parse(new.address))
    text = ask_everything(
        vault="vault.json",
        mode=mode,
        node=chain.url,
        account=account,
        native=Asset(chain.chain_id, "ETH", 18),
        max_per_transaction=Amount.parse(max_per_transaction),
        tokens=[(pin_token(chain, account.address, token), Amount.parse(token.limit)) for token in tokens],
        contacts=contacts,
    )
    if cheap:
        text += f'\n[danger]\ncheap_kdf = "{WAIVER_REASON}"\n'
    text += more
    loaded = setup.write_settings(folder / "guard.toml", text)
    chain.fund(account.address, FUNDS)

    async def seal() -> None:
        await setup.put_in_force(loaded, passphrase(), clock=clock)

    anyio.run(seal)
    clock.advance(30)
    authenticator = Authenticator(new.factor_secret, clock)
    return MadeWallet(loaded=loaded, chain=chain, clock=clock, new=new, authenticator=authenticator)
