"""Texts of a descriptor, of a token or of the signed data, as one line of printable ASCII without quotes around it.

The rules are those of `clearsign.text`: nothing is normalised, what is not printable ASCII becomes ``\\u{...}``, and
a backslash is doubled so that no input imitates an escape. Threat: T-021, T-022.
"""

from __future__ import annotations

from mcp_wallet_guard.clearsign.text import quoted


def safe(text: str, /, *, limit: int | None = None) -> str:
    """`text` escaped, and cut after `limit` columns with the number of characters that were left out."""
    if text.isascii() and text.isprintable() and "\\" not in text and (limit is None or len(text) <= limit):
        return text
    shown = quoted(text, limit=len(text) * 12 + 1 if limit is None else limit)
    end = shown.rindex('"')
    return shown[1:end].replace('\\"', '"') + shown[end + 1 :]
