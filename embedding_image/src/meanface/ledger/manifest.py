"""The plan of a run, pure: its photos and how they are cut into partitions.

Photos are sorted by name; a partition is a contiguous slice of them (see `meanface.ledger.partitioning`). A
*digest* is the SHA-256 over the names and sizes of photos in order, each name preceded by its
length, so that no two lists share one. The manifest's digest runs over all photos and so does not
depend on how they are cut; each partition's digest runs over its slice. Names and sizes are what
two collections of the same photos have in common, wherever they lie; where the file system can tell
one version of a photo from another, a partition also has an *address* (see
`meanface.ledger.photo_list`), by which other runs find what was computed about it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from itertools import accumulate, pairwise
from typing import Any, Literal

from pydantic import Field

from meanface.dataset.refs import PhotoRef, Source
from meanface.embedder.dlib_models import DIMENSIONS
from meanface.embedder.recipe import record_sha256
from meanface.errors import DamagedRecord
from meanface.settings import Settings
from meanface.stats.exact_sum import MOST_DIMENSIONS
from meanface.storage.marker import InSeries
from meanface.storage.record import Record

SCHEMA = 1
"""of the record; decoding and embedding have a separate number, `meanface.embedder.recipe.SCHEMA`"""


class Digest:
    """Running SHA-256 over photos' names and sizes."""

    def __init__(self) -> None:
        self._sha = hashlib.sha256()

    def update(self, name: str, size: int) -> None:
        """Add the next photo."""
        encoded = name.encode()
        self._sha.update(b"%d:%b %d\n" % (len(encoded), encoded, size))

    def hexdigest(self) -> str:
        """64 hexadecimal digits."""
        return self._sha.hexdigest()


class Partition(Record):
    """A contiguous slice of the sorted photos, for one embed task."""

    index: int = Field(ge=0)
    photos: int = Field(ge=1)
    first: str
    last: str
    digest: str
    """of the photos' names and sizes"""
    listing: str
    """SHA-256 of all fields of the photo list, including the places of the photos"""
    chunks: int = Field(ge=1)
    """of its ledger"""
    address: str | None
    """content address; null where a photo's version is unknown"""


class Manifest(Record):
    """Summary of the plan; the photos themselves are listed in one file per partition."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    run: str
    recipe: str
    """SHA-256 of everything that affects a photo's embeddings"""
    fingerprint: str
    """SHA-256 of recipe and photos"""
    digest: str
    photos: int = Field(ge=1)
    settings: Settings
    source: Source
    partitions: tuple[Partition, ...]
    series: InSeries | None = None
    dimensions: int = Field(default=DIMENSIONS, ge=1, le=MOST_DIMENSIONS, exclude_if=lambda count: count == DIMENSIONS)
    """components of an embedding; dlib's 128 are not written, as in earlier releases"""
    generation: int = Field(default=0, ge=0)
    """higher than that of every earlier plan of this run, or of its interval in a series"""

    def to_json(self) -> str:
        """JSON text; `from_json` reads it back."""
        return self.model_dump_json(by_alias=True)

    def content_digest(self) -> str:
        """SHA-256 of the complete summary: two plans of one run must be equal."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def positions(self) -> list[range]:
        """Each partition's positions in the sorted list of all photos."""
        ends = accumulate((partition.photos for partition in self.partitions), initial=0)
        return [range(*between) for between in pairwise(ends)]

    @property
    def plan(self) -> str:
        """Name of the plan's folders: a digest of recipe, photos and generation, but not of the account of the dataset.

        The files that are passed over may change while the photos stay the same.
        """
        account: dict[str, Any] = dict.fromkeys(("checksum", "passed_over", "warnings"), True)
        account |= {"parts": {"__all__": {"source": {**account}}}}
        fields = self.model_dump(mode="json", exclude={"settings": True, "source": account})
        return record_sha256(fields)[:16]

    @classmethod
    def from_json(cls, text: str | bytes) -> Manifest:
        """Read a manifest back.

        Raises
        ------
        DamagedRecord
            for another schema version, for anything that is not a manifest, and for a plan of another release
        """
        try:
            return cls.parsed(text, f"a manifest of schema {SCHEMA}")
        except DamagedRecord as refused:
            raise DamagedRecord(
                f"{refused}; if another release of meanface has planned the run, this release cannot continue it: "
                "start a new run, or use that release"
            ) from None


def contents(photos: Iterable[PhotoRef]) -> str:
    """SHA-256 of photos in the order given: names, sizes, versions, and labels that are part of them."""
    fields = [[photo.name, photo.size, photo.version, *filter(None, [photo.label])] for photo in photos]
    return hashlib.sha256(json.dumps(fields).encode()).hexdigest()


def digest(photos: Iterable[PhotoRef]) -> str:
    """Digest of photos in the order given."""
    running = Digest()
    for photo in photos:
        running.update(photo.name, photo.size)
    return running.hexdigest()


def fingerprint(recipe: str, manifest_digest: str) -> str:
    """SHA-256 over everything that affects a run's mean: recipe and photos."""
    return record_sha256({"recipe": recipe, "manifest": manifest_digest})


def scope(recipe: str, source: Source) -> str:
    """SHA-256 over everything but the photos that affects a partition's ledger: the recipe, and the photos' location.

    Versions of photos are comparable in one location only: two servers may give one ETag to two files.
    """
    record: dict[str, Any] = {"recipe": recipe, "kind": source.kind, "root": source.root, "url": source.url}
    if source.parts:
        record["parts"] = [[part.name, scope(recipe, part.source)] for part in source.parts]
    return record_sha256(record)
