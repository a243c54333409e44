"""Thumbnails: the chips of the chosen faces, of photos that are still those that were embedded; nothing else fails."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageOps
from structlog.testing import capture_logs

from detection import find_faces
from meanface.dataset import SAMPLE
from meanface.embedder.embedder import DlibEmbedder
from meanface.pipeline import embed, plan, reduce, thumbnails
from meanface.pipeline.run import Run
from meanface.settings import Settings
from meanface.state import MemoryState
from meanface.stats.chip_sum import SHAPE
from meanface.stats.models import FaceAt
from meanface.storage.files import Storage
from meanface.workers import process
from meanface.workers.pool import Workers

Embedded = Callable[..., Run]


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory, portrait_files: list[Path]) -> Path:
    """Seven photos: of one person, the other, both; nobody; and once more, in two folders."""
    folder = tmp_path_factory.mktemp("people")
    crops = [Image.open(file).convert("RGB").crop((0, 0, 512, 330)).resize((300, 193)) for file in portrait_files]
    both = Image.new("RGB", (600, 193))
    both.paste(crops[0], (0, 0))
    both.paste(crops[1], (300, 0))
    nobody = Image.new("RGB", (120, 120), "teal")
    for label in ("a", "b"):
        (folder / label).mkdir()
        for number, image in enumerate(
            [crops[0], both, nobody] if label == "a" else [crops[1], both, nobody, crops[0]]
        ):
            image.save(folder / label / f"{number}.jpg")
    return folder


@pytest.fixture
def embedded(workers_for: Callable[[Settings], Workers]) -> Embedded:
    """Makes runs of every stage but the last, in partitions of three photos."""

    def make(output: Path, dataset: object, **settings: Any) -> Run:
        run = Run("run", MemoryState("run"), Storage(str(output)))
        manifest = plan(run, Settings.of(dataset=str(dataset), **{"partition_size": 3, "faces": "all", **settings}))
        for partition in manifest.partitions:
            embed(run, partition.index, workers_for(manifest.settings))
        return run

    return make


def faces_of(output: Path) -> dict[FaceAt, str]:
    """Every face in a run's ledger, with its photo's name."""
    table = pq.read_table(output / "ledger", columns=["position", "face", "photo"])
    rows = table.filter(table["face"].is_valid()).to_pylist()
    return {FaceAt(row["position"], row["face"]): row["photo"] for row in sorted(rows, key=lambda r: r["position"])}


def expected(folder: Path, name: str, face: int, policy: str = "all") -> bytes:
    photo = np.asarray(ImageOps.exif_transpose(Image.open(folder / name)).convert("RGB"))
    found = find_faces(DlibEmbedder(), photo, Settings(dataset="any", faces=policy).faces).faces
    (chip,) = (one.chip for one in found if one.index == face)
    assert chip is not None
    return thumbnails.jpeg(chip)


@pytest.mark.parametrize("kind", ["folder", "archive", "shards"])
def test_every_face_has_its_own(embedded: Embedded, people: Path, tmp_path: Path, kind: str) -> None:
    dataset = people
    if kind != "folder":
        dataset = tmp_path / ("photos.tgz" if kind == "archive" else "shard-*.tar")
        parts = ["ab"] if kind == "archive" else ["a", "b"]
        for part in parts:
            with tarfile.open(str(dataset).replace("*", part), "w:gz" if kind == "archive" else "w") as archive:
                for label in part:
                    archive.add(people / label, label)
    run = embedded(tmp_path / "out", dataset, labels="parent_folder")
    there = faces_of(tmp_path / "out")
    assert len(there) == 7
    asked = list(there)[::-1]
    found = thumbnails.thumbnails(run, run.manifest(), asked)
    assert list(found) == asked
    for face, name in there.items():
        assert found[face] == expected(people, name.rpartition(".tar/")[2], face.face)
        image = Image.open(io.BytesIO(found[face]))
        assert (image.format, image.size, len(found[face]) < 12_000) == ("JPEG", SHAPE[:2], True)


def test_of_the_sample(embedded: Embedded, tmp_path: Path) -> None:
    run = embedded(tmp_path, "sample", faces="first")
    reduce(run)
    there = faces_of(tmp_path)
    found = thumbnails.thumbnails(run, run.manifest(), there)
    assert found == {face: expected(SAMPLE, name, face.face, "first") for face, name in there.items()}
    assert len(found) == 6


def test_the_policy_chooses_faces_and_what_is_not_there_has_none(
    embedded: Embedded, people: Path, tmp_path: Path
) -> None:
    run = embedded(tmp_path, people, faces="first")
    asked = [FaceAt(1, 0), FaceAt(1, 1), FaceAt(2, 0), FaceAt(7, 0), FaceAt(-1, 0), FaceAt(10**12, 0), FaceAt(0, 9)]
    assert list(thumbnails.thumbnails(run, run.manifest(), asked)) == [FaceAt(1, 0)]
    assert thumbnails.thumbnails(run, run.manifest(), []) == {}


def test_a_photo_that_is_gone_or_another_has_none_and_others_have(
    embedded: Embedded, people: Path, tmp_path: Path
) -> None:
    data = shutil.copytree(people, tmp_path / "data")
    run = embedded(tmp_path / "out", data)
    there = faces_of(tmp_path / "out")
    (data / "a" / "0.jpg").unlink()
    photo = data / "b" / "0.jpg"
    before = photo.stat()
    photo.write_bytes(photo.read_bytes()[:-2] + b"\xff\xd8")  # as many bytes, and as old
    os.utime(photo, ns=(before.st_atime_ns, before.st_mtime_ns))
    (data / "b" / "1.jpg").write_bytes(b"no photo any more")
    found = thumbnails.thumbnails(run, run.manifest(), there)
    assert [there[face] for face in found] == ["a/1.jpg", "a/1.jpg", "b/3.jpg"]


@pytest.mark.parametrize("what", ["manifest/*/00001.parquet", "ledger/*/00001/00000.parquet"])
@pytest.mark.parametrize("damage", ["gone", "damaged"])
def test_a_partition_whose_files_are_lost_has_none_and_others_have(
    embedded: Embedded, people: Path, tmp_path: Path, what: str, damage: str
) -> None:
    run = embedded(tmp_path, people)
    there = faces_of(tmp_path)
    (file,) = tmp_path.glob(what)
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(b"PAR1 no more")
    found = thumbnails.thumbnails(run, run.manifest(), there)
    before, lost = (partition.photos for partition in run.manifest().partitions[:2])
    assert list(found) == [face for face in there if face.position not in range(before, before + lost)]
    assert 0 < len(found) < len(there)


def test_only_the_lists_that_are_needed_are_read(embedded: Embedded, people: Path, tmp_path: Path) -> None:
    run, asked = embedded(tmp_path, people), [FaceAt(1, 1), FaceAt(1, 0)]
    for partition in run.manifest().partitions:
        if not partition.first <= "a/1.jpg" <= partition.last:
            files = run.plan_files(run.manifest())
            for path in (files.photo_list(partition.index), files.chunks(partition.index)):
                Path(tmp_path, path).rename(tmp_path / path.replace("/", "-"))
    with capture_logs() as told:
        assert list(thumbnails.thumbnails(run, run.manifest(), asked)) == asked
    assert told == []


def test_without_pixels_there_are_none(embedded: Embedded, people: Path, tmp_path: Path) -> None:
    run = embedded(tmp_path, people, face_pixels=False)
    assert thumbnails.thumbnails(run, run.manifest(), faces_of(tmp_path)) == {}


def test_workers_that_run_already_are_used(
    embedded: Embedded,
    people: Path,
    tmp_path: Path,
    workers_for: Callable[[Settings], Workers],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = embedded(tmp_path, people)
    there = faces_of(tmp_path)
    monkeypatch.setattr(process, "COMMAND", (shutil.which("false"),))
    assert list(thumbnails.thumbnails(run, run.manifest(), there, workers_for(run.manifest().settings))) == list(there)


def test_a_worker_that_cannot_start_costs_the_thumbnails_only(
    embedded: Embedded, people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = embedded(tmp_path, people)
    monkeypatch.setattr(process, "COMMAND", (shutil.which("false"),))
    assert thumbnails.thumbnails(run, run.manifest(), faces_of(tmp_path)) == {}
