"""Attacks, honest twins and missing sources for the checks 27 to 45: names, messages, orders, fees, venues."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from mcp_wallet_guard.clearsign.reading import Domain, Method, UsedName
from mcp_wallet_guard.clearsign.risks.known import (
    Application,
)
from mcp_wallet_guard.clearsign.tree import Clarity
from mcp_wallet_guard.operations.values import UINT256_MAX, ChainId
from tests.clearsign.readings import (
    APES,
    COIN,
    ETHER,
    GWEI,
    KNOWN,
    NATIVE,
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
    allow,
    call,
    comes,
    knowing,
    message,
    moved,
    node,
    out,
    part,
    pay,
    read,
    typed,
)
from tests.clearsign.scenes import (
    CLAIM,
    GAINED,
    NAMED,
    NOBODY_ASKED,
    REMEMBERED,
    SPAM,
    TAKEN,
    Case,
    called,
    enveloped,
    resolved,
    sign_in,
    signing_in,
    swap,
    token_claim,
    withdrawing,
)

CASES: Final[dict[int, Case]] = {
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
            "name.claimed": (pay(), knowing(claims=(CLAIM.model_copy(update={"stands_for": STRANGER.value}),))),
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
            "typed.nested": (typed(odd="typed.nested"), KNOWN),
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
            "expiry.signature": (typed(odd="typed.no_deadline"), KNOWN),
        },
        honest=(typed(allow(expires_at=NOW + 1_800)), KNOWN),
        unchecked=(("now", (typed(allow(expires_at=NOW + 1_800)), knowing(now=None))),),
    ),
    34: Case(
        attacks={
            "order.for_nothing": (typed(out(None, asset=APES, amount=1), comes(NATIVE, amount=0)), KNOWN),
            "order.other_payee": (typed(out(None, asset=APES, amount=1), comes(NATIVE, owner=STRANGER)), KNOWN),
        },
        honest=(typed(out(None, asset=APES, amount=1), comes(NATIVE, amount=ETHER)), KNOWN),
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
            "fee.data_free": (enveloped(chain=ChainId(8453)), node(data_fee=0)),
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
            "message.prefixed": (message(odd="message.prefixed"), KNOWN),
        },
        honest=(message(), KNOWN),
        unchecked=(("method", (message(method=None), KNOWN)),),
    ),
    43: Case(
        attacks={
            "message.malformed": (message(invalid="invalid_input.message"), KNOWN),
            "message.binary": (message(odd="message.binary"), KNOWN),
            "message.invisible": (message(odd="message.invisible"), KNOWN),
            "message.nonascii": (message(odd="message.nonascii"), KNOWN),
            "sign_in.user": (message(odd="siwe.user"), KNOWN),
            "sign_in.times": (message(odd="siwe.times"), KNOWN),
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
