"""Frames and messages of the daemon's sockets. Specified in docs/formats/daemon-protocol.md; nothing here does I/O.

What is read is rendered again and compared, so one message has one spelling. A refusal names a code of the catalogue
and repeats nothing of what was refused. Threat: T-057, T-110.
"""

from __future__ import annotations

import json
import struct
from typing import Annotated, Any, Final, NoReturn, TypeVar, final

from pydantic import Field, ValidationError

from mcp_wallet_guard import canonical, strict_json
from mcp_wallet_guard.daemon.base import Role
from mcp_wallet_guard.errors import CATALOGUE, KINDS, GuardError, InvalidInput, Misconfigured
from mcp_wallet_guard.evidence import Model

VERSION: Final = 1
MAX_BODY: Final = 256 * 1024
MAX_DEPTH: Final = 16
MAX_SECRET: Final = 4096
MAX_DETAIL: Final = 2048
LENGTH: Final = struct.Struct(">I")

Number = Annotated[int, Field(ge=1, le=2**53 - 1)]
_M = TypeVar("_M", bound=Model)


class Disconnected(Exception):
    """The other side is gone, or did not keep the time. Never leaves this room."""


@final
class Hello(Model):
    """What opens a connection, from both sides. Its form is the same in every version."""

    role: str
    version: int


@final
class Greeting(Model):
    hello: Hello


@final
class Request(Model):
    """One call. `secret` raw bytes follow the frame. The arguments' own model is the method's."""

    id: Number
    method: str
    args: Annotated[dict[str, Any], Field(repr=False)]
    secret: Annotated[int, Field(ge=1, le=MAX_SECRET)] | None = None


@final
class Cancel(Model):
    cancel: Number


@final
class ErrorForm(Model):
    """The one form of an error. `detail` exists on control.sock only."""

    kind: str
    code: str
    detail: str | None = None


@final
class Failure(Model):
    """An error; without `id` it is about the connection, which ends."""

    error: ErrorForm
    id: Number | None = None


@final
class Result(Model):
    id: Number
    result: Annotated[Any, Field(repr=False)]


def frame(message: dict[str, Any], /) -> bytes:
    """Length and canonical body. Raises InvalidInput: `invalid_input.size`, or `invalid_input` for what JSON cannot
    say (a lone surrogate, an integer beyond 2^53)."""
    body = canonical_bytes(message)
    if len(body) > MAX_BODY:
        raise InvalidInput("invalid_input.size")
    return LENGTH.pack(len(body)) + body


def canonical_bytes(value: Any, /) -> bytes:
    """RFC 8785. Raises InvalidInput for what it cannot say."""
    try:
        return canonical.canonical_bytes(value)
    except (ValueError, RecursionError):
        raise InvalidInput("invalid_input") from None


def body_length(head: bytes | bytearray, /) -> int:
    """The length that a frame's first four bytes announce. Raises InvalidInput("invalid_input.size")."""
    (length,) = LENGTH.unpack(head)
    if not 2 <= length <= MAX_BODY:
        raise InvalidInput("invalid_input.size")
    return int(length)


def parse(body: bytes, /) -> dict[str, Any]:
    """The object that a body spells canonically. Raises InvalidInput for anything else."""
    try:
        strict_json.check_depth(body, max_depth=MAX_DEPTH)
        message = json.loads(body, parse_float=_refuse, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise InvalidInput("invalid_input") from None
    if type(message) is not dict or canonical_bytes(message) != body:
        raise InvalidInput("invalid_input")
    return message


def parse_greeting(body: bytes, /, *, role: Role) -> None:
    """Check the first message of the other side.

    Raises InvalidInput when it is no hello, Misconfigured("misconfigured.protocol") for another role or version.
    """
    hello = _validated(Greeting, parse(body)).hello
    if hello.version != VERSION or hello.role != role:
        raise Misconfigured("misconfigured.protocol", detail=f"version {VERSION}, role {role.value} expected")


def parse_reply_to_hello(body: bytes, /, *, role: Role) -> GuardError | None:
    """The server's first message: its refusal, or None for a hello. Raises as `parse_greeting`."""
    message = parse(body)
    if "error" in message:
        return error_of(_validated(Failure, message).error)
    parse_greeting(body, role=role)
    return None


def parse_from_client(body: bytes, /) -> Request | Cancel:
    """A message that a server takes after the hello. Raises InvalidInput."""
    message = parse(body)
    if "cancel" in message:
        return _validated(Cancel, message)
    return _validated(Request, message)


def parse_from_server(body: bytes, /) -> Result | Failure:
    """A message that a client takes after the hello. Raises InvalidInput."""
    message = parse(body)
    if "error" in message:
        return _validated(Failure, message)
    return _validated(Result, message)


def hello(role: Role, /) -> bytes:
    return frame({"hello": {"role": role.value, "version": VERSION}})


def request(number: int, /, *, method: str, arguments: Model, secret: int) -> bytes:
    """A call. `secret` is the number of raw bytes that follow, 0 for none. Raises InvalidInput."""
    message = {"id": number, "method": method, "args": json_of(arguments)}
    if secret:
        message["secret"] = secret
    return frame(message)


def cancel(number: int, /) -> bytes:
    return frame({"cancel": number})


def result(number: int, value: Any, /) -> bytes:
    """A reply; `value` is made of JSON types. Raises InvalidInput when it cannot be framed."""
    return frame({"id": number, "result": value})


def failure(error: GuardError, /, *, number: int | None, role: Role) -> bytes:
    """An error as (kind, code); its detail travels over the owner's socket only. Threat: T-058."""
    form = {"kind": _kind_of(error), "code": error.code}
    if role is Role.CONTROL and error.detail:
        form["detail"] = "".join(c if c.isprintable() else "?" for c in error.detail[:MAX_DETAIL])
    return frame({"error": form} if number is None else {"error": form, "id": number})


def error_of(form: ErrorForm, /) -> GuardError:
    """The error that travelled. One that this version does not know is Misconfigured("misconfigured.protocol")."""
    kind = KINDS.get(form.kind)
    if kind is None or form.code not in CATALOGUE:
        return Misconfigured("misconfigured.protocol", detail="the guard answered with an error of another version")
    return kind(form.code, detail=form.detail or "")


def json_of(model: Model, /) -> dict[str, Any]:
    """A model's fields as JSON types. Raises InvalidInput."""
    try:
        return model.model_dump(mode="json", warnings="error")
    except ValueError:
        raise InvalidInput("invalid_input") from None


def _kind_of(error: GuardError) -> str:
    """The nearest class that travels: a MissingExtra is a Misconfigured to the other side."""
    return next((kind.__name__ for kind in type(error).__mro__ if kind.__name__ in KINDS), Misconfigured.__name__)


def _validated(model: type[_M], message: dict[str, Any]) -> _M:
    try:
        return model.model_validate(message)
    except ValidationError:
        raise InvalidInput("invalid_input") from None


def _refuse(_: str) -> NoReturn:
    raise ValueError
