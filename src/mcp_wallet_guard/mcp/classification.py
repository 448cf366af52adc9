"""What of a server is served: default deny for tools, resources, templates and prompts that nobody classified.

Threat: T-056, T-107, T-113.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, final

from mcp_wallet_guard.mcp.contents import Content, Contents
from mcp_wallet_guard.mcp.labels import labelled

_ALWAYS: Final = frozenset(
    {
        "initialize", "server/discover", "ping", "logging/setLevel", "subscriptions/listen",
        "tools/list", "resources/list", "resources/templates/list", "prompts/list",
    }
)  # fmt: skip


@final
class Classification:
    """The names that are served: they come one by one, as they are registered."""

    def __init__(self, contents: Contents, /) -> None:
        self._tools: set[str] = set()
        self._contents = contents

    def add_tool(self, name: str, /) -> None:
        """From now on this tool is served."""
        self._tools.add(name)

    def knows_tool(self, name: str, /) -> bool:
        """Whether the tool is served."""
        return name in self._tools

    def content_of(self, method: str, params: Mapping[str, Any], /) -> Content | None:
        """The resource or prompt that a request is about, if it is served."""
        match method:
            case "prompts/get":
                return self._contents.prompts.get(str(params.get("name")))
            case "resources/read" | "resources/subscribe" | "resources/unsubscribe":
                return self._contents.resource_at(str(params.get("uri")))
            case "completion/complete":
                ref = params.get("ref")
                ref = ref if isinstance(ref, Mapping) else {}
                if ref.get("type") == "ref/prompt":
                    return self._contents.prompts.get(str(ref.get("name")))
                return self._contents.resources.get(str(ref.get("uri")))
            case _:
                return None

    def admits(self, method: str, params: Mapping[str, Any], /, *, handled: bool) -> bool:
        """Whether a request may go on. A method that the server does not have goes on to be refused by the SDK."""
        if method in _ALWAYS or not handled:
            return True
        if method == "tools/call":
            return self.knows_tool(str(params.get("name")))
        return self.content_of(method, params) is not None

    def listed(self, wire: dict[str, Any], /, *, method: str) -> dict[str, Any]:
        """A list result without what is not served. The same for every client, as MCP 2026-07-28 asks."""
        if not method.endswith("/list"):
            return wire
        match method:
            case "tools/list":
                return _kept(wire, "tools", "name", self._tools)
            case "prompts/list":
                return _labelled(_kept(wire, "prompts", "name", self._contents.prompts), self._contents.prompts)
            case "resources/list":
                return _kept(wire, "resources", "uri", self._contents.resources)
            case "resources/templates/list":
                return _kept(wire, "resourceTemplates", "uriTemplate", self._contents.resources)
            case _:
                return wire


def _kept(wire: dict[str, Any], field: str, name: str, served: Iterable[str]) -> dict[str, Any]:
    known = set(served)
    return {**wire, field: [each for each in wire.get(field, []) if each.get(name) in known]}


def _labelled(wire: dict[str, Any], prompts: Mapping[str, Content]) -> dict[str, Any]:
    """The SDK keeps no ``_meta`` of a prompt, so the labels are put in here."""
    told = [{**each, "_meta": labelled(each.get("_meta"), prompts[each["name"]].label)} for each in wire["prompts"]]
    return {**wire, "prompts": told}
