"""Parquet files of ours: chunks of the ledger, and lists of photos."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import numpy as np

from fuzz.mutate import Mutator
from fuzz.records import DIGEST, refusing
from fuzz.target import Target, held
from meanface.dataset.refs import PhotoRef
from meanface.embedder.dlib_models import DIMENSIONS
from meanface.embedder.faces import Box, Face
from meanface.embedder.result import PhotoResult
from meanface.ledger.chunk import Chunk, ChunkKey
from meanface.ledger.photo_list import PhotoList
from meanface.outcome import Outcome
from meanface.storage.checksum import seal_parquet
from photo_lists import photo_list

PHOTOS = [PhotoRef(f"people/{i}.jpg", 1000 + i, "shards/00000.tar", 512 * i, "", f"etag:{i}") for i in range(4)]
KEY = ChunkKey.of(DIGEST, PHOTOS)
RESULTS = [
    *(
        PhotoResult(Outcome.OK, "", bytes(32), (Face(0, Box(1, 9, 9, 1), 1.5, np.full(DIMENSIONS, i, np.float32)),), 1)
        for i in range(2)
    ),
    PhotoResult(Outcome.NO_FACE, "", bytes(32)),
    PhotoResult(Outcome.UNREADABLE, "gone since the plan"),
]
CHUNK = Chunk.of(0, PHOTOS, RESULTS, ["people", None, None, None])
LIST = photo_list(PHOTOS)
WORDS = [b"PAR1", b"\x15\x00", b"\x19\x1c", b"\xff\xff\xff\xff\x0f"]


def _chunk(data: bytes) -> None:
    chunk = Chunk.from_parquet(data, KEY)
    held(chunk.table.equals(CHUNK.table), "a changed chunk was accepted")
    held(chunk.outcomes().total() == len(PHOTOS), "outcomes are missing")


def _list(data: bytes) -> None:
    held(list(PhotoList.from_parquet(data)) == PHOTOS, "a changed list was accepted")


def _sealed_again(good: bytes) -> Callable[[Random], bytes]:
    """Changed under a valid seal, as by an attacker who can write to the storage."""
    bare = unsealed(good)
    mutator = Mutator([bare], WORDS)

    def make(random: Random) -> bytes:
        data = mutator(random)
        footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
        return seal_parquet(data) if len(data) >= 8 and footer >= 0 else data

    return make


def unsealed(sealed: bytes) -> bytes:
    """A sealed file without its seal."""
    footer = len(sealed) - 8 - int.from_bytes(sealed[-8:-4], "little")
    return sealed[: footer - 32] + sealed[footer:]


def _readable(data: bytes) -> None:
    """Whatever a right seal is on, reading it ends in a table or in a refusal."""
    Chunk.from_parquet(data)


def _readable_list(data: bytes) -> None:
    PhotoList.from_parquet(data)


def _target(name: str, good: bytes, check: Callable[[bytes], None], full: int) -> Target:
    return Target(f"parquet.{name}", Mutator([good], WORDS), refusing(check), full=full, short=500)


TARGETS = (
    _target("ledger", CHUNK.to_parquet(KEY), _chunk, 50_000),
    _target("photolist", LIST.to_parquet(), _list, 30_000),
    Target("parquet.ledger-sealed", _sealed_again(CHUNK.to_parquet(KEY)), refusing(_readable), full=30_000, short=300),
    Target(
        "parquet.photolist-sealed", _sealed_again(LIST.to_parquet()), refusing(_readable_list), full=20_000, short=300
    ),
)
