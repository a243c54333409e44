"""The mean face: exact whatever the way, nowhere without `face_pixels`, and never from a damaged file."""

from __future__ import annotations

import io
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from detection import find_faces
from meanface.embedder.embedder import DlibEmbedder
from meanface.errors import DamagedRecord, IncompleteRun, TooManyFailures
from meanface.ledger.chunk import Chunk, ChunkKey
from meanface.pipeline import plan, reduce
from meanface.pipeline.run import Run
from meanface.settings import FacesPolicy, Settings
from meanface.state import MemoryState
from meanface.stats.chip_sum import SHAPE, ChipSum
from meanface.storage.files import Storage

PICTURES = (b"\x89PNG", b"\xff\xd8\xff\xe0", b'src="data:image', b"MFCS", b"meanface.chips")
"""How a picture begins, or one in a page (other than a chart), or a sum of faces, or what leads to one."""


def face_of(run: Run) -> bytes:
    return run.files.read("mean_face.png")


def with_pixels(folder: str | Path) -> list[str]:
    """Files below a folder that hold pixels of faces."""
    files = (path for path in Path(folder).rglob("*") if path.is_file())
    return sorted(str(path) for path in files if any(mark in path.read_bytes() for mark in PICTURES))


def test_it_is_the_mean_of_the_chips(shared: Any, folder: Path) -> None:
    run = shared.embedded("run", folder)
    result = shared.reduce(run)
    assert result.artifacts["mean_face"] == "mean_face.png"
    assert result.artifacts["chips"] == f"chips/{run.manifest().plan}"
    embedder = DlibEmbedder()
    chips = []
    for file in sorted(folder.iterdir()):
        (face,) = find_faces(embedder, np.asarray(Image.open(file).convert("RGB")), FacesPolicy.FIRST).faces
        chips.append(face.chip)
    found = np.asarray(Image.open(io.BytesIO(face_of(run))))
    assert found.shape == SHAPE
    expected = [round(Fraction(int(total), len(chips))) for total in np.sum(chips, axis=0, dtype=np.int64).ravel()]
    assert found.ravel().tolist() == expected


def test_chunks_of_another_run_give_the_same_mean_face(
    shared: Any, reused: Any, write: Any, folder: Path, face: Any
) -> None:
    first = shared.embedded("first", folder)
    shared.reduce(first)
    second = shared.embedded("second", folder)
    assert reused(second) == [{"first": 2}, {"first": 2}, {"first": 1}]
    shared.reduce(second)
    assert face_of(second) == face_of(first)
    write(folder, {"4.bmp": face(40)}, at=2_000_000_000)
    third = shared.embedded("third", folder)
    shared.reduce(third)
    assert reused(third) == [{"first": 2}, {"first": 2}, {}]
    elsewhere = shared.elsewhere().embedded("alone", folder)
    shared.reduce(elsewhere)
    assert face_of(third) == face_of(elsewhere) != face_of(first)


def test_a_run_that_is_planned_again_removes_sums_of_the_previous_plan(
    shared: Any, write: Any, folder: Path, face: Any
) -> None:
    run = shared.embedded("run", folder)
    shared.reduce(run)
    before = run.manifest().plan
    assert run.files.list(f"chips/{before}") == ["00000", "00001", "00002"]
    write(folder, {"4.bmp": face(40), "5.bmp": face(5)}, at=2_000_000_000)
    manifest = plan(run, Settings(dataset=str(folder), partition_size=2))
    shared.embed(run)
    result = shared.reduce(run)
    assert run.files.list("chips") == [manifest.plan] != [before]
    assert run.files.list(result.artifacts["chips"]) == ["00000", "00001", "00002"]
    assert result.artifacts["chips"] == f"chips/{manifest.plan}"
    elsewhere = shared.elsewhere().embedded("alone", folder)
    shared.reduce(elsewhere)
    assert face_of(run) == face_of(elsewhere)


