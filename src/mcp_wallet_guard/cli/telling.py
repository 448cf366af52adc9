"""The journal for people: entries as sentences, and one payment from its question to its end.

What is told was written by the guard; texts of callers and nodes are among it, so every line passes
`cli.output.printable` on its way out. Threat: T-021, T-088.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import ValidationError

from mcp_wallet_guard.clearsign.renderers.plain import plain_text
from mcp_wallet_guard.clearsign.view import view_hash
from mcp_wallet_guard.config.settings import Settings
from mcp_wallet_guard.confirmation import ConfirmationView
from mcp_wallet_guard.errors import CATALOGUE, Tampered
from mcp_wallet_guard.evidence import Level
from mcp_wallet_guard.journal.events import Kind
from mcp_wallet_guard.operations.values import Amount, Asset, BaseUnits
from mcp_wallet_guard.policy.mandates import Mandate

MAX_DETAIL: Final = 160
_SPANS: Final = ((86_400, "days"), (3_600, "hours"), (60, "minutes"))
_CHANNELS: Final = {"terminal": "on the terminal", "page": "on the approval page"}


def heading(fields: dict[str, Any], /) -> str:
    """One entry in one line: when, what, about what, and the short ones of its data."""
    short = {
        key: value
        for key, value in sorted(fields["data"].items())
        if key not in {"view", "settings", "reads", "evidence", "receipt", "withdrawal", "intent"} and value is not None
    }
    if fields["kind"] == Kind.READ:
        short = {"reads": len(fields["data"]["reads"])}
    details = ", ".join(f"{key} {_short(value)}" for key, value in short.items())
    parts = (f"{fields['index']:>6}", when(fields["at"]), fields["kind"], fields["subject"], _cut(details))
    return "  ".join(part for part in parts if part)


def explanation(entries: list[dict[str, Any]], /) -> tuple[str, ...]:
    """One operation, in the order in which it happened. The view stands there exactly as it was shown.

    Raises Tampered("tampered.journal") for a view that is not the one whose hash was journalled.
    """
    lines = [f"Operation {entries[0]['subject']}"]
    for fields in entries:
        lines += ["", f"{when(fields['at'])}  {_sentence(fields)}", *_more(fields)]
    return tuple(lines)


def when(seconds: int, /) -> str:
    """Unix seconds as a time in UTC."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return f"at {seconds}"


def span(seconds: int, /) -> str:
    """A time of whole minutes in the largest unit that it is a multiple of."""
    size, unit = next((size, unit) for size, unit in _SPANS if seconds % size == 0)
    return f"{seconds // size} {unit}"


def bounds(mandate: Mandate, settings: Settings, /) -> tuple[str, ...]:
    """Every bound of a mandate, for the person who approves it."""
    asset, budget = mandate.asset, mandate.budget
    named = {payee: settings.name_of(payee) or "" for payee in mandate.payees}
    return (
        f"{mandate.name}",
        f"   through   {', '.join(sorted(mandate.tools))}",
        f"   at once   up to {_money(mandate.cap, asset)}, and up to {_money(mandate.max_fee, settings.native)} as fee",
        f"   together  up to {_money(budget.amount or BaseUnits(0), asset)} and {budget.count} payments within "
        f"{span(budget.seconds)}",
        *(f"   to        {payee}  {name}".rstrip() for payee, name in sorted(named.items(), key=lambda item: item[1])),
        f"   for       {span(mandate.seconds)} from now",
    )


def _money(units: BaseUnits, asset: Asset) -> str:
    return f"{Amount.from_base_units(units, asset)} {asset.symbol}"


def _sentence(fields: dict[str, Any]) -> str:
    data, kind = fields["data"], fields["kind"]
    if "link" in data:
        return "The owner's link was made anew."
    if kind in {Kind.PROPOSED, Kind.FROZEN}:
        waits = " It waits for another payment of the account." if kind == Kind.PROPOSED else ""
        return f"Asked by {data['principal']} through the tool {data['tool']}: {data['intent']}.{waits}"
    if kind == Kind.APPROVED:
        return _approved(data["evidence"])
    if kind == Kind.CONSUMED:
        return f"The approval was used up, under revision {data['policy_revision']} of the settings."
    if kind == Kind.SIGNED:
        return _signed(data)
    if kind == Kind.SENT:
        return "The venue took it." if "withdrawal" in data else "The node took it."
    if kind == Kind.UNKNOWN and "ended" in data:
        return "It was sent, and nobody said whether the venue has it."
    if kind == Kind.UNKNOWN:
        return "It was signed, and nobody said whether the chain has it."
    if kind == Kind.SETTLED:
        return f"It ended: {data['outcome']}."
    if "code" in data:
        return f"It was closed ({data['code']}). {CATALOGUE.get(data['code'], '')}".rstrip()
    return f"{kind}."


def _signed(data: dict[str, Any]) -> str:
    if "signed_string" in data:
        return f"The request was signed and stored, with the SHA-256 {data['sha256']}: {data['signed_string']}"
    if "signing_hash" in data:
        return f"Signed, verified and stored: the signature of the hash 0x{data['signing_hash']}."
    return f"Signed, verified and stored: transaction 0x{data['transaction_hash']}."


def _approved(evidence: dict[str, Any]) -> str:
    if evidence.get("mandate") is not None:
        return f"Paid without a question, by the mandate {evidence['mandate']} that the owner approved before."
    where = _CHANNELS.get(evidence["channel"], f"through {evidence['channel']}")
    factor, step = evidence["factor_id"], evidence["factor_step"]
    code = "without a code" if factor is None else f"with the code of factor {factor}, time step {step}"
    return f"Approved by {evidence['approver']} {where}, {code} (level {_level(evidence['level'])})."


def _more(fields: dict[str, Any]) -> list[str]:
    data = fields["data"]
    lines = []
    if fields["kind"] == Kind.FROZEN and "view" in data:
        level = _level(data["level"])
        lines += [f"Revision {data['policy_revision']} of the settings permits it and asks for level {level}."]
        shown = "Shown to the owner:" if data["level"] else "Nobody was asked. It would have been shown as:"
        lines += [shown, "", *_shown(fields).split("\n")]
    receipt = data.get("receipt") or data.get("withdrawal")
    if receipt:
        lines += [f"Receipt: {receipt}"]
    return lines


def _shown(fields: dict[str, Any]) -> str:
    try:
        view = ConfirmationView.model_validate_json(fields["data"]["view"])
    except ValidationError:
        view = None
    if view is None or view_hash(view).hex() != fields["data"]["view_hash"]:
        raise Tampered("tampered.journal", detail=f"entry {fields['index']}: not the view that was hashed")
    return plain_text(view)


def _level(level: int) -> str:
    return Level(level).name if level in set(Level) else str(level)


def _short(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_DETAIL else text[: MAX_DETAIL - 3] + "..."
