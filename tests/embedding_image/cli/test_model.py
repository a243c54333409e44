"""`meanface model check` tries a card on the sample, and refuses a wrong one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tiny_models import card, detector_network, embedding_network


def check(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "meanface", "model", "check", str(path)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.mark.long
@pytest.mark.parametrize(
    ("batch", "mixing", "why"),
    [
        (1, False, "takes one face at a time, as meanface gives it"),
        ("faces", False, "same output for a face alone and in a batch of 6; meanface embeds one at a time"),
        ("faces", True, "the output of a face depends on its batch: by up to"),
    ],
)
def test_faces_lengths_time_and_batch_are_printed(batch: int | str, mixing: bool, why: str, tmp_path: Path) -> None:
    embedding_network(tmp_path / "own.onnx", batch=batch, mixing=mixing)
    done = check(card(tmp_path, file="own.onnx"))
    assert done.returncode == 0, done.stderr
    assert "tiny, Apache-2.0; 512 numbers; detector dlib_hog" in done.stdout
    assert "grace_hopper.jpg: ok, 1 face, length 1.000, " in done.stdout
    assert "chelsea.jpg: no_face, 0 faces, length -, " in done.stdout
    assert why in done.stdout


def test_a_wrong_card_is_refused_with_what_to_write(tmp_path: Path) -> None:
    done = check(card(tmp_path, dimension=512, file=embedding_network(tmp_path / "own.onnx", 64).name))
    assert (done.returncode, done.stdout) == (2, "")
    assert "SettingsError" in done.stderr
    assert "dimension=512, but" in done.stderr
    assert "computes 64 numbers: write dimension = 64" in done.stderr


def test_a_network_without_a_finite_embedding_is_refused_by_a_photo(tmp_path: Path) -> None:
    detector_network(tmp_path / "own.onnx", {"y": np.full((1, 512), np.nan, np.float32)}, (112, 112))
    done = check(card(tmp_path, file="own.onnx"))
    assert done.returncode == 3
    assert "astronaut.jpg is crashed: the network computes no finite embedding of face 0; check the" in done.stderr


@pytest.mark.long
def test_a_built_in_embedder_has_no_card() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "meanface", "model", "check", "dlib"], check=False, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "name a model card, a .toml file" in done.stderr
