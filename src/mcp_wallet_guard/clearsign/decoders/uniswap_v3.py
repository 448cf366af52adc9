"""Uniswap V3's routers: SwapRouter, whose swaps have a deadline, and SwapRouter02, whose swaps have none.

SwapRouter reads the zero address as itself; SwapRouter02 reads 1 as the caller, 2 as itself, and an amount of zero as
all that it holds.
"""

from __future__ import annotations

from typing import Final

from mcp_wallet_guard.clearsign.decoders import places
from mcp_wallet_guard.clearsign.decoders.draft import EVERYTHING, Draft
from mcp_wallet_guard.clearsign.decoders.functions import Functions
from mcp_wallet_guard.clearsign.decoders.swaps import Swap, comes, packed_hops, percent, recipient_of, swap
from mcp_wallet_guard.operations.erc20 import is_unlimited
from mcp_wallet_guard.operations.values import Address

V3: Final = Functions("Uniswap V3")
_SWAP: Final = "Swap tokens"
_HEAD: Final = "((address tokenIn,address tokenOut,uint24 fee,address recipient"
_IN: Final = "uint256 amountIn,uint256 amountOutMinimum"
_OUT: Final = "uint256 amountOut,uint256 amountInMaximum"
_LIMIT: Final = "uint160 sqrtPriceLimitX96) params)"
_PATH: Final = "((bytes path,address recipient"
_BIPS: Final = 100  # millionths in one of ten thousand

Single = tuple[Address, Address, int, Address, int, int, int]
"""Token in, token out, fee, recipient, two amounts, price limit."""


@V3.reads(f"exactInputSingle{_HEAD},uint256 deadline,{_IN},{_LIMIT}", title=_SWAP, payable=True)
def exact_input_single(draft: Draft, params: tuple[Address, Address, int, Address, int, int, int, int]) -> None:
    give, take, fee, named, _deadline, pay, get, _limit = params
    _single(draft, fee)
    _swap(draft, give, take, pay, get, exact_in=True, recipient=_recipient(draft, named))


@V3.reads(f"exactOutputSingle{_HEAD},uint256 deadline,{_OUT},{_LIMIT}", title=_SWAP, payable=True)
def exact_output_single(draft: Draft, params: tuple[Address, Address, int, Address, int, int, int, int]) -> None:
    give, take, fee, named, _deadline, get, pay, _limit = params
    _single(draft, fee)
    _swap(draft, give, take, pay, get, exact_in=False, recipient=_recipient(draft, named))


@V3.reads(f"exactInput{_PATH},uint256 deadline,{_IN}) params)", title=_SWAP, payable=True)
def exact_input(draft: Draft, params: tuple[bytes, Address, int, int, int]) -> None:
    path, named, _deadline, pay, get = params
    give, take = packed_hops(draft, "#.params.path", path)
    _swap(draft, give, take, pay, get, exact_in=True, recipient=_recipient(draft, named))


@V3.reads(f"exactOutput{_PATH},uint256 deadline,{_OUT}) params)", title=_SWAP, payable=True)
def exact_output(draft: Draft, params: tuple[bytes, Address, int, int, int]) -> None:
    path, named, _deadline, get, pay = params
    take, give = packed_hops(draft, "#.params.path", path)  # from the end to the beginning
    _swap(draft, give, take, pay, get, exact_in=False, recipient=_recipient(draft, named))


@V3.reads(f"exactInputSingle{_HEAD},{_IN},{_LIMIT}", title=_SWAP, payable=True)
def exact_input_single_02(draft: Draft, params: Single) -> None:
    give, take, fee, named, pay, get, _limit = params
    _single(draft, fee)
    _swap_02(draft, give, take, pay, get, exact_in=True, named=named)


@V3.reads(f"exactOutputSingle{_HEAD},{_OUT},{_LIMIT}", title=_SWAP, payable=True)
def exact_output_single_02(draft: Draft, params: Single) -> None:
    give, take, fee, named, get, pay, _limit = params
    _single(draft, fee)
    _swap_02(draft, give, take, pay, get, exact_in=False, named=named)


