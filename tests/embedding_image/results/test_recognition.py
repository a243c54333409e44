"""Recognition and label checks: what a plain NumPy computation says, in any partitioning, of all faces or a sample."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest

from meanface.results import label_checks, label_scan, probes
from meanface.results.duplicates import KEPT
from meanface.stats.duplicates import MAX_PAIRS, SHOWN_NAMES
from meanface.stats.models import Statistics
from meanface.stats.neighbours import BINS, Others
from meanface.stats.recognition import Compared, suggested_threshold
from references import check_recognition
from synthetic import embeddings, run_on, studied, write

PEOPLE = 12
WRONG = {
    "person 03/wrong.jpg": "person 07",
    "person 02/copy.jpg": "person 01",
    "person 04/almost.jpg": "person 00",
}
"""photos under a wrong label, and the right one"""


def people(count: int, seed: int) -> np.ndarray:
    """Faces of people in turn, near each other as those of one person are."""
    centres = embeddings(PEOPLE, 1)
    return centres[np.arange(count) % PEOPLE] + embeddings(count, seed, 0.03) - embeddings(1, 0, 0.0)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """People with ten photos and more, one with one; wrong labels, one name for two, photos under two labels."""
    rows = people(160, 5)
    content: dict[str, bytes | np.ndarray] = {f"person {n % PEOPLE:02}/{n:03}.jpg": rows[n] for n in range(160)}
    content |= {
        "alone/a.jpg": embeddings(1, 77),
        "person 03/wrong.jpg": people(PEOPLE, 8)[7],  # of person 7
        "second name/a.jpg": people(PEOPLE, 9)[5],
        "second name/b.jpg": people(PEOPLE, 10)[5],
        "second name/c.jpg": people(PEOPLE, 11)[5],
        "person 02/copy.jpg": rows[1],
        "person 04/almost.jpg": rows[0] + np.float32(1e-4),
        "nobody/none.jpg": b"",
    }
    return write(tmp_path_factory.mktemp("people"), content)


@pytest.fixture(scope="module")
def output(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out")
    run_on(photos, folder, labels="parent_folder")
    return folder


def statistics(photos: Path, folder: Path, **settings: object) -> Statistics:
    return studied(photos, folder, labels="parent_folder", **settings)[0]


def test_the_figures_are_numpys(output: Path) -> None:
    check_recognition(output)


@pytest.mark.parametrize("most", [probes.PROBES, 60], ids=["all", "sample"])
def test_no_partitioning_changes_a_bit(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """Of all faces or of a sample, and where single photos are compared with fewer."""
    monkeypatch.setattr(probes, "PROBES", most)
    monkeypatch.setattr(label_scan, "CHECKED", most)
    if most == 60:
        monkeypatch.setattr(probes, "PHOTO_PAIRS", 20 * 166)
    whole = statistics(photos, tmp_path / "whole")
    parts = statistics(photos, tmp_path / "parts", partition_size=17)
    assert (whole.recognition, whole.checks) == (parts.recognition, parts.checks)
    assert whole.recognition is not None
    assert whole.checks is not None
    assert whole.recognition.sample_step == (1 if most > 60 else 3)
    assert (whole.checks.faces, whole.checks.complete) == ((166, True) if most > 60 else (60, False))
    assert whole.recognition.photo_faces <= whole.recognition.faces
    assert {face.photo for face in whole.checks.wrong_labels[:3]} == set(WRONG)


def test_planted_mistakes_are_found(output: Path) -> None:
    rows = list(csv.DictReader(io.StringIO((output / "label_checks.csv").read_text())))
    assert list(rows[0]) == list(label_checks.COLUMNS)
    found = {kind: [row for row in rows if row["check"] == kind] for kind in label_checks.ADVICE}
    assert {row["photo"]: row["other_label"] for row in found["wrong_label"][:3]} == WRONG
    assert all(float(row["distance"]) > float(row["other_distance"]) for row in found["wrong_label"])
    alike = [(row["label"], row["photo"], row["other_label"], row["other_photo"]) for row in found["alike_labels"]]
    assert ("person 05", "person 05/005.jpg", "second name", "second name/a.jpg") in alike
    shared = {(row["photo"], row["other_photo"]): float(row["distance"]) for row in found["shared_photo"]}
    assert shared[("person 01/001.jpg", "person 02/copy.jpg")] == 0
    assert 0 < shared[("person 00/000.jpg", "person 04/almost.jpg")] < 0.01
    assert len(shared) == 2
    assert all(row["advice"] for row in rows)
    document = (Path(__file__).parents[3] / "docs" / "recognition.md").read_text().split("## Labels to check")[1]
    first, table = document.split("\n\n|")[0], re.findall(r"^\| `(\w+)` \|", document, re.MULTILINE)
    assert re.findall(r"`(\w+)`", first) == list(label_checks.COLUMNS)
    assert table == list(label_checks.ADVICE)
    assert f"two labels | {KEPT:,} groups, {SHOWN_NAMES} photos of each |" in document
    assert f"two labels | {KEPT:,} | the closest ones; none if more than {MAX_PAIRS // 10**6} million" in document
    assert f"`label_checks.csv` | {label_checks.LISTED:,} |" in document


def test_too_many_labels_are_not_compared_in_pairs(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_checks, "PAIRED_LABELS", 3)
    checks = statistics(photos, tmp_path).checks
    assert checks is not None
    assert (checks.alike, checks.alike_labels) == (None, [])


@pytest.mark.parametrize(
    ("names", "reason"),
    [(["a/1.jpg", "a/2.jpg"], "at least two labels"), (["a/1.jpg", "b/1.jpg", "c/1.jpg"], "a label with two faces")],
)
def test_recognition_that_cannot_be_tried_has_a_reason(tmp_path: Path, names: list[str], reason: str) -> None:
    folder = write(tmp_path / "photos", dict(zip(names, embeddings(3), strict=False)))
    found = statistics(folder, tmp_path / "out")
    assert found.recognition is None
    assert reason in found.missing["recognition"]
    assert found.checks is not None
    assert (found.checks.wrong, found.checks.alike or 0) == (0, 0)


def test_equal_faces_are_recognised_by_none(tmp_path: Path) -> None:
    """Every template is equally near: nobody is right, and nothing is wrong."""
    folder = write(tmp_path / "photos", {f"{n % 3}/{n}.jpg": embeddings(1) for n in range(9)})
    found = statistics(folder, tmp_path / "out")
    assert found.recognition is not None
    assert found.recognition.mean.rank_1.value == 0
    assert found.checks is not None
    assert found.checks.wrong == 0


def test_faces_that_are_farther_from_the_means_than_these_are_long(tmp_path: Path) -> None:
    """Unit vectors under coarse labels: means are short, and every distance is in the histogram all the same."""
    rows = np.random.default_rng(3).standard_normal((90, 128))
    rows = (rows / np.linalg.norm(rows, axis=1)[:, None]).astype(np.float32)
    folder = write(tmp_path / "photos", {f"{n % 3}/{n:02}.jpg": row for n, row in enumerate(rows)})
    run_on(folder, tmp_path / "out", labels="parent_folder")
    check_recognition(tmp_path / "out")
    found = json.loads((tmp_path / "out" / "result.json").read_text())["statistics"]["recognition"]
    assert 0.9 < found["suggested"]["threshold"] < 1.1


def test_where_no_threshold_fits_none_is_suggested() -> None:
    """Here none of the bins reaches as far as the distances."""
    two, far = np.arange(2), np.full(2, 9.0)
    others = Others(np.zeros(2, np.int64), far, two, np.zeros(BINS + 1, np.int64), 1 / BINS)
    assert suggested_threshold(Compared(two, far, others)) is None
