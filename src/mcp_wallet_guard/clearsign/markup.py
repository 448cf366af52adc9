"""HTML that is safe by construction: text is escaped where it enters, and only `tag` makes markup.

`Html` is a sealed string: a plain `str` child or attribute is always escaped by `clearsign.text.html`, which also
spells out every character outside printable ASCII, so a name can neither close a tag nor turn the line around.
Threat: T-021, T-022, T-109.
"""

from __future__ import annotations

from typing import Final, final

from mcp_wallet_guard.clearsign import text

_VOID: Final = frozenset({"input", "link", "meta"})


@final
class Html:
    """Finished markup. Made by `tag`, `join` and `document`; nothing turns a `str` into one unescaped."""

    __slots__ = ("_markup",)

    def __init__(self, child: str | Html = "", /) -> None:
        self._markup: Final[str] = str(child) if isinstance(child, Html) else text.html(child)

    def __str__(self) -> str:
        return self._markup


def tag(name: str, /, *children: str | Html, **attributes: str | bool) -> Html:
    """One element. `name` and attribute names are ours; ``class_`` is ``class``, ``data_x`` is ``data-x``.

    True gives an attribute without a value, False leaves it out.
    """
    opening = name
    for key, value in attributes.items():
        if value is not False:
            attribute = key.rstrip("_").replace("_", "-")
            opening += f" {attribute}" if value is True else f' {attribute}="{text.html(str(value))}"'
    if name in _VOID:
        return _raw(f"<{opening}>")
    return _raw(f"<{opening}>{join(*children)}</{name}>")


def join(*children: str | Html) -> Html:
    """The children one after another."""
    return _raw("".join(str(Html(child)) for child in children))


def document(*children: str | Html) -> bytes:
    """A whole page: the doctype and its ``html`` element."""
    return f'<!doctype html>\n<html lang="en">{join(*children)}</html>\n'.encode("ascii")


def _raw(markup: str) -> Html:
    html = Html.__new__(Html)
    object.__setattr__(html, "_markup", markup)
    return html
