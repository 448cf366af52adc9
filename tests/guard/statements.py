"""A wallet whose owner lets messages, permits and one delegate be asked about, and what tests sign with it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import anyio

from mcp_wallet_guard.exchange import Done, Pending, Proposal, RefusedAnswer, SignatureReceipt
from mcp_wallet_guard.operations.intents import contract_of
from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.policy.rules import Payee
from mcp_wallet_guard.testing.chain import SimulatedChain
from mcp_wallet_guard.testing.wallet import FundedToken
from tests.guard.rig import START, Answer, Rig, Wallet, apply, edited, make_rig

BOB: Final = Address.from_bytes(b"\xb0\xb0" + bytes(16) + b"\xb0\xb0")
THIEF: Final = Address.from_bytes(b"\xee" * 20)
DELEGATE: Final = Address.from_bytes(b"\xde" * 20)
PERMIT2: Final = "0x000000000022D473030F116dDEE9F6B43aC78BA3"
ZERO: Final = "0x" + "00" * 20
HOUR: Final = 3_600


@dataclass
class Signing:
    """One ether and 1,000 USDC, of which 100 may be spent at once and 180 a day; Bob may be paid."""

    rig: Rig
    token: Address
    chain: int = field(init=False)

    def __post_init__(self) -> None:
        self.chain = self.rig.made.loaded.settings.chain.number

    @property
    def me(self) -> str:
        return self.rig.made.address.value

    def permit(self, value: int = 50_000_000, *, spender: Address = BOB, nonce: int = 0, **domain: Any) -> str:
        """An ERC-2612 permit of the pinned token."""
        return typed(
            {"Permit": "address owner,address spender,uint256 value,uint256 nonce,uint256 deadline"},
            {
                "owner": self.me, "spender": spender.value, "value": str(value), "nonce": nonce,
                "deadline": START + 24 * HOUR,
            },
            self.domain(**domain),
        )  # fmt: skip

    def domain(self, **changed: Any) -> dict[str, Any]:
        whole = {"name": "USD Coin", "version": "2", "chainId": self.chain, "verifyingContract": self.token.value}
        return {name: value for name, value in (whole | changed).items() if value is not None}

    def batch(self, *amounts: int, spender: Address) -> str:
        """A Permit2 batch over the pinned token."""
        details = [
            {"token": self.token.value, "amount": str(amount), "expiration": START + HOUR, "nonce": number}
            for number, amount in enumerate(amounts)
        ]
        return typed(
            {
                "PermitBatch": "PermitDetails[] details,address spender,uint256 sigDeadline",
                "PermitDetails": "address token,uint160 amount,uint48 expiration,uint48 nonce",
            },
            {"details": details, "spender": spender.value, "sigDeadline": START + HOUR},
            {"name": "Permit2", "chainId": self.chain, "verifyingContract": PERMIT2},
        )

    def sign_in(self, *, chain: int | None = None, address: str | None = None) -> str:
        return (
            "service.example wants you to sign in with your Ethereum account:\n"
            f"{address or self.me}\n\nI accept.\n\nURI: https://service.example/login\nVersion: 1\n"
            f"Chain ID: {chain or self.chain}\nNonce: 32891756\nIssued At: 2027-01-15T08:00:00Z\n"
            "Expiration Time: 2027-02-15T08:00:00Z"
        )


def typed(types: dict[str, str], message: dict[str, Any], domain: dict[str, Any]) -> str:
    """JSON of typed data whose first type is the primary one; the domain's type is left to the reader."""
    declared = {
        name: [dict(zip(("type", "name"), each.split(), strict=True)) for each in members.split(",")]
        for name, members in types.items()
    }
    return json.dumps({"types": declared, "primaryType": next(iter(types)), "domain": domain, "message": message})


def make_signing(folder: Path, chain: SimulatedChain) -> Signing:
    rig = make_rig(folder, chain, tokens=[FundedToken(units=10**9)], contacts=[Payee(name="Bob", address=BOB)])
    token = contract_of(rig.made.loaded.settings.token_named("USDC"))
    edited(rig, 'approvals = "refuse"', 'approvals = "capped"')
    edited(rig, 'payees = "any"', f'payees = [{{ name = "Bob", address = "{BOB}" }}]')
    allowed = f'messages = "ask"\ntyped_data = "clear"\ndelegates = ["{DELEGATE}"]\n'
    limit = '[[policy.limits]]\nasset = "USDC"\namount = "180"\nwindow = "24h"\n\n[approval]\n'
    edited(rig, 'approvals = "capped"', f'approvals = "capped"\n{allowed}')
    settings = edited(rig, "[approval]\n", limit)

    async def seal() -> None:
        async with rig.opened() as wallet:
            await apply(wallet, settings)

    anyio.run(seal)
    return Signing(rig, token)


def message(text: str | bytes) -> dict[str, str]:
    raw = text.encode() if isinstance(text, str) else text
    return {"kind": "sign_message", "message": "0x" + raw.hex()}


def data(text: str, **more: str) -> dict[str, str]:
    return {"kind": "sign_typed_data", "typed_data": text, **more}


def delegate(address: str | Address, **more: str) -> dict[str, str]:
    return {"kind": "authorize_7702", "delegate": str(address), **more}


async def ask(wallet: Wallet, intent: dict[str, str], *, wait: float = 0, principal: str = "local") -> Answer:
    proposal = Proposal(principal=principal, tool="sign", intent=intent)
    return await wallet.owned.propose(proposal, wait_seconds=wait)


async def asked(wallet: Wallet, intent: dict[str, str]) -> Pending:
    answer = await ask(wallet, intent)
    assert isinstance(answer, Pending), answer
    return answer


async def refused(wallet: Wallet, intent: dict[str, str]) -> str:
    answer = await ask(wallet, intent)
    assert isinstance(answer, RefusedAnswer), answer
    return answer.code


async def done(wallet: Wallet, intent: dict[str, str]) -> Done:
    answer = await ask(wallet, intent)
    assert isinstance(answer, Done), answer
    return answer


async def approved(wallet: Wallet, intent: dict[str, str]) -> str:
    operation = (await asked(wallet, intent)).operation
    await wallet.approve(operation)
    return operation


async def signed(wallet: Wallet, intent: dict[str, str]) -> SignatureReceipt:
    """The honest way from question to signature."""
    await approved(wallet, intent)
    answer = await done(wallet, intent)
    assert (answer.outcome, answer.repeated, answer.receipt) == ("signed", False, None), answer
    assert answer.signed is not None
    return answer.signed
