"""A release changes from one pod of Airflow to Deployments while a run is in progress."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from photos import Desk, archive_of, here, portraits
from release import MASTER, NAMESPACE, VALUES, Release

from polling import until

PHOTOS, PARTITION = 60, 10


@pytest.fixture
def release(cluster: None) -> Iterator[Release]:
    """The chart with one pod of Airflow and a claim for many nodes, as Deployments need it."""
    storage = {"storage": {"claim": {"keep": False, "accessModes": ["ReadWriteMany"]}}}
    with Release(f"{NAMESPACE}-change", VALUES | storage).installed() as release:
        yield release


def test_the_run_ends_with_the_bits_of_a_quiet_one(release: Release, tmp_path: Path) -> None:
    archive = archive_of(portraits(), PHOTOS, tmp_path / "photos.tar")
    quiet = here(archive, tmp_path / "here")
    desk = Desk(release.namespace)
    photos = desk.put("/storage/datasets/change.tar", archive.read_bytes())
    run = release.trigger(dataset=photos, partition_size=PARTITION)
    until(lambda: release.stage_pods(run), 240, every=0.5)

    release.upgrade(airflow={"separate": True})
    release.close()
    release.until_ready()

    assert MASTER not in release.namespace.pods()
    assert release.succeeded(run) == quiet["mean"]
    assert desk.ledger(run)["whole"]
