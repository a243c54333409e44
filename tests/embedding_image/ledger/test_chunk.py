"""The ledger keeps every photo once, and embeddings to the last bit."""

from __future__ import annotations

import base64
import io

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from meanface.dataset.refs import PhotoRef
from meanface.embedder.faces import Box, Face
from meanface.embedder.result import PhotoResult
from meanface.errors import DamagedRecord
from meanface.ledger.chunk import Chunk, ChunkKey
from meanface.ledger.partition_ledger import UnfinishedChunk
from meanface.outcome import Outcome
from meanface.stats.chip_sum import SHAPE, ChipSum
from meanface.storage.checksum import seal_parquet

boxes = st.builds(Box, *[st.integers(0, 10_000)] * 4)
embeddings = arrays(np.float32, 128, elements=st.floats(width=32, allow_nan=False, allow_infinity=False))
faces = st.lists(st.builds(Face, st.integers(0, 50), boxes, st.floats(0, 9), embeddings), min_size=1, max_size=3)
ok = faces.map(lambda chosen: PhotoResult(Outcome.OK, "", bytes(32), tuple(chosen), len(chosen)))
other = st.builds(PhotoResult, st.sampled_from([o for o in Outcome if o is not Outcome.OK]), st.text(max_size=9))
results = st.lists(ok | other, min_size=1, max_size=8)
KEY = ChunkKey("recipe", "photos")


def chunk_of(found: list[PhotoResult], names: str = "photo {}.jpg", start: int = 0) -> Chunk:
    photos = [PhotoRef(names.format(index), index) for index in range(len(found))]
    return Chunk.of(start, photos, found, [None] * len(found))


@given(results, st.integers(0, 10**9))
def test_a_chunk_comes_back_as_it_was(found: list[PhotoResult], start: int) -> None:
    chunk = chunk_of(found, start=start)
    again = Chunk.from_parquet(chunk.to_parquet(KEY), KEY)
    assert again.table.equals(chunk.table)
    expected = [face.embedding for result in found for face in result.faces]
    assert again.embeddings().tobytes() == b"".join(vector.tobytes() for vector in expected)
    assert again.embeddings().shape == (len(expected), 128)


@pytest.mark.parametrize("dimensions", [1, 512, 4096])
def test_a_chunk_has_the_dimension_of_its_embeddings(dimensions: int) -> None:
    """Also without a face."""
    face = Face(0, Box(0, 9, 9, 0), 1.25, np.linspace(-1, 1, dimensions, dtype=np.float32))
    for found in (PhotoResult(Outcome.OK, "", bytes(32), (face,), 1), PhotoResult(Outcome.NO_FACE)):
        chunk = Chunk.of(0, [PhotoRef("a.jpg", 1)], [found], [None], dimensions=dimensions)
        again = Chunk.from_parquet(chunk.to_parquet(KEY), KEY)
        assert again.table.equals(chunk.table)
        assert again.embeddings().shape == (len(found.faces), dimensions)


def test_an_embedding_of_another_dimension_is_refused() -> None:
    face = Face(0, Box(0, 9, 9, 0), 1.25, np.zeros(512, np.float32))
    with pytest.raises(ValueError, match="an embedding of 512 dimensions in a ledger of 128"):
        chunk_of([PhotoResult(Outcome.OK, "", bytes(32), (face,), 1)])


