"""`meanface plan DATASET --dry-run` accounts for a dataset and leaves nothing behind."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from meanface.cli.account_lines import account_lines
from meanface.dataset import SAMPLE
from meanface.dataset.archive.first_bytes import FirstBytes
from meanface.dataset.network_policy import PUBLIC
from meanface.errors import EmptyDataset
from meanface.pipeline.dry_run import dry_run
from meanface.settings import Settings

LEADS_OUT = "a link that leads out of the dataset: set follow_links, or copy the photo into the dataset"


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """The sample's portraits, a video, an empty photo and one that is a link out of the folder."""
    folder = tmp_path / "photos"
    for photo in SAMPLE.rglob("*.jpg"):
        place = folder / photo.relative_to(SAMPLE)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(photo.read_bytes())
    (folder / "clip.mov").touch()
    (folder / "out.PNG").symlink_to("/etc/hostname")
    return folder


def test_the_account_is_printed_and_nothing_is_written(photos: Path, tmp_path: Path) -> None:
    home, temporary, here = (tmp_path / name for name in ("home", "tmp", "here"))
    for folder in (home, temporary, here):
        folder.mkdir()
    before = everything(tmp_path)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MEANFACE_", "XDG_"))}
    command = [sys.executable, "-B", "-m", "meanface", "plan", photos, "--dry-run", "--labels", "parent_folder"]
    environment = kept | {"HOME": str(home), "TMPDIR": str(temporary)}
    done = subprocess.run(
        [*command, "--workers", "1"], cwd=here, env=environment, capture_output=True, text=True, check=True, timeout=200
    )
    assert done.stderr == ""
    assert everything(tmp_path) == before
    size = sum(path.stat().st_size for path in photos.rglob("*.jpg")) / 1000
    *lines, last = done.stdout.splitlines()
    assert lines == [
        f"dataset  {photos}",
        "photos   8 (.jpg 7, .png 1)",
        "         1 of them cannot be read, such as",
        f"           out.PNG: {LEADS_OUT}",
        f"bytes    {size:.1f} kB",
        "labels   5 (eileen_collins 2, grace_hopper 2, nikola_tesla 2, (none) 1, no_face 1)",
        "         passed over: videos: 1 ('clip.mov')",
    ]
    assert re.fullmatch(
        r"time     about \d+ s with 1 worker: 7 of these photos, chosen by hash, took [\d.]+ s to read and embed here",
        last,
    )


def test_the_documentation_shows_what_is_printed() -> None:
    page = (Path(__file__).parents[3] / "docs" / "command-line.md").read_text()
    shown = re.search(
        r"^    \$ meanface plan sample --dry-run --labels parent_folder\n((?:    .+\n)+)", page, re.MULTILINE
    )
    assert shown
    settings = Settings.of(dataset="sample", labels="parent_folder")
    *lines, time = account_lines(dry_run(settings, PUBLIC, workers=2))
    assert [line.removeprefix("    ") for line in shown[1].splitlines()[:-1]] == lines
    assert time.startswith("time     about ")


@pytest.mark.long
def test_an_archive_has_the_account_of_its_folder(photos: Path, tmp_path: Path) -> None:
    """Its shards are not written: photos from its start are measured."""
    with tarfile.open(tmp_path / "all.tar", "w") as archive:
        archive.add(photos, arcname="")
    folder, whole = (
        dry_run(Settings(dataset=str(path), max_bytes=30_000), PUBLIC, workers=1)
        for path in (photos, tmp_path / "all.tar")
    )
    assert (folder.photos, folder.kinds, folder.bytes, folder.too_large) == (
        whole.photos,
        whole.kinds,
        whole.bytes,
        whole.too_large,
    )
    assert folder.too_large > 0
    assert folder.passed_over == whole.passed_over
    assert folder.estimate is not None
    assert whole.estimate is not None
    assert (folder.estimate.first, whole.estimate.first) == (False, True)
    assert folder.estimate.measured == whole.estimate.measured == 7 - folder.too_large
    assert everything(tmp_path) == {"all.tar", *(f"photos/{name}" for name in everything(photos)), "photos"}


