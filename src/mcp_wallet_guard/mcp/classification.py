"""What of a server is served: default deny for tools, resources, templates and prompts that nobody classified.

Threat: T-056, T-107, T-113.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, final

from mcp.shared.uri_template import InvalidUriTemplate, UriTemplate

from mcp_wallet_guard.errors import Misconfigured

_ALWAYS: Final = frozenset(
    {
        "initialize", "server/discover", "ping", "logging/setLevel", "subscriptions/listen",
        "tools/list", "resources/list", "resources/templates/list", "prompts/list",
    }
)  # fmt: skip
PROMPT_PREFIX: Final = "prompt:"


@final
class Classification:
    """The names that are served. Tools come one by one as they are registered; the rest is said at the start."""

    def __init__(self, others: Iterable[str], /) -> None:
        """`others`: URIs and URI templates of resources, and prompts as ``prompt:name``. Raises Misconfigured."""
        self._tools: set[str] = set()
        self._prompts: set[str] = set()
        self._resources: dict[str, UriTemplate] = {}
        for other in others:
            if other.startswith(PROMPT_PREFIX):
                self._prompts.add(other.removeprefix(PROMPT_PREFIX))
                continue
            try:
                self._resources[other] = UriTemplate.parse(other)
            except InvalidUriTemplate:
                raise Misconfigured(detail="a classified resource is not a URI or URI template") from None

    def add_tool(self, name: str, /) -> None:
        """From now on this tool is served."""
        self._tools.add(name)

    def knows_tool(self, name: str, /) -> bool:
        """Whether the tool is served."""
        return name in self._tools

    def knows_prompt(self, name: str, /) -> bool:
        """Whether the prompt is served."""
        return name in self._prompts

    def knows_resource(self, uri: str, /) -> bool:
        """Whether a resource with this URI is served: named, or an instance of a named template."""
        if uri in self._resources:
            return True
        return any(template.match(uri) is not None for template in self._resources.values())

    def admits(self, method: str, params: Mapping[str, Any], /, *, handled: bool) -> bool:
        """Whether a request may go on. A method that the server does not have goes on to be refused by the SDK."""
        if method in _ALWAYS or not handled:
            return True
        match method:
            case "tools/call":
                return self.knows_tool(str(params.get("name")))
            case "prompts/get":
                return self.knows_prompt(str(params.get("name")))
            case "resources/read" | "resources/subscribe" | "resources/unsubscribe":
                return self.knows_resource(str(params.get("uri")))
            case "completion/complete":
                ref = params.get("ref")
                ref = ref if isinstance(ref, Mapping) else {}
                if ref.get("type") == "ref/prompt":
                    return self.knows_prompt(str(ref.get("name")))
                return str(ref.get("uri")) in self._resources
            case _:
                return False

    def listed(self, wire: dict[str, Any], /, *, method: str) -> dict[str, Any]:
        """A list result without what is not served. The same for every client, as MCP 2026-07-28 asks."""
        if not method.endswith("/list"):
            return wire
        match method:
            case "tools/list":
                return _kept(wire, "tools", "name", self._tools)
            case "prompts/list":
                return _kept(wire, "prompts", "name", self._prompts)
            case "resources/list":
                return _kept(wire, "resources", "uri", self._resources)
            case "resources/templates/list":
                return _kept(wire, "resourceTemplates", "uriTemplate", self._resources)
            case _:
                return wire


def _kept(wire: dict[str, Any], field: str, name: str, served: Iterable[str]) -> dict[str, Any]:
    known = set(served)
    return {**wire, field: [each for each in wire.get(field, []) if each.get(name) in known]}
