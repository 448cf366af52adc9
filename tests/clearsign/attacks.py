"""For each check: attacks by the code that they raise, an honest twin, and the twin with a source taken away."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from mcp_wallet_guard.clearsign.reading import (
    Delegation,
    Domain,
    Method,
    Reading,
    SignIn,
    UsedName,
    Withdrawal,
)
from mcp_wallet_guard.clearsign.risks.known import (
    Application,
    History,
    Known,
    KnownName,
    Request,
    ResolvedName,
    TokenClaim,
)
from mcp_wallet_guard.clearsign.simulated import Allowance
from mcp_wallet_guard.clearsign.tree import Bound, Clarity, PartKind
from mcp_wallet_guard.operations.values import UINT256_MAX
from tests.clearsign.readings import (
    APES,
    COIN,
    DEAD,
    ENVELOPE,
    ETHER,
    GWEI,
    HALF_TWIN,
    KNOWN,
    MULTISEND,
    NATIVE,
    NODE,
    NOW,
    OTHER_CHAIN,
    PAID,
    PAYEE,
    RAN,
    ROUTER,
    SAFE,
    SIGNER,
    STRANGER,
    TOKEN,
    TWIN,
    UNREAD,
    ZERO,
    allow,
    call,
    claiming,
    comes,
    controls,
    knowing,
    message,
    moved,
    node,
    out,
    part,
    pay,
    read,
    seen,
    typed,
    within,
)  # fmt: skip

Scene = tuple[Reading, Known]


@dataclass(frozen=True, kw_only=True)
class Case:
    """`attacks` by code; `honest` passes; `missing` names what each scene of `unchecked` lacks."""

    attacks: dict[str, Scene]
    honest: Scene
    unchecked: tuple[tuple[str, Scene], ...]


BLIND: Final = (("bytes", (UNREAD, KNOWN)),)
NOBODY_ASKED: Final = knowing(node=None)
SPAM: Final = replace(COIN, contract=STRANGER)


def token_claim(symbol: str | None) -> Known:
    return node(tokens=(*NODE.tokens, TokenClaim(contract=STRANGER, symbol=symbol)))


def delegating(to: object = STRANGER, *, chain: object = NATIVE.chain) -> Reading:
    return pay(delegations=(Delegation(path="0", delegate=to, chain=chain),))  # type: ignore[arg-type]


def delegatecall(target: object) -> object:
    return part(kind=PartKind.DELEGATECALL, target=target)  # type: ignore[arg-type]


SAFE_CALL: Final = part(target=SAFE)
IN_SAFE: Final = part(kind=PartKind.DELEGATECALL, target=MULTISEND)
SWAP: Final = part(out(ROUTER, asset=COIN, amount=10**6), comes(NATIVE, amount=95, bound=Bound.AT_LEAST), target=ROUTER)
GAINED: Final = knowing(simulation=(moved((SIGNER, NATIVE, 98)),) * 2)


def swap(**changes: object) -> Reading:
    whole: dict[str, object] = {"amount": 95, "bound": Bound.AT_LEAST} | changes
    return call(out(ROUTER, asset=COIN, amount=10**6), comes(NATIVE, **whole), target=ROUTER)  # type: ignore[arg-type]


SIGN_IN: Final = SignIn(
    domain="app.example", uri="https://app.example/login", address=SIGNER, chain=1, expires_at=NOW + 60, not_before=NOW
)


def sign_in(**changes: object) -> Reading:
    whole: dict[str, object] = {"sign_in": SIGN_IN, "origin": "app.example"} | changes
    return message(**whole)  # type: ignore[arg-type]


def signing_in(**changes: object) -> Reading:
    return sign_in(sign_in=replace(SIGN_IN, **changes))  # type: ignore[arg-type]


WITHDRAWAL: Final = Withdrawal(
    venue="exchange", asset="USDC", network="ETH", address=PAYEE.value, memo=None, amount="5", received="4.9"
)


def withdrawing(**changes: object) -> Reading:
    return message(withdrawal=replace(WITHDRAWAL, **changes), method=Method.WITHDRAWAL)  # type: ignore[arg-type]


NAMED: Final = pay(names=(UsedName(name="alice.eth", address=PAYEE),))
FOUND: Final = ResolvedName(name="alice.eth", address=PAYEE, reverse="alice.eth", previous=PAYEE, normal=True)


def resolved(**changes: object) -> Known:
    return knowing(names=(FOUND.model_copy(update=changes),))


def called(name: str) -> Known:
    return knowing(addresses=(KnownName(name=name, address=PAYEE),))


def enveloped(**changes: object) -> Reading:
    return pay(envelope=replace(ENVELOPE, value=ETHER, **changes))  # type: ignore[arg-type]


REMEMBERED: Final = knowing(history=History(paid=(seen(PAYEE),), requests=(Request(digest="ab" * 32, at=NOW - 60),)))
TAKEN: Final = Allowance(owner=SIGNER, spender=STRANGER, asset=COIN.id, amount=UINT256_MAX)

CASES: Final[dict[int, Case]] = {
    1: Case(
        attacks={
            "approval.unlimited": (call(allow(amount=UINT256_MAX)), KNOWN),
            "approval.above_supply": (call(allow(amount=10**15)), KNOWN),
        },
        honest=(call(allow(amount=5)), KNOWN),
        unchecked=(("node", (call(allow(amount=5)), NOBODY_ASKED)), *BLIND),
    ),
    2: Case(
        attacks={"approval.standing": (call(allow(amount=5)), KNOWN)},
        honest=(call(allow(amount=0)), KNOWN),
        unchecked=BLIND,
    ),
    3: Case(
        attacks={"approval.collection": (call(allow(asset=APES, amount=None)), KNOWN)},
        honest=(call(allow(asset=replace(APES, token_id=7), amount=1)), KNOWN),
        unchecked=BLIND,
    ),
    4: Case(
        attacks={"approval.signed": (typed(allow()), KNOWN)},
        honest=(call(allow()), KNOWN),
        unchecked=(("bytes", (typed(clarity=Clarity.DECODED), KNOWN)),),
    ),
    5: Case(
        attacks={"approval.to_account": (call(allow(STRANGER)), KNOWN)},
        honest=(call(allow(ROUTER)), KNOWN),
        unchecked=(("node", (call(allow(ROUTER)), NOBODY_ASKED)),),
    ),
    6: Case(
        attacks={
            "contract.young": (call(target=ROUTER), claiming(ROUTER, has_code=True, created_at=NOW - 3600)),
            "contract.first_use": (call(target=ROUTER), knowing(history=History())),
        },
        honest=(call(target=ROUTER), KNOWN),
        unchecked=(
            ("node", (call(target=ROUTER), NOBODY_ASKED)),
            ("history", (call(target=ROUTER), knowing(history=None))),
            ("now", (call(target=ROUTER), knowing(now=None))),
        ),
    ),
    7: Case(
        attacks={
            "list.blocked": (pay(STRANGER), knowing(blocked=(STRANGER,))),
            "list.not_allowed": (pay(STRANGER), knowing(allowed=(PAYEE,))),
        },
        honest=(pay(), knowing(blocked=(STRANGER,), allowed=(PAYEE,))),
        unchecked=(("blocked", (pay(), knowing(blocked=None))),),
    ),
    8: Case(
        attacks={"control.ownership": (call(controls("ownership.transfer")), KNOWN)},
        honest=(call(allow()), KNOWN),
        unchecked=BLIND,
    ),
    9: Case(
        attacks={"control.upgrade": (call(controls("proxy.upgrade")), KNOWN)},
        honest=(call(controls("role.revoke")), KNOWN),
        unchecked=BLIND,
    ),
    10: Case(
        attacks={
            "control.safe": (call(controls("safe.module"), target=SAFE), KNOWN),
            "control.fallback": (call(controls("safe.fallback"), target=SAFE), KNOWN),
        },
        honest=(call(controls("safe.fallback", MULTISEND), target=SAFE), KNOWN),
        unchecked=(("handlers", (call(controls("safe.fallback", MULTISEND)), knowing(handlers=None))), *BLIND),
    ),
    11: Case(
        attacks={
            "delegatecall.unknown": (read(within(SAFE_CALL, replace(IN_SAFE, target=STRANGER))), KNOWN),
            "delegatecall.nested": (
                read(within(SAFE_CALL, within(IN_SAFE, IN_SAFE, replace(IN_SAFE, target=ROUTER)))),
                KNOWN,
            ),
        },
        honest=(read(within(SAFE_CALL, within(replace(IN_SAFE, path="0"), part(allow())))), KNOWN),
        unchecked=(("multisends", (read(within(SAFE_CALL, IN_SAFE)), knowing(multisends=None))),),
    ),
    12: Case(
        attacks={"safe.refund": (typed(odd="safe.refund"), KNOWN)},
        honest=(typed(), KNOWN),
        unchecked=(("bytes", (typed(clarity=Clarity.BLIND), KNOWN)),),
    ),
    13: Case(
        attacks={"account.unknown_delegate": (delegating(), KNOWN)},
        honest=(delegating(MULTISEND), KNOWN),
        unchecked=(("delegates", (delegating(MULTISEND), knowing(delegates=None))),),
    ),
    14: Case(
        attacks={"account.every_chain": (delegating(MULTISEND, chain=None), KNOWN)},
        honest=(delegating(MULTISEND), KNOWN),
        unchecked=BLIND,
    ),
    15: Case(
        attacks={
            "calldata.blind": (read(within(part(), part(clarity=Clarity.BLIND))), KNOWN),
            "calldata.partial": (call(clarity=Clarity.PARTIAL), KNOWN),
        },
        honest=(call(), KNOWN),
        unchecked=(),
    ),
    16: Case(
        attacks={"calldata.malformed": (call(odd="calldata.malformed"), KNOWN)},
        honest=(call(), KNOWN),
        unchecked=BLIND,
    ),
    17: Case(
        attacks={"calldata.trailing": (call(odd="calldata.trailing"), KNOWN)},
        honest=(call(), KNOWN),
        unchecked=BLIND,
    ),
    18: Case(
        attacks={"call.no_code": (call(target=STRANGER), KNOWN)},
        honest=(call(target=ROUTER), KNOWN),
        unchecked=(("node", (call(target=ROUTER), NOBODY_ASKED)),),
    ),
    19: Case(
        attacks={"call.not_payable": (call(value=1, signature="transfer(address,uint256)"), KNOWN)},
        honest=(call(value=1, signature="deposit()"), KNOWN),
        unchecked=BLIND,
    ),
    20: Case(
        attacks={"contract.create": (call(kind=PartKind.CREATE, target=None), KNOWN)},
        honest=(call(), KNOWN),
        unchecked=BLIND,
    ),
    21: Case(
        attacks={
            "payee.zero": (pay(ZERO), KNOWN),
            "payee.reserved": (pay(type(ZERO).from_bytes(bytes(19) + b"\x04")), KNOWN),
            "payee.burn": (call(out(DEAD, asset=COIN)), KNOWN),
            "payee.self": (pay(SIGNER), KNOWN),
        },
        honest=(pay(), KNOWN),
        unchecked=BLIND,
    ),
    22: Case(
        attacks={
            "payee.token": (call(out(TOKEN, asset=COIN)), KNOWN),
            "payee.token_contract": (pay(TOKEN), KNOWN),
        },
        honest=(pay(), KNOWN),
        unchecked=(("tokens", (pay(), knowing(tokens=None))), ("node", (pay(), NOBODY_ASKED))),
    ),
    23: Case(
        attacks={
            "payee.contract": (pay(ROUTER), KNOWN),
            "payee.contract_elsewhere": (pay(SAFE), claiming(SAFE, has_code=False, elsewhere=True)),
        },
        honest=(pay(), KNOWN),
        unchecked=(("node", (pay(), NOBODY_ASKED)), ("node", (pay(), claiming(PAYEE, has_code=False)))),
    ),
    24: Case(
        attacks={"payee.imitates": (pay(TWIN), KNOWN), "payee.half_imitates": (pay(HALF_TWIN), KNOWN)},
        honest=(pay(), KNOWN),
        unchecked=(
            ("addresses", (pay(), knowing(addresses=None))),
            ("accounts", (pay(), knowing(accounts=None))),
            ("tokens", (pay(), knowing(tokens=None))),
            ("history", (pay(), knowing(history=None))),
        ),
    ),
    25: Case(
        attacks={
            "payee.first_time": (pay(STRANGER), KNOWN),
            "payee.new": (pay(STRANGER), knowing(history=History(paid=(seen(STRANGER),)))),
        },
        honest=(pay(), KNOWN),
        unchecked=(
            ("history", (pay(STRANGER), knowing(history=None))),
            ("addresses", (pay(STRANGER), knowing(addresses=None))),
            ("accounts", (pay(STRANGER), knowing(accounts=None))),
        ),
    ),
    26: Case(
        attacks={"payee.quiet": (pay(), claiming(PAYEE, has_code=False, nonce=0))},
        honest=(pay(), KNOWN),
        unchecked=(("node", (pay(), NOBODY_ASKED)),),
    ),
    27: Case(
        attacks={
            "address.checksum": (pay(written=(("to", PAYEE.value.lower()),)), KNOWN),
            "address.chain_checksum": (
                read(
                    part(out(PAYEE), target=PAYEE, chain=type(OTHER_CHAIN)(30)),
                    written=(("to", "0x5aaEB6053f3e94c9b9a09f33669435E7ef1bEAeD"),),
                ),
                KNOWN,
            ),
        },
        honest=(pay(written=(("to", PAYEE.value),)), KNOWN),
        unchecked=(("written", (pay(written=None), KNOWN)),),
    ),
    28: Case(
        attacks={
            "name.not_normal": (NAMED, resolved(normal=False)),
            "name.nonascii": (pay(names=(UsedName(name="\u0430lice.eth", address=PAYEE),)), KNOWN),
            "name.changed": (NAMED, resolved(previous=STRANGER)),
            "name.one_way": (NAMED, resolved(reverse=None)),
            "name.elsewhere": (pay(STRANGER, names=NAMED.names), resolved()),
            "text.invisible": (pay(), called("Al\u200bice")),
            "text.nonascii": (pay(), called("\u0410lice")),
        },
        honest=(NAMED, resolved()),
        unchecked=(("names", (NAMED, knowing(names=None))),),
    ),
    29: Case(
        attacks={
            "chain.wrong": (enveloped(chain=OTHER_CHAIN), KNOWN),
            "chain.replayable": (enveloped(type=0, chain=None), KNOWN),
            "chain.node": (pay(), node(chain="eip155:137")),
        },
        honest=(pay(), KNOWN),
        unchecked=(("chain", (pay(), knowing(chain=None))), ("node", (pay(), NOBODY_ASKED))),
    ),
    30: Case(
        attacks={
            "typed.no_chain": (typed(domain=Domain(name="Dai", chain=None, contract=TOKEN)), KNOWN),
            "typed.no_contract": (typed(domain=Domain(name="Dai", chain=1, contract=None)), KNOWN),
            "typed.salt": (typed(odd="typed.salt"), KNOWN),
            "typed.imitates": (
                typed(domain=Domain(name="Perm1t2", chain=1, contract=STRANGER)),
                knowing(applications=(Application(name="Permit2", contracts=(ROUTER,)),)),
            ),
            "typed.own_contract": (typed(domain=Domain(name="Dai", chain=1, contract=SIGNER)), KNOWN),
        },
        honest=(typed(), knowing(applications=(Application(name="Permit2", contracts=(ROUTER,)),))),
        unchecked=(
            ("applications", (typed(), knowing(applications=None))),
            ("accounts", (typed(), knowing(accounts=None))),
            ("domain", (replace(typed(), domain=None), KNOWN)),
        ),
    ),
    31: Case(
        attacks={
            "typed.malformed": (replace(typed(), invalid="invalid_input.typed_data"), KNOWN),
            "typed.many_types": (typed(domain=Domain(name="Dai", chain=1, contract=TOKEN, types=65)), KNOWN),
        },
        honest=(typed(), KNOWN),
        unchecked=(("domain", (replace(typed(), domain=None), KNOWN)),),
    ),
    32: Case(
        attacks={"owner.mismatch": (typed(allow(owner=STRANGER)), KNOWN)},
        honest=(typed(allow()), KNOWN),
        unchecked=(("accounts", (typed(allow(owner=SAFE)), knowing(accounts=None))),),
    ),
    33: Case(
        attacks={
            "expiry.none": (typed(allow(expires_at=2**48 - 1)), KNOWN),
            "expiry.far": (typed(allow(expires_at=NOW + 365 * 86_400)), KNOWN),
        },
        honest=(typed(allow(expires_at=NOW + 1_800)), KNOWN),
        unchecked=(("now", (typed(allow(expires_at=NOW + 1_800)), knowing(now=None))),),
    ),
    34: Case(
        attacks={
            "order.for_nothing": (typed(out(ROUTER, asset=APES, amount=1), comes(NATIVE, amount=0)), KNOWN),
            "order.other_payee": (typed(out(ROUTER, asset=APES, amount=1), comes(NATIVE, owner=STRANGER)), KNOWN),
        },
        honest=(typed(out(ROUTER, asset=APES, amount=1), comes(NATIVE, amount=ETHER)), KNOWN),
        unchecked=(("bytes", (typed(clarity=Clarity.DECODED), KNOWN)),),
    ),
    35: Case(
        attacks={
            "swap.other_recipient": (swap(owner=STRANGER), GAINED),
            "swap.no_minimum": (swap(amount=0), GAINED),
            "swap.slippage": (swap(amount=90), GAINED),
            "swap.no_deadline": (swap(expires_at=UINT256_MAX), GAINED),
        },
        honest=(swap(expires_at=NOW + 600), GAINED),
        unchecked=(("simulation", (swap(), knowing(simulation=None))),),
    ),
    36: Case(
        attacks={
            "token.fake_symbol": (call(comes(SPAM)), token_claim("U5DC")),
            "token.odd_symbol": (call(comes(SPAM)), token_claim("USD\u0421")),
        },
        honest=(call(comes(SPAM)), token_claim("WETH")),
        unchecked=(
            ("node", (call(comes(SPAM)), token_claim(None))),
            ("tokens", (call(comes(SPAM)), knowing(tokens=None))),
        ),
    ),
    37: Case(
        attacks={
            "fee.absolute": (enveloped(max_fee_per_gas=30_000 * GWEI), KNOWN),
            "fee.high": (pay(value=10**12), KNOWN),
            "fee.tip": (enveloped(max_priority_fee_per_gas=31 * GWEI), KNOWN),
            "fee.blobs": (enveloped(type=3, blobs=6, max_fee_per_blob_gas=10**13), KNOWN),
            "fee.market": (enveloped(max_fee_per_gas=90 * GWEI, max_priority_fee_per_gas=60 * GWEI), KNOWN),
        },
        honest=(pay(), KNOWN),
        unchecked=(("node", (pay(), NOBODY_ASKED)),),
    ),
    38: Case(
        attacks={
            "fee.low": (enveloped(max_fee_per_gas=20 * GWEI), KNOWN),
            "gas.low": (enveloped(gas=59_999), KNOWN),
            "gas.above_block": (enveloped(gas=30_000_001), KNOWN),
            "gas.fails": (pay(), node(estimate_failed=True, estimated_gas=None)),
        },
        honest=(pay(), KNOWN),
        unchecked=(("node", (pay(), NOBODY_ASKED)), ("node", (pay(), node(block_gas_limit=None)))),
    ),
    39: Case(
        attacks={
            "balance.small": (call(out(asset=COIN, amount=10**12 + 1)), KNOWN),
            "balance.sweep": (pay(value=95 * ETHER), KNOWN),
        },
        honest=(pay(), KNOWN),
        unchecked=(("node", (pay(), NOBODY_ASKED)), ("node", (call(out(asset=COIN)), node(tokens=())))),
    ),
    40: Case(
        attacks={
            "simulation.reverts": (pay(), knowing(simulation=(RAN.model_copy(update={"status": "reverted"}),) * 2)),
            "simulation.mismatch": (pay(), knowing(simulation=(moved((SIGNER, NATIVE, -2 * ETHER)),) * 2)),
            "simulation.other_assets": (
                pay(),
                knowing(
                    simulation=(
                        PAID.model_copy(
                            update={
                                "movements": (*(PAID.movements or ()), *(moved((SIGNER, COIN, -1)).movements or ()))
                            }
                        ),
                    )
                    * 2
                ),
            ),
            "simulation.new_approval": (
                pay(),
                knowing(simulation=(PAID.model_copy(update={"allowances": (TAKEN,)}),) * 2),
            ),
            "simulation.code": (pay(), knowing(simulation=(PAID.model_copy(update={"code_changes": (SIGNER,)}),) * 2)),
            "simulation.unstable": (pay(), knowing(simulation=(PAID, RAN))),
        },
        honest=(pay(), knowing(simulation=(PAID, PAID))),
        unchecked=(
            ("simulation", (pay(), knowing(simulation=None))),
            ("simulation.second", (pay(), knowing(simulation=(PAID,)))),
            (
                "simulation.movements",
                (pay(), knowing(simulation=(moved(movements=None, allowances=None, method="eth_call"),) * 2)),
            ),
        ),
    ),
    41: Case(
        attacks={"contract.unverified": (call(target=STRANGER), KNOWN)},
        honest=(call(target=ROUTER), KNOWN),
        unchecked=(("verified", (call(target=ROUTER), knowing(verified=None))),),
    ),
    42: Case(
        attacks={
            "message.eth_sign": (message(method=Method.ETH_SIGN), KNOWN),
            "message.old_typed_data": (message(method=Method.TYPED_DATA_V3), KNOWN),
            "message.hash": (message(bytes(32), odd="message.hash"), KNOWN),
        },
        honest=(message(), KNOWN),
        unchecked=(("method", (message(method=None), KNOWN)),),
    ),
    43: Case(
        attacks={
            "message.malformed": (message(invalid="invalid_input.message"), KNOWN),
            "message.binary": (message(odd="message.binary"), KNOWN),
            "message.invisible": (message(odd="message.invisible"), KNOWN),
            "message.long": (message(b"x" * 5_000), KNOWN),
            "message.siwe_malformed": (message(odd="message.siwe_malformed"), KNOWN),
            "sign_in.uri": (signing_in(uri="https://app.example@evil.example/"), KNOWN),
            "sign_in.other_site": (sign_in(origin="evil.example"), KNOWN),
            "sign_in.chain": (signing_in(chain=137), KNOWN),
            "sign_in.expired": (signing_in(expires_at=NOW), KNOWN),
            "sign_in.early": (signing_in(not_before=NOW + 1), KNOWN),
        },
        honest=(sign_in(), KNOWN),
        unchecked=(
            ("origin", (sign_in(origin=None), KNOWN)),
            ("now", (sign_in(), knowing(now=None))),
            ("chain", (sign_in(), knowing(chain=None))),
        ),
    ),
    44: Case(
        attacks={
            "nonce.unexpected": (enveloped(nonce=9), KNOWN),
            "nonce.replaces": (pay(), node(pending_nonce=8)),
            "request.repeated": (pay(), REMEMBERED),
        },
        honest=(pay(), KNOWN),
        unchecked=(
            ("history", (pay(), knowing(history=None))),
            ("node", (pay(), NOBODY_ASKED)),
            ("digest", (pay(digests=()), KNOWN)),
            ("now", (pay(), knowing(now=None))),
        ),
    ),
    45: Case(
        attacks={
            "venue.no_network": (withdrawing(network=None), KNOWN),
            "venue.no_memo": (withdrawing(network="XRP", address="rPT1"), KNOWN),
            "venue.memo_unsupported": (withdrawing(memo="77"), KNOWN),
            "venue.fee_unknown": (withdrawing(received=None), KNOWN),
            "venue.not_listed": (withdrawing(address=STRANGER.value), KNOWN),
        },
        honest=(withdrawing(), KNOWN),
        unchecked=(
            ("venues", (withdrawing(), knowing(venues=None))),
            ("venues", (withdrawing(network="SOL"), KNOWN)),
        ),
    ),
}
