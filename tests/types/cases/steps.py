"""No step can be skipped, and no proof stands for another one. The functions without marks are the honest twins."""

from mcp_wallet_guard.ceremony import check_confirmed, check_proven, check_signable
from mcp_wallet_guard.chains.base import ChainFacts
from mcp_wallet_guard.clearsign.view import check_decoded
from mcp_wallet_guard.evidence import ApprovalRow, Facts
from mcp_wallet_guard.operations.frozen import FrozenOperation
from mcp_wallet_guard.operations.intents import Effect
from mcp_wallet_guard.operations.values import Address
from mcp_wallet_guard.policy.engine import Reserved, check_permitted
from mcp_wallet_guard.policy.rules import Policy
from mcp_wallet_guard.proofs import Authorized, Confirmed, Decoded, Permitted, Proven, Signable, Signed
from mcp_wallet_guard.signers.base import Signer
from mcp_wallet_guard.signers.check import check_signature


async def every_step(
    operation: FrozenOperation,
    facts: Facts,
    claims: ChainFacts,
    effect: Effect,
    policy: Policy,
    approval: ApprovalRow,
    authorized: Authorized,
    signer: Signer,
) -> Signed:
    decoded = check_decoded(operation, facts, effect=effect)
    permitted = check_permitted(policy, decoded, revision=1, facts=claims, reserved=Reserved())
    confirmed = check_confirmed(decoded, permitted, approval, now=1)
    proven = check_proven(decoded, permitted, approval)
    signable = check_signable(
        authorized=authorized,
        decoded=decoded,
        permitted=permitted,
        confirmed=confirmed,
        proven=proven,
        principal="local",
    )
    return check_signature(signable, await signer.sign(signable), address=signer.info.address)


def skip_decoding(operation: FrozenOperation, claims: ChainFacts, policy: Policy) -> None:
    check_permitted(policy, operation, revision=1, facts=claims, reserved=Reserved())  # E: mypy=arg-type pyright=reportArgumentType


def skip_the_intent(operation: FrozenOperation, facts: Facts) -> None:
    check_decoded(operation, facts)  # E: mypy=call-arg pyright=reportCallIssue


def skip_policy(decoded: Decoded, approval: ApprovalRow) -> None:
    check_confirmed(decoded, None, approval, now=1)  # E: mypy=arg-type pyright=reportArgumentType
    check_proven(decoded, None, approval)  # E: mypy=arg-type pyright=reportArgumentType


def confirm_in_the_wrong_order(decoded: Decoded, permitted: Permitted, approval: ApprovalRow) -> None:
    check_confirmed(permitted, decoded, approval, now=1)  # E: mypy=arg-type,arg-type pyright=reportArgumentType,reportArgumentType


def skip_the_person(authorized: Authorized, decoded: Decoded, permitted: Permitted, proven: Proven) -> None:
    check_signable(authorized=authorized, decoded=decoded, permitted=permitted, proven=proven, principal="p")  # E: mypy=call-arg pyright=reportCallIssue
    check_signable(authorized=authorized, decoded=decoded, permitted=permitted, confirmed=permitted, proven=proven, principal="p")  # E: mypy=arg-type pyright=reportArgumentType
    check_signable(authorized=authorized, decoded=decoded, permitted=permitted, confirmed=True, proven=proven, principal="p")  # E: mypy=arg-type pyright=reportArgumentType
    check_signable(authorized=authorized, decoded=decoded, permitted=permitted, confirmed=None, proven=proven, principal="p")  # E: mypy=arg-type pyright=reportArgumentType


def skip_the_factor(authorized: Authorized, decoded: Decoded, permitted: Permitted, confirmed: Confirmed) -> None:
    check_signable(authorized=authorized, decoded=decoded, permitted=permitted, confirmed=confirmed, principal="p")  # E: mypy=call-arg pyright=reportCallIssue
    check_signable(authorized=authorized, decoded=decoded, permitted=permitted, confirmed=confirmed, proven=confirmed, principal="p")  # E: mypy=arg-type pyright=reportArgumentType


def skip_the_caller(decoded: Decoded, permitted: Permitted, confirmed: Confirmed, proven: Proven) -> None:
    check_signable(decoded=decoded, permitted=permitted, confirmed=confirmed, proven=proven, principal="p")  # E: mypy=call-arg pyright=reportCallIssue


async def sign_something_else(signer: Signer, operation: FrozenOperation, decoded: Decoded, proven: Proven) -> None:
    await signer.sign(operation)  # E: mypy=arg-type pyright=reportArgumentType
    await signer.sign(operation.unsigned_bytes)  # E: mypy=arg-type pyright=reportArgumentType
    await signer.sign(operation.signing_hashes)  # E: mypy=arg-type pyright=reportArgumentType
    await signer.sign(decoded)  # E: mypy=arg-type pyright=reportArgumentType
    await signer.sign(proven)  # E: mypy=arg-type pyright=reportArgumentType
    await signer.sign(None)  # E: mypy=arg-type pyright=reportArgumentType


def verify_without_a_ticket(operation: FrozenOperation, signed: Signed, address: Address) -> None:
    check_signature(operation, b"", address=address)  # E: mypy=arg-type pyright=reportArgumentType
    check_signature(signed, b"", address=address)  # E: mypy=arg-type pyright=reportArgumentType


async def broadcast_a_ticket(signable: Signable) -> Signed:
    return signable  # E: mypy=return-value pyright=reportReturnType
