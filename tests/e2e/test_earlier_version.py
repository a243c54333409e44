"""An upgrade from an earlier version's chart and images while a run is in progress.

The version is 0.2.0, or the tag or commit that `E2E_UPGRADE_FROM` names; its images are built here.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from photos import Desk
from release import CHART, CHECKOUT, NAMESPACE, STANDS_IN, VALUES, Release

from polling import until

EARLIER = os.environ.get("E2E_UPGRADE_FROM", "1556740")
TAG = "earlier"
PHOTOS, PARTITION = 60, 10


@pytest.fixture
def release(cluster: None, tmp_path: Path) -> Iterator[Release]:
    """The earlier version, ready."""
    if not STANDS_IN:
        pytest.skip("the earlier version's images are not in the registry that IMAGE_REGISTRY names")
    git = ("git", "-C", str(CHECKOUT))
    if subprocess.run([*git, "cat-file", "-e", f"{EARLIER}^{{commit}}"], check=False, capture_output=True).returncode:
        pytest.skip(f"the commit {EARLIER} is not in this clone: git fetch --unshallow --tags")
    worktree = tmp_path / "earlier"
    subprocess.run([*git, "worktree", "add", "--detach", worktree, EARLIER], check=True)
    try:
        subprocess.run([worktree / "scripts/images.sh"], check=True, env=os.environ | {"IMAGE_TAG": TAG})
        image = {"image": {"tag": TAG}}
        values = VALUES | {"airflow": VALUES["airflow"] | image, "stages": VALUES["stages"] | image}
        with Release(f"{NAMESPACE}-earlier", values, worktree / "charts/meanface").installed() as release:
            yield release
    finally:
        subprocess.run([*git, "worktree", "remove", "--force", worktree], check=True)


def test_a_run_of_an_earlier_version_survives_the_upgrade(release: Release, tmp_path: Path) -> None:
    """It ends with its own images, as a quiet run does; results stay, and the next run has today's images."""
    desk = Desk(release.namespace)
    photos = desk.put_portraits(PHOTOS, tmp_path)
    quiet = release.trigger_anew(photos, PARTITION)
    mean = release.succeeded(quiet)
    result = release.summary(quiet)
    run = release.trigger_anew(photos, PARTITION)
    until(lambda: release.stage_pods(run), 240, every=0.5)

    release.chart = CHART
    release.upgrade(airflow={"image": VALUES["airflow"]["image"]}, stages={"image": VALUES["stages"]["image"]})
    release.close()
    release.until_ready()

    assert release.succeeded(run) == mean
    assert release.images(run) == {stage: {f"meanface:{TAG}"} for stage in ("plan", "embed", "reduce")}
    assert release.summary(run)["outcomes"] == result["outcomes"]
    assert release.summary(quiet) == result
    after = release.trigger_anew(photos, PARTITION)
    release.succeeded(after)
    assert release.images(after)["reduce"] == {release.embedding_image()}
