"""A collection that changes between runs: no photo is embedded again, and no bit depends on the reuse."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from laws import examples
from meanface.dataset.refs import PhotoRef
from meanface.ledger import chunk, chunk_reader, photo_list, reuse
from meanface.ledger.cache import Catalog
from meanface.ledger.commit import Commit
from meanface.ledger.manifest import Manifest
from meanface.ledger.photo_list import PhotoList
from meanface.pipeline import embed, plan
from meanface.pipeline.run import Run
from meanface.settings import Settings
from meanface.state import MemoryState
from meanface.storage.files import Storage
from meanface.storage.layout import files_of
from photo_lists import photo_list as sorted_list
from synthetic import VectorWorkers

CHUNK, PARTITION = 4, 9
Collection = Mapping[int, int]
"""number of a photo -> its version, which decides its bytes"""
WAYS = ("runs share a storage", "one run, planned again", "a run by itself")

collections = st.dictionaries(st.integers(0, 40), st.integers(1, 2), min_size=1)


def name(number: int) -> str:
    return f"{number:02}.jpg"


def written(folder: Path, photos: Collection) -> Path:
    """Photos with no face, with one, with two, and some that are broken."""
    folder.mkdir(exist_ok=True)
    for number in range(41):
        (folder / name(number)).unlink(missing_ok=True)
    for number, version in photos.items():
        rows = np.random.default_rng((number, version)).normal(0.1, 0.06, (number % 3, 128)).astype(np.float32)
        path = folder / name(number)
        path.write_bytes(b"x" if number % 7 == 6 else rows.tobytes())
        os.utime(path, (1_000_000_000 + version,) * 2)
    return folder


@contextmanager
def small_chunks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module in (chunk, photo_list):
            patch.setattr(module, "CHUNK_PHOTOS", CHUNK)
        yield


class Runs:
    """One run after the other over a folder, in one of the ways in which that is done."""

    def __init__(self, root: Path, photos: Path, way: str, *, pixels: bool) -> None:
        self._photos, self._way, self._pixels, self._number = photos, way, pixels, count()
        self._shared, self._store = Storage(str(root / "storage")), MemoryState("one")

    def next(self) -> Run:
        if self._way == WAYS[0]:
            run = f"run-{next(self._number)}"
            return Run(run, MemoryState(run), files_of(self._shared, run), shared=self._shared)
        if self._way == WAYS[1]:
            return Run("one", self._store, files_of(self._shared, "one"), shared=self._shared)
        return Run("one", MemoryState("one"), self._shared.child("output"))

    def embedded(self, run: Run, *, every: int = 1) -> set[tuple[int, int]]:
        """Plan a run and embed its partitions, or one in `every`; the computed photos, as (partition, place)."""
        settings = Settings.of(
            dataset=str(self._photos), partition_size=PARTITION, faces="all", face_pixels=self._pixels
        )
        manifest, computed = plan(run, settings), set[tuple[int, int]]()
        for partition in range(0, len(manifest.partitions), every):
            workers = VectorWorkers(pixels=self._pixels)
            embed(run, partition, workers)
            assert len(set(workers.asked)) == len(workers.asked)
            computed |= {(partition, place) for place in workers.asked}
        if every == 1:
            Catalog(run.shared).note_newest(manifest)
        return computed


def lists(run: Run) -> list[list[str]]:
    manifest = run.manifest()
    files = run.plan_files(manifest)
    return [
        [photo.name for photo in PhotoList.from_parquet(run.files.read(files.photo_list(each.index)))]
        for each in manifest.partitions
    ]


def left(run: Run) -> tuple[list[str], pa.Table, list[bytes]]:
    """What a run leaves: its commits by their digests, its ledger's rows, its sums of chips."""
    manifest = run.manifest()
    files, everything = run.plan_files(manifest), range(len(manifest.partitions))
    commits = [Commit.from_bytes(record).digest() for _, record in run.state.records(everything)]
    tables = [chunk.table.replace_schema_metadata(None) for chunk in chunk_reader.chunks_of(files, manifest.partitions)]
    return (
        commits,
        pa.concat_tables(tables),
        [run.files.read(f"{files.chip_sums}/{each}") for each in run.files.list(files.chip_sums)],
    )


