"""The chart's README has the table that its values have."""

from __future__ import annotations

import doctest

import chart_readme

from .conftest import CHART


def test_the_table_is_fresh():
    assert chart_readme.main(["--check"]) == 0


def test_every_top_value_is_in_the_table():
    text = (CHART / "README.md").read_text()
    assert text.count("\n| `") > 80
    assert "| `stages.pool.slots` | `16` | pods at once |" in text


def test_examples():
    assert doctest.testmod(chart_readme).failed == 0
