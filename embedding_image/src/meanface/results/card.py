"""A result as a small piece of HTML, for notebooks: the mean face beside the figures."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from html import escape

from meanface.text import escaped

_STYLE = "display:flex;gap:1.5em;align-items:flex-start;font-family:system-ui,sans-serif"
_CELL = "text-align:left;padding:.1em 1em .1em 0"


def card(rows: Mapping[str, str], mean_face: bytes | None) -> str:
    """HTML without scripts and without anything to load; all text is escaped.

    `mean_face` is a PNG, or None if there is none.
    """
    lines = "".join(
        f'<tr><th style="{_CELL}">{_text(name)}</th><td style="{_CELL}">{_text(value)}</td></tr>'
        for name, value in rows.items()
    )
    picture = ""
    if mean_face is not None:
        data = b64encode(mean_face).decode()
        picture = f'<img alt="the mean face" width="150" height="150" src="data:image/png;base64,{data}">'
    return f'<div style="{_STYLE}">{picture}<table>{lines}</table></div>'


def _text(value: str) -> str:
    return escape(escaped(value))
