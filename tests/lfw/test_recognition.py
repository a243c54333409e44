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

pytestmark = [pytest.mark.timeout(1200), pytest.mark.usefixtures("all_photos")]


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
    (wrong, *_) = sorted((folder / "known" / "George_W_Bush").iterdir())
    wrong.rename(folder / "known" / "Tony_Blair" / "planted.jpg")
    return folder


@pytest.fixture(scope="module")
def output(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("result")
    options = ["--labels", "parent_folder", "--quiet"]
    subprocess.run([*MEANFACE, "run", photos / "known", "--output", folder, *options], check=True)
    return folder


def test_leave_one_out_figures_are_numpys(output: Path) -> None:
    check_recognition(output)


def test_a_planted_wrong_label_is_found(output: Path) -> None:
    with (output / "label_checks.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["check"] == "wrong_label"]
    assert ("Tony_Blair/planted.jpg", "Tony_Blair", "George_W_Bush") in [
        (row["photo"], row["label"], row["other_label"]) for row in rows[:10]
    ]
    template = Result.at(str(output)).templates["Tony_Blair"]
    assert template.worst[0].photo == "Tony_Blair/planted.jpg"


def test_a_wrong_photo_hardly_moves_the_trimmed_mean(output: Path) -> None:
    """Compared with how far it moves the mean."""
    template = Result.at(str(output)).templates["Tony_Blair"]
    chunks = [pq.read_table(chunk) for chunk in output.glob("ledger/*/*/*.parquet")]
    rows = [row for chunk in chunks for row in chunk.to_pylist() if row["label"] == "Tony_Blair" and row["embedding"]]
    right = np.array([row["embedding"] for row in rows if "planted" not in row["photo"]], np.float32)
    trimmed = np.linalg.norm(template.trimmed - metrically_trimmed_mean(right))
    mean = np.linalg.norm(template.mean - right.astype(float).mean(axis=0))
    print(f"a wrong photo among {len(rows)} moves the mean by {mean:.4f} and the trimmed mean by {trimmed:.4f}")
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
