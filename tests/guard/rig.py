"""A guarded wallet in a temporary folder, opened as often as a test likes, with its signatures counted from outside.

Everything is real: vault, store, journal, factor, signer, and a chain behind JSON-RPC. Only the signer is wrapped, to
write down each signature that was made (in a file, so that a killed process leaves its count), and to misbehave where
a test is about that.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, final

import anyio

from mcp_wallet_guard.approvals.links import LinkFiles
from mcp_wallet_guard.assembly import StateFiles, build_guard, running
from mcp_wallet_guard.config.file import load_settings
from mcp_wallet_guard.config.settings import Settings, canonical
from mcp_wallet_guard.custody import Custody
from mcp_wallet_guard.evidence import Channel, OperationRow
from mcp_wallet_guard.exchange import ApprovalRequest, Done, Pending, Proposal, RefusedAnswer
from mcp_wallet_guard.filters.fingerprints import FingerprintSet
from mcp_wallet_guard.guard import Guard
from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.owner import OwnedGuard
from mcp_wallet_guard.policy.rules import Payee
from mcp_wallet_guard.proofs import Signable
from mcp_wallet_guard.secret import Secret
from mcp_wallet_guard.session import OpenVault
from mcp_wallet_guard.signers.base import Signer, SignerInfo
from mcp_wallet_guard.testing.chain import SimulatedChain
from mcp_wallet_guard.testing.clock import ScriptedClock
from mcp_wallet_guard.testing.wallet import FundedToken, MadeWallet, make_wallet, passphrase
from mcp_wallet_guard.venues.base import Credential

START: Final = 1_800_000_000
ETHER: Final = 10**18
DATABASE: Final = ("state.db", "state.db-wal", "state.db-shm")
"""The files of one store: what is newest may only be in its log."""
SMALL_MANDATE: Final = """
[policy.groups]
trusted = ["Bob"]

[[policy.mandates]]
name = "small"
tools = ["pay"]
asset = "ETH"
group = "trusted"
max_per_transaction = "0.01"
max_fee = "0.01"
amount = "0.025"
count = 4
window = "1d"
valid_days = 30
"""
"""For settings with a contact Bob: not approved by standing there."""
Answer = Done | Pending | RefusedAnswer
Misbehaviour = Callable[[Signable, Signer], Awaitable[Any]]


@final
class CountedSigner:
    """The real signer; each signature is written down before it is handed out."""

    def __init__(self, signer: Signer, log: Path, misbehave: Misbehaviour | None) -> None:
        self._signer, self._log, self._misbehave = signer, log, misbehave

    @property
    def info(self) -> SignerInfo:
        return self._signer.info

    async def sign(self, signable: Signable, /) -> bytes:
        if self._misbehave is not None:
            answer: bytes = await self._misbehave(signable, self._signer)
            return answer
        signature = await self._signer.sign(signable)
        with self._log.open("a", encoding="ascii") as file:
            file.write(signable.operation.digest.hex() + "\n")
        return signature


@final
class CountedVault:
    """The real open vault, whose signer is counted."""

    def __init__(self, vault: OpenVault, rig: Rig, misbehave: Misbehaviour | None) -> None:
        self._vault, self._rig, self._misbehave = vault, rig, misbehave

    @property
    def sealed_settings(self) -> tuple[int, bytes] | None:
        return self._vault.sealed_settings

    @property
    def fingerprints(self) -> FingerprintSet:
        return self._vault.fingerprints

    @property
    def factor_ids(self) -> tuple[str, ...]:
        return self._vault.factor_ids

    def key(self, label: str, /) -> Secret:
        return self._vault.key(label)

    def factor_secret(self, factor_id: str, /) -> Secret:
        return self._vault.factor_secret(factor_id)

    def credential(self, venue: str, /, *, now: int) -> Credential:
        return self._vault.credential(venue, now=now)

    def signer(self, settings: Settings, /) -> Signer:
        return CountedSigner(self._vault.signer(settings), self._rig.signature_log, self._misbehave)

    def seal_settings(self, canonical: bytes, /) -> int:
        return self._vault.seal_settings(canonical)

    def lock(self) -> None:
        self._vault.lock()


@final
@dataclass(slots=True)
class Rig:
    """One wallet on disk, a payee of its own, and the chain that it pays on."""

    made: MadeWallet
    clock: ScriptedClock
    chain: SimulatedChain
    payee: Address
    sent_before: frozenset[str]

    @property
    def directory(self) -> Path:
        return self.made.directory

    @property
    def files(self) -> StateFiles:
        return StateFiles(self.made.loaded.vault_path)

    @property
    def signature_log(self) -> Path:
        return self.directory.parent / f"{self.directory.name}.signatures"

    def signatures(self) -> list[str]:
        """The digests of the operations that were signed, in order."""
        return self.signature_log.read_text("ascii").split() if self.signature_log.exists() else []

    def sent(self) -> set[str]:
        """The distinct transactions that the chain received since the wallet was made."""
        return set(self.chain.sent) - self.sent_before

    def paid(self) -> int:
        """Wei that the payee got."""
        return self.chain.balance(self.payee)

    def build(
        self,
        *,
        principals: frozenset[str] = frozenset({"local"}),
        faults: Callable[[str], None] | None = None,
        misbehave: Misbehaviour | None = None,
    ) -> OwnedGuard:
        """A guard over the wallet's files, not started."""
        plain = build_guard(self.made.loaded, clock=self.clock, faults=faults)
        parts = plain.custody._parts
        counted = replace(parts, open_vault=lambda secret: CountedVault(parts.open_vault(secret), self, misbehave))
        guard = Guard(Custody(counted), LinkFiles(self.files.links), principals=principals)
        guard.executor.settle_seconds = 0.5
        return OwnedGuard(guard, check_passphrase=plain._check_passphrase)

    @asynccontextmanager
    async def opened(
        self,
        *,
        unlock: bool = True,
        principals: frozenset[str] = frozenset({"local"}),
        faults: Callable[[str], None] | None = None,
        misbehave: Misbehaviour | None = None,
    ) -> AsyncIterator[Wallet]:
        """A started guard; closed at the end."""
        async with running(self.build(principals=principals, faults=faults, misbehave=misbehave)) as owned:
            if unlock:
                await owned.unlock(passphrase())
            yield Wallet(self, owned)

    def snapshot(self, name: str) -> Path:
        """A copy of the state directory as it is."""
        return Path(shutil.copytree(self.directory, self.directory.with_name(name)))

    def put_back(self, copy: Path, *names: str) -> None:
        """Files of a copy back to their places: all of them, or those named."""
        for name in names or sorted(path.name for path in copy.iterdir() if path.is_file()):
            source, target = copy / name, self.directory / name
            target.unlink(missing_ok=True)
            if source.exists():
                shutil.copy2(source, target)


