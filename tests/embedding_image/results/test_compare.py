"""`meanface compare`, over real runs: what it says is so, to people and to programs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from meanface.cli.tables import comparison
from meanface.dataset.refs import UNKNOWN_SIZE
from meanface.errors import DamagedRecord, DatasetNotFound, SettingsError
from meanface.ledger.chunk import Chunk
from meanface.outcome import Outcome
from meanface.results.compare import Comparison, compare
from meanface.results.reader import Result
from synthetic import embeddings, run_on, write

MEANFACE = [sys.executable, "-m", "meanface"]


LABELS = 40


def written(folder: Path, rows: np.ndarray, **settings: object) -> Path:
    """The output of a run over these faces."""
    photos = write(folder / "photos", {f"{n % LABELS}/{n:03}.jpg": row for n, row in enumerate(rows)})
    run_on(photos, folder / "out", **settings)
    return folder / "out"


@pytest.fixture(scope="module")
def a(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("a"), embeddings(120, 1), labels="parent_folder")


def without_ledger(result: Path, folder: Path) -> Path:
    """A copy of the files that are needed to compare."""
    folder.mkdir(exist_ok=True)
    for name in ("result.json", "moments.npz", "label_means.parquet"):
        (folder / name).write_bytes((result / name).read_bytes())
    return folder


def compared(a: Path, b: Path) -> Comparison:
    return compare(Result.at(str(a)), Result.at(str(b)))


def test_equal_runs_have_equal_bits(a: Path, tmp_path: Path) -> None:
    b = written(tmp_path, embeddings(120, 1), labels="parent_folder", partition_size=7)
    found = compared(a, b)
    assert (found.same_fingerprint, found.same_bits, found.difference.distance) == (True, True, 0)
    assert set(found.differing()) == {"dataset", "partition_size"}
    assert "to the last bit" in found.verdict()
    assert found.warnings() == []


def test_one_fingerprint_with_other_bits_is_reported(a: Path, tmp_path: Path) -> None:
    """Names and sizes are those of A, the bytes are not."""
    b = written(tmp_path, embeddings(120, 2), labels="parent_folder")
    found = compared(a, b)
    assert (found.same_fingerprint, found.same_bits) == (True, False)
    assert "NOT the same bits" in found.verdict()


def test_means_that_differ_significantly_and_means_that_do_not(a: Path, tmp_path: Path) -> None:
    within = compared(a, written(tmp_path / "within", embeddings(90, 3)))
    beyond = compared(a, written(tmp_path / "beyond", embeddings(90, 3) + np.float32(0.02)))
    assert within.difference.significant is False
    assert "do not differ significantly" in within.verdict()
    assert beyond.difference.significant is True
    assert "The means differ significantly" in beyond.verdict()
    assert beyond.difference.distance > within.difference.distance
    assert any("independent" in warning for warning in beyond.warnings())
    assert within.shared_photos == 0


def test_labels_are_independent_if_there_are_labels(a: Path, tmp_path: Path) -> None:
    """Copies of every photo of B make its faces' noise smaller, and not its labels'."""
    rows = np.tile(embeddings(LABELS, 3) + np.float32(0.004), (6, 1))
    faces = compared(a, written(tmp_path / "faces", rows))
    labels = compared(a, written(tmp_path / "labels", rows, labels="parent_folder"))
    assert faces.difference.labels == (LABELS, None)
    assert labels.difference.labels == (LABELS, LABELS)
    assert labels.difference.expected > 1.2 * faces.difference.expected
    assert labels.difference.p > faces.difference.p
    assert any("faces as independent in B:" in warning for warning in faces.warnings())
    assert any("labels as independent in A (40) and B (40)" in warning for warning in labels.warnings())
    assert any("40 labels are in both" in warning for warning in labels.warnings())
    assert json.loads(labels.to_json())["difference"]["labels"] == [LABELS, LABELS]


def test_missing_or_damaged_label_means(a: Path, tmp_path: Path) -> None:
    """Missing in a copied folder, or of another result: refused, as faces of one label are not independent."""
    for name in ("result.json", "moments.npz"):
        (tmp_path / name).write_bytes((a / name).read_bytes())
    with pytest.raises(DamagedRecord, match=r"label_means\.parquet is missing, .*: copy the file too"):
        compared(a, tmp_path)
    other = written(tmp_path / "other", embeddings(90, 3), labels="parent_folder")
    (tmp_path / "label_means.parquet").write_bytes((other / "label_means.parquet").read_bytes())
    with pytest.raises(DamagedRecord, match="is of 90 faces, the result of 120"):
        compared(a, tmp_path)


def test_shared_photos_cause_a_warning(a: Path, tmp_path: Path) -> None:
    rows = np.concatenate([embeddings(120, 1)[:40], embeddings(60, 8)])
    found = compared(a, written(tmp_path, rows))
    assert found.shared_photos == 40
    assert any(warning.startswith("40 photos of A are in B") for warning in found.warnings())


def test_shared_photos_allow_only_a_significant_difference(a: Path, tmp_path: Path) -> None:
    """All but one of the photos are the same: the difference is that photo, and no noise is in it."""
    rows = embeddings(120, 1)
    found = compared(a, written(tmp_path / "most", np.concatenate([rows[:-1], embeddings(1, 8)])))
    assert found.difference.significant is False
    assert found.significant is None
    assert "is unknown: p" in found.verdict()
    assert json.loads(found.to_json())["difference"]["significant"] is None
    beyond = compared(a, written(tmp_path / "some", np.concatenate([rows[:30], rows[30:] + np.float32(0.05)])))
    assert beyond.shared_photos == 30
    assert beyond.significant is True


def test_the_legitimate_reason_of_other_bits(a: Path, tmp_path: Path) -> None:
    """Photos that could not be read, which results record."""
    other = compared(a, written(tmp_path, embeddings(120, 2), labels="parent_folder"))

    def verdict(**summary: object) -> str:
        b = other.b.model_copy(update=summary)
        return replace(other, b=b).verdict()

    assert "NOT the same bits" in verdict()
    assert "unreadable or crashed" in verdict(outcomes={Outcome.OK: 119, Outcome.UNREADABLE: 1})


def test_photos_behind_addresses_may_have_changed(a: Path, tmp_path: Path) -> None:
    """Their sizes are unknown, so only names count; without a ledger the sizes are unknown, too."""

    class Addresses(Result):
        def chunks(self) -> Iterator[Chunk]:
            for chunk in super().chunks():
                place = chunk.table.schema.get_field_index("bytes")
                sizes = pa.array([UNKNOWN_SIZE] * len(chunk.table), pa.int64())
                yield replace(chunk, table=chunk.table.set_column(place, "bytes", sizes))

    b = written(tmp_path / "b", embeddings(120, 2), labels="parent_folder")
    behind = compare(Addresses.at(str(a)), Addresses.at(str(b))).verdict()
    assert "photos behind addresses may have changed, as only their names count" in behind
    assert "an error" not in behind
    bare = without_ledger(a, tmp_path / "bare a")
    assert compared(bare, without_ledger(b, tmp_path / "bare b")).verdict() == behind
    assert "an error" in compared(bare, b).verdict()  # one ledger has the sizes


def test_no_credentials_are_printed(a: Path) -> None:
    summary = Result.at(str(a)).summary
    secret = summary.model_copy(
        update={"settings": summary.settings | {"dataset": "https://me:secret@photos.example/a.tgz"}}
    )
    found = replace(compared(a, a), b=secret)
    assert "photos.example" in comparison(found)
    assert "secret" not in comparison(found) + found.to_json()


def test_results_without_their_ledger_can_be_compared(a: Path, tmp_path: Path) -> None:
    found = compared(a, without_ledger(a, tmp_path) / "result.json")
    assert found.same_bits
    assert found.shared_photos is None


def test_a_folder_that_is_no_result_is_refused(a: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFound, match="holds no result"):
        Result.at(str(tmp_path))
    (tmp_path / "moments.npz").write_bytes((a / "moments.npz").read_bytes())
    (tmp_path / "result.json").write_text('{"schema": 2}')
    with pytest.raises(DamagedRecord, match=r"result\.json"):
        Result.at(str(tmp_path))
    summary = json.loads((a / "result.json").read_text())
    (tmp_path / "result.json").write_text(json.dumps(summary | {"mean": [0.0] * 128}))
    with pytest.raises(DamagedRecord, match="does not match the mean"):
        Result.at(str(tmp_path))
    whole, vector = (a / "moments.npz").read_bytes(), (a / "mean.npy").read_bytes()
    for damaged in (b"PK", b"", vector, whole[:2000] + bytes(2000) + whole[4000:]):
        (tmp_path / "moments.npz").write_bytes(damaged)
        with pytest.raises(DamagedRecord, match=r"moments\.npz"):
            Result.at(str(tmp_path))


def test_output_escapes_terminal_controls(a: Path) -> None:
    """Colours and cursors by ESC or the C1 control CSI, lines turned around: as codes, in JSON the same text."""
    name = "a\x1b[31m\x9b31m\u202egpj\u2066\U000e0041.jpg"
    result = Result.at(str(a))
    summary = result.summary.model_copy(update={"settings": {**result.summary.settings, name: name}, "recipe": name})
    both = compare(result, Result(result.files, summary, result.moments))
    for text in (comparison(both), both.to_json()):
        assert all(line.isprintable() for line in text.split("\n"))
        assert "\\u202egpj" in text
    assert json.loads(both.to_json())["b"]["recipe"] == name


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("http://me:secret@127.0.0.1/result", "a result is read from a folder or a bucket"),
        ("simplecache::http://127.0.0.1/result", r"chained addresses \(::\)"),
        ("ftp://127.0.0.1/result", "connects to any host"),
    ],
)
def test_file_systems_that_connect_to_any_host_are_refused(address: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as refused:
        Result.at(address)
    assert "secret" not in str(refused.value)


@pytest.mark.long
def test_the_command(a: Path, tmp_path: Path) -> None:
    """As people and programs call it."""
    b = written(tmp_path, embeddings(90, 3))

    def run(*words: object) -> str:
        done = subprocess.run([*MEANFACE, *map(str, words)], capture_output=True, text=True, check=True, timeout=200)
        return done.stdout

    table = run("compare", a, b)
    assert table == comparison(compared(a, b)) + "\n"
    assert "120" in table
    summary = json.loads(run("compare", a, b / "result.json", "--json"))
    assert summary["difference"]["distance"] == compared(a, b).difference.distance
    assert (summary["a"]["faces"], summary["b"]["faces"]) == (120, 90)


def test_the_commands_refuse_with_an_exit_code(tmp_path: Path) -> None:
    done = subprocess.run(
        [*MEANFACE, "compare", str(tmp_path), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "holds no result" in done.stderr
    assert "Traceback" not in done.stderr
