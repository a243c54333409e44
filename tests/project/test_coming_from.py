"""docs/coming-from.md has every option of face_recognition, and its commands work."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import click
import face_recognition
import pyarrow.parquet as pq
import pytest
from face_recognition import face_detection_cli, face_recognition_cli

from meanface.dataset import SAMPLE
from meanface.settings import Settings

PAGE = (Path(__file__).parents[2] / "docs/coming-from.md").read_text()
FUNCTIONS = [
    face_recognition.load_image_file,
    face_recognition.face_locations,
    face_recognition.batch_face_locations,
    face_recognition.face_landmarks,
    face_recognition.face_encodings,
    face_recognition.compare_faces,
    face_recognition.face_distance,
]
PHOTOS = {"face_image", "img", "images", "file", "face_locations", "known_face_encodings", "face_encoding_to_check"}
"""Parameters that stand for the photos and faces themselves; the page calls them otherwise, or leaves them out."""

COMMANDS = re.findall(r"^    \.venvs/meanface/bin/meanface (run PHOTOS .+)$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_every_option_of_a_function_is_there_with_its_default(function: object) -> None:
    rows = "\n".join(row for row in PAGE.splitlines() if row.startswith(f"| `{function.__name__}("))
    assert rows
    for name, parameter in inspect.signature(function).parameters.items():
        if name in PHOTOS:
            continue
        assert name in rows
        if parameter.default not in (inspect.Parameter.empty, None):
            default = repr(parameter.default)
            assert f"{name}={default}" in rows or f"{name}={default.replace(chr(39), chr(34))}" in rows, name


@pytest.mark.parametrize("command", [face_recognition_cli.main, face_detection_cli.main])
def test_every_option_of_a_command_is_there_with_its_default(command: click.Command) -> None:
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert f"`{parameter.opts[0]} {str(parameter.default).lower()}`" in PAGE


def test_every_setting_that_is_named_exists() -> None:
    rows = [row.split(" | ")[-1] for row in PAGE.splitlines() if row.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`([a-z_]+)=", row)}
    assert {"upsample", "landmarks", "num_jitters", "faces", "exif_orientation", "labels", "embedder"} <= named
    assert named <= Settings.model_fields.keys()


@pytest.mark.long
def test_its_commands_compute_what_theirs_compute(tmp_path: Path) -> None:
    """Each over the sample; the boxes in the ledger are those of the command face_detection."""
    assert len(COMMANDS) == 2
    photos, found = sorted(SAMPLE.glob("*/*")), {}
    for number, command in enumerate(COMMANDS):
        words = command.replace("PHOTOS", "sample").replace("RESULTS", str(tmp_path / str(number))).split()
        subprocess.run([sys.executable, "-m", "meanface", *words, "--workers", "1"], check=True, capture_output=True)
        rows = [row for chunk in (tmp_path / str(number)).glob("ledger/*/*/*.parquet") for row in boxes(chunk)]
        found[number] = {name: [box for other, box in rows if other == name] for name, _ in rows}
    assert len(found) == 2
    seen = 0
    for path in photos:
        printed = subprocess.run(
            [sys.executable, "-m", "face_recognition.face_detection_cli", str(path)],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        lines = [tuple(map(int, line.rsplit(",", 4)[1:])) for line in printed.splitlines()]
        assert found[1].get(str(path.relative_to(SAMPLE)), []) == lines
        seen += len(lines)
    assert seen >= 3


def boxes(chunk: Path) -> list[tuple[str, tuple[int, ...]]]:
    """Names and boxes of a chunk's faces."""
    table = pq.read_table(chunk).to_pylist()
    sides = ("top", "right", "bottom", "left")
    return [(row["photo"], tuple(row[side] for side in sides)) for row in table if row["face"] is not None]
