"""The embedder of a card: its embeddings depend on their chips alone; networks that do not fit are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from meanface.embedder.decode import PhotoRefused
from meanface.embedder.models.alignment import TEMPLATES, affine, similarity, warped
from meanface.embedder.models.detection import LandmarkedBox
from meanface.embedder.models.embedder import CardEmbedder
from meanface.embedder.models.opening import model_data
from meanface.embedder.models.plain import ModelData
from meanface.errors import SettingsError
from meanface.outcome import Outcome
from meanface.settings import Settings
from tiny_models import card, detector_network, embedding_network, sha256


def data_of(folder: Path, **changes: Any) -> ModelData:
    data = model_data(Settings(dataset="sample", embedder=str(card(folder, **changes))))
    assert data is not None
    return data


def chips(count: int, width: int = 112, height: int = 112) -> list[np.ndarray]:
    source = np.random.default_rng(count)
    return [source.integers(0, 256, (height, width, 3), np.uint8) for _ in range(count)]


@pytest.mark.parametrize("mixing", [False, True])
def test_an_embedding_does_not_depend_on_the_faces_beside_it(mixing: bool, tmp_path: Path) -> None:
    """Also if the network mixes the faces of a batch."""
    embedding_network(tmp_path / "own.onnx", batch="faces", mixing=mixing)
    embedder = CardEmbedder(data_of(tmp_path, file="own.onnx"))
    faces = chips(5)
    together = embedder.embed(faces)
    assert together.shape == (5, 512)
    assert np.array_equal(together, np.concatenate([embedder.embed([face]) for face in faces]))
    assert np.array_equal(together[::-1], embedder.embed(faces[::-1]))
    assert (
        np.array_equal(embedder.outputs(faces), np.concatenate([embedder.outputs([face]) for face in faces])) != mixing
    )


def test_embeddings_are_normalized_if_the_card_says_so(tmp_path: Path) -> None:
    lengths = np.linalg.norm(CardEmbedder(data_of(tmp_path)).embed(chips(3)), axis=1)
    np.testing.assert_allclose(lengths, 1, atol=1e-6)
    raw = CardEmbedder(data_of(tmp_path, normalized="false"))
    assert np.abs(np.linalg.norm(raw.embed(chips(3)), axis=1) - 1).min() > 0.01


def test_an_output_without_a_length_stays_as_it_is(tmp_path: Path) -> None:
    """So the photo fails by its name, and nobody divides by infinity."""
    for value in (0, np.inf, np.nan):
        detector_network(tmp_path / "own.onnx", {"y": np.full((1, 512), value, np.float32)}, (112, 112))
        (found,) = CardEmbedder(data_of(tmp_path, file="own.onnx")).embed(chips(1))
        np.testing.assert_array_equal(found, np.full(512, value, np.float32))


def test_layout_colours_and_size_are_the_cards(tmp_path: Path) -> None:
    """The same network gets the same numbers from another layout, and from colours that were exchanged."""
    embedding_network(tmp_path / "first.onnx", size=(96, 128))
    embedding_network(tmp_path / "last.onnx", size=(96, 128), layout="NHWC")
    points = [[30, 50], [66, 50], [48, 70], [34, 95], [62, 95]]
    given = {"width": 96, "height": 128, "template": points, "mean": [1, 2, 3], "scale": [0.01, 0.02, 0.03]}
    first = CardEmbedder(data_of(tmp_path, file="first.onnx", **given))
    last = CardEmbedder(data_of(tmp_path, file="last.onnx", layout="NHWC", **given))
    turned = CardEmbedder(data_of(tmp_path, file="first.onnx", colours="BGR", **given))
    faces = chips(2, 96, 128)
    assert np.array_equal(first.embed(faces), last.embed(faces))
    assert np.array_equal(first.embed(faces), turned.embed([face[..., ::-1] for face in faces]))
    assert not np.array_equal(first.embed(faces), turned.embed(faces))


def test_the_card_says_which_transform_aligns_a_face(tmp_path: Path) -> None:
    photo = np.random.default_rng(1).integers(0, 256, (200, 200, 3), np.uint8)
    face = LandmarkedBox((0, 0, 1, 1), np.array([[60.0, 70], [120, 75], [80, 110], [70, 150], [110, 160]]))
    chips = {}
    for name, fit in (("similarity", similarity), ("affine", affine)):
        embedder = CardEmbedder(data_of(tmp_path, template=f'"arcface_112"\nfit = "{name}"'))
        chips[name] = embedder.align(photo, face)
        expected = warped(photo, fit(face.points, np.array(TEMPLATES["arcface_112"])), 112, 112)
        assert np.array_equal(chips[name], expected)
    assert not np.array_equal(chips["similarity"], chips["affine"])


@pytest.mark.parametrize(
    ("fit", "points", "why"),
    [
        ("similarity", [[7, 7]] * 5, "all points of the face are the same"),
        ("similarity", [[1, 0], [-1, 0], [0, -1], [0, 1], [0, 0]], "no transform brings the points of the face"),
        ("affine", [[1, 1], [2, 2], [3, 3], [0, 9], [9, 0]], "both eyes and the nose of the face lie on one line"),
    ],
)
def test_a_face_that_cannot_be_aligned_is_the_photos_outcome(fit: str, points: Any, why: str, tmp_path: Path) -> None:
    """And not the end of the worker."""
    cross = [[46, 56], [66, 56], [56, 46], [56, 66], [56, 56]]
    embedder = CardEmbedder(data_of(tmp_path, template=f'{cross}\nfit = "{fit}"'))
    with pytest.raises(PhotoRefused, match=f"^a face cannot be aligned: {why}") as refused:
        embedder.align(np.zeros((50, 50, 3), np.uint8), LandmarkedBox((0, 0, 1, 1), np.array(points, float)))
    assert refused.value.outcome is Outcome.CRASHED


@pytest.mark.parametrize("fit", ["similarity", "affine"])
def test_a_template_to_which_no_face_can_be_aligned_is_refused(fit: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"alignment.template: no face fits it: (all points|both eyes)"):
        CardEmbedder(data_of(tmp_path, template=f'{[[7, 7]] * 5}\nfit = "{fit}"'))


def test_model_data_come_back_as_they_were(tmp_path: Path) -> None:
    detector_network(tmp_path / "d.onnx", {"y": np.zeros(1, np.float32)}, (64, 64))
    network = f'kind = "scrfd"\nfile = "d.onnx"\nsha256 = "{sha256(tmp_path / "d.onnx")}"\nsize = [640, 480]\n'
    for changes in ({}, {"detector": f"{network}score_threshold = 0.5\nnms_threshold = 0.4"}):
        data = data_of(tmp_path, **changes)
        assert ModelData.from_json(data.to_json()) == data


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"dimension": 500, "file": "own.onnx"},
            r"dimension=500, but .*own.onnx computes 512 numbers: write dimension = 512",
        ),
        (
            {"width": 64, "file": "own.onnx", "template": [[20, 50], [44, 50], [32, 70], [24, 95], [40, 95]]},
            r"input: .*own.onnx takes an input of \[1, 3, 112, 112\], and the card describes one of \[1, 3, 112, 64\]",
        ),
        ({"layout": "NHWC", "file": "own.onnx"}, r"describes one of \[1, 112, 112, 3\]: write its size as input.width"),
        ({"file": "text.onnx"}, "network.file: .*text.onnx is no network that ONNX Runtime .* can run"),
        ({"file": "two.onnx"}, "network.file: .*two.onnx has the outputs y, z: a network that embeds has one"),
    ],
)
def test_a_network_that_does_not_fit_its_card_is_refused(changes: dict[str, Any], why: str, tmp_path: Path) -> None:
    embedding_network(tmp_path / "own.onnx")
    (tmp_path / "text.onnx").write_text("This is no network.")
    two = {"y": np.zeros((1, 512), np.float32), "z": np.zeros(1, np.float32)}
    detector_network(tmp_path / "two.onnx", two, (112, 112))
    with pytest.raises(SettingsError, match=why):
        CardEmbedder(data_of(tmp_path, **changes))


def test_a_network_with_other_bytes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"network.file: .*tiny.onnx has SHA-256 [0-9a-f]{64}, and the card expects bbb"
    ):
        data_of(tmp_path, sha256="b" * 64)
    with pytest.raises(SettingsError, match=r"network.file: .*gone.onnx cannot be read \(No such file or directory\)"):
        data_of(tmp_path, file="gone.onnx")
    data = data_of(tmp_path)
    Path(data.network.path).write_bytes(b"something else")
    with pytest.raises(SettingsError, match="has changed: its SHA-256 is not that of the card"):
        CardEmbedder(data)


def test_a_card_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"model card .*none.toml does not exist"):
        model_data(Settings(dataset="sample", embedder=str(tmp_path / "none.toml")))
