"""Faces are read from the outputs of detector networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from laws import examples
from meanface.embedder.decode import PhotoRefused
from meanface.embedder.models.detection import Candidates, NetworkDetector, distinct, fitted
from meanface.embedder.models.plain import DetectorData, NetworkData
from meanface.errors import SettingsError
from meanface.outcome import Outcome
from tiny_models import detector_network, sha256

POINTS = np.array([[20.0, 24], [40, 24], [30, 32], [24, 44], [38, 44]])
BOX = (12.0, 8.0, 52.0, 56.0)
SIDE = 64


def yunet_outputs(score: float = 0.98) -> dict[str, np.ndarray]:
    """One face, at place (3, 2) of stride 16, and one 8 pixels further right with a lower score at (3, 1)."""
    outputs = {}
    for stride in (8, 16, 32):
        places = (SIDE // stride) ** 2
        for kind, size in {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}.items():
            outputs[f"{kind}_{stride}"] = np.zeros((1, places, size), np.float32)
    for row, column, value, right in ((2, 3, score, 0), (1, 3, score - 0.02, 8)):
        place = row * (SIDE // 16) + column
        outputs["cls_16"][0, place] = outputs["obj_16"][0, place] = value
        centre = np.array([(BOX[0] + BOX[2]) / 2 + right, (BOX[1] + BOX[3]) / 2]) / 16 - (column, row)
        size = np.log(np.array([BOX[2] - BOX[0], BOX[3] - BOX[1]]) / 16)
        outputs["bbox_16"][0, place] = [*centre, *size]
        outputs["kps_16"][0, place] = (POINTS / 16 - (column, row)).ravel()
    return outputs


def scrfd_outputs(score: float = 0.98) -> dict[str, np.ndarray]:
    """The same faces, of the second anchor at place (3, 2) of stride 16, and of the first."""
    outputs = {}
    for kind, size in (("score", 1), ("bbox", 4), ("kps", 10)):
        for stride in (8, 16, 32):
            outputs[f"{kind}_{stride}"] = np.zeros((2 * (SIDE // stride) ** 2, size), np.float32)
    for anchor, value, right in ((1, score, 0), (0, score - 0.02, 8)):
        place = 2 * (2 * (SIDE // 16) + 3) + anchor
        x, y = 3 * 16, 2 * 16
        outputs["score_16"][place] = value
        outputs["bbox_16"][place] = np.array([x - BOX[0] - right, y - BOX[1], BOX[2] + right - x, BOX[3] - y]) / 16
        outputs["kps_16"][place] = ((POINTS - (x, y)) / 16).ravel()
    return outputs


OUTPUTS = {"yunet": yunet_outputs, "scrfd": scrfd_outputs}


def detector(
    folder: Path, kind: str, size: tuple[int, int] | None = (SIDE, SIDE), **changes: object
) -> NetworkDetector:
    path = detector_network(folder / f"{kind}.onnx", OUTPUTS[kind](), (SIDE, SIDE))
    values = {"score_threshold": 0.9, "nms_threshold": 0.3} | changes
    return NetworkDetector(
        "a.toml", DetectorData(kind, NetworkData(str(path), sha256(path), "detector.file"), size, **values)
    )


@pytest.mark.parametrize("kind", ["yunet", "scrfd"])
def test_a_face_is_where_the_network_says(kind: str, tmp_path: Path) -> None:
    (found,) = detector(tmp_path, kind).find(np.zeros((SIDE, SIDE, 3), np.uint8))
    box = found.rectangle
    assert (box.left(), box.top(), box.right(), box.bottom()) == BOX
    np.testing.assert_allclose(box.points, POINTS, atol=1e-5)
    assert found.score == pytest.approx(0.98)


@pytest.mark.parametrize("kind", ["yunet", "scrfd"])
def test_a_photo_of_another_size_has_its_faces_in_its_own_pixels(kind: str, tmp_path: Path) -> None:
    (found,) = detector(tmp_path, kind).find(np.zeros((4 * SIDE, 2 * SIDE, 3), np.uint8))
    np.testing.assert_allclose(found.rectangle.points, 4 * POINTS, atol=1e-4)
    assert found.rectangle.edges == pytest.approx([4 * edge for edge in BOX])


@pytest.mark.parametrize("kind", ["yunet", "scrfd"])
def test_thresholds_decide_which_faces_there_are(kind: str, tmp_path: Path) -> None:
    photo = np.zeros((SIDE, SIDE, 3), np.uint8)
    assert len(detector(tmp_path, kind, nms_threshold=0.7).find(photo)) == 2
    assert len(detector(tmp_path, kind, nms_threshold=0.6).find(photo)) == 1
    assert not detector(tmp_path, kind, score_threshold=0.99).find(photo)


def test_outputs_of_another_network_are_refused(tmp_path: Path) -> None:
    path = detector_network(tmp_path / "other.onnx", {"boxes": np.zeros((1, 4), np.float32)}, (SIDE, SIDE))
    for kind, why in (
        ("yunet", "detector.kind=yunet: .* has the outputs boxes, and YuNet has bbox_16"),
        ("scrfd", "1 outputs"),
    ):
        data = DetectorData(kind, NetworkData(str(path), sha256(path), "detector.file"), None, 0.9, 0.3)
        with pytest.raises(SettingsError, match=f"model card a.toml: {why}" if kind == "yunet" else why):
            NetworkDetector("a.toml", data)


@pytest.mark.parametrize("kind", ["yunet", "scrfd"])
def test_a_network_for_another_size_is_refused_before_it_sees_a_photo(kind: str, tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError,
        match=rf"a\.toml: detector\.size: .*{kind}\.onnx takes an input of \[1, 3, 64, 64\], and the card describes "
        r"one of \[1, 3, 32, 96\]: write the width and height that it takes as detector\.size",
    ):
        detector(tmp_path, kind, (96, 32))
    with pytest.raises(SettingsError, match=r"for an input of \[1, 3, 64, 96\]; expected \["):
        detector(tmp_path, kind, None)  # its outputs do not grow with the photo


@pytest.mark.parametrize(("kind", "name", "places"), [("yunet", "kps_16", 16), ("scrfd", "kps_16", 32)])
def test_an_output_of_another_shape_is_refused(
    kind: str, name: str, places: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = OUTPUTS[kind]()
    monkeypatch.setitem(OUTPUTS, kind, lambda: outputs)
    for shape in ((places, 8), (10, places), (places + 1, 10)):
        outputs[name] = np.zeros(shape, np.float32)
        with pytest.raises(
            SettingsError,
            match=rf"a\.toml: detector\.kind={kind}: the output {name} of .*{kind}\.onnx has the shape "
            rf"\[{shape[0]}, {shape[1]}\] for an input of \[1, 3, 64, 64\]; expected \[{places}, 10\]",
        ):
            detector(tmp_path, kind)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
@pytest.mark.parametrize("name", ["bbox_16", "kps_16"])
def test_a_face_that_is_nowhere_is_the_photos_outcome(
    name: str, value: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not the end of the worker, nor of the run, whose ledger has no such number."""
    outputs = scrfd_outputs()
    outputs[name][outputs["score_16"][:, 0] > 0.9, -1] = value
    monkeypatch.setitem(OUTPUTS, "scrfd", lambda: outputs)
    with pytest.raises(PhotoRefused, match="the detector's network computes no possible place of a face") as refused:
        detector(tmp_path, "scrfd").find(np.zeros((SIDE, SIDE, 3), np.uint8))
    assert refused.value.outcome is Outcome.CRASHED