@pytest.mark.parametrize("damage", ["gone", "truncated", "a byte flipped", "another partition's"])
def test_a_damaged_sum_is_named_and_computed_again(shared: Any, folder: Path, damage: str) -> None:
    run = shared.embedded("run", folder)
    files = run.plan_files(run.manifest())
    file = Path(run.files.url, files.chip_sum(1))
    data = file.read_bytes()
    match damage:
        case "gone":
            file.unlink()
        case "truncated":
            file.write_bytes(data[:-1])
        case "a byte flipped":
            file.write_bytes(data[:500] + bytes([data[500] ^ 1]) + data[501:])
        case "another partition's":
            shutil.copy(Path(run.files.url, files.chip_sum(0)), file)
    with pytest.raises(DamagedRecord, match=r"chip sum of partition 1, .*chips/.*/00001: .*embed partition 1 again"):
        shared.reduce(run)
    assert run.state.result() is None
    shared.embed(run, 1)
    assert file.read_bytes() == data
    shared.reduce(run)


def test_a_chunk_whose_sum_is_damaged_is_computed_again(run_on: Any, folder: Path, tmp_path: Path) -> None:
    run_on(folder, tmp_path / "out")
    expected = (tmp_path / "out" / "mean_face.png").read_bytes()
    (chunk,) = tmp_path.glob("out/ledger/*/00000/00000.parquet")
    data = chunk.read_bytes()
    place = data.index(b"meanface.chips") + 2000
    chunk.write_bytes(data[:place] + b"=" + data[place + 1 :])
    run_on(folder, tmp_path / "out")
    assert (tmp_path / "out" / "mean_face.png").read_bytes() == expected


# without pixels


def test_without_pixels_there_is_no_pixel_anywhere(run_on: Any, folder: Path, tmp_path: Path) -> None:
    found = run_on(folder, tmp_path / "with", partition_size=2)
    assert len(with_pixels(tmp_path / "with")) == 1 + 1 + 3 + 3  # the face; the report; sums of partitions; chunks
    result = run_on(folder, tmp_path / "without", partition_size=2, face_pixels=False)
    assert with_pixels(tmp_path / "without") == []
    assert not {"mean_face", "chips"} & result.artifacts.keys()
    assert not (tmp_path / "without" / "chips").exists()
    assert (result.mean, result.fingerprint, result.outcomes) == (found.mean, found.fingerprint, found.outcomes)


