"""Chains that charge for data beside the gas: no field of a transaction caps that fee, so no signature does.

The OP-stack chains take it from the balance at inclusion, by the price of the chain below; Scroll and Mantle do alike.
Arbitrum, zkSync and Linea put it into the gas, which the gas limit caps; Celo has set it to nothing. What the chain's
own oracle estimates is frozen with the operation, and counted with a margin. Source: the chains' own fee documentation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

from mcp_wallet_guard.confirmation import ConfirmationView, ViewFee
from mcp_wallet_guard.errors import PolicyDenied
from mcp_wallet_guard.operations.values import BaseUnits, ChainId

MARGIN: Final = 2
"""What is counted for an estimate of one. The price of data follows the base fees of the chain below, which rise by at
most an eighth per block of 12 seconds (EIP-1559, EIP-4844): doubling takes more than a minute."""
AND_DATA: Final = "plus a data fee that the signature does not cap"

_CHARGES: Final = frozenset(
    {
        10,  # OP Mainnet
        130,  # Unichain
        252,  # Fraxtal
        480,  # World Chain
        1135,  # Lisk
        1868,  # Soneium
        5000,  # Mantle
        7777777,  # Zora
        8453,  # Base
        34443,  # Mode
        57073,  # Ink
        81457,  # Blast
        534352,  # Scroll
        84532,  # Base Sepolia
        11155420,  # OP Sepolia
    }
)


def charges_for_data(chain: ChainId, /) -> bool:
    """Whether a transaction on `chain` may cost more than its gas limit times its fee cap."""
    return chain.number in _CHARGES


@final
@dataclass(frozen=True, slots=True)
class DataFee:
    """What a transaction on `chain` costs for its data. `estimate` is wei, None where nobody asked or nothing is
    charged."""

    chain: ChainId
    estimate: int | None

    @property
    def is_charged(self) -> bool:
        """Whether the chain has such a fee."""
        return charges_for_data(self.chain)

    @property
    def counted(self) -> BaseUnits:
        """What limits count for it, in wei."""
        return BaseUnits(MARGIN * self.estimate if self.is_charged and self.estimate is not None else 0)

    def beside(self, fee: str, money: Callable[[BaseUnits], str], /) -> str:
        """The text of a highest fee, with what the chain adds to it."""
        if not self.is_charged:
            return fee
        if self.estimate is None:
            return f"{fee}, {AND_DATA}"
        return f"{fee}, {AND_DATA} (estimated at {money(BaseUnits(self.estimate))}, counted as {money(self.counted)})"

    def total(self, signed: int, money: Callable[[BaseUnits], str], /) -> str:
        """The text of a total of `signed` wei that the signature caps, and of what is counted for data."""
        total = money(BaseUnits(signed + self.counted))
        if not self.is_charged:
            return total
        return f"{total} and a data fee" if self.estimate is None else f"{total} with the data fee as counted"

    def fee(self, text: str, units: int, asset: str, /) -> ViewFee:
        """The fee of a view, whose highest one by the signature is `text`, and `units` wei."""
        asked = self.is_charged and self.estimate is not None
        return ViewFee(
            max=text,
            raw=str(units),
            asset=asset,
            and_data=self.is_charged,
            data_estimate=str(self.estimate) if asked else None,
            data_counted=str(self.counted) if asked else None,
        )


def counted_in(view: ConfirmationView, /) -> BaseUnits:
    """What a view counts for data, in wei: 0 where the chain charges nothing.

    Raises PolicyDenied("policy.undecodable") for a view that says that there is such a fee, and not how much.
    """
    fee = view.fee
    if fee is None or not fee.and_data:
        return BaseUnits(0)
    if fee.data_counted is None:
        raise PolicyDenied("policy.undecodable", detail="a data fee that nobody estimated")
    return BaseUnits(int(fee.data_counted))


def check_still_counted(view: ConfirmationView, /, *, fresh: int | None) -> None:
    """Raises PolicyDenied("policy.data_fee") when the chain now estimates more than the person was shown as counted,
    or nothing where it charges."""
    counted = counted_in(view)
    if view.fee is not None and view.fee.and_data and (fresh is None or fresh > counted):
        raise PolicyDenied("policy.data_fee", detail=f"{fresh} wei for data, and {counted} wei are counted")
