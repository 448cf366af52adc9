"""Every sealed "this was checked" type, and the table of who may make each.

A `Proof` is authority: holding one means that the check which its docstring names has passed, for exactly one
operation. There is no public constructor, no copy, no pickle, no subclass; both type checkers refuse a forged
call. `Signable` needs every other proof for the same operation, and a signer accepts nothing else, so "can a
step be skipped?" is answered by a type and by reading `MAKERS`.

What is stored is evidence (`evidence.py`), never a proof: proofs are derived again on every resume. Sealed types
stop mistakes and shortcuts; they do not stop hostile code inside this process (docs/limitations.md).

Source: the marker types of rustls `verify.rs`. Threat: T-001, T-097.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Never, NoReturn, TypeVar, final

if TYPE_CHECKING:
    from mcp_wallet_guard.confirmation import ConfirmationView
    from mcp_wallet_guard.evidence import Level, Obligations
    from mcp_wallet_guard.operations.frozen import FrozenOperation


class Proof:
    """Base of the sealed types. Compared by identity; attributes are read-only."""

    __slots__ = ()

    def __init__(self, sealed: Never, /) -> None:  # noqa: ARG002  # `Never` is the point: no value can be passed
        raise TypeError(f"{type(self).__name__} is made only by {MAKERS[type(self).__name__]}")

    def __init_subclass__(cls) -> None:
        if cls.__module__ != __name__ or cls.__bases__ != (Proof,):
            raise TypeError("proofs are sealed")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("proofs are read-only")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("proofs are read-only")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a proof cannot be copied or pickled")

    def __copy__(self) -> NoReturn:
        self.__reduce__()

    def __deepcopy__(self, memo: object, /) -> NoReturn:
        self.__reduce__()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


@final
class Authorized(Proof):
    """Step 2: the principal may use this tool for this effect."""

    __slots__ = ("effect_hash", "principal", "tool")
    principal: str
    tool: str
    effect_hash: bytes


@final
class Decoded(Proof):
    """Step 3: the frozen bytes were decoded, match the intent, and this view shows all of them."""

    __slots__ = ("operation", "view", "view_hash")
    operation: FrozenOperation
    view: ConfirmationView
    view_hash: bytes


@final
class Permitted(Proof):
    """Step 4: the sealed policy permits the decoded operation, under these obligations."""

    __slots__ = ("obligations", "operation_digest", "policy_revision", "view_hash")
    operation_digest: bytes
    view_hash: bytes
    policy_revision: int
    obligations: Obligations


@final
class Confirmed(Proof):
    """Step 5: verified evidence shows that enough people saw this view and said yes, and it has not expired."""

    __slots__ = ("level", "operation_digest", "view_hash")
    operation_digest: bytes
    view_hash: bytes
    level: Level


@final
class Proven(Proof):
    """Step 6: the second factors that the obligations ask for were given, for this operation alone."""

    __slots__ = ("level", "operation_digest")
    operation_digest: bytes
    level: Level


@final
class Signable(Proof):
    """Step 7: steps 2 to 6 hold for one operation, and its approval is being consumed. The signer's only ticket."""

    __slots__ = ("operation", "signing_hashes")
    operation: FrozenOperation
    signing_hashes: tuple[bytes, ...]


@final
class Runnable(Proof):
    """Step 7 of an action: steps 2 to 6 hold for it, and its approval is being consumed. Never a signer's ticket."""

    __slots__ = ("operation",)
    operation: FrozenOperation


@final
class Sendable(Proof):
    """Step 7 of a withdrawal: steps 2 to 6 hold for it, and its approval is being consumed. A venue's only ticket;
    `text` is the approved string with the time of the consume in its one open place."""

    __slots__ = ("operation", "text")
    operation: FrozenOperation
    text: str


@final
class Signed(Proof):
    """Step 8: the signature recovers to the pinned address, is low-s, and covers exactly the frozen bytes.

    `signed_bytes` are what is broadcast, with their `transaction_hash`; of a statement they are the signature itself,
    and the hash is the one that was signed."""

    __slots__ = ("operation", "signed_bytes", "transaction_hash")
    operation: FrozenOperation
    signed_bytes: bytes
    transaction_hash: bytes


@final
class Released(Proof):
    """Step 9: a result that passed the outbound filter. The MCP edge returns nothing else."""

    __slots__ = ("payload",)
    payload: Any


MAKERS: Final[dict[str, str]] = {
    "Authorized": "ceremony.check_authorized",
    "Decoded": "clearsign.view.check_decoded",
    "Permitted": "policy.engine.check_permitted",
    "Confirmed": "ceremony.check_confirmed",
    "Proven": "ceremony.check_proven",
    "Signable": "ceremony.check_signable",
    "Runnable": "ceremony.check_runnable",
    "Sendable": "ceremony.check_sendable",
    "Signed": "signers.check._prove",
    "Released": "filters.outbound.check_released",
}
"""Proof -> the one function that makes it. A test reads the source and fails when another one does."""

_FIELDS: Final[dict[type[Proof], frozenset[str]]] = {
    kind: frozenset(kind.__slots__)
    for kind in (Authorized, Decoded, Permitted, Confirmed, Proven, Signable, Runnable, Sendable, Signed, Released)
}

_set: Final = object.__setattr__
P = TypeVar("P", bound=Proof)


def mint(kind: type[P], /, **fields: object) -> P:
    """Make a proof of `kind`. Called by the function that `MAKERS` names for it, and by nothing else.

    Raises TypeError when `kind` is not one of this file's types or a field is missing or unknown.
    """
    wanted = _FIELDS.get(kind)
    if wanted is None:
        raise TypeError("not a proof")
    if fields.keys() != wanted:
        raise TypeError(f"{kind.__name__} takes exactly {sorted(wanted)}")
    proof = object.__new__(kind)
    for name, value in fields.items():
        _set(proof, name, value)
    return proof


def exactly(kind: type[P], value: object, /) -> P:
    """`value`, if its type is exactly `kind`. Raises TypeError otherwise: a look-alike is a programming error."""
    if type(value) is not kind:
        raise TypeError(f"needs a {kind.__name__}")
    return value
