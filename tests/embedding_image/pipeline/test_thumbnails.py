"""Pictures of the nearest and farthest faces in the report come from the ledger alone."""

from __future__ import annotations

import base64
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from detection import find_faces
from meanface.embedder.embedder import DlibEmbedder
from meanface.ledger import chunk, photo_list
from meanface.ledger.thumbnails import SHOWN, jpeg
from meanface.pipeline import embed, plan, reduce
from meanface.pipeline.run import Run
from meanface.results import report
from meanface.settings import Settings
from meanface.state import MemoryState
from meanface.stats.chip_sum import SHAPE
from meanface.stats.models import FaceAt
from meanface.storage.files import Storage
from meanface.storage.layout import files_of
from meanface.workers.pool import Workers
from synthetic import VectorWorkers, embeddings, write

CHUNK = 60


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory, portrait_files: list[Path]) -> Path:
    """Photos of one person, of the other, of both, and of nobody."""
    folder = tmp_path_factory.mktemp("people")
    crops = [Image.open(file).convert("RGB").crop((0, 0, 512, 330)).resize((300, 193)) for file in portrait_files]
    both = Image.new("RGB", (600, 193))
    both.paste(crops[0], (0, 0))
    both.paste(crops[1], (300, 0))
    for number, image in enumerate([crops[0], both, Image.new("RGB", (120, 120), "teal"), crops[1]]):
        image.save(folder / f"{number}.jpg")
    return folder


@pytest.mark.parametrize("faces", ["all", "first"])
def test_every_face_of_a_small_run_has_its_own_when_the_photos_are_gone(
    people: Path, tmp_path: Path, workers_for: Callable[[Settings], Workers], faces: str
) -> None:
    photos = shutil.copytree(people, tmp_path / "photos")
    run = Run("run", MemoryState("run"), Storage(str(tmp_path / "out")))
    manifest = plan(run, Settings.of(dataset=str(photos), partition_size=2, faces=faces))
    for partition in manifest.partitions:
        embed(run, partition.index, workers_for(manifest.settings))
    shutil.rmtree(photos)
    reduce(run)
    expected = []
    for file in sorted(people.iterdir()):
        found = find_faces(DlibEmbedder(), np.asarray(Image.open(file).convert("RGB")), manifest.settings.faces)
        expected += [jpeg(face.chip) for face in found.faces if face.chip is not None]
    assert len(expected) == (4 if faces == "all" else 3)
    text = (tmp_path / "out" / "report.html").read_text()
    shown = [base64.b64decode(data) for data in re.findall(r"data:image/jpeg;base64,([^\"]+)", text)]
    assert sorted(shown) == sorted(2 * expected)  # once among the nearest, once among the farthest


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[report.Material]:
    """The material of each report."""
    found: list[report.Material] = []
    monkeypatch.setattr(report, "html", lambda material: found.append(material) or "")
    for module in (chunk, photo_list):
        monkeypatch.setattr(module, "CHUNK_PHOTOS", CHUNK)
    return found


def reduced(shared: Storage, name: str, photos: Path, *, pixels: bool = True) -> Run:
    run = Run(name, MemoryState(name), files_of(shared, name), shared=shared)
    for partition in plan(run, Settings.of(dataset=str(photos), face_pixels=pixels)).partitions:
        embed(run, partition.index, VectorWorkers(pixels=pixels))
    reduce(run)
    return run


def in_ledger(run: Run) -> dict[FaceAt, bytes]:
    table = pq.read_table(Path(run.files.url, "ledger"))
    rows = table.filter(table["thumbnail"].is_valid()).to_pylist()
    return {FaceAt(row["position"], row["face"]): row["thumbnail"] for row in rows}


def test_a_large_run_shows_the_candidates_of_its_chunks(shown: list[report.Material], tmp_path: Path) -> None:
    """Each picture is of the face that it stands for, also in runs that take chunks or single photos over."""
    vectors, shared = embeddings(400), Storage(str(tmp_path / "storage"))
    photos = write(tmp_path / "photos", {f"{number:03}.jpg": vectors[[number]] for number in range(399)})
    runs = [reduced(shared, "first", photos), reduced(shared, "second", photos)]
    write(photos, {"399.jpg": vectors[[399]]})
    runs.append(reduced(shared, "third", photos))
    for run, material in zip(runs, shown, strict=True):
        kept, chunks = in_ledger(run), sum(partition.chunks for partition in run.manifest().partitions)
        assert 2 * SHOWN < len(kept) <= 2 * SHOWN * chunks
        statistics = material.result.statistics
        assert statistics is not None
        assert statistics.distances is not None
        for faces in (statistics.distances.nearest, statistics.distances.farthest):
            found = [face for face in faces if face.at in material.thumbnails]
            assert 1.5 * len(found) > len(faces) == SHOWN
            for face in found:
                row = vectors[int(face.photo[:3])]
                assert material.thumbnails[face.at] == kept[face.at] == jpeg(np.resize(row.view(np.uint8), SHAPE))
        extreme = {face.at for face in [*statistics.distances.nearest, *statistics.distances.farthest]}
        assert material.thumbnails.keys() == kept.keys() & extreme
    assert shown[0].thumbnails == shown[1].thumbnails


def test_without_pixels_there_are_none(shown: list[report.Material], tmp_path: Path) -> None:
    """Also if every chunk is taken from a run that has them."""
    photos = write(tmp_path / "photos", {f"{number}.jpg": row[None] for number, row in enumerate(embeddings(5))})
    shared = Storage(str(tmp_path / "storage"))
    assert len(in_ledger(reduced(shared, "with", photos))) == 5
    assert in_ledger(reduced(shared, "without", photos, pixels=False)) == {}
    assert [len(material.thumbnails) for material in shown] == [5, 0]
