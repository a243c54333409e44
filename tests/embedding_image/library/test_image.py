"""`meanface.embed`: one image has the same faces as a file, as an array and as a Pillow image."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from PIL import Image, ImageOps

import meanface
from meanface.dataset import SAMPLE
from meanface.library import image as module

HOPPER = SAMPLE / "grace_hopper/grace_hopper.jpg"
ON_ITS_SIDE = SAMPLE / "eileen_collins/on_its_side.jpg"


def same(one: list[meanface.Face], other: list[meanface.Face]) -> bool:
    return [face.box for face in one] == [face.box for face in other] and all(
        a.embedding.tobytes() == b.embedding.tobytes() and a.score == b.score for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("path", [HOPPER, ON_ITS_SIDE], ids=lambda path: path.stem)
def test_all_kinds_of_images_have_the_same_faces(path: Path) -> None:
    faces = meanface.embed(path)
    assert len(faces) == 1
    assert same(meanface.embed(str(path)), faces)
    assert same(meanface.embed(path.read_bytes()), faces)
    opened = Image.open(path)
    assert same(meanface.embed(opened), faces)
    assert opened.tile, "the pixels were decoded here"
    opened.load()
    assert same(meanface.embed(opened), faces)
    assert same(meanface.embed(np.asarray(ImageOps.exif_transpose(opened))), faces)


@pytest.mark.long
def test_they_are_the_faces_of_a_run(tmp_path: Path) -> None:
    """In the photo `black_and_white.jpg`, whose array is grey."""
    folder = SAMPLE / "grace_hopper"
    table = meanface.run(folder, tmp_path / "result", workers=1).embeddings().to_pylist()
    rows = {row["photo"]: row for row in table}
    for name in ("grace_hopper.jpg", "black_and_white.jpg"):
        (face,) = meanface.embed(folder / name)
        assert face.embedding.tolist() == rows[name]["embedding"]
        assert face.box._asdict() == rows[name]["box"]
    grey = np.asarray(Image.open(folder / "black_and_white.jpg").convert("L"))
    assert same(meanface.embed(grey), meanface.embed(np.stack([grey] * 3, axis=2)))


@pytest.mark.parametrize(
    "mode", ["LA", "F", *(pytest.param(one, marks=pytest.mark.long) for one in ("L", "RGBA", "P", "CMYK", "I;16"))]
)
def test_pillows_modes(mode: str, tmp_path: Path) -> None:
    """As from a file of the mode, where one can have it."""
    picture = Image.open(HOPPER).convert("L" if mode in ("F", "I;16") else "RGB")
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(picture).astype(np.uint16) * 257)
    picture = picture.convert(mode) if picture.mode != mode else picture
    path = tmp_path / ("photo.tif" if mode in ("F", "CMYK") else "photo.png")
    picture.save(path)
    assert len(meanface.embed(picture)) == 1
    assert same(meanface.embed(picture), meanface.embed(path))


@pytest.mark.long
def test_settings_choose_the_faces() -> None:
    two = np.concatenate([np.asarray(Image.open(HOPPER))] * 2, axis=1)
    assert len(meanface.embed(two)) == 2
    assert len(meanface.embed(two, faces="first")) == 1
    assert meanface.embed(two, faces="single") == []
    assert meanface.embed(two, min_face=400) == []


@pytest.mark.long
def test_one_worker_serves_all_calls_and_is_replaced_for_other_settings() -> None:
    blank = np.zeros((40, 40, 3), np.uint8)
    meanface.embed(blank)
    (first,) = module._worker._workers._workers
    meanface.embed(blank)
    assert module._worker._workers._workers == [first]
    meanface.embed(blank, upsample=0)
    assert module._worker._workers._workers != [first]
    with pytest.raises(ProcessLookupError):
        os.kill(first.pid, 0)


@pytest.mark.long
def test_threads_take_turns() -> None:
    results: list[list[meanface.Face]] = []
    threads = [Thread(target=lambda: results.append(meanface.embed(HOPPER))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert all(same(one, results[0]) for one in results)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((10, 10, 3)),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros(10, np.uint8),
        np.zeros((0, 10, 3), np.uint8),
    ],
    ids=["float", "four channels", "flat", "empty"],
)
def test_other_arrays_are_refused(array: np.ndarray) -> None:
    with pytest.raises(meanface.UsageError, match=r"expected uint8 of shape \(rows, columns, 3\)"):
        meanface.embed(array)


def test_errors_are_typed(tmp_path: Path) -> None:
    with pytest.raises(meanface.DatasetNotFound, match="No such file"):
        meanface.embed(tmp_path / "missing.jpg")
    with pytest.raises(meanface.SettingsError, match="this machine"):
        meanface.embed("https://photos.example/photo.jpg")
    with pytest.raises(meanface.PhotoRefused, match="undecodable"):
        meanface.embed(b"no photo")
    with pytest.raises(meanface.PhotoRefused, match="max_bytes=100"):
        meanface.embed(HOPPER, max_bytes=100)
    with pytest.raises(meanface.PhotoRefused, match="too_large"):
        meanface.embed(np.zeros((40, 40, 3), np.uint8), max_pixels=1000)
    with pytest.raises(meanface.UsageError, match="not int"):
        meanface.embed(5)
    with pytest.raises(meanface.UsageError, match="no pixels"):
        meanface.embed(Image.new("RGB", (0, 5)))
    with pytest.raises(meanface.SettingsError, match="labels"):
        meanface.embed(HOPPER, labels="level")


def test_bytes_of_an_image_are_not_decoded_here() -> None:
    """A file that Pillow cannot decode is still handed to the worker, which refuses it."""
    whole = HOPPER.read_bytes()
    opened = Image.open(io.BytesIO(whole[: len(whole) // 2]))
    with pytest.raises(meanface.PhotoRefused, match="undecodable"):
        meanface.embed(opened)


@pytest.mark.long
def test_the_worker_ends_with_its_process() -> None:
    program = (
        "import meanface, numpy as np; meanface.embed(np.zeros((9, 9, 3), np.uint8));"
        "from meanface.library.image import _worker; print(_worker._workers._workers[0].pid)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    with pytest.raises(ProcessLookupError):
        os.kill(int(done.stdout), 0)
