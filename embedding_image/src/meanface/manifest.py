"""The plan of a run, pure: which photos there are and how they are cut into partitions.

Photos are sorted by name; a partition is a contiguous slice of them (see `meanface.cuts`). A *digest* is the SHA-256
over the names and sizes of photos in order, each name preceded by its length, so that no two lists share one. The
manifest's digest runs over all photos and so does not depend on how they are cut; each partition's digest runs over
its slice. Names and sizes are what two collections of the same photos have in common, wherever they lie; where the file
system can tell one version of a photo from another, a partition also has an *address* (see `meanface.photolist`), by
which other runs find what was computed about it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Literal, NamedTuple

from pydantic import Field

from meanface.errors import DamagedRecord
from meanface.record import Record
from meanface.settings import Settings

SCHEMA = 1
"""of the record; what a photo's bytes come to has a number of its own, `meanface.run.SCHEMA`"""
UNKNOWN_SIZE = -1


class PhotoRef(NamedTuple):
    """One photo of a dataset: its name, and where its bytes are.

    Parameters
    ----------
    name
        what people call it; unique in the dataset, but for refused duplicates. Never used as a path.
    size
        bytes, or `UNKNOWN_SIZE` (photos behind URLs)
    source
        the file that holds the bytes, in the terms of the dataset that listed it; empty where it is the name itself
    offset
        first byte in `source`, for a photo inside a shard; -1 where `source` is the photo
    refusal
        why the photo cannot be read, where that is known while listing (a link in an archive, say)
    version
        what changes when the bytes do, though place, name and size stay (see `meanface.fileversion`); empty where
        nobody can tell
    """

    name: str
    size: int
    source: str = ""
    offset: int = -1
    refusal: str = ""
    version: str = ""


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
    """A contiguous slice of the sorted photos: what one embed task does."""

    index: int = Field(ge=0)
    photos: int = Field(ge=1)
    first: str
    last: str
    digest: str
    """of the photos' names and sizes"""
    listing: str
    """SHA-256 of all that is listed about the photos, their places among it"""
    chunks: int = Field(ge=1)
    """of its ledger"""
    address: str | None
    """content address; null where a photo's version is unknown"""


class InSeries(Record):
    """Which part of which series a run is: one date of photos that come in by the day, say."""

    name: str
    """of the series"""
    interval: str
    """its date, in UTC: 2026-01-02T00:00:00Z"""


class PassedOver(Record):
    """Files of one kind that are not read as photos."""

    kind: str
    """a short noun phrase in the plural: HEIC photos"""
    files: int = Field(ge=1)
    examples: tuple[str, ...] = Field(max_length=3)
    """names of the first ones"""
    advice: str = ""
    """what people can do about it; empty where there is nothing to do"""

    def __str__(self) -> str:
        more = ", ..." if self.files > len(self.examples) else ""
        text = f"{self.kind}: {self.files:,} ({', '.join(map(repr, self.examples))}{more})"
        return f"{text}, {self.advice}" if self.advice else text


class Source(Record):
    """Where the photos come from, as found while planning."""

    url: str
    """the dataset's address, without credentials"""
    kind: Literal["folder", "archive", "shards", "urls"]
    root: str
    """what `PhotoRef.source` is relative to"""
    checksum: str | None = None
    """of the archive, as algorithm:hex, where there is one"""
    passed_over: tuple[PassedOver, ...] = ()
    """files that are not read as photos, by kind, the kind with the most files first"""
    warnings: tuple[str, ...] = ()
    """what people should know about the dataset: an archive that ends early, say"""


class PlanAt(Record):
    """Where a plan and its ledger are, in the storage that runs share."""

    run: str
    folder: str = Field(default="", pattern=r"^(|plans/[0-9a-f]{16})$")
    """see `Manifest.folder`"""

    @classmethod
    def of(cls, manifest: Manifest) -> PlanAt:
        """Where a plan is itself."""
        return cls(run=manifest.run, folder=manifest.folder)


class Manifest(Record):
    """Summary of the plan; the photos themselves are listed in one file per partition."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    run: str
    recipe: str
    """SHA-256 of all that decides what a photo's embeddings are"""
    fingerprint: str
    """SHA-256 of recipe and photos"""
    digest: str
    photos: int = Field(ge=1)
    settings: Settings
    source: Source
    partitions: tuple[Partition, ...]
    series: InSeries | None = None
    generation: int = Field(default=0, ge=0)
    """higher than that of any plan before it, of this run or of its interval in a series"""
    folder: str = Field(default="", pattern=r"^(|plans/[0-9a-f]{16})$")
    """where lists and ledger are in the run's files: not named for the first plan, `plans/...` for one after it"""
    earlier: tuple[PlanAt, ...] = ()
    """the run's plans before this one, the last of them first, whose ledgers may have photos of this one"""

    def to_json(self) -> str:
        """JSON text; `from_json` reads it back."""
        return self.model_dump_json(by_alias=True)

    def content_digest(self) -> str:
        """SHA-256 of the whole summary: two plans of one run must agree in all of it."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    @classmethod
    def from_json(cls, text: str | bytes) -> Manifest:
        """Read a manifest back.

        Raises
        ------
        DamagedRecord
            for another schema version, anything that is not a manifest, and what another release has planned
        """
        try:
            return cls.parsed(text, f"a manifest of schema {SCHEMA}")
        except DamagedRecord as refused:
            raise DamagedRecord(
                f"{refused}; where another release of meanface has planned the run, this one cannot go on with it: "
                "start a new run, or use that release"
            ) from None


def contents(photos: Iterable[PhotoRef]) -> str:
    """SHA-256 of photos in the order given: names, sizes and versions."""
    fields = [[photo.name, photo.size, photo.version] for photo in photos]
    return hashlib.sha256(json.dumps(fields).encode()).hexdigest()


def digest(photos: Iterable[PhotoRef]) -> str:
    """Digest of photos in the order given."""
    running = Digest()
    for photo in photos:
        running.update(photo.name, photo.size)
    return running.hexdigest()
