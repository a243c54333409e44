"""An installation without dlib's 68 landmarks, as the slim image, refuses what needs them before it works."""

from __future__ import annotations

from pathlib import Path

import pytest

from meanface.embedder import dlib_models
from meanface.embedder.recipe import recipe
from meanface.errors import SettingsError
from meanface.photo_settings import LandmarksName
from meanface.settings import Settings
from tiny_models import card, embedding_network


@pytest.fixture(autouse=True)
def slim(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = dlib_models.landmarks_path

    def without_large(name: LandmarksName = LandmarksName.SMALL) -> Path:
        return path(name) if name is LandmarksName.SMALL else tmp_path / "shape_predictor_68_face_landmarks.dat"

    monkeypatch.setattr(dlib_models, "landmarks_path", without_large)


def test_large_landmarks_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"landmarks=large needs shape_predictor_68_face_landmarks\.dat"):
        recipe(Settings.of(dataset="sample", landmarks="large"))


def test_a_card_with_dlibs_detector_is_refused(tmp_path: Path) -> None:
    embedding_network(tmp_path / "tiny.onnx", 8)
    card(tmp_path, "tiny", dimension=8, file="tiny.onnx")
    with pytest.raises(SettingsError, match=r"the model card .tiny.* needs shape_predictor_68_face_landmarks\.dat"):
        recipe(Settings.of(dataset="sample", embedder=str(tmp_path / "tiny.toml")))


def test_everything_else_works() -> None:
    assert recipe(Settings.of(dataset="sample"))