@V3.reads(f"exactInput{_PATH},{_IN}) params)", title=_SWAP, payable=True)
def exact_input_02(draft: Draft, params: tuple[bytes, Address, int, int]) -> None:
    path, named, pay, get = params
    give, take = packed_hops(draft, "#.params.path", path)
    _swap_02(draft, give, take, pay, get, exact_in=True, named=named)


@V3.reads(f"exactOutput{_PATH},{_OUT}) params)", title=_SWAP, payable=True)
def exact_output_02(draft: Draft, params: tuple[bytes, Address, int, int]) -> None:
    path, named, get, pay = params
    take, give = packed_hops(draft, "#.params.path", path)
    _swap_02(draft, give, take, pay, get, exact_in=False, named=named)


@V3.reads(
    "sweepToken(address token,uint256 amountMinimum,address recipient)",
    "sweepToken(address token,uint256 amountMinimum)",
    title="Take the rest of a token from the router",
    payable=True,
)
def sweep_token(draft: Draft, token: Address, least: int, recipient: Address | None = None) -> None:
    _known(draft)
    draft.amount("#.amountMinimum", draft.erc20(token))
    comes(draft, draft.erc20(token), least, to=recipient or draft.me, exact=False)


@V3.reads(
    "unwrapWETH9(uint256 amountMinimum,address recipient)",
    "unwrapWETH9(uint256 amountMinimum)",
    title="Take native currency from the router",
    payable=True,
)
def unwrap(draft: Draft, least: int, recipient: Address | None = None) -> None:
    _known(draft)
    draft.amount("#.amountMinimum", draft.native)
    comes(draft, draft.native, least, to=recipient or draft.me, exact=False)


_FEE: Final = "uint256 feeBips,address feeRecipient)"


@V3.reads(
    f"sweepTokenWithFee(address token,uint256 amountMinimum,address recipient,{_FEE}",
    title="Take the rest of a token from the router, less a fee",
    payable=True,
)
def sweep_with_fee(
    draft: Draft, token: Address, least: int, recipient: Address | None, bips: int, fee_recipient: Address
) -> None:
    draft.says("#.feeBips", percent(bips * _BIPS))
    sweep_token(draft, token, least, recipient)
    draft.receives(draft.erc20(token), None, owner=fee_recipient, of=draft.this)


@V3.reads(
    f"sweepTokenWithFee(address token,uint256 amountMinimum,{_FEE}",
    title="Take the rest of a token from the router, less a fee",
    payable=True,
)
def sweep_with_fee_02(draft: Draft, token: Address, least: int, bips: int, fee_recipient: Address) -> None:
    sweep_with_fee(draft, token, least, None, bips, fee_recipient)


@V3.reads(
    f"unwrapWETH9WithFee(uint256 amountMinimum,address recipient,{_FEE}",
    title="Take native currency from the router, less a fee",
    payable=True,
)
def unwrap_with_fee(draft: Draft, least: int, recipient: Address | None, bips: int, fee_recipient: Address) -> None:
    draft.says("#.feeBips", percent(bips * _BIPS))
    unwrap(draft, least, recipient)
    draft.receives(draft.native, None, owner=fee_recipient, of=draft.this)


@V3.reads(
    f"unwrapWETH9WithFee(uint256 amountMinimum,{_FEE}",
    title="Take native currency from the router, less a fee",
    payable=True,
)
def unwrap_with_fee_02(draft: Draft, least: int, bips: int, fee_recipient: Address) -> None:
    unwrap_with_fee(draft, least, None, bips, fee_recipient)


@V3.reads("refundETH()", title="Take back native currency that the router did not need", payable=True)
def refund(draft: Draft) -> None:
    _known(draft)
    draft.call.purse.wei = 0  # so that it pays for nothing that follows
    draft.receives(draft.native, None, owner=draft.me, of=draft.this)


