"""Which parameters a guarded tool may take, and which fields its forms may have, judged by the JSON schema.

A one-time code, a passphrase or an approval flag has no business in a tool call: the model's own channel can never
approve, and what it carries it has read. A form of the host is the same channel. Money is never a JSON number. Nothing
may be smuggled in unnamed fields. Threat: T-002, T-005, T-027.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

from mcp_wallet_guard.mcp.handlers import refuse

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SECRET: Final = frozenset(
    {
        "otp",
        "totp",
        "hotp",
        "mfa",
        "passphrase",
        "passphrases",
        "password",
        "passwords",
        "passwd",
        "passcode",
        "pin",
        "mnemonic",
        "mnemonics",
        "seed",
        "seeds",
        "privkey",
        "privatekey",
        "xprv",
        "wif",
        "tan",
    }
)
_APPROVING: Final = frozenset(
    {
        "confirm",
        "confirmed",
        "confirms",
        "confirmation",
        "approve",
        "approved",
        "approves",
        "approval",
        "approvals",
        "authorize",
        "authorized",
        "authorise",
        "authorised",
        "consent",
        "consented",
        "acknowledge",
        "acknowledged",
        "unlock",
    }
)
_PAIRS: Final = (
    ("private", "key"), ("secret", "key"), ("signing", "key"), ("recovery", "phrase"), ("seed", "phrase"),
    ("secret", "phrase"), ("2", "fa"), ("two", "factor"), ("second", "factor"), ("user", "agreed"), ("human", "ok"),
    ("one", "time"), ("skip", "confirm"), ("pre", "approved"),
)  # fmt: skip
_CODES: Final = frozenset(
    {
        "auth",
        "authentication",
        "verification",
        "security",
        "access",
        "factor",
        "match",
        "sms",
        "login",
        "pass",
        "approval",
        "confirmation",
    }
)


def check_parameters(schema: dict[str, Any], /, *, tool: str, spends: bool) -> None:
    """Raises Misconfigured("misconfigured.tool") for a schema that asks for secrets or approval, or mirrors a value
    into HTTP headers; and, for a spending tool, for numbers with a fraction, free-form objects and untyped values."""
    for name, part in _properties(schema):
        if reason := _forbidden(name):
            refuse(f"{tool!r} has a parameter {name!r}: {reason}")
        if spends and not part.keys() & {"type", "anyOf", "oneOf", "allOf", "$ref", "enum", "const"}:
            refuse(f"{tool!r} has an untyped parameter {name!r}")
    for part in _parts(schema, below=0):
        if "x-mcp-header" in part:
            refuse(f"{tool!r} mirrors a parameter into an HTTP header")
        if not spends:
            continue
        kinds = part.get("type")
        if kinds == "number" or (isinstance(kinds, list) and "number" in kinds):
            refuse(f"{tool!r} takes a float or Decimal: money is an Amount, a decimal string")
        if kinds == "object" and part is not schema and part.get("additionalProperties") is not False:
            refuse(f"{tool!r} takes an object with free keys: forbid extra fields in its model")


def check_question(method: str, params: Mapping[str, Any] | None, /) -> None:
    """Raises Misconfigured("misconfigured.tool") for a form of the host that asks for secrets or approval.

    `method` and `params` are those of any request to the client. Source: MCP 2026-07-28, client/elicitation: what
    authorises a transaction MUST NOT be asked for in form mode.
    """
    if method != "elicitation/create" or params is None:
        return
    schema = params.get("requestedSchema")
    if schema is None and params.get("mode") == "url":
        return
    if not isinstance(schema, dict):
        refuse("a form without a schema may ask for anything")
    check_parameters(schema, tool=method, spends=False)
    for _, part in _properties(schema):
        title = part.get("title")  # what the person reads; the name is for programs
        if isinstance(title, str) and (reason := _forbidden(title)):
            refuse(f"a form has a field {title!r}: {reason}")


def check_questions(wire: dict[str, Any], /) -> None:
    """`check_question` for each request that a result brings to the client (2026-07-28)."""
    asked = wire.get("inputRequests")
    for question in asked.values() if isinstance(asked, dict) else ():
        check_question(str(question.get("method")), question.get("params"))


def _forbidden(name: str) -> str | None:
    words = [word.lower() for word in _WORD.findall(name)]
    if any(word in _SECRET for word in words) or any(pair in _adjacent(words) for pair in _PAIRS):
        return "secrets never pass through a tool call"
    if words[-1:] in (["code"], ["codes"]) and (len(words) == 1 or words[-2] in _CODES):
        return "codes are typed on the owner's own page or terminal"
    if any(word in _APPROVING for word in words):
        return "a caller cannot approve"
    return None


def _adjacent(words: list[str]) -> set[tuple[str, str]]:
    return set(pairwise(words))


def _properties(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for part in _parts(schema, below=0):
        properties = part.get("properties")
        if isinstance(properties, dict):
            yield from ((name, each) for name, each in properties.items() if isinstance(each, dict))


def _parts(value: Any, *, below: int) -> Iterator[dict[str, Any]]:
    if below > 64:
        refuse("the schema of the parameters is too deep")
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from _parts(item, below=below + 1)
    elif isinstance(value, list):
        for item in value:
            yield from _parts(item, below=below + 1)
