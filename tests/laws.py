"""The number of examples that a law is tested with."""

from __future__ import annotations

from hypothesis import settings


def examples(number: int) -> int:
    """All examples of a costly law in `make laws`, a third of them in `make test`."""
    return number if settings.get_current_profile_name() == "others" else -(-number // 3)
