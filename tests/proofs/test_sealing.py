"""A proof is made by its one maker, and by nothing else that a mistake or a shortcut could reach.

Threat: T-001, T-097.
"""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from typing import Any

import pytest

from mcp_wallet_guard import proofs
from mcp_wallet_guard.evidence import Level, Obligations
from mcp_wallet_guard.proofs import MAKERS, Proof, Proven, Released, exactly, mint

KINDS: list[Any] = [
    value
    for value in vars(proofs).values()
    if inspect.isclass(value) and issubclass(value, Proof) and value is not Proof
]


def made(kind: Any) -> Any:
    return mint(kind, **dict.fromkeys(kind.__slots__, "x"))


def test_every_proof_has_a_maker_and_every_maker_a_proof() -> None:
    assert {kind.__name__ for kind in KINDS} == set(MAKERS)
    assert MAKERS == {
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


def test_the_fields_of_each_proof_are_the_documented_ones() -> None:
    assert {kind.__name__: kind.__slots__ for kind in KINDS} == {
        "Authorized": ("effect_hash", "principal", "tool"),
        "Decoded": ("operation", "view", "view_hash"),
        "Permitted": ("obligations", "operation_digest", "policy_revision", "view_hash"),
        "Confirmed": ("level", "operation_digest", "view_hash"),
        "Proven": ("level", "operation_digest"),
        "Signable": ("operation", "signing_hashes"),
        "Runnable": ("operation",),
        "Sendable": ("operation", "text"),
        "Signed": ("operation", "signed_bytes", "transaction_hash"),
        "Released": ("payload",),
    }


@pytest.mark.parametrize("kind", KINDS)
def test_a_maker_gets_a_proof_with_its_fields(kind: Any) -> None:
    proof = mint(kind, **{name: f"value of {name}" for name in kind.__slots__})
    assert type(proof) is kind
    assert {name: getattr(proof, name) for name in kind.__slots__} == {
        name: f"value of {name}" for name in kind.__slots__
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("arguments", [(), (None,), ("x", "y"), (object(),)])
def test_no_proof_can_be_constructed(kind: Any, arguments: tuple[object, ...]) -> None:
    with pytest.raises(TypeError):
        kind(*arguments)


@pytest.mark.parametrize("kind", KINDS)
def test_a_forged_call_is_told_who_makes_the_proof(kind: Any) -> None:
    with pytest.raises(TypeError) as refused:
        kind(object())
    assert str(refused.value) == f"{kind.__name__} is made only by {MAKERS[kind.__name__]}"


@pytest.mark.parametrize("kind", KINDS)
def test_no_proof_can_be_constructed_by_field_names(kind: Any) -> None:
    with pytest.raises(TypeError):
        kind(**dict.fromkeys(kind.__slots__, "x"))


@pytest.mark.parametrize("kind", [*KINDS, Proof])
def test_no_proof_can_be_subclassed(kind: Any) -> None:
    with pytest.raises(TypeError, match="proofs are sealed"):
        type("Forged", (kind,), {})


@pytest.mark.parametrize("kind", KINDS)
def test_no_proof_can_be_subclassed_by_a_class_that_claims_to_live_here(kind: Any) -> None:
    with pytest.raises(TypeError, match="proofs are sealed"):
        type("Forged", (kind,), {"__module__": proofs.__name__})


def test_a_subclass_beside_another_base_is_refused_too() -> None:
    class Bystander:
        """No proof."""

    with pytest.raises(TypeError, match="proofs are sealed"):
        type("Forged", (Bystander, Proven), {"__module__": proofs.__name__})


@pytest.mark.parametrize("kind", KINDS)
def test_no_proof_can_be_edited(kind: Any) -> None:
    proof = made(kind)
    for name in (*kind.__slots__, "other"):
        with pytest.raises(AttributeError, match="proofs are read-only"):
            setattr(proof, name, "y")
        with pytest.raises(AttributeError, match="proofs are read-only"):
            delattr(proof, name)
    assert not hasattr(proof, "__dict__")
    assert all(getattr(proof, name) == "x" for name in kind.__slots__)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy], ids=["copy", "deepcopy"])
