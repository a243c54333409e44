"""An upgrade to other images while a run is in progress."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from photos import Desk, archive_of, here, portraits
from release import STANDS_IN, Release

from polling import until

PHOTOS, PARTITION = 60, 10


@pytest.fixture
def later_tag(release: Release) -> Iterator[str]:
    """The tag of both images of a later version, which has the same content."""
    if not STANDS_IN:
        pytest.skip("the images of a registry are not tagged here")
    tag = release.embedding_image().partition(":")[2]
    for name in ("meanface", "meanface-airflow"):
        subprocess.run(["docker", "tag", f"{name}:{tag}", f"{name}:{tag}-later"], check=True)
    yield f"{tag}-later"
    release.upgrade()
    release.until_ready()


def test_a_run_ends_with_the_image_it_began_with(release: Release, desk: Desk, later_tag: str, tmp_path: Path) -> None:
    """Another version may have another recipe, and one run has only one."""
    archive = archive_of(portraits(), PHOTOS, tmp_path / "photos.tar")
    quiet = here(archive, tmp_path / "here")
    photos = desk.put("/storage/datasets/upgrade.tar", archive.read_bytes())
    first = release.embedding_image()
    run = release.trigger(dataset=photos, partition_size=PARTITION)
    until(lambda: release.stage_pods(run), 240, every=0.5)

    release.upgrade(airflow={"image": {"tag": later_tag}}, stages={"image": {"tag": later_tag}})
    release.close()
    release.until_ready()

    assert release.embedding_image() == f"meanface:{later_tag}"
    assert release.succeeded(run) == quiet["mean"]
    assert release.images(run) == {"plan": {first}, "embed": {first}, "reduce": {first}}
    assert desk.ledger(run)["whole"]
    after = release.trigger(dataset="sample")
    release.succeeded(after)
    assert release.images(after)["reduce"] == {f"meanface:{later_tag}"}
