"""Choose photos of a dataset: by patterns over their names, a sample, the first ones by name.

The choices apply in this order: `include`, `exclude`, `sample`, `limit`. Each depends on the photos
alone, not on the order in which they are listed. Photos that are left out are in the account.
"""

from __future__ import annotations

import builtins
import fnmatch
import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from meanface.dataset.kinds import Kind, passed_over
from meanface.dataset.passed_over import Account
from meanface.dataset.photos import Dataset
from meanface.dataset.refs import PhotoRef, Source
from meanface.settings import Settings

BATCH = 10_000
"""photos that are held before those which do not count are dropped"""


class ChosenDataset:
    """The chosen photos of a dataset; memory grows with the number that `sample` and `limit` allow."""

    def __init__(self, dataset: Dataset, settings: Settings) -> None:
        self._dataset, self._settings = dataset, settings
        self._account = Account()

    @property
    def source(self) -> Source:
        """Where the photos come from."""
        source = self._dataset.source
        return source.model_copy(update={"passed_over": (*source.passed_over, *self._account.records())})

    def list(self) -> Iterator[PhotoRef]:
        """Every chosen photo."""
        settings, self._account = self._settings, Account()
        photos = self._dataset.list()
        if settings.include:
            kind, matching = Kind("photos left out by include"), matcher(settings.include)
            photos = self._only(photos, kind, lambda photo: matching(photo.name) or _stands_for_others(photo))
        if settings.exclude:
            kind, excluded = Kind("photos left out by exclude"), matcher(settings.exclude)
            photos = self._only(photos, kind, lambda photo: not excluded(photo.name))
        if settings.sample is not None:
            kind = Kind(f"photos left out by sample={settings.sample}")
            photos = self._first(photos, kind, settings.sample, by_hash)
        if settings.limit is not None:
            kind = Kind(f"photos left out by limit={settings.limit}")
            photos = self._first(photos, kind, settings.limit, lambda photo: photo)
        return photos

    def _only(self, photos: Iterable[PhotoRef], kind: Kind, chosen: Callable[[PhotoRef], bool]) -> Iterator[PhotoRef]:
        """Pass on the chosen photos, and count the others."""
        for photo in photos:
            if chosen(photo):
                yield photo
            else:
                self._account.add(kind, photo.name)

    def _first(
        self, photos: Iterable[PhotoRef], kind: Kind, most: int, key: Callable[[PhotoRef], Any]
    ) -> Iterator[PhotoRef]:
        """Pass on the first photos in the order of a key that no two photos share, and count the others."""
        kept: builtins.list[PhotoRef] = []
        for photo in photos:
            kept.append(photo)
            if len(kept) >= 2 * most + BATCH:
                self._drop(kept, kind, most, key)
        self._drop(kept, kind, most, key)
        yield from kept

    def _drop(self, kept: builtins.list[PhotoRef], kind: Kind, most: int, key: Callable[[PhotoRef], Any]) -> None:
        kept.sort(key=key)
        for photo in kept[most:]:
            self._account.add(kind, photo.name)
        del kept[most:]


def chosen(dataset: Dataset, settings: Settings) -> Dataset:
    """Return the dataset with the choice of the settings; the dataset itself if they choose all."""
    chooses = settings.include or settings.exclude or settings.sample is not None or settings.limit is not None
    return ChosenDataset(dataset, settings) if chooses else dataset


def matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Make a function that checks whether a photo's name, or a folder above it, matches a pattern.

    `*` and `?` also match `/`, as in `aws s3 cp --exclude`. Unicode's forms of a name are equal.

    >>> private = matcher(["private", "*.gif", "20??/*/raw"])
    >>> [private(name) for name in ("private/a.jpg", "not_private/a.jpg", "b/c.gif", "2026/may/raw/1.jpg")]
    [True, False, True, True]
    """
    whole = (_composed(pattern.rstrip("/")) for pattern in patterns)
    expression = "|".join(fnmatch.translate(one) for pattern in whole for one in (pattern, f"{pattern}/*"))
    matches = re.compile(expression).match
    return lambda name: matches(_composed(name)) is not None


def by_hash(photo: PhotoRef) -> tuple[bytes, PhotoRef]:
    """Return the photo's place in every sample: a hash of its name; of photos with one name, its other fields."""
    return hashlib.blake2b(photo.name.encode(), digest_size=16, person=b"sample").digest(), photo


def _composed(name: str) -> str:
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def _stands_for_others(photo: PhotoRef) -> bool:
    """Whether it is a folder, archive or shard with unread photos, whose names `include` might match."""
    return bool(photo.refusal) and photo.size == 0 and passed_over(photo.name) is not None
