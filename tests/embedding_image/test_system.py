"""Processors that a container may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from meanface import system


@pytest.mark.parametrize(("limits", "processors"), [
    (["200000 100000"], 2),
    (["50000 100000"], 1),
    (["max 100000"], 64),
    (["150000", "100000"], 2),
    (["-1", "100000"], 64),
    ([], 64),
])  # fmt: skip
def test_a_container_has_the_processors_of_its_limit(
    limits: list[str], processors: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [tmp_path / str(number) for number in range(max(len(limits), 1))]
    for file, text in zip(files, limits, strict=False):
        file.write_text(text)
    monkeypatch.setattr(system, "CPU_LIMITS", ((tmp_path / "none",), files))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    assert system.available_cpus() == processors
