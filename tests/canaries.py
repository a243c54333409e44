"""The search for secrets that are known to be there, in every spelling."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from urllib.parse import quote


def spellings(secret: str) -> set[str]:
    """A secret as it may be written: plain, for URLs, in hexadecimal, in base64 wherever it stands in a longer text."""
    found = {secret, quote(secret), quote(secret, safe=""), json.dumps(secret)[1:-1], secret.encode().hex()}
    for before in range(3):
        encoded = base64.b64encode(b"." * before + secret.encode()).decode()
        inner = encoded[0 if not before else before + 1 : -4]  # neither the start nor the end depends on a neighbour
        found |= {inner, inner.replace("+", "-").replace("/", "_")}
    return found


def leaks(text: str, secrets: Mapping[str, str]) -> set[str]:
    """Names of the secrets that a text holds."""
    return {name for name, secret in secrets.items() if any(spelling in text for spelling in spellings(secret))}
