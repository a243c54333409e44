"""Real people: templates recognise photos that were not in the result as well as the report says."""

from __future__ import annotations

import csv
import hashlib
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from meanface.results.reader import Result
from meanface.stats.intervals import rate
from meanface.stats.trimmed import metrically_trimmed_mean
from references import check_recognition

MEANFACE = [sys.executable, "-m", "meanface"]
PEOPLE = ("George_W_Bush", "Tony_Blair")
PLANTED = "planted.jpg"
"""name of a photo under a wrong label"""

pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def photos(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fifth of the photos, chosen by hash, in `new`; the others in `known`, one of them under a wrong label."""
    folder = tmp_path_factory.mktemp("photos")
    with tarfile.open(archive) as opened:
        for member in opened:
            if member.isfile() and (file := opened.extractfile(member)):
                name = Path(member.name)
                fifth = hashlib.sha256(name.name.encode()).digest()[0] % 5 == 0
                target = folder / ("new" if fifth else "known") / name.parent.name / name.name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.read())
    person, other = two_people(folder / "known")
    (wrong, *_) = sorted((folder / "known" / person).iterdir())
    wrong.rename(folder / "known" / other / PLANTED)
    return folder


def two_people(known: Path) -> tuple[str, str]:
    """Two people with many photos: among fewer photos of LFW, those with the most."""
    if all((known / name).exists() for name in PEOPLE):
        return PEOPLE
    first, second, *_ = sorted(
        (path.name for path in known.iterdir()), key=lambda name: -len([*(known / name).iterdir()])
    )
    return first, second


@pytest.fixture(scope="module")
def planted(photos: Path) -> tuple[str, str]:
    """The person of the photo under a wrong label, and that label."""
    (photo,) = (photos / "known").rglob(PLANTED)
    first, second = two_people(photos / "known")
    return (second, first) if photo.parent.name == first else (first, second)


@pytest.fixture(scope="module")
def output(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("result")
    options = ["--labels", "parent_folder", "--quiet"]
    subprocess.run([*MEANFACE, "run", photos / "known", "--output", folder, *options], check=True)
    return folder


def test_leave_one_out_figures_are_numpys(output: Path) -> None:
    check_recognition(output)


def test_a_planted_wrong_label_is_found(output: Path, planted: tuple[str, str]) -> None:
    person, label = planted
    with (output / "label_checks.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["check"] == "wrong_label"]
    assert (f"{label}/{PLANTED}", label, person) in [
        (row["photo"], row["label"], row["other_label"]) for row in rows[:10]
    ]
    template = Result.at(str(output)).templates[label]
    assert template.worst[0].photo == f"{label}/{PLANTED}"


def test_a_wrong_photo_hardly_moves_the_trimmed_mean(output: Path, planted: tuple[str, str]) -> None:
    """It is left out, however far it is away; with many photos, that is compared with how far it moves the mean."""
    _, label = planted
    template = Result.at(str(output)).templates[label]
    chunks = [pq.read_table(chunk) for chunk in sorted(output.glob("ledger/*/*/*.parquet"))]
    rows = [row for chunk in chunks for row in chunk.to_pylist() if row["label"] == label and row["embedding"]]
    faces = np.array([row["embedding"] for row in rows], np.float32)
    wrong = np.array([PLANTED in row["photo"] for row in rows])
    farther = np.where(wrong[:, None], faces + 2 * (faces - np.median(faces, axis=0)), faces).astype(np.float32)
    assert template.trimmed.tolist() == metrically_trimmed_mean(farther).tolist()
    trimmed = np.linalg.norm(template.trimmed - metrically_trimmed_mean(faces[~wrong]))
    mean = np.linalg.norm(template.mean - faces[~wrong].astype(float).mean(axis=0))
    print(f"a wrong photo among {len(rows)} moves the mean by {mean:.4f} and the trimmed mean by {trimmed:.4f}")
    if len(rows) >= 20:  # of few, another right face is left out because of it, which counts here
        assert trimmed < mean / 2


def test_new_photos_are_recognised_as_often_as_the_report_says(photos: Path, output: Path, tmp_path: Path) -> None:
    """Within its interval; also how many of them, and of people without a template, get a name."""
    found = json.loads((output / "result.json").read_text())["statistics"]["recognition"]
    suggested = found["suggested"]
    command = [*MEANFACE, "identify", output, photos / "new", "--output", tmp_path / "matches.parquet", "--json"]
    command += ["--quiet", "--threshold", str(suggested["threshold"])]
    summary = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    table = pq.read_table(tmp_path / "matches.parquet")
    assert summary["photos"] == len(set(table["photo"].to_pylist())) == len(list((photos / "new").rglob("*.jpg")))
    known = {path.name for path in (photos / "known").iterdir()}
    faces = [row for row in table.to_pylist() if row["face"] == 0]
    own = [row for row in faces if row["photo"].split("/")[0] in known]
    names = [row["photo"].split("/")[0] for row in own]
    _, codes = np.unique(names, return_inverse=True)
    nearest = rate(np.array([row["nearest"][0]["label"] for row in own]) == np.array(names), codes)
    named = rate(np.array([row["label"] for row in own]) == np.array(names), codes)
    strangers = [row for row in faces if row["photo"].split("/")[0] not in known]
    misnamed = rate(np.array([row["known"] for row in strangers]), np.arange(len(strangers)))
    pairs = [
        ("nearest", nearest, found["mean"]["rank_1"]),
        ("named", named, suggested["named"]),
        ("strangers", misnamed, suggested["strangers_named"]),
    ]
    for what, seen, promised in pairs:
        print(f"{what}: {seen.value:.3f} ({seen.low:.3f} to {seen.high:.3f}), the report says {promised['value']:.3f}")
        assert seen.low <= promised["value"] <= seen.high or promised["low"] <= seen.value <= promised["high"], what
