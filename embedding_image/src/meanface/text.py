"""Texts that others wrote, as people are given them: nothing in them moves a cursor or turns a line around."""

from __future__ import annotations

import json
from typing import Any


def shown(text: str) -> str:
    r"""A text in which everything that is not printable (controls, marks of direction) is shown as its code.

    >>> shown("a\x1b[31mb\x9b"), shown("Zoë\u202egpj")
    ('a\\x1b[31mb\\x9b', 'Zoë\\u202egpj')
    """
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def shown_json(value: Any) -> str:
    r"""A value as indented JSON, which says the same and is printable.

    >>> print(shown_json({"photo": "Zoë\u202egpj\x9b"}))
    {
     "photo": "Zoë\u202egpj\u009b"
    }
    """
    lines = json.dumps(value, ensure_ascii=False, indent=1).split("\n")  # in strings there are none
    return "\n".join("".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in line) for line in lines)
