"""What one format needs of its descriptor, as canonical JSON that can be kept with an operation and read again.

Rendering from it gives the same result another day, when the owner's files are others. It carries the hashes of the
files that it was made of. Source: RFC 8785.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from mcp_wallet_guard import canonical, strict_json
from mcp_wallet_guard.clearsign.descriptors import contexts
from mcp_wallet_guard.clearsign.descriptors.contexts import Container
from mcp_wallet_guard.clearsign.descriptors.descriptor import Descriptor
from mcp_wallet_guard.clearsign.descriptors.limits import MAX_BYTES, MAX_DEPTH, MAX_INCLUDES, refuse
from mcp_wallet_guard.clearsign.descriptors.model import Deployment
from mcp_wallet_guard.clearsign.descriptors.paths import parse_path
from mcp_wallet_guard.errors import InvalidInput

_KEYS: Final = frozenset({"name", "hashes", "bound", "document"})
_ALWAYS: Final = ("owner", "contractName", "token")


def reduced(descriptor: Descriptor, key: str, /, *, container: Container | None = None) -> bytes:
    """The part of `descriptor` that shows the function or message type `key`; with a `container`, of its deployments
    only those of that chain and contract. Raises InvalidInput for a key that is not there."""
    if key not in descriptor.keys:
        refuse("the descriptor does not know this")
    document = descriptor.document
    form = document["display"]["formats"][key]
    definitions = document["display"].get("definitions", {})
    used = {name: definitions[name] for name in dict.fromkeys(_definitions(form)) if name in definitions}
    display = {"formats": {key: form}} | ({"definitions": used} if used else {})
    found = {
        "$schema": descriptor.schema,
        "context": _context(document["context"], container),
        "metadata": _metadata(descriptor.metadata, [form, used]),
        "display": display,
    }
    whole = {
        "name": descriptor.name,
        "hashes": [each.hex() for each in descriptor.hashes],
        "bound": [{"chainId": each.chain.number, "address": each.address.value} for each in descriptor.bound],
        "document": found,
    }
    try:
        return canonical.canonical_bytes(whole)
    except (ValueError, RecursionError):
        refuse("the descriptor has no canonical form")


def restored(frozen: bytes, /) -> Descriptor:
    """The descriptor that `reduced` gave. Raises InvalidInput("invalid_input.descriptor")."""
    try:
        whole = strict_json.loads(frozen, max_depth=MAX_DEPTH + 2) if len(frozen) <= MAX_BYTES else None
    except ValueError:
        refuse("not strict JSON")
    if type(whole) is not dict or whole.keys() != _KEYS or type(whole["document"]) is not dict:
        refuse("not a frozen descriptor")
    name, hashes, bound = whole["name"], whole["hashes"], whole["bound"]
    if type(name) is not str or type(hashes) is not list or type(bound) is not list:
        refuse("not a frozen descriptor")
    if not 0 < len(hashes) <= MAX_INCLUDES:
        refuse("a frozen descriptor has the hashes of its files")
    return Descriptor(
        name=name,
        files=((name, whole["document"]),),
        bound=tuple(contexts.deployment(each) for each in bound),
        hashes=tuple(contexts.word(each) for each in hashes),
    )


def _context(context: dict[str, Any], container: Container | None) -> dict[str, Any]:
    """The context without the deployments that are of other contracts."""
    if container is None:
        return context
    return {key: _narrowed(value, container) if type(value) is dict else value for key, value in context.items()}


def _narrowed(inner: dict[str, Any], container: Container) -> dict[str, Any]:
    deployments = inner.get("deployments")
    if not deployments:
        return inner
    found = [each for each in deployments if _is_of(contexts.deployment(each), container)]
    return {**inner, "deployments": found or deployments}


def _is_of(deployment: Deployment, container: Container) -> bool:
    return deployment.chain == container.chain and deployment.address in container.contracts


def _metadata(metadata: Any, parts: list[Any]) -> dict[str, Any]:
    """The names, and every constant, enumeration and map that a path in `parts` leads to."""
    found: dict[str, Any] = {key: metadata[key] for key in _ALWAYS if key in metadata}
    for text in _texts(parts):
        if not text.startswith("$.metadata."):
            continue
        try:
            steps = [str(step) for step in parse_path(text).steps]
        except InvalidInput:
            continue
        section = metadata.get(steps[1]) if len(steps) > 1 else None
        if len(steps) > 2 and type(section) is dict and steps[2] in section:
            found.setdefault(steps[1], {})[steps[2]] = section[steps[2]]
        elif section is not None and steps[1] not in found:
            found[steps[1]] = section
    return found


def _definitions(form: Any) -> Iterator[str]:
    prefix = "$.display.definitions."
    return (text.removeprefix(prefix) for text in _texts(form) if text.startswith(prefix))


def _texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)