@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from([None, (64, 64), (96, 32)]))
@settings(deadline=None, max_examples=examples(60))
def test_a_photo_is_fitted_whole_and_in_proportion(rows: int, columns: int, size: tuple[int, int] | None) -> None:
    picture, scale = fitted(np.full((rows, columns, 3), 255, np.uint8), size)
    height, width = picture.shape[:2]
    assert height % 32 == width % 32 == 0
    assert size is None or (width, height) == size
    inside = (picture[..., 0] > 0).sum(axis=0).max(), (picture[..., 0] > 0).sum(axis=1).max()
    assert abs(inside[0] - max(1, rows * scale)) <= 0.5
    assert abs(inside[1] - max(1, columns * scale)) <= 0.5
    assert size is not None or (scale, inside) == (1, (rows, columns))


boxes = st.tuples(st.floats(0, 90), st.floats(0, 90), st.floats(1, 40), st.floats(1, 40))


@given(st.lists(st.tuples(boxes, st.floats(0, 1, width=32)), max_size=12), st.sampled_from([0.1, 0.3, 0.5]))
@settings(deadline=None, max_examples=examples(100))
def test_kept_faces_overlap_little_and_each_other_one_overlaps_a_better_one(
    found: list[tuple[tuple[float, ...], float]], overlap: float
) -> None:
    corners = np.array([[x, y, x + w, y + h] for (x, y, w, h), _ in found], np.float32).reshape(-1, 4)
    scores = np.array([score for _, score in found], np.float32)
    kept = distinct(Candidates(scores, corners, np.zeros((len(found), 10), np.float32)), overlap, whole=False)

    def share(one: int, other: int) -> float:
        a, b = corners[one].astype(float), corners[other].astype(float)
        common = np.prod(np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0))
        return float(common / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - common))

    assert [scores[one] for one in kept] == sorted((scores[one] for one in kept), reverse=True)
    for place, one in enumerate(kept):
        assert all(share(one, other) <= overlap + 1e-9 for other in kept[:place])
    for left_out in set(range(len(found))) - set(kept):
        assert any(share(left_out, one) > overlap - 1e-9 and scores[one] >= scores[left_out] for one in kept)
