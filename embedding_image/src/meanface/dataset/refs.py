"""Records of a dataset: its photos, their source, and the files that are passed over. Pure."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import Field

from meanface.storage.record import Record

UNKNOWN_SIZE = -1


class PhotoRef(NamedTuple):
    """One photo of a dataset: its name, and where its bytes are."""

    name: str
    """unique in the dataset, except for refused duplicates; never used as a path"""
    size: int
    """bytes, or `UNKNOWN_SIZE` for a photo behind a URL"""
    source: str = ""
    """the file or address that holds the bytes; empty if that is the name"""
    offset: int = -1
    """first byte in `source` of a photo inside a shard; -1 if the whole `source` is the photo"""
    refusal: str = ""
    """why the photo cannot be read, if listing found that out, such as a link in an archive"""
    version: str = ""
    """changes with the bytes, see `meanface.storage.version`; empty if unknown"""
    label: str = ""
    """the label that the dataset itself gives the photo, if the run takes labels from it; empty for none"""


class PassedOver(Record):
    """Files of one kind that are not read as photos."""

    kind: str
    """a short noun phrase in the plural: raw photos"""
    files: int = Field(ge=1)
    examples: tuple[str, ...] = Field(max_length=3)
    """names of the first ones"""
    advice: str = ""
    """advice for users; may be empty"""

    def __str__(self) -> str:
        more = ", ..." if self.files > len(self.examples) else ""
        text = f"{self.kind}: {self.files:,} ({', '.join(map(repr, self.examples))}{more})"
        return f"{text}, {self.advice}" if self.advice else text


class Source(Record):
    """Where the photos come from."""

    url: str
    """the dataset's address, without credentials"""
    kind: Literal["folder", "archive", "shards", "urls", "several"]
    root: str
    """what `PhotoRef.source` is relative to"""
    checksum: str | None = None
    """of an archive, as algorithm:hex"""
    passed_over: tuple[PassedOver, ...] = ()
    """files that are not read as photos, by kind, the kind with the most files first"""
    warnings: tuple[str, ...] = ()
    """warnings about the dataset, such as an archive that ends early"""
    parts: tuple[Part, ...] = Field(default=(), exclude_if=lambda parts: not parts)
    """several datasets; records of a single one do not have the field"""


class Part(Record):
    """One of several datasets."""

    name: str
    """the first folder of its photos' names"""
    source: Source
    """without an account, which is in that of the whole"""
