"""What an edit of guard.toml changed, key by key, for whoever puts it in force. Values that are private stay out."""

from __future__ import annotations

from typing import Any, Final

from mcp_wallet_guard.clearsign import text
from mcp_wallet_guard.config.settings import Settings

_PRIVATE: Final = frozenset({"chain.node"})


def difference(sealed: Settings, edited: Settings, /) -> tuple[str, ...]:
    """The changed keys, sorted, with old and new value where these are public. Empty when nothing changed."""
    old, new = _flat(sealed), _flat(edited)
    return tuple(_change(key, old.get(key), new.get(key)) for key in sorted(old | new) if old.get(key) != new.get(key))


def _flat(settings: Settings) -> dict[str, str]:
    flat: dict[str, str] = {}
    body = settings.document.model_dump(mode="json", exclude_none=True)
    body["tokens"] = {token["symbol"]: token for token in body["tokens"]}
    body["contacts"] = {contact["name"]: contact["address"] for contact in body["contacts"]}
    body["venues"] = {venue["name"]: _flat_venue(venue) for venue in body["venues"]}
    policy = body.get("policy", {})
    policy["limits"] = {str(number): limit for number, limit in enumerate(policy.get("limits", ()))}
    policy["mandates"] = {mandate["name"]: mandate for mandate in policy.get("mandates", ())}
    policy["actions"] = {action["tool"]: action for action in policy.get("actions", ())}
    policy["contracts"] = {contract["name"]: contract for contract in policy.get("contracts", ())}
    policy["delegates"] = dict.fromkeys(policy.get("delegates", ()), "trusted")
    policy["groups"] = {name: ", ".join(members) for name, members in policy.get("groups", {}).items()}
    if isinstance(policy.get("payees"), list):
        policy["payees"] = {payee["name"]: payee["address"] for payee in policy["payees"]}
    _walk("", body, flat)
    return flat


def _flat_venue(venue: dict[str, Any]) -> dict[str, Any]:
    assets = {f"{each['asset']}.{each['network']}": each for each in venue["assets"]}
    return {**venue, "assets": assets, "addresses": {each["name"]: each for each in venue["addresses"]}}


def _walk(path: str, value: Any, flat: dict[str, str]) -> None:
    if isinstance(value, dict):
        for key, child in value.items():
            _walk(f"{path}.{key}" if path else key, child, flat)
    else:
        flat[path] = str(value)


def _change(key: str, old: str | None, new: str | None) -> str:
    if key in _PRIVATE:
        return f"{key}: changed (values not shown)"
    before, after = ("(not set)" if value is None else text.quoted(value, limit=200) for value in (old, new))
    return f"{key}: {before} -> {after}"
