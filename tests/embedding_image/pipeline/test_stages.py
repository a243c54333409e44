"""Plan, embed, reduce: the same bits whatever the way, every photo once, and errors that name their cause."""

from __future__ import annotations

import csv
import io
import json
import shutil
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

import statefields
from meanface.errors import (
    Conflict,
    DamagedRecord,
    EmptyDataset,
    IncompleteRun,
    NoFaceFound,
    TooManyFailures,
    UsageError,
)
from meanface.ledger.chunk import Chunk
from meanface.outcome import Outcome
from meanface.pipeline import embed, plan, reduce
from meanface.pipeline.local import run_locally
from meanface.pipeline.run import Run
from meanface.results.result import ResultRecord
from meanface.settings import FacesPolicy, Labels, Settings
from meanface.state import MemoryState
from meanface.stats.moments import Moments
from meanface.storage.files import Storage
from meanface.workers.pool import Workers

Runner = Callable[..., ResultRecord]
Embed = Callable[[Run, int], None]
FAILED = ("undecodable", "unreadable")
PHOTOS = 9
"""In the folder `photos`: six with a face (one of them with two), one without, two broken."""


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory, portrait_files: list[Path]) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for person, file in zip(["hopper", "collins"], portrait_files, strict=True):
        (folder / person).mkdir()
        portrait = Image.open(file).convert("RGB").crop((0, 0, 512, 330))
        for number, width in enumerate([250, 300, 400]):
            portrait.resize((width, width * portrait.height // portrait.width)).save(folder / person / f"{number}.jpg")
    both = Image.new("RGB", (800, 500))
    for x, person in ((0, "hopper"), (400, "collins")):
        both.paste(Image.open(folder / person / "2.jpg"), (x, 0))
    both.save(folder / "hopper" / "2.jpg")
    Image.new("RGB", (120, 120), "teal").save(folder / "nobody.png")
    (folder / "empty.jpg").touch()
    (folder / "page.jpg").write_text("<!doctype html><title>Not Found</title>")
    (folder / "notes.txt").write_text("not a photo")
    return folder


@pytest.fixture(scope="module")
def quiet(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[ResultRecord, Path]:
    """The run that nothing disturbs, by two workers of its own."""
    output = tmp_path_factory.mktemp("quiet")
    return run_locally(Settings(dataset=str(photos)), Storage(str(output)), workers=2), output


def face(output: Path) -> bytes:
    """The picture of the mean face."""
    return (output / "mean_face.png").read_bytes()


def embeddings(output: Path) -> np.ndarray:
    chunks = [Chunk.from_parquet(file.read_bytes()) for file in sorted(output.glob("ledger/*/*/*.parquet"))]
    return np.concatenate([chunk.embeddings() for chunk in chunks])


def test_every_photo_has_its_outcome(quiet: tuple[ResultRecord, Path]) -> None:
    result, output = quiet
    assert result.photos == PHOTOS
    assert {name: count for name, count in result.outcomes.items() if count} == {
        "ok": 6,
        "no_face": 1,
        "undecodable": 2,
    }
    assert (result.photos_with_face, result.faces) == (6, 6)
    rows = list(csv.reader((output / "failures.csv").read_text().splitlines()))
    assert rows[0] == ["photo", "outcome", "detail"]
    assert [row[:2] for row in rows[1:]] == [["empty.jpg", "undecodable"], ["page.jpg", "undecodable"]]


def test_the_mean_is_the_exact_one_rounded_once(quiet: tuple[ResultRecord, Path]) -> None:
    result, output = quiet
    vectors = embeddings(output)
    exact = [sum(map(Fraction, column.tolist())) / len(column) for column in vectors.T]
    assert result.mean == [float(value) for value in exact]


def test_files_hold_the_same_bits_as_the_result(quiet: tuple[ResultRecord, Path]) -> None:
    result, output = quiet
    written = json.loads((output / "result.json").read_text())
    assert written["mean"] == result.mean
    assert np.load(output / "mean.npy").tolist() == result.mean
    with np.load(output / "moments.npz") as moments:
        assert moments["mean"].tolist() == result.mean
        assert np.sqrt(moments["covariance"].diagonal() / moments["count"]) == pytest.approx(written["standard_error"])
        assert Moments.from_bytes(moments["exact"].tobytes()).mean().tolist() == result.mean
    assert all((output / file).exists() for file in written["artifacts"].values())


@pytest.mark.parametrize(
    ("partition_size", "workers"),
    [(4, 2), *(pytest.param(*each, marks=pytest.mark.long) for each in ((1, 1), (PHOTOS, 3)))],
)
def test_any_partitioning_and_any_number_of_workers_give_the_same_bits(
    photos: Path, quiet: tuple[ResultRecord, Path], tmp_path: Path, partition_size: int, workers: int
) -> None:
    settings = Settings(dataset=str(photos), partition_size=partition_size)
    result = run_locally(settings, Storage(str(tmp_path)), workers=workers)
    assert (result.mean, result.outcomes, result.fingerprint, face(tmp_path)) == (
        quiet[0].mean,
        quiet[0].outcomes,
        quiet[0].fingerprint,
        face(quiet[1]),
    )


@pytest.mark.parametrize("kind", ["photos.tar", "photos.tgz", "photos.zip", "shard-*.tar"])
def test_a_folder_and_its_archive_give_the_same_bits(
    run_on: Runner, photos: Path, quiet: tuple[ResultRecord, Path], tmp_path: Path, kind: str
) -> None:
    files = sorted(file for file in photos.rglob("*") if file.is_file())
    if kind.endswith(".zip"):
        with zipfile.ZipFile(tmp_path / kind, "w") as archive:
            for file in files[::-1]:
                archive.write(file, file.relative_to(photos))
    else:
        parts = [files[:4], files[4:]] if "*" in kind else [files[::-1]]
        for number, part in enumerate(parts):
            with tarfile.open(tmp_path / kind.replace("*", str(number)), "w:gz" if "tgz" in kind else "w") as archive:
                for file in part:
                    archive.add(file, file.relative_to(photos))
    result = run_on(tmp_path / kind, tmp_path / "out", partition_size=3)
    assert (result.mean, result.outcomes, face(tmp_path / "out")) == (quiet[0].mean, quiet[0].outcomes, face(quiet[1]))


@pytest.mark.long
def test_the_reference_embedder_gives_nearly_the_same_mean(
    run_on: Runner, photos: Path, quiet: tuple[ResultRecord, Path], tmp_path: Path
) -> None:
    result = run_on(photos, tmp_path, embedder="face_recognition")
    np.testing.assert_allclose(result.mean, quiet[0].mean, rtol=0, atol=1e-6)
    assert (result.outcomes, face(tmp_path)) == (quiet[0].outcomes, face(quiet[1]))  # it sees the same chips
    assert result.fingerprint != quiet[0].fingerprint


def test_each_policy_counts_its_faces(run_on: Runner, photos: Path, tmp_path: Path) -> None:
    found = {policy: run_on(photos / "hopper", tmp_path / policy, faces=policy) for policy in FacesPolicy}
    one_each = found[FacesPolicy.FIRST]
    assert {policy: result.faces - one_each.faces for policy, result in found.items()} == {
        FacesPolicy.FIRST: 0,
        FacesPolicy.LARGEST: 0,
        FacesPolicy.ALL: 1,
        FacesPolicy.SINGLE: -1,
    }
    assert found[FacesPolicy.SINGLE].outcomes["several_faces"] == 1
    assert found[FacesPolicy.ALL].photos_with_face == one_each.photos_with_face == 3


def test_means_by_label(run_on: Runner, photos: Path, quiet: tuple[ResultRecord, Path], tmp_path: Path) -> None:
    result = run_on(photos, tmp_path, labels=Labels.PARENT_FOLDER, partition_size=2)
    rows = {row["label"]: row for row in pq.read_table(tmp_path / result.artifacts["label_means"]).to_pylist()}
    assert {label: row["faces"] for label, row in rows.items()} == {"collins": 3, "hopper": 3}
    for label, row in rows.items():
        assert row["mean"] == run_on(photos / label, tmp_path / label).mean
    assert result.mean == quiet[0].mean


def test_problems_with_labels_are_warnings_of_the_result(run_on: Runner, photos: Path, tmp_path: Path) -> None:
    for person in ("collins", "hopper"):
        shutil.copytree(photos / person, tmp_path / "data" / person / "2023")
    by_year = run_on(tmp_path / "data", tmp_path / "parent", labels=Labels.PARENT_FOLDER)
    (warning,) = by_year.warnings
    assert "'2023' from 'collins/2023', 'hopper/2023'" in warning
    assert "labels=top_folder" in warning
    by_person = run_on(tmp_path / "data", tmp_path / "top", labels=Labels.TOP_FOLDER)
    assert by_person.warnings == []
    rows = pq.read_table(tmp_path / "top" / by_person.artifacts["label_means"]).to_pylist()
    assert [row["label"] for row in rows] == ["collins", "hopper"]


def test_a_second_run_in_the_same_folder_computes_nothing(run_on: Runner, photos: Path, tmp_path: Path) -> None:
    first = run_on(photos, tmp_path, partition_size=4)
    before = {file: file.stat().st_mtime_ns for file in tmp_path.glob("ledger/*/*/*")}
    second = run_on(photos, tmp_path, partition_size=4, max_failed_fraction=0.5)
    assert {file: file.stat().st_mtime_ns for file in tmp_path.glob("ledger/*/*/*")} == before
    assert second.mean == first.mean


def test_a_run_continues_in_its_folder_after_photos_were_added_and_repaired(
    run_on: Runner, photos: Path, tmp_path: Path
) -> None:
    growing, output = shutil.copytree(photos, tmp_path / "photos"), tmp_path / "out"
    run_on(growing, output)
    shutil.copy(photos / "collins/0.jpg", growing / "a first one.jpg")
    shutil.copy(photos / "hopper/0.jpg", growing / "page.jpg")
    again, fresh = run_on(growing, output), run_on(growing, tmp_path / "fresh")
    assert (again.mean, again.outcomes) == (fresh.mean, fresh.outcomes)
    assert (again.photos, again.photos_reused, fresh.photos_reused) == (PHOTOS + 1, PHOTOS - 1, 0)
    assert face(output) == face(tmp_path / "fresh")
    assert [f"ledger/{folder.name}" for folder in (output / "ledger").iterdir()] == [again.artifacts["ledger"]]
    ledgers = [one.artifacts["ledger"] for one in (again, fresh)]
    tables = [pq.read_table(place / path) for place, path in zip((output, tmp_path / "fresh"), ledgers, strict=True)]
    assert tables[0].equals(tables[1])


@pytest.mark.parametrize("damage", ["truncated", "a byte flipped", "gone", "another run's"])
def test_a_damaged_chunk_is_computed_again(
    run_on: Runner, photos: Path, quiet: tuple[ResultRecord, Path], tmp_path: Path, damage: str
) -> None:
    output = tmp_path / "out"
    shutil.copytree(quiet[1], output)
    (chunk,) = output.glob("ledger/*/*/*.parquet")
    data = chunk.read_bytes()
    match damage:
        case "truncated":
            chunk.write_bytes(data[: len(data) // 2])
        case "a byte flipped":
            chunk.write_bytes(data[:900] + bytes([data[900] ^ 0xFF]) + data[901:])
        case "gone":
            chunk.unlink()
        case "another run's":
            run_on(photos / "hopper", tmp_path / "other")
            shutil.copy(*(tmp_path / "other").glob("ledger/*/*/*.parquet"), chunk)
    assert run_on(photos, output).mean == quiet[0].mean
    assert face(output) == face(quiet[1])
    assert embeddings(output).tobytes() == embeddings(quiet[1]).tobytes()


def test_another_collection_is_refused_in_the_same_folder(run_on: Runner, photos: Path, tmp_path: Path) -> None:
    run_on(photos / "hopper", tmp_path)
    before = (tmp_path / "result.json").read_bytes()
    with pytest.raises(Conflict, match="holds a run over other photos or settings"):
        run_on(photos / "collins", tmp_path)
    with pytest.raises(Conflict, match="holds a run over other photos or settings"):
        run_on(photos / "hopper", tmp_path, faces=FacesPolicy.ALL)
    assert (tmp_path / "result.json").read_bytes() == before


def test_too_many_failures_end_the_run_if_the_settings_require_it(run_on: Runner, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(TooManyFailures, match=r"2 of 9 photos failed, .*max_failed_fraction=0.2.*2 undecodable"):
        run_on(photos, tmp_path, max_failed_fraction=0.2)
    assert "page.jpg" in (tmp_path / "failures.csv").read_text()
    assert run_on(photos, tmp_path, max_failed_fraction=0.25).photos == PHOTOS


def test_the_allowed_fraction_of_failures_is_exact(run_on: Runner, portrait_files: list[Path], tmp_path: Path) -> None:
    """29 of 100 are 0.29 of them; as floats 0.29 * 100 < 29."""
    folder = tmp_path / "photos"
    folder.mkdir()
    shutil.copy(portrait_files[0], folder / "face.jpg")
    for number in range(70):
        Image.new("RGB", (8, 8)).save(folder / f"{number}.png")
    for number in range(29):
        (folder / f"{number}.jpg").touch()
    assert run_on(folder, tmp_path / "out", max_failed_fraction=0.29).outcomes["undecodable"] == 29


@pytest.mark.usefixtures("unprivileged")
def test_photos_without_permission_are_in_the_ledger_and_can_fail_the_run(
    run_on: Runner, photos: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    for name in ("open", "closed", "one"):
        shutil.copytree(photos / "hopper", data / name)
    (data / "closed").chmod(0)
    (data / "one" / "0.jpg").chmod(0)
    result = run_on(data, tmp_path / "out")
    assert (result.outcomes["ok"], result.outcomes["unreadable"]) == (5, 2)
    rows = pq.read_table(tmp_path / "out" / "ledger").to_pylist()
    assert {row["photo"]: row["detail"] for row in rows if row["outcome"] == "unreadable"} == {
        "closed": "the folder cannot be listed: Permission denied",
        "one/0.jpg": "cannot be read: Permission denied",
    }
    with pytest.raises(TooManyFailures, match="2 unreadable"):
        run_on(data, tmp_path / "strict", max_failed_fraction=0)


def test_without_photos_or_faces_there_is_no_mean(run_on: Runner, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    shutil.copy(photos / "notes.txt", tmp_path / "data")
    with pytest.raises(EmptyDataset, match=r"no photo in it. Passed over: sidecar and text files: 1 \('notes.txt'\)"):
        run_on(tmp_path / "data", tmp_path / "out")
    shutil.copy(photos / "nobody.png", tmp_path / "data")
    with pytest.raises(NoFaceFound, match=r"no face in any of 1 photos: 1 no face; check .* larger than 40 pixels"):
        run_on(tmp_path / "data", tmp_path / "out")


def test_a_refusal_names_the_most_common_reason_and_the_file_of_failures(run_on: Runner, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    whole = io.BytesIO()
    Image.new("RGB", (64, 64)).save(whole, "png")
    for number in range(5):
        (tmp_path / "data" / f"{number}.png").write_bytes(whole.getvalue()[: 40 + number])
    (tmp_path / "data" / "empty.jpg").touch()
    for most, refusal in ((1.0, NoFaceFound), (0.5, TooManyFailures)):
        output = tmp_path / f"out-{most}"
        with pytest.raises(refusal) as refused:
            run_on(tmp_path / "data", output, max_failed_fraction=most)
        with (output / "failures.csv").open() as file:
            details = [row["detail"] for row in csv.DictReader(file)]
        reason, often = Counter(details).most_common(1)[0]
        assert len(details) == 6
        assert f"6 undecodable, most often {reason!r} ({often})" in str(refused.value)
        assert f"; {output}/failures.csv lists them" in str(refused.value)


def test_one_face_has_a_mean_and_no_spread(run_on: Runner, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    shutil.copy(photos / "collins" / "0.jpg", tmp_path / "data")
    result = run_on(tmp_path / "data", tmp_path / "out")
    assert result.mean == embeddings(tmp_path / "out")[0].astype(float).tolist()
    assert result.standard_error is None


# the stages one by one


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run("test", MemoryState("test"), Storage(str(tmp_path / "out")))


@pytest.fixture
def embed_one(workers_for: Callable[[Settings], Workers]) -> Embed:
    return lambda run, partition: embed(run, partition, workers_for(run.manifest().settings))


def test_photos_that_change_after_the_plan_are_unreadable(
    photos: Path, run: Run, embed_one: Embed, tmp_path: Path
) -> None:
    data = shutil.copytree(photos, tmp_path / "data")
    plan(run, Settings(dataset=str(data)))
    (data / "hopper" / "0.jpg").unlink()
    (data / "hopper" / "1.jpg").write_bytes(b"other")
    embed_one(run, 0)
    result = reduce(run)
    assert (result.outcomes["ok"], result.outcomes["unreadable"]) == (4, 2)
    told = json.loads(statefields.failures(run.state)[0])
    assert {(name, outcome) for name, outcome, _ in told["failures"]} >= {("hopper/0.jpg", "unreadable")}
    assert (len(told["failures"]), told["more"]) == (sum(result.outcomes[one] for one in FAILED), 0)
    assert json.loads(statefields.progress(run.state)[0])["failures_named"] == len(told["failures"])
    failures = (tmp_path / "out" / "failures.csv").read_text()
    assert "hopper/0.jpg,unreadable,gone since the plan" in failures
    assert 'hopper/1.jpg,unreadable,"changed since the plan' in failures


def test_a_run_is_planned_once(photos: Path, run: Run) -> None:
    settings = Settings(dataset=str(photos))
    assert plan(run, settings) == plan(run, settings)
    with pytest.raises(Conflict, match="partition_size=1000 then, 3 now"):
        plan(run, Settings(dataset=str(photos), partition_size=3))


def test_reduce_names_the_partitions_that_are_missing(photos: Path, run: Run, embed_one: Embed) -> None:
    plan(run, Settings(dataset=str(photos), partition_size=2))
    embed_one(run, 1)
    with pytest.raises(IncompleteRun, match=r"5 of 6 partitions are not committed: 0, 2-5"):
        reduce(run)


def test_a_committed_partition_is_not_embedded_again(photos: Path, run: Run, embed_one: Embed, tmp_path: Path) -> None:
    plan(run, Settings(dataset=str(photos)))
    embed_one(run, 0)
    before = {file: file.stat().st_mtime_ns for file in tmp_path.glob("out/ledger/*/*/*")}
    with Workers(1, run.manifest().settings) as workers:
        embed(run, 0, workers)
        assert not workers._workers
    assert {file: file.stat().st_mtime_ns for file in tmp_path.glob("out/ledger/*/*/*")} == before != {}


def test_no_worker_is_started_for_photos_that_cannot_be_read(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "dangling.jpg").symlink_to("gone.jpg")
    (folder / "large.jpg").write_bytes(bytes(101))
    plan(run, Settings(dataset=str(folder), max_bytes=100))
    with Workers(1, run.manifest().settings) as workers:
        embed(run, 0, workers)
        assert not workers._workers
    (file,) = tmp_path.glob("out/ledger/*/*/*")
    assert Chunk.from_parquet(file.read_bytes()).outcomes() == {Outcome.UNREADABLE: 1, Outcome.TOO_LARGE: 1}


def test_reduce_names_a_missing_ledger(photos: Path, run: Run, embed_one: Embed, tmp_path: Path) -> None:
    plan(run, Settings(dataset=str(photos)))
    embed_one(run, 0)
    shutil.rmtree(tmp_path / "out" / "ledger")
    with pytest.raises(DamagedRecord, match="is missing, although partition 0 is committed: embed it again"):
        reduce(run)


def test_a_run_that_was_not_planned_cannot_be_embedded(photos: Path, run: Run, embed_one: Embed) -> None:
    with pytest.raises(UsageError, match="is not planned, or its plan has expired"):
        embed_one(run, 0)
    plan(run, Settings(dataset=str(photos)))
    with pytest.raises(UsageError, match="has partitions 0 to 0, but no partition 1"):
        embed_one(run, 1)


def test_another_programs_embeddings_do_not_mix(
    photos: Path, run: Run, embed_one: Embed, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan(run, Settings(dataset=str(photos)))
    monkeypatch.setattr("meanface.embedder.recipe.version", lambda _: "0.0")
    with pytest.raises(Conflict, match="use the same image for every stage"):
        embed_one(run, 0)