def chunks_of(manifest: Manifest, names: list[list[str]]) -> list[set[str]]:
    refs = [sorted_list(PhotoRef(each, 0) for each in part) for part in names]
    return [{part[place] for place in places} for part, ref in zip(names, refs, strict=True) for places in ref.chunks()]


@pytest.mark.parametrize("pixels", [False, True], ids=["numbers only", "with pixels"])
@pytest.mark.parametrize("way", WAYS)
@budget(max_examples=examples(10), deadline=None)
@given(states=st.lists(st.tuples(collections, st.integers(1, 2)), min_size=2, max_size=4))
def test_any_changes(way: str, pixels: bool, states: list[tuple[Collection, int]]) -> None:
    """Each state of the collection gives what a run leaves that has it to itself, also when runs end half way."""
    with TemporaryDirectory() as root, small_chunks():
        folder, known = Path(root, "photos"), set[tuple[str, int]]()
        newest: Collection = {}
        runs = Runs(Path(root), folder, way, pixels=pixels)
        for index, (photos, every) in enumerate([*states, (states[-1][0], 1)]):
            written(folder, photos)
            run = runs.next()
            computed = runs.embedded(run, every=every)
            names = lists(run)
            now = {name(number): version for number, version in photos.items()}
            done = {(names[partition][place], now[names[partition][place]]) for partition, place in computed}
            embedded = {(each, now[each]) for part in names[::every] for each in part}
            fresh = embedded - known
            assert done >= fresh
            if way != WAYS[0] and not pixels:
                assert done == fresh
            if way == WAYS[0] and not pixels:
                assert done <= embedded - {(name(number), version) for number, version in newest.items()}
            known |= embedded
            if every == 1:
                newest = photos
                alone = Runs(Path(root, f"alone-{index}"), folder, WAYS[2], pixels=pixels)
                other = alone.next()
                alone.embedded(other)
                assert left(run) == left(other)


@pytest.mark.long
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "pixels",
    [pytest.param(False, id="numbers only"), pytest.param(True, id="with pixels", marks=pytest.mark.long)],
)
def test_one_photo_more_anywhere(tmp_path: Path, way: str, pixels: bool) -> None:
    """Two partitions at most are not what they were; with pixels, one chunk at most is computed again."""
    with small_chunks():
        for place in range(0, 41, 8):
            folder, photos = tmp_path / f"{place}-photos", dict.fromkeys(range(1, 41, 2), 1)
            runs = Runs(tmp_path / str(place), folder, way, pixels=pixels)
            written(folder, photos)
            first = runs.next()
            runs.embedded(first)
            before = lists(first)
            parts = {tuple(part) for part in before}
            old_chunks = chunks_of(first.manifest(), before)
            written(folder, photos | {place: 1})
            second = runs.next()
            computed = runs.embedded(second)
            names = lists(second)
            assert sum(tuple(part) not in parts for part in names) <= 2
            again = {names[partition][index] for partition, index in computed} - {name(place)}
            assert len(computed) == len(again) + 1
            assert not again or (pixels and any(again <= chunk for chunk in old_chunks))


@pytest.mark.parametrize("photos", [100, pytest.param(400, marks=pytest.mark.long)])
def test_a_few_photos_of_each_earlier_chunk_are_reused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photos: int
) -> None:
    """For all of them, a partition of a million photos took minutes before its first photo was read."""
    looks = Counter[str]()

    def looked(self: object, name: str) -> object:
        looks[name] += 1
        return object.__getattribute__(self, name)

    folder = tmp_path / "photos"
    folder.mkdir()
    settings = Settings.of(dataset=str(folder), partition_size=1000)
    with small_chunks():
        run = Run("one", MemoryState("one"), Storage(str(tmp_path / "output")))
        for more in (0, 1):
            for number in range(photos + more):
                (folder / name(number)).write_bytes(b"")
                os.utime(folder / name(number), (1_000_000_000,) * 2)
            manifest, workers = plan(run, settings), VectorWorkers()
            monkeypatch.setattr(reuse._EarlierChunk, "__getattribute__", looked)
            embed(run, 0, workers)
        chunks = manifest.partitions[0].chunks
    assert len(workers.asked) == 1
    assert chunks <= looks["places"] <= 20 * chunks
    assert looks["first"] + looks["last"] <= 4 * chunks * chunks.bit_length()
