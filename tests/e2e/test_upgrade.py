"""An upgrade to other images while a run is in progress."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from photos import Desk, archive_of, here, portraits
from release import NAME, STANDS_IN, Release

from polling import until

PHOTOS, PARTITION = 60, 10


def image_of(release: Release) -> str:
    """The embedding image of the release's settings."""
    config = json.loads(release.namespace.kubectl("get", "configmap", NAME, "-o", "json"))
    return str(config["data"]["MEANFACE_IMAGE"])


@pytest.fixture
def later_tag(release: Release) -> Iterator[str]:
    """The tag of both images of a later version, which has the same content."""
    if not STANDS_IN:
        pytest.skip("the images of a registry are not tagged here")
    tag = image_of(release).partition(":")[2]
    for name in ("meanface", "meanface-airflow"):
        subprocess.run(["docker", "tag", f"{name}:{tag}", f"{name}:{tag}-later"], check=True)
    yield f"{tag}-later"
    release.upgrade()
    release.until_ready()


def images(release: Release, run: str) -> dict[str, set[str]]:
    """Images of a run's stages, as Airflow has rendered them."""
    tasks: list[dict[str, Any]] = release.ask(lambda airflow: airflow.tasks(run))
    found: dict[str, set[str]] = {}
    for task in tasks:
        if image := task["rendered_fields"].get("image"):
            found.setdefault(task["task_id"], set()).add(image)
    return found


def test_a_run_ends_with_the_image_it_began_with(release: Release, desk: Desk, later_tag: str, tmp_path: Path) -> None:
    """Another version may have another recipe, and one run has only one."""
    archive = archive_of(portraits(), PHOTOS, tmp_path / "photos.tar")
    quiet = here(archive, tmp_path / "here")
    photos = desk.put("/storage/datasets/upgrade.tar", archive.read_bytes())
    first = image_of(release)
    run = release.trigger(dataset=photos, partition_size=PARTITION)
    until(lambda: release.stage_pods(run), 240, every=0.5)

    release.upgrade(airflow={"image": {"tag": later_tag}}, stages={"image": {"tag": later_tag}})
    release.close()
    release.until_ready()

    assert image_of(release) == f"meanface:{later_tag}"
    assert release.succeeded(run) == quiet["mean"]
    assert images(release, run) == {"plan": {first}, "embed": {first}, "reduce": {first}}
    assert desk.ledger(run)["whole"]
    after = release.trigger(dataset="sample")
    release.succeeded(after)
    assert images(release, after)["reduce"] == {f"meanface:{later_tag}"}
