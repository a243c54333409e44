"""Two thousand real photos: on every path the boxes are dlib's, in dlib's order."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from meanface.detector import DlibDetector, Rectangle, usable_kernels
from meanface.photo import Pixels

ARCHIVE = Path(__file__).parents[3] / "shared" / "lfw-2000.tgz"

pytestmark = [
    pytest.mark.skipif(not ARCHIVE.exists(), reason="shared/lfw-2000.tgz is not beside the checkout"),
    pytest.mark.skipif(not usable_kernels(), reason="the native detector is not there"),
    pytest.mark.timeout(1200),
]


def photos() -> Iterator[Pixels]:
    with tarfile.open(ARCHIVE) as archive:
        for member in archive:
            if member.isfile() and (file := archive.extractfile(member)):
                yield np.asarray(Image.open(io.BytesIO(file.read())).convert("RGB"))


def corners(found: list[Rectangle]) -> list[tuple[int, int, int, int]]:
    return [(each.left(), each.top(), each.right(), each.bottom()) for each in found]


def test_the_boxes_are_dlibs_and_the_coarse_scan_has_room() -> None:
    from meanface.detector.native import MARGIN, NativeDetector

    dlib, natives = DlibDetector(), [NativeDetector(kernels) for kernels in usable_kernels()]
    every_window = NativeDetector(usable_kernels()[0], exhaustive=True)
    count = faces = 0
    too_low = -np.inf
    for photo in photos():
        expected = corners(dlib.find(photo))
        seen, _ = natives[0].examine(photo)
        assert seen == every_window.examine(photo)[0]
        for native in natives:
            assert corners(native.find(photo)) == expected
            assert native.examine(photo)[0] == seen  # the same bits, whatever the instructions
        too_low = max([too_low, *(score - coarse for *_, score, coarse, _ in seen)])
        count, faces = count + 1, faces + len(expected)
    print(
        f"{faces} faces in {count} photos; dlib was asked about {[native.handed_over for native in natives]} of them; "
        f"coarse scores are up to {too_low:.2f} too low, {MARGIN} are allowed"
    )
    assert count == 2000
    assert all(native.handed_over <= 20 for native in natives)
    assert too_low < MARGIN / 2
