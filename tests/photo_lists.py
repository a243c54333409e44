"""Photo lists of photos that a test chooses."""

from __future__ import annotations

from collections.abc import Iterable

from meanface.dataset.refs import PhotoRef
from meanface.ledger.photo_list import PhotoList
from meanface.ledger.sorted_photos import SortedPhotos


def photo_list(photos: Iterable[PhotoRef]) -> PhotoList:
    """All photos, sorted, in one list."""
    with SortedPhotos(photos) as ordered:
        return ordered[range(len(ordered))]
