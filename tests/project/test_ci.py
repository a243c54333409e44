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
    """Those of the fault suite are part of `make faults`."""
    recipes = {name: re.findall(rf"(?m)^{name}: .*\n((?:\t.*\n)+)", MAKEFILE)[0] for name in ("test", "test-long")}
    marked = {name: re.findall(r"-m pytest .* -m (long|\"not long\") (.*)", text) for name, text in recipes.items()}
    assert {mark for mark, _ in marked["test"]} == {'"not long"'}
    assert {mark for mark, _ in marked["test-long"]} == {"long"}
    places = {name: set(" ".join(folders for _, folders in found).split()) for name, found in marked.items()}
    assert places["test-long"] <= places["test"]
    with_long = {
        f"tests/{path.relative_to(ROOT / 'tests').parts[0]}"
        for path in (ROOT / "tests").rglob("test_*.py")
        if "pytest.mark.long" in path.read_text()
    }
    assert with_long - {"tests/faults"} <= places["test-long"]


def test_no_test_is_chosen_by_a_stopwatch() -> None:
    assert not re.search(r"SECONDS|\bdate\b|\btimeout\b|\btime\b", CI)