def test_pixels_turned_off_and_on_again_in_the_same_folder(run_on: Any, folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "results"
    run_on(folder, output)
    expected = (output / "mean_face.png").read_bytes()
    (chunk,) = output.glob("ledger/*/00000/00000.parquet")
    rows = pq.read_table(chunk)
    run_on(folder, output, face_pixels=False)
    assert with_pixels(output) == []
    bare = pq.read_table(chunk)
    assert bare["thumbnail"].null_count == len(bare)
    assert bare.drop_columns("thumbnail").equals(rows.drop_columns("thumbnail"))
    run_on(folder, output)
    assert (output / "mean_face.png").read_bytes() == expected
    assert pq.read_table(chunk).equals(rows)


@pytest.mark.parametrize("face_pixels", [True, False])
def test_a_run_that_is_refused_leaves_no_picture(run_on: Any, folder: Path, tmp_path: Path, face_pixels: bool) -> None:
    """In the place of one that was not."""
    (folder / "broken.bmp").write_bytes(b"no photo")
    output = tmp_path / "results"
    run_on(folder, output)
    with pytest.raises(TooManyFailures):
        run_on(folder, output, max_failed_fraction=0, face_pixels=face_pixels)
    results = {".meanface.json", "manifest.json", "failures.csv"}
    assert {path.name for path in output.iterdir() if path.is_file()} == results
    if not face_pixels:
        assert with_pixels(output) == []


def test_a_run_without_pixels_whose_ledger_is_refused_leaves_none(run_on: Any, folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "results"
    run_on(folder, output)
    run = Run("local", MemoryState("local"), Storage(str(output)))
    plan(run, Settings(dataset=str(folder), face_pixels=False))
    with pytest.raises(IncompleteRun):
        reduce(run)
    assert not {"report.html", "mean_face.png"} & {path.name for path in output.iterdir()}


def test_a_run_without_pixels_reuses_embeddings_only(shared: Any, reused: Any, folder: Path) -> None:
    first = shared.embedded("with", folder)
    mean = shared.reduce(first).mean
    second = shared.embedded("without", folder, face_pixels=False)
    assert reused(second) == [{"with": 2}, {"with": 2}, {"with": 1}]
    assert shared.reduce(second).mean == mean
    assert with_pixels(second.files.url) == []


def test_photos_added_after_pixels_were_turned_off_are_embedded_once(
    shared: Any, reused: Any, folder: Path, face: Any, write: Any
) -> None:
    """In a partition that changes each time: the last run is the one to look in, although an earlier one has pixels."""
    shared.result("with", folder, partition_size=100)
    write(folder, {"5.bmp": face(5)})
    shared.result("without", folder, partition_size=100, face_pixels=False)
    write(folder, {"6.bmp": face(6)})
    assert reused(shared.embedded("again", folder, partition_size=100, face_pixels=False)) == [{"without": 6}]


def test_a_run_with_pixels_reuses_only_chunks_with_pixels(shared: Any, reused: Any, folder: Path) -> None:
    shared.embedded("without", folder, face_pixels=False)
    first = shared.embedded("first", folder)
    assert reused(first) == [{}, {}, {}]
    later = shared.embedded("later-without", folder, face_pixels=False)
    assert reused(later) == [{"first": 2}, {"first": 2}, {"first": 1}]
    second = shared.embedded("second", folder)
    assert reused(second) == [{"first": 2}, {"first": 2}, {"first": 1}]
    for run in (first, second):
        shared.reduce(run)
    assert face_of(first) == face_of(second)


def entries(shared: Any) -> dict[str, str]:
    """What the cache has noted for other runs, by file."""
    files = (file for folder in ("datasets", "partitions") for file in Path(shared.storage.url, folder).rglob("*.json"))
    return {str(file): file.read_text() for file in files}


def test_a_run_without_pixels_hides_no_ledger_with_pixels_while_that_is_there(
    shared: Any, reused: Any, folder: Path
) -> None:
    shared.result("with", folder)
    noted = entries(shared)
    assert len(noted) == 3 + 1
    shared.result("without", folder, face_pixels=False)
    (changed,) = (text for path, text in entries(shared).items() if text != noted[path])
    assert '"partition"' not in changed  # the newest plan over the dataset
    assert reused(shared.embedded("second", folder)) == [{"with": 2}, {"with": 2}, {"with": 1}]
    for name in ("with", "second"):
        shutil.rmtree(f"{shared.storage.url}/runs/{name}")
    shared.result("third", folder, face_pixels=False)
    assert len(entries(shared)) == 3 + 1
    assert all('"run":"third"' in text and '"pixels":false' in text for text in entries(shared).values())
    later = shared.embedded("later", folder, face_pixels=False)
    assert reused(later) == [{"without": 2}, {"without": 2}, {"without": 1}]  # which has computed them, by way of third


def test_a_run_whose_pixels_were_turned_off_says_so(shared: Any, reused: Any, folder: Path) -> None:
    shared.embedded("run", folder)
    shared.embedded("run", folder, face_pixels=False)  # with another state
    assert all('"pixels":false' in text for text in entries(shared).values())
    assert reused(shared.embedded("second", folder)) == [{}, {}, {}]


def test_a_chunk_reused_without_its_sum_is_not_reused_with_pixels(shared: Any, reused: Any, folder: Path) -> None:
    """The entry of a run with pixels may lead to chunks that have lost them: they are looked at."""
    first = shared.embedded("first", folder)
    path = Path(first.files.url, first.plan_files(first.manifest()).chunk(0, 0))
    about = pq.read_schema(path).metadata
    key = ChunkKey(about[b"meanface.recipe"].decode(), about[b"meanface.photos"].decode())
    path.write_bytes(Chunk.from_parquet(path.read_bytes(), key).without_pixels().to_parquet(key))
    second = shared.embedded("second", folder)
    assert reused(second) == [{}, {"first": 2}, {"first": 1}]
    shared.reduce(second)
    shared.reduce(first)
    assert face_of(second) == face_of(first)


def test_a_partition_without_a_face_has_a_sum_of_none(shared: Any, folder: Path, write: Any) -> None:
    flat = io.BytesIO()
    Image.new("RGB", (160, 160), "teal").save(flat, "BMP")
    write(folder, {name: flat.getvalue() for name in ("7.bmp", "8.bmp", "9.bmp")})
    run = shared.embedded("run", folder)
    assert ChipSum.from_bytes(run.files.read(run.plan_files(run.manifest()).chip_sum(3))) == ChipSum.zero()
    assert shared.reduce(run).faces == 5
    without = shared.elsewhere().embedded("alone", folder, partition_size=1)
    shared.reduce(without)
    assert face_of(run) == face_of(without)
