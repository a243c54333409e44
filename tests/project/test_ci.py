"""What runs where: before a commit, for every change, every week."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
CI = (ROOT / ".ci/run").read_text()
WORKFLOWS = {path.stem: path.read_text() for path in (ROOT / ".github/workflows").glob("*.yml")}


def test_pre_commit_runs_what_ci_runs_first() -> None:
    assert re.findall(r"entry: (.*)", (ROOT / ".pre-commit-config.yaml").read_text()) == ["make check"]
    assert re.search(r"(?m)^make test$", CI)
    assert re.search(r"(?m)^test: check ", MAKEFILE)
    assert "bash .ci/run" in WORKFLOWS["ci"]


def test_every_long_suite_runs_for_every_change_or_every_week() -> None:
    section = MAKEFILE.partition("##@ Long suites\n")[2].partition("##@ ")[0]
    suites = re.findall(r"(?m)^([a-z0-9-]+):.*##", section)
    assert len(suites) >= 8
    run = " ".join([CI, *WORKFLOWS.values()])
    assert [suite for suite in suites if not re.search(rf"make {suite}\b", run)] == []


def test_the_long_marker_is_what_make_test_leaves_out() -> None:
    recipes = {name: MAKEFILE.partition(f"\n{name}: ")[2].split("\n")[1:3] for name in ("test", "test-long")}
    assert all('-m "not long"' in line for line in recipes["test"])
    assert all("-m long" in line for line in recipes["test-long"])


def test_no_test_is_chosen_by_a_stopwatch() -> None:
    assert not re.search(r"SECONDS|\bdate\b|\btimeout\b|\btime\b", CI)
