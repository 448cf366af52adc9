"""Uniswap V2's router, and the V2 swaps of SwapRouter02: swaps and liquidity."""

from __future__ import annotations

from typing import Final

from mcp_wallet_guard.clearsign.decoders import places
from mcp_wallet_guard.clearsign.decoders.draft import EVERYTHING, Draft
from mcp_wallet_guard.clearsign.decoders.functions import Functions
from mcp_wallet_guard.clearsign.decoders.swaps import Swap, comes, hops, recipient_of, swap
from mcp_wallet_guard.clearsign.tree import Bound
from mcp_wallet_guard.operations.values import Address

V2: Final = Functions("Uniswap V2")
_END: Final = "address[] path,address to,uint256 deadline"
_SIGNED: Final = "bool approveMax,uint8 v,bytes32 r,bytes32 s"
_SWAP: Final = "Swap tokens"
_REMOVE: Final = "Take liquidity out of a pool"


@V2.reads(
    f"swapExactTokensForTokens(uint256 amountIn,uint256 amountOutMin,{_END})",
    f"swapExactTokensForTokensSupportingFeeOnTransferTokens(uint256 amountIn,uint256 amountOutMin,{_END})",
    title=_SWAP,
)
def swap_exact_tokens(draft: Draft, pay: int, get: int, path: tuple[Address, ...], to: Address, _deadline: int) -> None:
    draft.is_at(places.V2_ROUTER)
    _tokens(draft, ("#.amountIn", pay), ("#.amountOutMin", get), path, to=to, exact_in=True)


@V2.reads(f"swapTokensForExactTokens(uint256 amountOut,uint256 amountInMax,{_END})", title=_SWAP)
def swap_for_exact_tokens(
    draft: Draft, get: int, pay: int, path: tuple[Address, ...], to: Address, _deadline: int
) -> None:
    draft.is_at(places.V2_ROUTER)
    _tokens(draft, ("#.amountInMax", pay), ("#.amountOut", get), path, to=to, exact_in=False)


@V2.reads(
    "swapExactTokensForTokens(uint256 amountIn,uint256 amountOutMin,address[] path,address to)",
    title=_SWAP,
    payable=True,
)
def swap_exact_tokens_02(draft: Draft, pay: int, get: int, path: tuple[Address, ...], to: Address) -> None:
    recipient = recipient_of(draft, "#.to", to)
    paid = _is_paid(draft, path, pay)
    if pay == 0:
        draft.says("#.amountIn", "all that the router holds")
    _tokens(
        draft, ("#.amountIn" if pay else "", pay), ("#.amountOutMin", get), path, to=recipient, exact_in=True,
        by_router=paid or pay == 0,
    )  # fmt: skip


@V2.reads(
    "swapTokensForExactTokens(uint256 amountOut,uint256 amountInMax,address[] path,address to)",
    title=_SWAP,
    payable=True,
)
def swap_for_exact_tokens_02(draft: Draft, get: int, pay: int, path: tuple[Address, ...], to: Address) -> None:
    recipient = recipient_of(draft, "#.to", to)
    _tokens(
        draft, ("#.amountInMax", pay), ("#.amountOut", get), path, to=recipient, exact_in=False,
        by_router=_is_paid(draft, path, pay),
    )  # fmt: skip


@V2.reads(
    f"swapExactETHForTokens(uint256 amountOutMin,{_END})",
    f"swapExactETHForTokensSupportingFeeOnTransferTokens(uint256 amountOutMin,{_END})",
    title="Swap native currency for tokens",
    payable=True,
)
def swap_native(draft: Draft, get: int, path: tuple[Address, ...], to: Address, _deadline: int) -> None:
    draft.is_at(places.V2_ROUTER)
    token = draft.erc20(hops(path)[1])
    draft.amount("#.amountOutMin", token)
    comes(draft, token, get, to=to, exact=False)


@V2.reads(f"swapETHForExactTokens(uint256 amountOut,{_END})", title="Swap native currency for tokens", payable=True)
def swap_native_for_exact(draft: Draft, get: int, path: tuple[Address, ...], to: Address, _deadline: int) -> None:
    draft.is_at(places.V2_ROUTER)
    token = draft.erc20(hops(path)[1])
    draft.amount("#.amountOut", token)
    comes(draft, token, get, to=to, exact=True)


@V2.reads(
    f"swapExactTokensForETH(uint256 amountIn,uint256 amountOutMin,{_END})",
    f"swapExactTokensForETHSupportingFeeOnTransferTokens(uint256 amountIn,uint256 amountOutMin,{_END})",
    title="Swap tokens for native currency",
)
def swap_to_native(draft: Draft, pay: int, get: int, path: tuple[Address, ...], to: Address, _deadline: int) -> None:
    draft.is_at(places.V2_ROUTER)
    token = draft.erc20(hops(path)[0])
    draft.amount("#.amountIn", token)
    draft.amount("#.amountOutMin", draft.native)
    draft.out(token, pay, owner=draft.me, to=draft.this)
    comes(draft, draft.native, get, to=to, exact=False)


@V2.reads(
    f"swapTokensForExactETH(uint256 amountOut,uint256 amountInMax,{_END})", title="Swap tokens for native currency"
)
def swap_to_exact_native(
    draft: Draft, get: int, pay: int, path: tuple[Address, ...], to: Address, _deadline: int
) -> None:
    draft.is_at(places.V2_ROUTER)
    token = draft.erc20(hops(path)[0])
    draft.amount("#.amountInMax", token)
    draft.amount("#.amountOut", draft.native)
    draft.out(token, pay, owner=draft.me, to=draft.this, bound=Bound.AT_MOST)
    comes(draft, draft.native, get, to=to, exact=True)


