"""Thumbnails of a chunk: of its extreme faces, whatever the order of completion, and of no other face."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from meanface.dataset.refs import PhotoRef
from meanface.embedder.faces import Box, Face
from meanface.embedder.result import PhotoResult
from meanface.ledger.chunk import Chunk, ChunkKey
from meanface.ledger.partition_ledger import UnfinishedChunk
from meanface.ledger.thumbnails import SHOWN, extreme, jpeg
from meanface.outcome import Outcome
from meanface.stats.chip_sum import SHAPE, ChipSum
from synthetic import embeddings

KEY = ChunkKey("recipe", "photos")
COUNT = 40


def photo(rows: NDArray[np.float32], seed: int) -> PhotoResult:
    """A photo with a face for each row."""
    noise = np.random.default_rng(seed)
    chips = [np.full(SHAPE, noise.integers(0, 256, 3), np.uint8) for _ in rows]
    chosen = tuple(Face(place, Box(0, 9, 9, 0), 1.25, rows[place], chip) for place, chip in enumerate(chips))
    return PhotoResult(Outcome.OK if chosen else Outcome.NO_FACE, faces=chosen, faces_found=len(chosen))


VECTORS = embeddings(2 * COUNT)
PHOTOS = [photo(VECTORS[2 * place : 2 * place + place % 3], place) for place in range(COUNT)]
"""with no face, one, and two"""
FACES = [face for one in PHOTOS for face in one.faces]


def chunk_of(photos: list[PhotoResult], order: list[int] | None = None, *, pixels: bool = True) -> Chunk:
    """A chunk whose photos were completed in some order."""
    unfinished = UnfinishedChunk(range(len(photos)), pixels=pixels)
    for place in order or range(len(photos)):
        unfinished.add(place, photos[place])
    refs = [PhotoRef(f"{place:03}.jpg", 1) for place in range(len(photos))]
    chunk = Chunk.of(0, refs, unfinished.results(), [None] * len(photos), unfinished.chips())
    return chunk.with_extreme_thumbnails()


def pictures(chunk: Chunk) -> list[bytes | None]:
    """The thumbnail of each face, in order."""
    faces = chunk.table.filter(chunk.table["embedding"].is_valid())
    found: list[bytes | None] = faces["thumbnail"].to_pylist()
    return found


@given(st.integers(0, 100), st.integers(0, 9))
def test_the_nearest_and_the_farthest_are_marked(count: int, seed: int) -> None:
    rows = embeddings(count, seed)
    marks = extreme(rows)
    assert marks.sum() == min(count, 2 * SHOWN)
    if count:
        order = np.argsort(np.linalg.norm(rows.astype(float) - rows.mean(0, dtype=float), axis=1))
        assert marks[order[:SHOWN]].all()
        assert marks[order[-SHOWN:]].all()


@pytest.mark.parametrize("seed", range(5))
def test_a_chunk_has_the_same_bytes_whatever_the_order_of_completion(seed: int) -> None:
    order = np.random.default_rng(seed).permutation(COUNT).tolist()
    assert chunk_of(PHOTOS, order).to_parquet(KEY) == chunk_of(PHOTOS).to_parquet(KEY)


def test_extreme_faces_have_their_own_and_others_none() -> None:
    marks = extreme(np.stack([face.embedding for face in FACES]))
    assert 2 * SHOWN == marks.sum() < len(FACES)
    chunk = Chunk.from_parquet(chunk_of(PHOTOS).to_parquet(KEY), KEY)
    expected = [
        jpeg(face.chip) if mark else None  # type: ignore[arg-type]  # all of FACES have a chip
        for face, mark in zip(FACES, marks, strict=True)
    ]
    assert pictures(chunk) == expected
    image = Image.open(io.BytesIO(next(filter(None, expected))))
    assert (image.format, image.size, dict(image.getexif())) == ("JPEG", SHAPE[:2], {})


def test_of_a_crowd_only_candidates_are_held() -> None:
    crowd = photo(embeddings(200), 1)
    unfinished = UnfinishedChunk(range(1), pixels=True)
    unfinished.add(0, crowd)
    (held,) = unfinished.results()
    assert sum(face.thumbnail is not None for face in held.faces) == 2 * SHOWN
    assert all(face.chip is None for face in held.faces)


def test_thumbnails_stay_with_their_photos() -> None:
    """In a part, and where parts are joined; the joined chunk keeps as many as any other."""
    chunk = chunk_of(PHOTOS)
    assert chunk.chips is not None
    places = np.arange(COUNT)
    even = chunk.part(np.where(places % 2 == 0, places, -1), "first", chunk.chips)
    odd = chunk.part(np.where(places % 2 == 1, places, -1), "first", ChipSum.zero())
    assert Chunk.joined([even, odd]).with_extreme_thumbnails().table.equals(chunk.table)
    halves = [chunk_of(PHOTOS[:20]), chunk_of(PHOTOS[20:]).taken(20, "other")]
    joined = Chunk.joined(halves)
    assert sum(map(bool, pictures(joined))) > 2 * SHOWN
    thinned = joined.with_extreme_thumbnails()
    assert [new for new in pictures(thinned) if new] == [new for new in pictures(chunk) if new]


def test_they_go_with_the_other_pixels() -> None:
    chunk = chunk_of(PHOTOS)
    bare = chunk_of(PHOTOS, pixels=False)
    assert set(pictures(bare)) == {None}
    assert chunk.without_pixels().to_parquet(KEY) == bare.to_parquet(KEY)
    assert set(pictures(chunk.part(np.arange(COUNT), "first", None))) == {None}
