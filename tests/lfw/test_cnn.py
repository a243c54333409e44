"""Real photos: the native CNN detector's boxes are those of dlib's."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lfw.conftest import WHOLE
from lfw.test_detector import corners, photos
from meanface.embedder.detector.cnn import DlibCnnDetector, NativeCnnDetector
from meanface.embedder.network import usable_kernels

MOST = 500
"""photos that are tried: dlib takes more than half a second for one"""

GROUPS = sorted(WHOLE.parent.glob("groups/*.jpg"))

pytestmark = [
    pytest.mark.usefixtures("all_photos"),
    pytest.mark.skipif(not usable_kernels(), reason="the native network is not there"),
    pytest.mark.timeout(3600),
]


def test_the_boxes_are_dlibs(archive: Path) -> None:
    """Without doubling, as dlib takes four times as long with it; the code is the same."""
    ours, theirs = NativeCnnDetector(usable_kernels()[0], 0), DlibCnnDetector(0)
    faces = 0
    for name, photo in islice(photos(archive), MOST):
        found = corners(ours.find(photo))
        assert found == corners(theirs.find(photo)), name
        faces += len(found)
    assert faces


@pytest.mark.skipif(not GROUPS, reason="shared/groups is not beside the checkout")
@pytest.mark.parametrize("path", GROUPS, ids=lambda path: path.stem)
def test_the_boxes_of_a_group_are_dlibs(path: Path) -> None:
    photo = Image.open(path).convert("RGB")
    photo.thumbnail((1600, 1600))  # dlib takes gigabytes for more
    pixels = np.asarray(photo)
    found = corners(NativeCnnDetector(usable_kernels()[0], 0).find(pixels))
    assert len(found) > 1
    assert found == corners(DlibCnnDetector(0).find(pixels))
