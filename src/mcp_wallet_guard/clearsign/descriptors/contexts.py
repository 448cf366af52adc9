"""Where a descriptor applies: its constraints, and whether one transaction or message meets them.

All constraints must hold, and a selector alone binds nothing: without a chain and a contract in its constraints, a
descriptor applies only where the owner said so. A constraint of a later version cannot be verified here, so it is not
met. Source: ERC-7730, "Context section". Threat: T-021.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, final

from mcp_wallet_guard.clearsign.descriptors.limits import MAX_DEPLOYMENTS, refuse
from mcp_wallet_guard.clearsign.descriptors.model import Context, Deployment, Factory
from mcp_wallet_guard.clearsign.descriptors.parsing import check_text
from mcp_wallet_guard.errors import InvalidInput
from mcp_wallet_guard.operations.typed_data import TypedData, domain_separator
from mcp_wallet_guard.operations.values import Address, ChainId

_CONTRACT_KEYS: Final = frozenset({"abi", "deployments", "factory"})
_EIP712_KEYS: Final = frozenset({"schemas", "domain", "domainSeparator", "deployments"})
_DOMAIN_TEXTS: Final = frozenset({"name", "version", "verifyingContract", "salt"})


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Creation:
    """A fact about a contract: `factory` named it in an event of the Solidity signature `event`."""

    event: str
    factory: Address


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """What carries the data: ``@.chainId``, ``@.to``, ``@.from`` and ``@.value`` (wei), None where that is unknown.

    For a message, `to` is the verifying contract and `value` 0. Facts that somebody verified: `implementation` is the
    contract whose code the proxy `to` runs, `creations` the events that named `to`.
    """

    chain: ChainId | None
    to: Address | None
    sender: Address | None = None
    value: int | None = None
    implementation: Address | None = None
    creations: tuple[Creation, ...] = ()

    @property
    def contracts(self) -> frozenset[Address]:
        """What deployments may name for this to be of them."""
        return frozenset(each for each in (self.to, self.implementation) if each is not None)


def parse(raw: object, /) -> Context:
    """The ``context`` of a descriptor. Raises InvalidInput("invalid_input.descriptor")."""
    if type(raw) is not dict:
        refuse("a descriptor has a context")
    kinds = raw.keys() & {"contract", "eip712"}
    if len(kinds) != 1:
        refuse("a context is of a contract or of messages")
    others = tuple(sorted(key for key in raw.keys() - kinds if not key.startswith("$")))
    kind = "contract" if "contract" in kinds else "eip712"
    inner = raw[kind]
    if type(inner) is not dict:
        refuse("a context is an object")
    known = _CONTRACT_KEYS if kind == "contract" else _EIP712_KEYS
    separator = inner.get("domainSeparator")
    return Context(
        kind="contract" if kind == "contract" else "eip712",
        deployments=_deployments(inner["deployments"]) if "deployments" in inner else None,
        factory=_factory(inner["factory"]) if "factory" in inner else None,
        domain=_domain(inner["domain"]) if "domain" in inner else None,
        domain_separator=None if separator is None else word(separator),
        unknown=others + tuple(sorted(key for key in inner.keys() - known if not key.startswith("$"))),
    )


def check_contract(context: Context, container: Container, /, *, bound: tuple[Deployment, ...]) -> None:
    """That a descriptor applies to a transaction. `bound` are the owner's own bindings.

    Raises InvalidInput("invalid_input.descriptor").
    """
    if context.kind != "contract" or context.unknown:
        refuse("the descriptor is not of contracts, or has constraints that cannot be verified")
    if _is_among(bound, container):
        return
    if not context.deployments and context.factory is None:
        refuse("the descriptor names no contract, so it applies to none")
    if context.deployments is not None and not _is_among(context.deployments, container):
        refuse("the descriptor is of other contracts")
    if context.factory is not None:
        _check_factory(context.factory, container)


def check_typed_data(
    context: Context, typed: TypedData, container: Container, /, *, bound: tuple[Deployment, ...]
) -> None:
    """That a descriptor applies to a message. Raises InvalidInput("invalid_input.descriptor")."""
    if context.kind != "eip712" or context.unknown:
        refuse("the descriptor is not of messages, or has constraints that cannot be verified")
    _check_domain(context.domain or {}, typed)
    if context.domain_separator is not None and context.domain_separator != domain_separator(typed):
        refuse("the domain has another separator")
    if context.deployments is not None and not _is_among((*context.deployments, *bound), container):
        refuse("the descriptor is of other contracts")
    pinned = context.domain is not None and {"chainId", "verifyingContract"} <= context.domain.keys()
    if not context.deployments and context.domain_separator is None and not pinned and not _is_among(bound, container):
        refuse("the descriptor names no contract, so it applies to none")


def container_of(typed: TypedData, /, *, signer: Address | None, implementation: Address | None = None) -> Container:
    """What carries a message: its domain. A `salt` in place of a chain is opaque: it names none."""
    domain = typed.domain
    number = domain.chain_id
    chain = ChainId(number) if number is not None and 0 < number < 2**64 else None
    return Container(chain=chain, to=domain.verifying_contract, sender=signer, value=0, implementation=implementation)


def deployment(raw: object, /) -> Deployment:
    """``{"chainId": 1, "address": "0x..."}``; the letters of the address may be of either case."""
    if type(raw) is not dict or not {"chainId", "address"} <= raw.keys():
        refuse("a deployment has a chain and an address")
    try:
        return Deployment(ChainId(raw["chainId"]), address(raw["address"]))
    except InvalidInput:
        refuse("a deployment has a chain and an address")


def address(raw: object, /) -> Address:
    """An address of a descriptor, in which checksums are often missing. Raises InvalidInput."""
    if type(raw) is not str or len(raw) != 42 or raw[:2] != "0x":
        refuse("an address is 0x and 40 hex digits")
    return Address.from_bytes(_hex(raw))


def word(raw: object, /) -> bytes:
    """32 bytes as hex digits. Raises InvalidInput."""
    found = _hex(check_text(raw))
    if len(found) != 32:
        refuse("32 bytes were expected")
    return found


def _is_among(deployments: tuple[Deployment, ...], container: Container) -> bool:
    contracts = container.contracts
    return any(each.chain == container.chain and each.address in contracts for each in deployments)


def _check_factory(factory: Factory, container: Container) -> None:
    """That an event of the factory named the contract."""
    for each in factory.deployments:
        named = Creation(event=factory.event, factory=each.address)
        if each.chain == container.chain and named in container.creations:
            return
    refuse("no such factory is known to have deployed the contract")


def _check_domain(wanted: Mapping[str, str | int], typed: TypedData) -> None:
    members = typed.domain.struct.members
    for key, value in wanted.items():
        found = members.get(key)
        if isinstance(found, Address) and isinstance(value, str):
            same = found == address(value)
        elif isinstance(found, bytes) and isinstance(value, str):
            same = found == word(value)
        else:
            same = type(found) is type(value) and found == value
        if not same:
            refuse("the domain is another")


def _deployments(raw: object) -> tuple[Deployment, ...]:
    if type(raw) is not list or len(raw) > MAX_DEPLOYMENTS:
        refuse("deployments are a list")
    return tuple(deployment(each) for each in raw)


def _factory(raw: object) -> Factory:
    if type(raw) is not dict or raw.keys() != {"deployments", "deployEvent"}:
        refuse("a factory has deployments and an event")
    deployments = _deployments(raw["deployments"])
    if not deployments:
        refuse("a factory is deployed somewhere")
    return Factory(event=check_text(raw["deployEvent"]), deployments=deployments)


def _domain(raw: object) -> dict[str, str | int]:
    if type(raw) is not dict or len(raw) > 16:
        refuse("a domain is an object")
    return {key: _domain_value(key, value) for key, value in raw.items()}


def _domain_value(key: str, value: Any) -> str | int:
    if key == "chainId" and type(value) is int:
        return value
    if key not in _DOMAIN_TEXTS:
        refuse("no message has such a member in its domain")
    return check_text(value)


def _hex(text: str) -> bytes:
    digits = text.removeprefix("0x")
    try:
        found = bytes.fromhex(digits)
    except ValueError:
        refuse("hex digits were expected")
    if len(found) * 2 != len(digits):  # fromhex passes over blanks
        refuse("hex digits were expected")
    return found
