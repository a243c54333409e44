"""`meanface identify`: the nearest labels of every face of any dataset, and an account of all other photos."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from meanface.cli.identified_lines import identified_lines
from meanface.dataset.network_policy import PUBLIC, NetworkPolicy
from meanface.errors import (
    Conflict,
    DamagedRecord,
    DatasetNotFound,
    OutputNotEmpty,
    SettingsError,
    UsageError,
)
from meanface.outcome import Outcome
from meanface.pipeline import identify as module
from meanface.pipeline.identify import Identified, identify
from meanface.results.matches import MATCHES
from meanface.results.reader import Result
from meanface.settings import Settings
from meanface.storage import own_parquet
from meanface.storage.files import Storage
from synthetic import VectorWorkers, embeddings, rewrite_parquet, run_on, write

MEANFACE = [sys.executable, "-m", "meanface"]
LABELS = 40


@pytest.fixture(scope="module")
def a(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("a")
    rows = embeddings(120, 1)
    photos = write(folder / "photos", {f"{n % LABELS}/{n:03}.jpg": row for n, row in enumerate(rows)})
    run_on(photos, folder / "out", labels="parent_folder", faces="single", min_face=3)
    return folder / "out"


@pytest.fixture
def vectors(monkeypatch: pytest.MonkeyPatch) -> list[VectorWorkers]:
    """Photos hold their faces, as those of `synthetic`; the workers that read them."""
    made: list[VectorWorkers] = []

    def workers(*_: object) -> nullcontext[VectorWorkers]:
        made.append(VectorWorkers())
        return nullcontext(made[-1])

    monkeypatch.setattr(module, "Workers", workers)
    return made


def found(result: Path | Result, photos: Path, output: Path | None = None, **options: object) -> Identified:
    opened = result if isinstance(result, Result) else Result.at(str(result))
    address = None if output is None else str(output)
    return identify(opened, Settings.of(dataset=str(photos)), address, workers=1, **options)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With one face, two, none; broken; and a file that is no photo."""
    rows = embeddings(30, 77)
    content: dict[str, bytes | np.ndarray] = {f"{n:02}.jpg": rows[n] for n in range(20)}
    content |= {"two.jpg": rows[20:22], "nobody.jpg": b"", "0broken.jpg": b"<b>", "notes.txt": b"no photo"}
    content["stranger.jpg"] = rows[:1] + np.float32(1)
    return write(tmp_path_factory.mktemp("photos"), content)


def test_every_face_has_numpys_nearest_labels(
    a: Path, photos: Path, tmp_path: Path, vectors: list[VectorWorkers]
) -> None:
    """And its distance to the mean; photos without a face are in the table, too."""
    summary = found(a, photos, tmp_path / "matches.parquet", threshold=0.9)
    table = pq.read_table(tmp_path / "matches.parquet")
    assert table.schema.equals(MATCHES)
    rows = table.to_pylist()
    assert [row["photo"] for row in rows] == sorted(row["photo"] for row in rows)
    outcomes = {row["photo"]: row["outcome"] for row in rows}
    assert (outcomes["nobody.jpg"], outcomes["0broken.jpg"]) == ("no_face", "undecodable")
    assert (summary.photos, summary.faces) == (len(outcomes), 23) == (24, len([r for r in rows if r["label"]]))
    assert [row["face"] for row in rows if row["photo"] == "two.jpg"] == [0, 1]
    known = embeddings(120, 1).astype(float)
    means = {str(label): known[label::LABELS].mean(axis=0) for label in range(LABELS)}
    mean, distances = known.mean(axis=0), np.linalg.norm(known - known.mean(axis=0), axis=1)
    faces = {row["photo"]: row for row in rows if row["face"] == 0}
    for n, face in enumerate(embeddings(30, 77)[:20].astype(float)):
        row = faces[f"{n:02}.jpg"]
        expected = sorted((float(np.linalg.norm(face - means[label])), label) for label in means)
        assert [near["label"] for near in row["nearest"]] == [label for _, label in expected[:5]]
        assert [near["distance"] for near in row["nearest"]] == pytest.approx([away for away, _ in expected[:5]])
        assert {near["faces"] for near in row["nearest"]} == {3}
        assert row["distance"] == row["nearest"][0]["distance"]
        assert row["known"] == (row["distance"] <= 0.9)
        assert row["label"] == (expected[0][1] if row["known"] else "unknown")
        assert row["mean_distance"] == pytest.approx(np.linalg.norm(face - mean))
        assert row["mean_cosine"] == pytest.approx(face @ mean / np.linalg.norm(face) / np.linalg.norm(mean))
        within = np.mean(distances <= row["mean_distance"])
        assert row["fraction_within"] == pytest.approx(within, abs=0.06)  # one bin of the distribution
    assert faces["stranger.jpg"]["label"] == "unknown"
    assert summary.known == sum(row["known"] or False for row in rows)
    assert any("notes.txt" in sentence for sentence in summary.account)
    text = "\n".join(identified_lines(summary))
    assert "24 (1 no_face, 22 ok, 1 undecodable)" in text
    assert "(undecodable: no vectors in it)" in text
    assert text.endswith(f"output  {tmp_path}/matches.parquet")