@V3.reads("wrapETH(uint256 value)", title="Wrap native currency in the router", payable=True)
def wrap(draft: Draft, value: int) -> None:
    _known(draft)
    draft.call.purse.wei -= min(value, draft.call.purse.wei)
    draft.amount("#.value", draft.native)


@V3.reads("pull(address token,uint256 value)", title="Send tokens to the router", payable=True)
def pull(draft: Draft, token: Address, value: int) -> None:
    _known(draft)
    draft.amount("#.value", draft.erc20(token))
    draft.out(draft.erc20(token), value, owner=draft.me, to=draft.this)


_SIGNATURE: Final = "uint8 v,bytes32 r,bytes32 s)"


@V3.reads(
    f"selfPermit(address token,uint256 value,uint256 deadline,{_SIGNATURE}",
    f"selfPermitIfNecessary(address token,uint256 value,uint256 deadline,{_SIGNATURE}",
    title="Let the router take tokens, by signature",
    payable=True,
)
def self_permit(draft: Draft, token: Address, value: int, *_signature: object) -> None:
    _known(draft)
    asset = draft.erc20(token)
    draft.amount("#.value", asset, unlimited=is_unlimited(value))
    if draft.this is not None:
        draft.allow(asset, value, owner=draft.me, to=draft.this)


@V3.reads(
    f"selfPermitAllowed(address token,uint256 nonce,uint256 expiry,{_SIGNATURE}",
    f"selfPermitAllowedIfNecessary(address token,uint256 nonce,uint256 expiry,{_SIGNATURE}",
    title="Let the router take tokens without a limit, by signature",
    payable=True,
)
def self_permit_allowed(draft: Draft, token: Address, *_signature: object) -> None:
    _known(draft)
    if draft.this is not None:
        draft.allow(draft.erc20(token), EVERYTHING, owner=draft.me, to=draft.this)


def _known(draft: Draft) -> None:
    """Functions that both routers have."""
    if not places.is_at(places.V3_ROUTER, draft.call.chain, draft.call.target):
        draft.is_at(places.ROUTER_02)


def _single(draft: Draft, fee: int) -> None:
    draft.says("#.params.fee", percent(fee))


def _recipient(draft: Draft, named: Address) -> Address | None:
    if any(named.raw):
        return named
    draft.says("#.params.recipient", "the router, for what follows")
    return draft.this


def _swap_02(
    draft: Draft, give: Address, take: Address, pay: int, get: int, /, *, exact_in: bool, named: Address
) -> None:
    recipient = recipient_of(draft, "#.params.recipient", named)
    if exact_in and pay == 0:
        draft.is_at(places.ROUTER_02)
        draft.says("#.params.amountIn", "all that the router holds")
        draft.amount("#.params.amountOutMinimum", draft.erc20(take))
        comes(draft, draft.erc20(take), get, to=recipient, exact=False)
        return
    _swap(draft, give, take, pay, get, exact_in=exact_in, recipient=recipient, place=places.ROUTER_02)


def _swap(
    draft: Draft, give: Address, take: Address, pay: int, get: int, /, *, exact_in: bool, recipient: Address | None,
    place: str = places.V3_ROUTER,
) -> None:  # fmt: skip
    known = draft.is_at(place)
    paid, wanted = ("amountIn", "amountOutMinimum") if exact_in else ("amountInMaximum", "amountOut")
    draft.amount(f"#.params.{paid}", draft.erc20(give))
    draft.amount(f"#.params.{wanted}", draft.erc20(take))
    # The router takes wrapped currency from its caller only when what came with the call is not enough.
    is_wrapped = give == places.wrapped_native(draft.call.chain)
    swap(
        draft,
        Swap(
            give=give, take=take, pay=pay, get=get, exact_in=exact_in, recipient=recipient, payer=draft.me,
            by_router=known and is_wrapped and draft.call.purse.pays(pay),
        ),
    )  # fmt: skip
