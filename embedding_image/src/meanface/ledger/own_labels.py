"""Labels that come from photos' names and are part of their references."""

from __future__ import annotations

from collections.abc import Iterable

from meanface.dataset.refs import PhotoRef
from meanface.ledger.label_pattern import with_pattern
from meanface.ledger.photo_labels import with_level
from meanface.settings import Labels, Settings


def with_own_labels(photos: Iterable[PhotoRef], settings: Settings) -> Iterable[PhotoRef]:
    """Label photos by a level of their paths or by a pattern, if the settings want it."""
    if settings.labels is Labels.LEVEL and settings.label_level is not None:
        return with_level(photos, settings.label_level)
    if settings.labels is Labels.PATTERN and settings.label_pattern is not None:
        return with_pattern(photos, settings.label_pattern)
    return photos
