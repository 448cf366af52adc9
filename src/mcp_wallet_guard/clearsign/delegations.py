"""What an EIP-7702 authorization does: another contract's code becomes the account's own. Threat: T-035."""

from __future__ import annotations

from typing import Final

from mcp_wallet_guard.clearsign.tree import Clarity, Consequence, Direction, Oddity, Part, PartKind, Shown, ShownKind
from mcp_wallet_guard.operations.authorizations import Authorization, encode
from mcp_wallet_guard.operations.values import Address, ChainId

EVERY_CHAIN: Final = "authorization.every_chain"
OTHER_CHAIN: Final = "authorization.other_chain"


def read_authorization(authorization: Authorization, /, *, chain: ChainId, signer: Address, path: str = "") -> Part:
    """The part that `authorization` is, when `signer` signs it in a wallet of `chain`.

    CLEAR, as the effect is wholly known: whatever the code says happens. Which delegates are good is not decided here.
    """
    number, delegate = authorization.chain_number, authorization.delegate
    everywhere = number == 0
    oddities = []
    if everywhere:
        oddities.append(Oddity(code=EVERY_CHAIN))
    elif number != chain.number:
        oddities.append(Oddity(code=OTHER_CHAIN, facts=(("chain", str(number)),)))
    revokes = authorization.revokes
    return Part(
        path=path,
        kind=PartKind.AUTHORIZATION,
        chain=ChainId(number) if 0 < number < 2**64 else None,
        target=delegate,
        sender=signer,
        data=encode(authorization),
        clarity=Clarity.CLEAR,
        standard="EIP-7702",
        title="Takes the account's code away" if revokes else "Sets the account's code",
        shown=(
            Shown(
                path="#.chain",
                label="Chain",
                kind=ShownKind.CHAIN,
                raw=number,
                text="every chain" if everywhere else None,
            ),
            Shown(
                path="#.delegate",
                label="Code of",
                kind=ShownKind.ADDRESS,
                raw=delegate,
                text="nobody: the account has no code any more" if revokes else None,
            ),
            Shown(path="#.nonce", label="Nonce of the account", kind=ShownKind.INTEGER, raw=authorization.nonce),
        ),
        consequences=(
            Consequence(
                direction=Direction.CONTROL,
                owner=signer,
                counterparty=None if revokes else delegate,
                control="account.revoke" if revokes else "account.delegate",
            ),
        ),
        oddities=tuple(oddities),
    )
