"""The account of a result: faces found, faces left out, and photos turned."""

from __future__ import annotations

import html
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from meanface.errors import NoFaceFound
from meanface.results.result import OrientationCounts, ResultRecord

Run = Callable[..., ResultRecord]

LYING = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
"""How a phone files a picture, by the EXIF orientation that undoes it."""


@pytest.fixture(scope="module")
def mixed(portrait_files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A portrait in four ways, one that is turned and empty, and one photo with three faces of three sizes."""
    folder = tmp_path_factory.mktemp("mixed")
    portrait = Image.open(portrait_files[1]).convert("RGB").crop((60, 0, 360, 300))
    portrait.save(folder / "upright.png")
    for value, way in LYING.items():
        exif = Image.Exif()
        exif[0x112] = value
        portrait.transpose(way).save(folder / f"lying{value}.png", exif=exif)
    exif = Image.Exif()
    exif[0x112] = 6
    Image.new("RGB", (90, 120), "grey").save(folder / "wall.jpg", exif=exif)
    group = Image.new("RGB", (660, 300), "grey")
    for size, left in ((300, 0), (200, 310), (130, 520)):
        group.paste(portrait.resize((size, size)), (left, 0))
    group.save(folder / "group.png")
    return folder


def table(output: Path) -> list[dict[str, object]]:
    return pq.read_table(output / "ledger").drop(["embedding"]).to_pylist()


def test_turned_photos_are_counted_and_their_faces_found(run_on: Run, mixed: Path, tmp_path: Path) -> None:
    result = run_on(mixed, tmp_path)
    assert result.outcomes["ok"] == 5
    assert result.orientation == OrientationCounts(turned=4, turned_without_face=1)
    rows = {row["photo"]: row for row in table(tmp_path)}
    assert {name: row["orientation"] for name, row in rows.items()} == {
        "upright.png": 1, "lying3.png": 3, "lying6.png": 6, "lying8.png": 8, "wall.jpg": 6, "group.png": 1
    }  # fmt: skip
    assert rows["wall.jpg"]["score"] is None
    same = ("top", "right", "bottom", "left", "score")
    for name in ("lying3.png", "lying6.png", "lying8.png"):
        assert [rows[name][field] for field in same] == [rows["upright.png"][field] for field in same]


def test_without_orientation_turned_photos_without_a_face_are_counted(run_on: Run, mixed: Path, tmp_path: Path) -> None:
    result = run_on(mixed, tmp_path, exif_orientation=False)
    assert result.orientation.turned == 4
    lost = [row for row in table(tmp_path) if row["outcome"] == "no_face"]
    assert result.orientation.turned_without_face == len(lost) >= 3


@pytest.mark.parametrize(
    ("settings", "left_out"),
    [
        ({}, {"policy": 2, "min_face": 0, "min_score": 0}),
        ({"faces": "all"}, {"policy": 0, "min_face": 0, "min_score": 0}),
        ({"faces": "all", "min_face": 60}, {"policy": 0, "min_face": 1, "min_score": 0}),
        ({"faces": "largest", "min_face": 60}, {"policy": 1, "min_face": 1, "min_score": 0}),
    ],
)
def test_every_face_that_was_found_counts_or_is_left_out_for_one_reason(
    run_on: Run, mixed: Path, tmp_path: Path, settings: dict[str, object], left_out: dict[str, int]
) -> None:
    result = run_on(mixed, tmp_path, **settings)
    assert result.faces_found == 7
    assert result.faces_left_out == left_out
    assert result.faces + sum(left_out.values()) == result.faces_found
    assert ResultRecord.model_validate_json((tmp_path / "result.json").read_text()).faces_left_out == left_out


def test_min_score_leaves_out_what_the_ledger_scores_lower(run_on: Run, mixed: Path, tmp_path: Path) -> None:
    """The bound itself is kept."""
    run_on(mixed, tmp_path / "all", faces="all")
    scores = sorted(row["score"] for row in table(tmp_path / "all") if row["score"] is not None)
    assert scores[0] >= 0
    assert scores == [round(score, 2) for score in scores]
    bound = scores[2]
    result = run_on(mixed, tmp_path / "some", faces="all", min_score=bound)
    kept = [row["score"] for row in table(tmp_path / "some") if row["score"] is not None]
    assert sorted(kept) == [score for score in scores if score >= bound]
    assert result.faces_left_out["min_score"] == sum(score < bound for score in scores)


def test_a_photo_with_all_faces_left_out_has_the_reason(run_on: Run, mixed: Path, tmp_path: Path) -> None:
    with pytest.raises(NoFaceFound):
        run_on(mixed, tmp_path, min_face=1000)
    rows = {row["photo"]: row for row in table(tmp_path)}
    assert rows["group.png"]["outcome"] == "no_face"
    assert rows["group.png"]["detail"] == "every face was left out: 3 by min_face"
    assert rows["group.png"]["left_out_min_face"] == rows["group.png"]["faces_found"] == 3
    assert rows["wall.jpg"]["detail"] == ""
    assert np.all([row["score"] is None for row in rows.values()])


def test_the_account_is_in_result_and_report_as_sentences(run_on: Run, mixed: Path, tmp_path: Path) -> None:
    """The screen's are in test_cli.py."""
    result = run_on(mixed, tmp_path, min_face=60, faces="largest", exif_orientation=False)
    without = result.orientation.turned_without_face
    assert result.account == [
        f"not turned upright, despite their EXIF orientation: 4 photos, {without} of them without a face",
        f"faces left out: {result.faces_left_out['policy']} by faces=largest, 1 by min_face=60",
    ]
    assert json.loads((tmp_path / "result.json").read_text())["account"] == result.account
    report = html.unescape((tmp_path / "report.html").read_text())
    assert all(sentence in report for sentence in result.account)


def test_zeros_are_not_mentioned(run_on: Run, mixed: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    shutil.copy(mixed / "upright.png", tmp_path / "photos")
    assert run_on(tmp_path / "photos", tmp_path / "results").account == []
