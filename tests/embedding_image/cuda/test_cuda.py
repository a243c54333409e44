"""The tensor code gives dlib's boxes, landmarks, chips and embeddings; on a CPU, and on a GPU where there is one."""

from __future__ import annotations

import dlib
import numpy as np
import pytest

from meanface import model
from meanface.cuda import weights
from meanface.detector import DlibDetector
from meanface.faces import OnnxEmbedder
from meanface.photo import Pixels
from meanface.settings import FacesPolicy

torch = pytest.importorskip("torch", reason="PyTorch is not installed: meanface[cuda]")

GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
DEVICES = ["cpu", pytest.param("cuda", marks=GPU)]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> weights.Weights:
    folder = str(tmp_path_factory.mktemp("weights"))
    first = weights.cached(folder)
    again = weights.cached(folder)
    assert all(np.array_equal(one, other) for one, other in zip(first.landmarks, again.landmarks, strict=True))
    return first


@pytest.fixture(scope="module")
def crops(portraits: list[Pixels]) -> list[Pixels]:
    """Two faces, each of them mirrored, and a picture without a face; all of one size."""
    photos = [np.ascontiguousarray(portrait[:400, :330]) for portrait in portraits]
    return [*photos, *(np.ascontiguousarray(photo[:, ::-1]) for photo in photos), np.full_like(photos[0], 90)]


def batch_of(photos: list[Pixels], device: str) -> torch.Tensor:
    return torch.from_numpy(np.stack(photos)).permute(0, 3, 1, 2).contiguous().to(device)


@pytest.mark.parametrize("device", DEVICES)
def test_agrees_with_the_cpu(loaded: weights.Weights, crops: list[Pixels], device: str) -> None:
    from meanface.cuda.embedder import BatchEmbedder

    found = BatchEmbedder(loaded, torch.device(device))(batch_of(crops, device))
    assert not len(found.uncertain)
    finder, embedder, faces = DlibDetector(), OnnxEmbedder(), 0
    for i, photo in enumerate(crops):
        own = found.photos.cpu() == i
        boxes = [[box.left(), box.top(), box.right(), box.bottom()] for box in finder.find(photo)]
        assert found.boxes.cpu()[own].tolist() == boxes
        expected = embedder.faces(photo, FacesPolicy.ALL).chosen
        for chip, embedding, face in zip(found.chips[own], found.embeddings[own], expected, strict=True):
            np.testing.assert_array_equal(chip.permute(1, 2, 0).cpu(), face.chip)
            np.testing.assert_allclose(embedding.cpu(), face.embedding, rtol=0, atol=1e-5)
            faces += 1
    assert faces >= 2


@pytest.mark.parametrize("device", DEVICES)
def test_landmarks_are_dlibs(loaded: weights.Weights, crops: list[Pixels], device: str) -> None:
    from meanface.cuda.landmarks import Landmarks

    predictor, box = dlib.shape_predictor(str(model.landmarks_path())), [60, 80, 220, 240]
    boxes = torch.tensor([box] * len(crops), device=device)
    found = Landmarks(loaded, torch.device(device))(batch_of(crops, device), torch.arange(len(crops)).to(device), boxes)
    for photo, points in zip(crops, found.tolist(), strict=True):
        assert points == [[point.x, point.y] for point in predictor(photo, dlib.rectangle(*box)).parts()]


@pytest.mark.parametrize("size", [(40, 40), (41, 90), (97, 64), (130, 251)])
def test_pixels_and_features_of_any_size(loaded: weights.Weights, size: tuple[int, int]) -> None:
    from meanface.cuda.detector import Detector

    detector = Detector(loaded, torch.device("cpu"))
    noise = np.random.default_rng(size[0]).integers(0, 256, (*size, 3), np.uint8)
    boxes = [[box.left(), box.top(), box.right(), box.bottom()] for box in DlibDetector().find(noise)]
    assert detector(batch_of([noise], "cpu")).boxes.tolist() == boxes


@GPU
def test_a_face_does_not_depend_on_its_batch(loaded: weights.Weights, crops: list[Pixels]) -> None:
    from meanface.cuda.embedder import BatchEmbedder

    embedder = BatchEmbedder(loaded, torch.device("cuda"))
    forwards, backwards = (embedder(batch_of(photos, "cuda")) for photos in (crops, crops[::-1]))
    one = {(i, tuple(box)): row for i, box, row in _faces(forwards)}
    other = {(len(crops) - 1 - i, tuple(box)): row for i, box, row in _faces(backwards)}
    assert one == other


def _faces(found) -> list[tuple[int, list[int], bytes]]:
    rows = [row.numpy().tobytes() for row in found.embeddings.cpu()]
    return list(zip(found.photos.tolist(), found.boxes.tolist(), rows, strict=True))