@given(results, st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_chunk_taken_over_is_the_one_that_would_have_been_computed(
    found: list[PhotoResult], there: int, here: int
) -> None:
    chunk = Chunk.from_parquet(chunk_of(found, start=there).to_parquet(KEY), KEY)
    taken = Chunk.from_parquet(chunk.taken(here, "first").to_parquet(KEY), KEY)
    assert taken.table.equals(chunk_of(found, start=here).table)
    assert taken.computed_by == taken.taken(0, "second").computed_by == {"first": len(found)}
    assert chunk.computed_by == {}


@given(results.filter(len), st.integers(0, 10**9), st.integers(0, 10**9), st.data())
def test_parts_of_chunks_and_what_is_computed_are_the_chunk_that_would_have_been_computed(
    found: list[PhotoResult], there: int, here: int, data: st.DataObject
) -> None:
    chunk = Chunk.from_parquet(chunk_of(found, start=there).to_parquet(KEY), KEY)
    origin = np.array(data.draw(st.lists(st.integers(0, 2), min_size=len(found), max_size=len(found))))
    positions = np.arange(here, here + len(found))
    of = {run: chunk.part(np.where(origin == run, positions, -1), f"run-{run}", None) for run in {*origin.tolist()}}
    joined = Chunk.from_parquet(Chunk.joined(list(of.values())).to_parquet(KEY), KEY)
    assert joined.table.equals(chunk_of(found, start=here).table)
    assert joined.computed_by == {f"run-{run}": int((origin == run).sum()) for run in of}


@given(results)
def test_every_photo_is_counted_once(found: list[PhotoResult]) -> None:
    """Also where all have one name, as members of a damaged archive may."""
    for names in ("photo {}.jpg", "one name"):
        chunk = chunk_of(found, names)
        assert chunk.outcomes().total() == len(found)
        assert sorted(chunk.outcomes().elements()) == sorted(result.outcome for result in found)
        assert len(chunk.photos()) == len(found)


def test_labels_go_with_their_faces() -> None:
    face = Face(0, Box(0, 9, 9, 0), 1.25, np.zeros(128, np.float32))
    two = PhotoResult(Outcome.OK, faces=(face, face), faces_found=2)
    none = PhotoResult(Outcome.NO_FACE)
    photos = [PhotoRef("a/1.jpg", 1), PhotoRef("b/1.jpg", 1), PhotoRef("c/1.jpg", 1)]
    chunk = Chunk.of(0, photos, [two, none, two], ["a", "b", "c"])
    assert chunk.face_labels() == ["a", "a", "c", "c"]


DATA = chunk_of([PhotoResult(Outcome.NO_FACE)] * 50).to_parquet(KEY)
FOOTER = len(DATA) - 8 - int.from_bytes(DATA[-8:-4], "little")
UNSEALED = DATA[: FOOTER - 32] + DATA[FOOTER:]


def test_a_flipped_bit_is_refused_or_changes_nothing() -> None:
    """In any byte."""
    face = Face(0, Box(0, 9, 9, 0), 1.25, np.linspace(-1, 1, 128, dtype=np.float32))
    chunk = chunk_of([PhotoResult(Outcome.OK, "", bytes(32), (face,), 1), PhotoResult(Outcome.NO_FACE)] * 8)
    data = chunk.to_parquet(KEY)
    refused = 0
    for at in range(len(data)):
        flipped = data[:at] + bytes([data[at] ^ 1 << (7 - at % 8)]) + data[at + 1 :]
        try:
            found = Chunk.from_parquet(flipped, KEY)
        except DamagedRecord:
            refused += 1
        else:
            assert found.table.equals(chunk.table), at
    assert refused > len(data) // 2


@pytest.mark.parametrize(
    ("data", "key"),
    [
        (DATA[:-1], KEY),
        (DATA[: len(DATA) // 2], KEY),
        (b"", KEY),
        (DATA.replace(b"faces_found", b"faces_funny"), KEY),
        (seal_parquet(UNSEALED.replace(b"faces_found", b"faces\xccfound")), KEY),
        (seal_parquet(UNSEALED[:-30] + UNSEALED[-8:]), KEY),
        (UNSEALED, KEY),
        (DATA, ChunkKey("another", "photos")),
        (DATA, ChunkKey("recipe", "others")),
    ],
    ids=[
        "a byte less",
        "half",
        "empty",
        "another column",
        "no text",
        "half a footer",
        "no seal",
        "another recipe",
        "other photos",
    ],
)
def test_a_chunk_that_does_not_fit_is_refused(data: bytes, key: ChunkKey) -> None:
    with pytest.raises(DamagedRecord):
        Chunk.from_parquet(data, key)


# the sum of a chunk's faces


def face(seed: int, *, pixels: bool = True) -> Face:
    source = np.random.default_rng(seed)
    chip = source.integers(0, 256, SHAPE, dtype=np.uint8) if pixels else None
    return Face(0, Box(0, 9, 9, 0), 1.25, source.normal(size=128).astype(np.float32), chip)


def photo(*chosen: Face) -> PhotoResult:
    return PhotoResult(Outcome.OK if chosen else Outcome.NO_FACE, faces=chosen, faces_found=len(chosen))


FACES = [face(seed) for seed in range(4)]
SUM = ChipSum.of(one.chip for one in FACES if one.chip is not None)
FOUND = [photo(FACES[0], FACES[1]), photo(), photo(FACES[2]), photo(FACES[3])]
WITH_SUM = Chunk(chunk_of(FOUND).table, chips=SUM).to_parquet(KEY)


def test_a_sum_is_in_its_chunk_and_any_reader_sees_a_table() -> None:
    chunk = Chunk.from_parquet(WITH_SUM, KEY)
    assert chunk.chips == SUM
    assert pq.read_table(io.BytesIO(WITH_SUM)).equals(chunk.table)
    assert len(WITH_SUM) < len(chunk_of(FOUND).to_parquet(KEY)) + len(base64.b64encode(SUM.to_bytes())) + 1000


def test_a_sum_goes_with_its_chunk_to_another_run_unless_it_is_left() -> None:
    taken = Chunk.from_parquet(Chunk.from_parquet(WITH_SUM, KEY).taken(7, "first").to_parquet(KEY), KEY)
    assert (taken.chips, taken.computed_by) == (SUM, {"first": len(FOUND)})
    bare = taken.without_pixels().to_parquet(KEY)
    assert Chunk.from_parquet(bare, KEY).chips is None
    assert b"meanface.chips" in WITH_SUM
    assert b"meanface.chips" not in bare


def test_no_face_is_a_sum_and_no_sum_is_none() -> None:
    empty = Chunk(chunk_of([photo()]).table, chips=ChipSum.zero()).to_parquet(KEY)
    assert Chunk.from_parquet(empty, KEY).chips == ChipSum.zero()
    assert Chunk.from_parquet(DATA, KEY).chips is None


def test_a_sum_of_another_release_is_refused_by_name() -> None:
    encoded, old = (base64.b64encode(b"MFCS" + schema + SUM.to_bytes()[6:]) for schema in (b"\2\0", b"\1\0"))
    assert WITH_SUM.count(encoded) == 1
    footer = len(WITH_SUM) - 8 - int.from_bytes(WITH_SUM[-8:-4], "little")
    unsealed = WITH_SUM[: footer - 32] + WITH_SUM[footer:]
    with pytest.raises(DamagedRecord, match="the chip sum has schema 1"):
        Chunk.from_parquet(seal_parquet(unsealed.replace(encoded, old)), KEY)


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 1, 0, 2]])
def test_a_chunk_is_complete_when_its_photos_are_there_and_holds_their_chips_as_a_sum(order: list[int]) -> None:
    chunk = UnfinishedChunk(range(10, 14), pixels=True)
    for number in order:
        assert not chunk.complete
        chunk.add(10 + number, FOUND[number])
    assert chunk.complete
    assert chunk.chips() == SUM
    results = chunk.results()
    assert [len(result.faces) for result in results] == [2, 0, 1, 1]
    assert {one.chip is None for result in results for one in result.faces} == {True}


def test_a_chunk_without_pixels_has_no_sum_and_one_with_pixels_needs_every_chip() -> None:
    bare = photo(face(0, pixels=False))
    chunk = UnfinishedChunk(range(1), pixels=False)
    chunk.add(0, bare)
    assert chunk.chips() is None
    with pytest.raises(ValueError, match="has no chip"):
        UnfinishedChunk(range(1), pixels=True).add(0, bare)
