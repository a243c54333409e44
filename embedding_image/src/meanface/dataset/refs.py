"""What a dataset yields: photos, the source they come from, and the files it passes over. Pure."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import Field

from meanface.storage.record import Record

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
        what changes when the bytes do, though place, name and size stay (see `meanface.storage.version`); empty where
        nobody can tell
    """

    name: str
    size: int
    source: str = ""
    offset: int = -1
    refusal: str = ""
    version: str = ""


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