@final
class Wallet:
    """An open guard and the moves that tests make."""

    def __init__(self, rig: Rig, owned: OwnedGuard) -> None:
        self.rig: Final = rig
        self.owned: Final = owned

    async def pay(self, amount: str = "0.1", *, principal: str = "local", **more: str) -> Answer:
        """A tool's call that does not wait."""
        return await self.wait(0, amount, principal=principal, **more)

    async def wait(self, seconds: float, amount: str = "0.1", /, *, principal: str = "local", **more: str) -> Answer:
        """A tool's call that waits for the owner."""
        intent = {"kind": "transfer", "to": self.rig.payee.value, "amount": amount, **more}
        proposal = Proposal(principal=principal, tool="pay", intent=intent)
        return await self.owned.propose(proposal, wait_seconds=seconds)

    async def asked(self, amount: str = "0.1", *, principal: str = "local", **more: str) -> Pending:
        """A call that must end in a question that a person can answer now."""
        answer = await self.pay(amount, principal=principal, **more)
        assert isinstance(answer, Pending), answer
        assert not answer.queued
        return answer

    async def done(self, amount: str = "0.1", *, principal: str = "local", **more: str) -> Done:
        """A call that must end done."""
        answer = await self.pay(amount, principal=principal, **more)
        assert isinstance(answer, Done), answer
        return answer

    async def refused(self, amount: str = "0.1", *, principal: str = "local", **more: str) -> str:
        """A call that must be refused; the code."""
        answer = await self.pay(amount, principal=principal, **more)
        assert isinstance(answer, RefusedAnswer), answer
        return answer.code

    async def approve(self, operation: str, *, code: str | None = None) -> None:
        """What the owner does at the terminal."""
        request = await self.owned.request(operation)
        await self.answer(request, code=code or self.code())

    async def answer(self, request: ApprovalRequest, *, code: str | None) -> None:
        """The same with this code, or without one."""
        await self.owned.approve(
            request.operation,
            view_hash=request.view_hash,
            match_code=request.match_code,
            code=code,
            channel=Channel.TERMINAL,
        )

    def code(self) -> str:
        """A code that was never used; time moves on for it."""
        self.rig.clock.advance(30)
        return self.rig.made.authenticator.code()

    async def approved(self, amount: str = "0.1", **more: str) -> str:
        """Asked and approved; the operation's id."""
        operation = (await self.asked(amount, **more)).operation
        await self.approve(operation)
        return operation

    async def paid(self, amount: str = "0.1", **more: str) -> Done:
        """The honest way from question to receipt."""
        await self.approved(amount, **more)
        done = await self.done(amount, **more)
        assert (done.outcome, done.repeated) == ("mined", False), done
        return done

    async def row(self, operation: str) -> OperationRow:
        """The stored row."""
        row = await self.owned.custody.transact(lambda tx: tx.get(OperationRow, operation))
        assert row is not None
        return row


def make_rig(
    folder: Path,
    chain: SimulatedChain,
    *,
    tokens: Sequence[FundedToken] = (),
    contacts: Sequence[Payee] = (),
    more: str = "",
    payee: Address | None = None,
) -> Rig:
    """A new wallet with one ether, on a chain without arranged faults. Blocking."""
    before = at_rest(chain)
    clock = ScriptedClock(START)
    made = make_wallet(folder / "wallet", chain=chain, clock=clock, tokens=tokens, contacts=contacts, more=more)
    payee = payee or Address.from_bytes(b"\x11" + secrets.token_bytes(19))
    return Rig(made=made, clock=clock, chain=chain, payee=payee, sent_before=before)


def at_rest(chain: SimulatedChain) -> frozenset[str]:
    """End what an earlier test arranged; the transactions that the chain was given until now."""
    chain.honest()
    chain.auto_mine = True
    return frozenset(chain.sent)


def edited(rig: Rig, old: str, new: str) -> Settings:
    """guard.toml with one edit, read again for the next guard of this rig."""
    path = rig.directory / "guard.toml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
    loaded = load_settings(path)
    rig.made = replace(rig.made, loaded=loaded)
    return loaded.settings


async def apply(wallet: Wallet, settings: Settings, *, code: str | None = None) -> None:
    """`policy apply`."""
    await wallet.owned.apply_policy(canonical(settings), code=code or wallet.code())


async def until(condition: Callable[[], bool]) -> None:
    """Return once `condition` holds. Fails the test after ten seconds."""
    with anyio.fail_after(10):
        while not condition():  # noqa: ASYNC110  # what is waited for happens in other threads and servers
            await anyio.sleep(0.002)
