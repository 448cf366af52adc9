"""What a handler of a resource or prompt returned, in the form in which it is sent, and how large that is."""

from __future__ import annotations

import base64
import json
from typing import Any, Final

import pydantic_core
from mcp.server.mcpserver.prompts.base import Message, message_validator
from mcp.server.mcpserver.utilities.types import Audio, Image
from mcp_types import ContentBlock, InputRequiredResult, PromptMessage
from pydantic import BaseModel

Body = str | bytes | list[PromptMessage] | InputRequiredResult
_CONTENT: Final = (str, ContentBlock, Image, Audio)


def text_or_bytes(returned: object, /) -> str | bytes:
    """Text and bytes as they are, anything else as JSON, as the SDK does it."""
    if isinstance(returned, str | bytes):
        return returned
    return pydantic_core.to_json(returned, fallback=str, indent=2).decode()


def messages_of(returned: object, /) -> list[PromptMessage]:
    """A text, a content block, a message, a dict of one, or a sequence of these; as the SDK takes them."""
    several = returned if isinstance(returned, list | tuple) else [returned]
    messages = [_message(each) for each in several]
    return [PromptMessage(role=each.role, content=each.content) for each in messages]


def size_of(body: Body, /) -> int:
    """In bytes: of the text or the bytes, or of the messages as JSON."""
    if isinstance(body, bytes):
        return len(body)
    return len((body if isinstance(body, str) else json.dumps(wire_of(body), ensure_ascii=False)).encode())


def wire_of(body: Body, /) -> dict[str, Any]:
    """The part of the answer that the body is."""
    if isinstance(body, InputRequiredResult):
        return _dumped(body)
    if isinstance(body, list):
        return {"messages": [_dumped(each) for each in body]}
    return {"blob": base64.b64encode(body).decode()} if isinstance(body, bytes) else {"text": body}


def _message(each: object) -> Message:
    if isinstance(each, Message):
        return each
    if isinstance(each, dict):
        return message_validator.validate_python(each)
    if isinstance(each, _CONTENT):
        return Message(role="user", content=each)
    return Message(role="user", content=pydantic_core.to_json(each, fallback=str, indent=2).decode())


def _dumped(model: BaseModel) -> dict[str, Any]:
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)
