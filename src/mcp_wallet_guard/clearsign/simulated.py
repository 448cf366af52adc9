"""What a node says would happen if a transaction were mined now. Values only: how it is asked is `chains.simulation`.

A simulation is one node's claim about one moment, and a contract may notice that it is simulated: what is here can add
a finding, never remove one.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, final

from pydantic import BeforeValidator, Field, PlainSerializer

from mcp_wallet_guard.evidence import Model, Wei
from mcp_wallet_guard.operations.values import Address

MAX_REASON: Final = 256
MAX_ENTRIES: Final = 2048


def _signed(value: object) -> object:
    is_text = type(value) is str and re.fullmatch(r"0|-?[1-9][0-9]{0,79}", value) is not None
    return int(value) if is_text else value  # type: ignore[call-overload]  # it is text by now


Units = Annotated[int, BeforeValidator(_signed), PlainSerializer(str, return_type=str, when_used="json")]
"""A change in an asset's smallest unit, below zero for what leaves: decimal text in JSON."""
AssetId = Annotated[str, Field(pattern=r"^eip155:[1-9][0-9]{0,19}/[a-z0-9]{3,8}:[0-9a-fx/]{1,140}$")]
"""CAIP-19."""


@final
class Movement(Model):
    """By how much the holding of `account` changes in all, fees left aside."""

    account: Address
    asset: AssetId
    amount: Units


@final
class Allowance(Model):
    """`spender` may take of what `owner` has: so much, or all that there is and will be when `amount` is None."""

    owner: Address
    spender: Address
    asset: AssetId
    amount: Wei | None


@final
class SimulationOutcome(Model):
    """One run. `reason` is the contract's own text, at most `MAX_REASON` characters, for `text.quoted` only. What the
    method cannot say is None: `movements`, `allowances`, `code_changes` (accounts that get or lose code)."""

    v: Literal[1] = 1
    method: Literal["eth_simulateV1", "debug_traceCall", "eth_call"]
    status: Literal["ok", "reverted"]
    reason: Annotated[str, Field(max_length=MAX_REASON)] | None = None
    block: Annotated[int, Field(ge=0, lt=2**53)] | None = None
    gas_used: Annotated[int, Field(ge=0, lt=2**53)] | None = None
    movements: Annotated[tuple[Movement, ...], Field(max_length=MAX_ENTRIES)] | None = None
    allowances: Annotated[tuple[Allowance, ...], Field(max_length=MAX_ENTRIES)] | None = None
    code_changes: Annotated[tuple[Address, ...], Field(max_length=MAX_ENTRIES)] | None = None
