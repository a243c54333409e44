"""Make folders with any number of a dataset's photos."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from meanface.dataset import open_dataset, open_photos
from meanface.settings import Settings
from meanface.storage.files import Storage


def read_photos(dataset: str, count: int) -> list[tuple[str, bytes]]:
    """Suffix and bytes of photos, evenly from the dataset; a smaller dataset is repeated."""
    with tempfile.TemporaryDirectory() as scratch:
        settings, storage = Settings(dataset=dataset), Storage(scratch)
        opened = open_dataset(settings, storage)
        refs = sorted(opened.list())
        places = [n * len(refs) // count if count < len(refs) else n % len(refs) for n in range(count)]
        with open_photos(opened.source, storage) as source:
            read = {place: source.read(refs[place], settings.max_bytes) for place in sorted(set(places))}
        return [(Path(refs[place].name).suffix, read[place]) for place in places]


def write_photos(place: Path, photos: Sequence[tuple[str, bytes]]) -> Path:
    """Write photos to a new folder."""
    place.mkdir(parents=True)
    for number, (suffix, data) in enumerate(photos):
        (place / f"{number:06}{suffix}").write_bytes(data)
    return place