def test_no_proof_can_be_copied(kind: Any, duplicate: Any) -> None:
    with pytest.raises(TypeError, match="a proof cannot be copied or pickled"):
        duplicate(made(kind))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_no_proof_can_be_pickled(kind: Any, protocol: int) -> None:
    with pytest.raises(TypeError, match="a proof cannot be copied or pickled"):
        pickle.dumps(made(kind), protocol)


@pytest.mark.parametrize("kind", KINDS)
def test_every_way_into_pickle_is_closed(kind: Any) -> None:
    proof = made(kind)
    for way in (proof.__reduce__, proof.__copy__):
        with pytest.raises(TypeError, match="a proof cannot be copied or pickled"):
            way()
    for way in (proof.__reduce_ex__, proof.__deepcopy__):
        with pytest.raises(TypeError, match="a proof cannot be copied or pickled"):
            way(4)


@pytest.mark.parametrize("kind", KINDS)
def test_no_proof_can_be_replaced(kind: Any) -> None:
    with pytest.raises(TypeError):
        dataclasses.replace(made(kind), **dict.fromkeys(kind.__slots__, "y"))
    if hasattr(copy, "replace"):
        with pytest.raises(TypeError):
            copy.replace(made(kind))


def test_proofs_are_compared_by_identity() -> None:
    one, other = made(Proven), made(Proven)
    assert one == one  # noqa: PLR0124  equality itself is the subject
    assert one != other
    assert len({one, other}) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_the_repr_of_a_proof_shows_nothing_of_what_is_in_it(kind: Any) -> None:
    assert repr(made(kind)) == f"<{kind.__name__}>"


# --- the maker's tool ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_field_too_few_or_too_many_is_refused(kind: Any) -> None:
    fields: dict[str, object] = dict.fromkeys(kind.__slots__, "x")
    for wrong in ({}, fields | {"more": 1}, dict(list(fields.items())[1:])):
        with pytest.raises(TypeError) as refused:
            mint(kind, **wrong)
        assert str(refused.value) == f"{kind.__name__} takes exactly {sorted(kind.__slots__)}"


def test_nothing_but_a_proof_is_minted() -> None:
    class Signable:
        """Has the name, and is not it."""

        __slots__ = ("operation", "signing_hashes")

    for other in (Proof, Signable, Obligations, object):
        forged: Any = other
        with pytest.raises(TypeError, match=r"^not a proof$"):
            mint(forged, operation=1, signing_hashes=())


def test_a_class_that_lives_here_under_another_name_is_not_minted() -> None:
    forged: Any = type("Other", (), {"__slots__": (), "__module__": proofs.__name__})
    with pytest.raises(TypeError, match=r"^not a proof$"):
        mint(forged)


# --- exact types --------------------------------------------------------------------------------------------------


def test_the_exact_proof_passes() -> None:
    proof = mint(Proven, level=Level.FACTOR, operation_digest=b"d")
    assert exactly(Proven, proof) is proof


def test_a_look_alike_another_proof_and_none_do_not_pass() -> None:
    class Lookalike:
        level = Level.FACTOR
        operation_digest = b"d"

    for value in (Lookalike(), mint(Released, payload={}), None, Proven):
        with pytest.raises(TypeError, match=r"^needs a Proven$"):
            exactly(Proven, value)


def test_a_class_that_claims_to_be_the_proof_does_not_pass() -> None:
    class Claims:
        @property
        def __class__(self) -> Any:
            return Proven

        @__class__.setter
        def __class__(self, value: object) -> None: ...

    assert isinstance(Claims(), Proven)
    with pytest.raises(TypeError, match=r"^needs a Proven$"):
        exactly(Proven, Claims())