@V2.reads(
    "addLiquidity(address tokenA,address tokenB,uint256 amountADesired,uint256 amountBDesired,uint256 amountAMin,"
    "uint256 amountBMin,address to,uint256 deadline)",
    title="Put tokens into a pool",
)
def add_liquidity(
    draft: Draft, token_a: Address, token_b: Address, a: int, b: int, _a_min: int, _b_min: int, to: Address,
    _deadline: int,
) -> None:  # fmt: skip
    draft.is_at(places.V2_ROUTER)
    for letter, token, amount in (("A", token_a, a), ("B", token_b, b)):
        asset = draft.erc20(token)
        draft.amount(f"#.amount{letter}Desired", asset)
        draft.amount(f"#.amount{letter}Min", asset)
        draft.out(asset, amount, owner=draft.me, to=draft.this, bound=Bound.AT_MOST)
    draft.receives(None, None, owner=to, of=draft.this)


@V2.reads(
    "addLiquidityETH(address token,uint256 amountTokenDesired,uint256 amountTokenMin,uint256 amountETHMin,"
    "address to,uint256 deadline)",
    title="Put tokens and native currency into a pool",
    payable=True,
)
def add_liquidity_native(
    draft: Draft, token: Address, amount: int, _token_min: int, _native_min: int, to: Address, _deadline: int
) -> None:
    draft.is_at(places.V2_ROUTER)
    asset = draft.erc20(token)
    draft.amount("#.amountTokenDesired", asset)
    draft.amount("#.amountTokenMin", asset)
    draft.amount("#.amountETHMin", draft.native)
    draft.out(asset, amount, owner=draft.me, to=draft.this, bound=Bound.AT_MOST)
    draft.receives(None, None, owner=to, of=draft.this)


_PAIR: Final = (
    "(address tokenA,address tokenB,uint256 liquidity,uint256 amountAMin,uint256 amountBMin,address to,uint256 deadline"
)
_WITH_NATIVE: Final = (
    "(address token,uint256 liquidity,uint256 amountTokenMin,uint256 amountETHMin,address to,uint256 deadline"
)


@V2.reads(f"removeLiquidity{_PAIR})", f"removeLiquidityWithPermit{_PAIR},{_SIGNED})", title=_REMOVE)
def remove_liquidity(
    draft: Draft, token_a: Address, token_b: Address, liquidity: int, a: int, b: int, to: Address, _deadline: int,
    *permit: object,
) -> None:  # fmt: skip
    _shares(draft, liquidity, permit)
    for letter, token, amount in (("A", token_a, a), ("B", token_b, b)):
        draft.amount(f"#.amount{letter}Min", draft.erc20(token))
        comes(draft, draft.erc20(token), amount, to=to, exact=False)


@V2.reads(
    f"removeLiquidityETH{_WITH_NATIVE})",
    f"removeLiquidityETHWithPermit{_WITH_NATIVE},{_SIGNED})",
    f"removeLiquidityETHSupportingFeeOnTransferTokens{_WITH_NATIVE})",
    f"removeLiquidityETHWithPermitSupportingFeeOnTransferTokens{_WITH_NATIVE},{_SIGNED})",
    title=_REMOVE,
)
def remove_liquidity_native(
    draft: Draft, token: Address, liquidity: int, least: int, least_native: int, to: Address, _deadline: int,
    *permit: object,
) -> None:  # fmt: skip
    _shares(draft, liquidity, permit)
    draft.amount("#.amountTokenMin", draft.erc20(token))
    draft.amount("#.amountETHMin", draft.native)
    comes(draft, draft.erc20(token), least, to=to, exact=False)
    comes(draft, draft.native, least_native, to=to, exact=False)


def _shares(draft: Draft, liquidity: int, permit: tuple[object, ...]) -> None:
    """The pool's own token, which the bytes do not name, leaves; a signature may allow the router to take it."""
    draft.is_at(places.V2_ROUTER)
    if permit and draft.this is not None:
        draft.allow(None, EVERYTHING if permit[0] else liquidity, owner=draft.me, to=draft.this)
    draft.out(None, liquidity, owner=draft.me, to=draft.this)


def _is_paid(draft: Draft, path: tuple[Address, ...], pay: int) -> bool:
    """Whether SwapRouter02 pays with native currency that came with the call."""
    known = draft.is_at(places.ROUTER_02)
    return known and hops(path)[0] == places.wrapped_native(draft.call.chain) and draft.call.purse.pays(pay)


def _tokens(
    draft: Draft, pay: tuple[str, int], get: tuple[str, int], path: tuple[Address, ...], /, *, to: Address | None,
    exact_in: bool, by_router: bool = False,
) -> None:  # fmt: skip
    give, take = hops(path)
    if pay[0]:
        draft.amount(pay[0], draft.erc20(give))
    draft.amount(get[0], draft.erc20(take))
    swap(
        draft,
        Swap(
            give=give, take=take, pay=pay[1], get=get[1], exact_in=exact_in, recipient=to, payer=draft.me,
            by_router=by_router,
        ),
    )  # fmt: skip
