"""Format names, numbers and settings for the page."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping
from typing import Any

from meanface.dataset.addresses import addresses, shown_addresses
from meanface.settings import Settings
from meanface.stats.recognition_models import Rate
from meanface.storage.files import without_credentials
from meanface.text import escaped

_BETWEEN = re.compile(r"(?<=[/\\_-])")

SHOWN = 160
"""characters of a name, at most"""


def command(settings: Mapping[str, Any]) -> str:
    r"""Return the command that repeats a run, with every setting that differs from its default.

    >>> command({"dataset": "my photos", "faces": "all", "embedder": "dlib", "exif_orientation": False})
    "meanface run 'my photos' --output RESULTS --faces all --no-exif-orientation"
    >>> command({"dataset": "photos", "include": ["a", "b"], "exclude": []})
    'meanface run photos --output RESULTS --include a --include b'
    >>> command({"dataset": "photos\ns3://photos/2026"})
    'meanface run photos s3://photos/2026 --output RESULTS'
    """
    words = ["meanface", "run", *map(without_credentials, addresses(str(settings["dataset"]))), "--output", "RESULTS"]
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    for name, value in settings.items():
        if name == "dataset" or value == defaults.get(name):
            continue
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        elif isinstance(value, list | tuple):
            words += [word for one in value for word in (f"--{flag}", str(one))]
        else:
            words += [f"--{flag}", str(value)]
    return shlex.join(words)


def shortened(name: str) -> str:
    """Escape a name, and shorten it in the middle.

    >>> shortened("a" * 1000 + ".jpg")[-6:], len(shortened("a" * 1000 + ".jpg"))
    ('aa.jpg', 160)
    """
    name = escaped(name)
    if len(name) <= SHOWN:
        return name
    end = SHOWN // 3
    return f"{name[: SHOWN - end - 1]}…{name[-end:]}"


def pieces(name: str) -> list[str]:
    """Split a name where a line may break: after separators.

    >>> pieces("a/Tony_Blair.jpg")
    ['a/', 'Tony_', 'Blair.jpg']
    """
    return [piece for piece in _BETWEEN.split(name) if piece]


def setting(name: str, value: Any) -> str:
    """Format the value of a setting."""
    if value is None or value in ([], ()):
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return shown_addresses(value) if name == "dataset" else str(value)


def count(number: float) -> str:
    """Format an integer."""
    return f"{number:,}"


def plural(number: float, noun: str) -> str:
    """Format an integer with a noun.

    >>> plural(1, "pair"), plural(2000, "pair")
    ('1 pair', '2,000 pairs')
    """
    return f"{count(number)} {noun}" + ("" if number == 1 else "s")


def figure(number: float, digits: int = 4) -> str:
    """Format a number with significant digits, and with an exponent only if it is tiny.

    >>> figure(0.031385), figure(1234.5), figure(1.5e-9)
    ('0.03139', '1,234', '1.500e-09')
    """
    if number and abs(number) < 1e-6:
        return f"{number:.{digits - 1}e}"
    places = max(0, digits - 1 - math.floor(math.log10(abs(number)))) if number else digits
    return f"{number:,.{places}f}"


def rate(found: Rate) -> str:
    """Format a fraction with its interval.

    >>> rate(Rate(value=0.954, low=0.9316, high=0.969, faces=909))
    '95.4 % (93.2 to 96.9)'
    """
    return f"{100 * found.value:.1f} % ({100 * found.low:.1f} to {100 * found.high:.1f})"


def percent(number: float) -> str:
    """Format a percentage."""
    return f"{number:.2f} %" if 0 < number < 1 or 99 < number < 100 else f"{number:.1f} %"
