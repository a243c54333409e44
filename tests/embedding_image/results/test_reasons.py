"""The commonest reason: exact below the bound, bounded above it."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from meanface.results.reasons import KINDS, Reasons


def test_without_failures_there_is_none() -> None:
    assert Reasons().commonest() is None


@pytest.mark.parametrize("seed", range(10))
def test_the_commonest_is_counted_exactly_whatever_the_order(seed: int) -> None:
    source = random.Random(seed)
    texts = [f"of kind {chr(97 + source.randrange(20))}" for _ in range(300)]
    reasons = Reasons()
    for text in texts:
        reasons.add(text)
    found = reasons.commonest()
    assert found is not None
    reason, often = found
    assert often == max(Counter(texts).values()) == Counter(texts)[reason]


def test_of_too_many_kinds_the_first_are_counted() -> None:
    reasons = Reasons()
    for number in range(2 * KINDS):
        word = "".join(chr(97 + int(digit)) for digit in str(number))
        reasons.add(word)
        reasons.add("gone")
    assert reasons.commonest() == ("gone", 2 * KINDS)
    assert len(reasons._first) == KINDS