def test_an_interrupted_command_continues(
    a: Path, photos: Path, tmp_path: Path, vectors: list[VectorWorkers], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was embedded is not embedded again; nor for another threshold; and a new photo is the only one that is."""
    matches = module.Matcher.table
    monkeypatch.setattr(module.Matcher, "table", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        found(a, photos, tmp_path / "m.parquet")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m-ledger"]
    monkeypatch.setattr(module.Matcher, "table", matches)
    found(a, photos, tmp_path / "m.parquet", threshold=0.1)
    before = pq.read_table(tmp_path / "m.parquet")
    again = found(a, photos, tmp_path / "m.parquet", threshold=20)
    assert [len(workers.asked) for workers in vectors] == [24, 0, 0]
    assert again.known == 23
    assert pq.read_table(tmp_path / "m.parquet")["nearest"].equals(before["nearest"])


@pytest.mark.long
def test_photos_that_are_added_are_the_only_ones_to_embed(
    a: Path, tmp_path: Path, vectors: list[VectorWorkers]
) -> None:
    some = write(tmp_path / "photos", {f"{n}.jpg": row for n, row in enumerate(embeddings(9))})
    found(a, some, tmp_path / "m.parquet")
    write(some, {"new.jpg": embeddings(1, 5)})
    assert found(a, some, tmp_path / "m.parquet").photos == 10
    assert [len(workers.asked) for workers in vectors] == [9, 1]
    assert len(list((tmp_path / "m-ledger" / "ledger").iterdir())) == 1  # that of the earlier plan is gone


def test_without_an_output_nothing_is_kept(
    a: Path, photos: Path, tmp_path: Path, vectors: list[VectorWorkers], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    summary = found(a, photos)
    assert (summary.output, summary.faces) == (None, 23)
    assert list(tmp_path.iterdir()) == []
    assert "--output keeps a table of all" in "\n".join(identified_lines(summary))


def test_files_of_others_are_not_touched(a: Path, photos: Path, tmp_path: Path, vectors: list[VectorWorkers]) -> None:
    pq.write_table(pa.table({"mine": [1]}), tmp_path / "mine.parquet")
    (tmp_path / "notes.parquet").write_text("mine")
    (tmp_path / "folder").mkdir()
    for name in ("mine.parquet", "notes.parquet", "folder"):
        with pytest.raises(OutputNotEmpty, match=f"{name} is not a table of matches"):
            found(a, photos, tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "mine.parquet", "notes.parquet"]
    with pytest.raises(SettingsError, match="is a folder: name a file"):
        identify(Result.at(str(a)), Settings.of(dataset=str(photos)), f"{tmp_path}/", workers=1)
    write(tmp_path / "m-ledger", {"mine.jpg": b""})
    with pytest.raises(OutputNotEmpty, match="m-ledger is not empty"):
        found(a, photos, tmp_path / "m.parquet")


def test_a_table_that_was_edited_is_not_replaced(
    a: Path, photos: Path, tmp_path: Path, vectors: list[VectorWorkers], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program may keep its metadata, and may write the same pages; one as meanface wrote it is replaced."""
    monkeypatch.setattr(own_parquet, "_PART", 1000)
    output = tmp_path / "m.parquet"
    for _ in range(2):
        found(a, photos, output)
    ours, table = output.read_bytes(), pq.read_table(output)
    names = ["my label" if name == "label" else name for name in table.column_names]
    for edited, keys in ((table.slice(1), {}), (table.rename_columns(names), {}), (table, {b"by": b"me"})):
        output.write_bytes(ours)
        rewrite_parquet(output, edited, keys)
        theirs = output.read_bytes()
        with pytest.raises(OutputNotEmpty, match=r"m\.parquet is not a table of matches as meanface wrote it: if you"):
            found(a, photos, output)
        assert output.read_bytes() == theirs


def test_a_table_of_an_earlier_version_is_not_replaced(
    a: Path, photos: Path, tmp_path: Path, vectors: list[VectorWorkers]
) -> None:
    """It has our key, but no digest, so an edit cannot be detected."""
    pq.write_table(MATCHES.empty_table().replace_schema_metadata({"meanface.matches": "1"}), tmp_path / "m.parquet")
    with pytest.raises(OutputNotEmpty, match="or an earlier version wrote it, move it away"):
        found(a, photos, tmp_path / "m.parquet")


def test_a_table_that_is_put_there_meanwhile_is_not_replaced(
    a: Path, photos: Path, tmp_path: Path, vectors: list[VectorWorkers]
) -> None:
    output = tmp_path / "m.parquet"
    with pytest.raises(OutputNotEmpty):
        found(a, photos, output, planned=lambda _: output.write_text("mine"))
    assert output.read_text() == "mine"


def test_the_ledger_is_of_one_dataset(a: Path, photos: Path, tmp_path: Path, vectors: list[VectorWorkers]) -> None:
    found(a, photos, tmp_path / "m.parquet")
    others = write(tmp_path / "others", {"1.jpg": embeddings(1)})
    with pytest.raises(Conflict, match="m-ledger holds a run over other photos"):
        found(a, others, tmp_path / "m.parquet")


def test_the_threshold_is_the_given_or_the_customary_one(
    a: Path, photos: Path, vectors: list[VectorWorkers], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert found(a, photos).threshold == 0.6
    assert found(a, photos, threshold=0.25).threshold == 0.25
    result = Result.at(str(a))
    assert result.summary.statistics is not None
    assert result.summary.statistics.recognition is not None
    assert result.summary.statistics.recognition.suggested is not None
    suggested = result.summary.statistics.recognition.suggested.threshold
    assert found(a, photos).suggested == suggested
    monkeypatch.setattr(module, "customary_threshold", lambda _: None)  # as of other models
    assert found(a, photos).threshold == suggested
    bare = result.summary.model_copy(update={"statistics": None})
    with pytest.raises(UsageError, match="give one with --threshold"):
        found(Result(result.files, bare, result.moments), photos)
    recognition = result.summary.statistics.recognition
    for none in (None, recognition.suggested.model_copy(update={"threshold": 0.0})):  # as earlier results have it
        without = recognition.model_copy(update={"suggested": none})
        statistics = result.summary.statistics.model_copy(update={"recognition": without})
        summary = result.summary.model_copy(update={"statistics": statistics})
        with pytest.raises(UsageError, match="suggests none: give one with --threshold"):
            found(Result(result.files, summary, result.moments), photos)


def test_a_result_without_labels_has_the_distance_to_its_mean(
    photos: Path, tmp_path: Path, vectors: list[VectorWorkers]
) -> None:
    rows = embeddings(50, 1)
    run_on(write(tmp_path / "in", {f"{n}.jpg": row for n, row in enumerate(rows)}), tmp_path / "out")
    summary = found(tmp_path / "out", photos, tmp_path / "m.parquet")
    assert (summary.threshold, summary.known) == (None, 0)
    (row,) = pq.read_table(tmp_path / "m.parquet").filter(pa.compute.field("photo") == "03.jpg").to_pylist()
    expected = np.linalg.norm(embeddings(30, 77)[3] - rows.astype(float).mean(axis=0))
    assert row["mean_distance"] == pytest.approx(expected)
    assert (row["label"], row["known"], row["nearest"], row["distance"]) == ("unknown", False, [], None)
    assert "no labels to find" in "\n".join(identified_lines(summary))


def test_another_recipe_is_reported(a: Path, photos: Path, vectors: list[VectorWorkers]) -> None:
    result = Result.at(str(a))
    other = Result(result.files, result.summary.model_copy(update={"recipe": "0" * 64}), result.moments)
    assert found(a, photos).same_recipe
    assert not found(other, photos).same_recipe
    assert "of other models or versions" in "\n".join(identified_lines(found(other, photos)))


def test_results_that_it_cannot_use(a: Path, photos: Path, tmp_path: Path, vectors: list[VectorWorkers]) -> None:
    """Of a series, of a version with other settings, with a table of labels that is none."""
    result = Result.at(str(a))
    series = Result(result.files, result.summary.model_copy(update={"settings": {}}), result.moments)
    with pytest.raises(UsageError, match="name a run of the series"):
        found(series, photos)
    later = result.summary.model_copy(update={"settings": result.summary.settings | {"glasses": "off"}})
    with pytest.raises(UsageError, match="another version"):
        found(Result(result.files, later, result.moments), photos)
    copy = Storage(str(tmp_path / "copy"))
    (chunk,) = a.glob("ledger/*/00000/00000.parquet")
    for damaged in (b"PAR1", chunk.read_bytes()):
        copy.write("label_means.parquet", damaged)
        with pytest.raises(DamagedRecord, match="label_means"):
            found(Result(copy, result.summary, result.moments), photos)
    copy.remove("label_means.parquet")
    with pytest.raises(DamagedRecord, match=r"label_means\.parquet is missing, .*: copy the file too"):
        found(Result(copy, result.summary, result.moments), photos)
    with pytest.raises(DatasetNotFound):
        found(a, tmp_path / "gone")


def test_output_escapes_terminal_controls(a: Path, tmp_path: Path, vectors: list[VectorWorkers]) -> None:
    name = "a\x1b[31m\x9b31m\u202egpj\u2066\U000e0041.jpg"
    photos = write(tmp_path / "photos", {name: b"", "ok.jpg": embeddings(1)})
    summary = found(a, photos)
    for text in ("\n".join(identified_lines(summary)), summary.to_json()):
        assert all(line.isprintable() for line in text.split("\n"))
        assert "\\u202egpj" in text
    assert json.loads(summary.to_json())["rows"][0]["photo"] == name


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A photo with one face behind HTTP; the address of its folder, on loopback."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    folder = write(tmp_path / "served", {"one.jpg": embeddings(1)})

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_photo_behind_http_is_reached_as_those_of_lists_are(
    a: Path, served: str, vectors: list[VectorWorkers]
) -> None:
    def near(name: str, network_policy: NetworkPolicy) -> Identified:
        address = Settings.of(dataset=f"{served}/{name}")
        return identify(Result.at(str(a)), address, workers=1, network_policy=network_policy)

    summary = near("one.jpg?size=a/b&token=secret", NetworkPolicy.of("dataset"))
    assert summary.outcomes == {Outcome.OK: 1}
    assert "secret" not in "\n".join(identified_lines(summary)) + summary.to_json()
    with pytest.raises(DatasetNotFound, match=r"one\.png' cannot be downloaded: the server answers HTTP 404"):
        near("one.png", NetworkPolicy.of("dataset"))
    with pytest.raises(SettingsError, match="loopback") as refused:
        near("one.jpg?token=secret", PUBLIC)
    assert "secret" not in str(refused.value)


@pytest.mark.long
def test_the_command(a: Path, tmp_path: Path, portrait_files: list[Path]) -> None:
    """As people and programs call it; the photos go through worker processes."""
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "hopper.jpg").write_bytes(portrait_files[0].read_bytes())
    (photos / "broken\x1b[31m.jpg").write_bytes(portrait_files[0].read_bytes()[:5000])

    def run(*words: object, expect: int = 0, **environment: str) -> str:
        command = [*MEANFACE, "identify", *map(str, words)]
        env = os.environ | environment
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200, env=env)
        assert done.returncode == expect, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout if expect == 0 else done.stderr

    text = run(a, photos, "--output", tmp_path / "m.parquet", "--workers", 1)
    assert re.search(r"^photos  2 \(1 ok, 1 undecodable\)$", text, re.MULTILINE)
    assert re.search(r"^broken\\x1b\[31m\.jpg +\(undecodable: \w", text, re.MULTILINE)
    assert len(pq.read_table(tmp_path / "m.parquet")) == 2
    summary = json.loads(run(a, photos / "hopper.jpg", "--json", "--threshold", 9, "--quiet"))
    assert (summary["faces"], summary["known"], summary["outcomes"]["ok"]) == (1, 1, 1)
    assert json.loads(run(a, photos, "--include", "hop*", "--json"))["photos"] == 1
    assert "DatasetNotFound" in run(a, tmp_path / "gone", expect=2)
    assert "holds no result" in run(tmp_path, photos, expect=2)
    assert "loopback" in run(a, "http://127.0.0.1:1/a.jpg", expect=2, MEANFACE_PRIVATE_ADDRESSES="refuse")
