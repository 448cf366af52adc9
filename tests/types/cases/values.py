"""Money, addresses and chains are not plain numbers and strings; a policy is not a dict."""

from mcp_wallet_guard.chains.base import Chain, ChainFacts
from mcp_wallet_guard.evidence import Level
from mcp_wallet_guard.operations.intents import Transfer
from mcp_wallet_guard.operations.values import Address, Amount, Asset, BaseUnits
from mcp_wallet_guard.policy.engine import Reserved, check_permitted
from mcp_wallet_guard.policy.rules import ANY, Policy
from mcp_wallet_guard.proofs import Decoded, Signable


def honest(to: Address, native: Asset) -> BaseUnits:
    return Transfer(to=to, amount=Amount("0.1")).amount.base_units(native)


def plain_values(to: Address) -> None:
    Transfer(to=to, amount=0.1)  # E: mypy=arg-type pyright=reportArgumentType
    Transfer(to=to, amount=1)  # E: mypy=arg-type pyright=reportArgumentType
    Transfer(to=to, amount="0.1")  # E: mypy=arg-type pyright=reportArgumentType
    Transfer(to="0x70997970C51812dc3A010C7d01b50e0d17dc79C8", amount=Amount("1"))  # E: mypy=arg-type pyright=reportArgumentType
    Transfer(to, Amount("1"))  # E: mypy=call-arg pyright=reportCallIssue
    Transfer(to=to, amount=Amount("1"), confirmed=True)  # E: mypy=call-arg pyright=reportCallIssue


def policies() -> None:
    Policy(payees=ANY, max_per_transaction=BaseUnits(1), level=Level.FACTOR)
    Policy(payees=ANY, max_per_transaction=10**18, level=Level.FACTOR)  # E: mypy=arg-type pyright=reportArgumentType
    Policy(payees="any", max_per_transaction=BaseUnits(1), level=Level.FACTOR)  # E: mypy=arg-type pyright=reportArgumentType
    Policy(payees=ANY, max_per_transaction=BaseUnits(1))  # E: mypy=call-arg pyright=reportCallIssue
    Policy(payees=ANY, max_per_transaction=BaseUnits(1), level=Level.PRESENT, waiver="for a test")  # E: mypy=arg-type pyright=reportArgumentType


def a_dict_for_a_policy(decoded: Decoded, claims: ChainFacts) -> None:
    check_permitted({"payees": "any"}, decoded, revision=1, facts=claims, reserved=Reserved())  # E: mypy=arg-type pyright=reportArgumentType


async def broadcast_unverified(chain: Chain, signable: Signable) -> None:
    await chain.broadcast(signable)  # E: mypy=arg-type pyright=reportArgumentType
    await chain.broadcast(b"")  # E: mypy=arg-type pyright=reportArgumentType
