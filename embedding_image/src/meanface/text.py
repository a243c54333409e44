"""Escape control and bidirectional characters in untrusted text."""

from __future__ import annotations

import json
from typing import Any


def escaped(text: str) -> str:
    r"""Replace every character that is not printable (controls, bidirectional marks) by its escape.

    >>> escaped("a\x1b[31mb\x9b"), escaped("Zoë\u202egpj")
    ('a\\x1b[31mb\\x9b', 'Zoë\\u202egpj')
    """
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def escaped_json(value: Any) -> str:
    r"""Encode a value as indented, printable JSON, which parses to the same value.

    >>> print(escaped_json({"photo": "Zoë\u202egpj\x9b"}))
    {
     "photo": "Zoë\u202egpj\u009b"
    }
    """
    lines = json.dumps(value, ensure_ascii=False, indent=1).split("\n")  # strings contain no line break
    return "\n".join("".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in line) for line in lines)