def test_the_time_is_that_of_the_measured_photos_for_all(photos: Path) -> None:
    for number in range(60):
        (photos / f"{number}.jpg").write_bytes((SAMPLE / "nikola_tesla/hand_at_chin.jpg").read_bytes())
    account = dry_run(Settings(dataset=str(photos)), PUBLIC, workers=1)
    found = account.estimate
    assert found is not None
    assert found.measured == 16
    assert found.seconds == pytest.approx(found.measured_seconds / 16 * 67)


def test_a_choice_is_accounted_for(photos: Path) -> None:
    account = dry_run(Settings.of(dataset=str(photos), exclude=["out.PNG"], limit=3), PUBLIC, workers=1)
    assert account.photos == 3
    assert {kind.kind: kind.files for kind in account.passed_over} == {
        "videos": 1,
        "photos left out by exclude": 1,
        "photos left out by limit=3": 4,
    }


@pytest.mark.long
def test_a_glob_and_one_photo_are_accounted_for(photos: Path) -> None:
    glob = dry_run(Settings.of(dataset=f"{photos}/*/*.JPG", labels="parent_folder"), PUBLIC, workers=1)
    assert (glob.photos, glob.kinds, glob.address) == (7, {".jpg": 7}, f"{photos}/*/*.JPG")
    assert glob.labels == {"eileen_collins": 2, "grace_hopper": 2, "nikola_tesla": 2, "no_face": 1}
    one = dry_run(Settings.of(dataset=str(next(photos.glob("no_face/*")))), PUBLIC, workers=1)
    assert one.photos == 1
    assert one.estimate is not None
    assert (glob.estimate or one.estimate).measured == 7


@pytest.mark.long
def test_of_several_archives_the_first_one_is_measured(photos: Path, tmp_path: Path) -> None:
    """Nothing is known of the bytes of the others, which are read once, and not kept."""
    for name in ("a.tar", "b.tar"):
        with tarfile.open(tmp_path / name, "w") as archive:
            archive.add(photos, arcname="")
    both = dry_run(Settings(dataset=f"{tmp_path}/a.tar\n{tmp_path}/b.tar"), PUBLIC, workers=1)
    assert (both.address, both.photos) == (f"{tmp_path}/a.tar, {tmp_path}/b.tar", 16)
    assert both.estimate is not None
    assert (both.estimate.first, both.estimate.measured) == (True, 7)
    mixed = dry_run(Settings(dataset=f"{photos}\n{tmp_path}/b.tar"), PUBLIC, workers=1)
    assert mixed.estimate is not None
    assert mixed.estimate.measured == 14
    assert {path.name for path in tmp_path.iterdir()} == {"photos", "a.tar", "b.tar"}


def test_a_dataset_without_photos_is_refused_and_one_without_a_readable_photo_has_no_time(tmp_path: Path) -> None:
    with pytest.raises(EmptyDataset, match="Passed over: no files at all"):
        dry_run(Settings(dataset=str(tmp_path)), PUBLIC, workers=1)
    (tmp_path / "out.jpg").symlink_to("/etc/hostname")
    assert dry_run(Settings(dataset=str(tmp_path)), PUBLIC, workers=1).estimate is None


@pytest.mark.long
@pytest.mark.parametrize(
    ("settings", "expected"),
    [({"label_level": 1}, {"ann": 1, "bob": 1}), ({"label_pattern": "(?P<label>[0-9]+)/"}, {"2023": 2})],
)
def test_labels_of_a_level_and_a_pattern_are_those_of_the_run(
    settings: dict[str, object], expected: dict[str, int], tmp_path: Path
) -> None:
    for name in ("ann/2023/1.jpg", "bob/2023/2.jpg"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(b"no photo")
    account = dry_run(Settings.of(dataset=str(tmp_path), **settings), PUBLIC, workers=1)
    assert account.labels == expected


def test_photos_of_a_large_table_are_measured_from_its_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what is kept of the shards can be read."""
    portrait = next(SAMPLE.rglob("astronaut.jpg")).read_bytes()
    monkeypatch.setattr(FirstBytes.__init__, "__defaults__", (3 * len(portrait),))
    pq.write_table(pa.table({"image": [portrait + bytes([n]) for n in range(40)]}), tmp_path / "l.parquet")
    account = dry_run(Settings(dataset=str(tmp_path / "l.parquet")), PUBLIC, workers=1)
    assert account.photos == 40
    assert account.estimate is not None
    assert (account.estimate.measured, account.estimate.first) == (2, True)
