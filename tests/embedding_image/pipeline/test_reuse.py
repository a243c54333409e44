"""What one run has computed, another takes over, to the bit; and nothing else than exactly that."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from meanface.embedder.recipe import SCHEMA
from meanface.ledger.cache import Catalog
from meanface.ledger.chunk import Chunk
from meanface.ledger.photo_list import PhotoList
from meanface.pipeline import embed, plan
from meanface.pipeline.run import Run
from meanface.settings import Labels, Settings
from meanface.state import MemoryState
from meanface.storage.files import Storage
from meanface.storage.layout import files_of
from synthetic import VectorWorkers


def positions(run: Run) -> list[int]:
    manifest = run.manifest()
    paths = [run.plan_files(manifest).chunk(partition.index, 0) for partition in manifest.partitions]
    chunks = [Chunk.from_parquet(run.files.read(path)) for path in paths]
    return [position for chunk in chunks for position in chunk.table["position"].to_pylist()]


def test_a_second_run_computes_only_what_changed(shared: Any, reused: Any, write: Any, folder: Path, face: Any) -> None:
    first = shared.result("first", folder)
    assert first.partitions.model_dump() == {"total": 3, "reused": 0}
    write(folder, {"2.bmp": face(20), "5.bmp": face(5), "6.bmp": face(6)}, at=2_000_000_000)
    run = shared.embedded("second", folder)
    assert reused(run) == [{"first": 2}, {}, {"first": 1}, {}]
    result = shared.reduce(run)
    assert result.partitions.model_dump() == {"total": 4, "reused": 1}
    assert (first.photos_reused, result.photos_reused) == (0, 3)
    alone = shared.elsewhere().result("alone", folder)
    assert (result.mean, result.standard_error, result.outcomes) == (alone.mean, alone.standard_error, alone.outcomes)
    assert (result.fingerprint, result.recipe) == (alone.fingerprint, first.recipe)
    assert first.fingerprint != result.fingerprint


def test_nothing_is_reused_from_a_release_that_decodes_differently(
    shared: Any, reused: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr("meanface.embedder.recipe.SCHEMA", SCHEMA - 1)
        first = shared.result("first", folder)
    run = shared.embedded("second", folder)
    assert reused(run) == [{}, {}, {}]
    assert run.manifest().recipe != first.recipe


@pytest.mark.long
def test_photos_in_a_bucket_are_reused(bucket: Any, new_shared: Any, face: Any, reused: Any) -> None:
    shared = new_shared("s3://bucket/meanface")
    for number in range(4):
        bucket.pipe_file(f"bucket/photos/{number}.bmp", face(number))
    shared.result("first", "s3://bucket/photos")
    bucket.pipe_file("bucket/photos/3.bmp", face(30))
    bucket.pipe_file("bucket/photos/0.bmp", face(0))  # the same bytes at another time
    run = shared.embedded("second", "s3://bucket/photos")
    assert reused(run) == [{"first": 2}, {}]
    assert shared.reduce(run).mean == shared.elsewhere().result("alone", "s3://bucket/photos").mean


@pytest.mark.long
def test_no_version_in_a_bucket_is_read_twice(bucket: Any) -> None:
    shared = Storage("s3://bucket/versions")

    def put(number: int, value: float) -> None:
        bucket.pipe_file(f"bucket/growing/{number:02}.jpg", np.full(128, value, np.float32).tobytes())

    def read(name: str) -> list[str]:
        run = Run(name, MemoryState(name), files_of(shared, name), shared=shared)
        manifest = plan(run, Settings.of(dataset="s3://bucket/growing", partition_size=4, face_pixels=False))
        names = []
        for partition in manifest.partitions:
            workers = VectorWorkers()
            embed(run, partition.index, workers)
            photos = list(PhotoList.from_parquet(run.files.read(run.plan_files(manifest).photo_list(partition.index))))
            names += [photos[place].name for place in workers.asked]
        Catalog(run.shared).note_newest(manifest)
        return sorted(names)

    for number in range(1, 12):
        put(number, number / 16)
    assert read("first") == [f"{number:02}.jpg" for number in range(1, 12)]
    put(0, 0.5)
    assert read("second") == ["00.jpg"]
    put(5, 5 / 16)  # the same bytes, and so the same version
    put(7, 0.5)
    bucket.rm_file("bucket/growing/03.jpg")
    assert read("third") == ["07.jpg"]


def test_of_a_longer_archive_only_new_photos_are_computed(
    shared: Any, reused: Any, write: Any, folder: Path, face: Any, tmp_path: Path
) -> None:
    archive = tmp_path / "photos.tar"

    def pack() -> None:
        with tarfile.open(archive, "w") as packed:
            for file in sorted(folder.iterdir(), reverse=True):  # so that the newest moves all others
                packed.add(file, file.name)

    pack()
    shared.result("first", archive)
    write(folder, {"9.bmp": face(9)})
    pack()
    run = shared.embedded("second", archive)
    assert reused(run) == [{"first": 2}, {"first": 2}, {"first": 1}, {}]
    assert shared.reduce(run).mean == shared.elsewhere().result("alone", folder).mean


def test_positions_are_those_of_the_run_and_the_origin_is_kept(
    shared: Any, reused: Any, write: Any, folder: Path, face: Any
) -> None:
    shared.result("first", folder)
    write(folder, {"-1.bmp": face(50), "-2.bmp": face(51)})  # whole partitions before all others
    run = shared.embedded("second", folder)
    assert reused(run) == [{}, {}, {"first": 2}, {"first": 2}, {"first": 1}]
    assert positions(run) == list(range(7))
    shutil.rmtree(f"{shared.storage.url}/runs/first")
    third = shared.embedded("third", folder)
    assert reused(third) == [{"second": 1}, {"second": 1}, {"first": 2}, {"first": 2}, {"first": 1}]
    assert shared.reduce(third).mean == shared.reduce(run).mean


@pytest.mark.parametrize("trouble", ["chunk gone", "chunk damaged", "run gone", "entry damaged", "another's entry"])
def test_chunks_that_cannot_be_reused_are_computed(shared: Any, reused: Any, folder: Path, trouble: str) -> None:
    first = shared.result("first", folder)
    root = Path(shared.storage.url)
    shutil.rmtree(root / "datasets")
    (chunk,) = root.glob("runs/first/ledger/*/00001/00000.parquet")
    entries = {path: path.read_text() for path in root.glob("partitions/*/*.json")}
    (entry,) = (path for path, text in entries.items() if '"partition":1' in text)
    (other,) = (path for path, text in entries.items() if '"partition":2' in text)
    match trouble:
        case "chunk gone":
            chunk.unlink()
        case "chunk damaged":
            chunk.write_bytes(chunk.read_bytes()[:-100])
        case "run gone":
            shutil.rmtree(root / "runs" / "first")
        case "entry damaged":
            entry.write_text('{"run": "../../elsewhere"}')
        case "another's entry":
            entry.write_text(entries[other].replace(other.stem, entry.stem))
    run = shared.embedded("second", folder)
    assert reused(run) == ([{}] * 3 if trouble == "run gone" else [{"first": 2}, {}, {"first": 1}])
    assert shared.reduce(run).mean == first.mean


def test_an_entry_of_another_partition_is_ignored(shared: Any, reused: Any, folder: Path) -> None:
    """Even an entry with the right address and digest: chunks name their own recipe and photos."""
    first = shared.result("first", folder)
    shutil.rmtree(Path(shared.storage.url, "datasets"))
    (entry,) = (path for path in Path(shared.storage.url).glob("partitions/*/*") if '"partition":1' in path.read_text())
    entry.write_text(entry.read_text().replace('"partition":1', '"partition":0'))
    run = shared.embedded("second", folder)
    assert reused(run)[1] == {}
    assert shared.reduce(run).mean == first.mean


@pytest.mark.long
@pytest.mark.parametrize(
    "trouble",
    [
        "hint damaged",
        "hint at nothing",
        "hint at another dataset",
        "plan gone",
        "list gone",
        "list of other photos",
        "chunk gone",
        "chunk damaged",
        "chunk of other photos",
    ],
)
def test_photos_that_an_earlier_plan_lacks_are_computed(
    shared: Any, reused: Any, folder: Path, tmp_path: Path, trouble: str
) -> None:
    first = shared.result("first", folder)
    root = Path(shared.storage.url)
    shutil.rmtree(root / "partitions")
    (hint,) = root.glob("datasets/*.json")
    (listed,) = root.glob("runs/first/manifest/*")
    lists = [listed / f"{index:05d}.parquet" for index in (0, 1)]
    chunks = [root / f"runs/first/ledger/{listed.name}/{index:05d}/00000.parquet" for index in (0, 1)]
    match trouble:
        case "hint damaged":
            hint.write_text('{"schema": 1, "run": "../first", "pixels": true, "plan": "0123456789abcdef"}')
        case "hint at nothing":
            hint.write_text('{"schema": 1, "run": "nothing", "pixels": true, "plan": "0123456789abcdef"}')
        case "hint at another dataset":
            shared.result("other", shutil.copytree(folder, tmp_path / "other"))
            (plan_of_other,) = root.glob("runs/other/manifest/*")
            hint.write_text(json.dumps({"schema": 1, "run": "other", "pixels": True, "plan": plan_of_other.name}))
            shutil.rmtree(root / "partitions")
        case "plan gone":
            (listed / "_manifest.json").unlink()
        case "list gone":
            lists[0].unlink()
        case "list of other photos":
            lists[0].write_bytes(lists[1].read_bytes())
        case "chunk gone":
            chunks[0].unlink()
        case "chunk damaged":
            chunks[0].write_bytes(chunks[0].read_bytes()[:-100])
        case "chunk of other photos":
            chunks[0].write_bytes(chunks[1].read_bytes())
    run = shared.embedded("second", folder)
    some = [{}, {"first": 2}, {"first": 1}]
    assert reused(run) == (some if trouble.startswith(("list", "chunk")) else [{}, {}, {}])
    assert shared.reduce(run).mean == first.mean


@pytest.mark.long
@pytest.mark.parametrize("change", ["labels", "limit", "software", "place"])
def test_results_of_another_recipe_are_not_reused(
    shared: Any, reused: Any, folder: Path, change: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shared.result("first", folder)
    settings: dict[str, object] = {}
    match change:
        case "labels":
            settings = {"labels": Labels.PARENT_FOLDER}
        case "limit":
            settings = {"max_pixels": 40_000_000}
        case "software":
            monkeypatch.setattr("meanface.embedder.recipe.version", lambda _: "0.0")
        case "place":  # of the same names, sizes and times
            folder = shutil.copytree(folder, tmp_path / "copy")
    assert reused(shared.embedded("second", folder, **settings)) == [{}, {}, {}]


def test_photos_of_unknown_version_are_never_reused(shared: Any, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("url\nhttp://127.0.0.1:1/a.jpg\n")
    manifest = plan(shared.run("first"), Settings(dataset=str(tmp_path / "list.csv")))
    assert [partition.address for partition in manifest.partitions] == [None]


def test_outcomes_that_may_change_are_not_reused(shared: Any, reused: Any, write: Any, folder: Path, face: Any) -> None:
    run = shared.run("first")
    plan(run, Settings(dataset=str(folder), partition_size=2))
    write(folder, {"0.bmp": face(70)}, at=2_000_000_000)  # after the plan: other bytes under its name and size
    shared.embed(run)
    assert shared.reduce(run).outcomes["unreadable"] == 1
    os.utime(folder / "0.bmp", (1_000_000_000,) * 2)  # and as if it were the planned one again
    assert reused(shared.embedded("second", folder)) == [{"first": 1}, {"first": 2}, {"first": 1}]


def test_concurrent_runs_are_both_right(shared: Any, reused: Any, folder: Path) -> None:
    runs = [shared.run(name) for name in ("a", "b")]
    for run in runs:
        plan(run, Settings(dataset=str(folder), partition_size=2))
    for partition in range(3):
        for run in runs:
            shared.embed(run, partition)
    assert shared.reduce(runs[0]).mean == shared.reduce(runs[1]).mean
    assert reused(shared.embedded("second", folder)) == [{"a": 2}, {"a": 2}, {"a": 1}]


KILLED = """
import os
from meanface.ledger.cache import Catalog
from meanface.cli.app import main
Catalog.note = lambda *_: os._exit(9)
main()
"""


@pytest.mark.long
def test_a_kill_between_commit_and_entry(
    shared: Any, reused: Any, folder: Path, shared_server: Callable[[str], Any], tmp_path: Path
) -> None:
    storage = str(tmp_path / "storage")
    env = os.environ | {"MEANFACE_REDIS_URL": shared_server("valkey").url, "MEANFACE_STORAGE": storage}

    def stage(*arguments: str, script: str = "from meanface.cli.app import main; main()") -> int:
        command = [sys.executable, "-c", script, *arguments, "--run", f"killed-{tmp_path.name}"]
        return subprocess.run(command, env=env, timeout=250, check=False).returncode

    assert stage("plan", "--dataset", str(folder)) == 0
    assert stage("embed", "--partition", "0", script=KILLED) == 9
    assert not list(Path(storage).glob("partitions/*/*"))
    run = shared.embedded("unaware", folder, partition_size=500)
    assert reused(run) == [{}]
    shutil.rmtree(f"{storage}/partitions")
    assert stage("embed", "--partition", "0") == 0  # the next attempt: committed before
    assert reused(shared.embedded("aware", folder, partition_size=500)) == [{f"killed-{tmp_path.name}": 5}]
    assert stage("reduce") == 0


def test_a_run_without_shared_storage_has_no_cache(folder: Path, shared: Any) -> None:
    run = Run("alone", shared.run("alone").state, shared.storage.child("runs/alone"))
    manifest = plan(run, Settings(dataset=str(folder)))
    shared.embed(run)
    Catalog(run.shared).note(manifest, manifest.partitions[0])
    assert Catalog(run.shared).entry(manifest, manifest.partitions[0]) is None
    assert not Path(shared.storage.url, "partitions").exists()
