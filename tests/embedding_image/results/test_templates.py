"""Templates: what NumPy computes of the ledger, the same bits in any partitioning, and read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from meanface.errors import DamagedRecord, UsageError
from meanface.results import held_labels, label_scan
from meanface.results.reader import Result
from meanface.results.templates import read_templates
from meanface.stats.trimmed import metrically_trimmed_mean
from synthetic import embeddings, run_on, write

PEOPLE = 9


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labels are spread over the photos, which are sorted by name; one label has one face, one a zero vector."""
    rows = embeddings(150, 3)
    content: dict[str, np.ndarray] = {
        f"{n:03}/person {n % PEOPLE}/a.jpg": rows[[n] if n % 10 else [n, 149 - n]] for n in range(140)
    }
    content |= {"200/alone/a.jpg": rows[140:141], "201/zero/a.jpg": np.zeros((1, 128), np.float32)}
    return write(tmp_path_factory.mktemp("vectors"), content)


@pytest.fixture(scope="module")
def output(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("output")
    run_on(photos, folder, faces="all", labels="parent_folder")
    return folder


def faces(output: Path) -> dict[str, list[tuple[str, int, np.ndarray]]]:
    """Photo, number and embedding of each label's faces."""
    found: dict[str, list[tuple[str, int, np.ndarray]]] = {}
    for chunk in sorted(output.glob("ledger/*/*/*.parquet")):
        for row in pq.read_table(chunk).to_pylist():
            face = np.array(row["embedding"], np.float32)
            found.setdefault(row["label"], []).append((row["photo"], row["face"], face))
    return found


def test_they_are_numpys(output: Path) -> None:
    templates, labels = read_templates(Result.at(str(output))), faces(output)
    assert list(templates) == sorted(labels)
    for label, found in templates.items():
        rows = np.array([face for *_, face in labels[label]])
        mean = rows.astype(float).mean(axis=0)
        distances = np.linalg.norm(rows - mean, axis=1)
        assert (found.label, found.faces) == (label, len(rows))
        assert found.mean == pytest.approx(mean, abs=1e-15)
        assert found.trimmed.tolist() == metrically_trimmed_mean(rows).tolist()
        assert found.mean_distance == pytest.approx(distances.mean(), abs=1e-9)
        assert found.largest_distance == pytest.approx(distances.max())
        worst = sorted(zip(-distances, labels[label], strict=True), key=lambda pair: pair[0])[:3]
        assert [(one.photo, one.face) for one in found.worst] == [(photo, face) for _, (photo, face, _) in worst]
        assert [one.distance for one in found.worst] == pytest.approx([-away for away, _ in worst])
        if label == "zero":
            assert found.normalized is None
        else:
            assert found.normalized == pytest.approx(mean / np.linalg.norm(mean))


@pytest.mark.long
@pytest.mark.parametrize(("held", "passes"), [(held_labels.HELD_BYTES, 1), (4 * 128 * 40, 5)])
def test_no_partitioning_and_no_memory_changes_a_byte(
    photos: Path, output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int, passes: int
) -> None:
    """The ledger is read once, or as often as it takes."""
    monkeypatch.setattr(held_labels, "HELD_BYTES", held)
    ended = []
    end = held_labels.HeldLabels.next_pass
    monkeypatch.setattr(held_labels.HeldLabels, "next_pass", lambda self: ended.append(1) or end(self))
    run_on(photos, tmp_path, faces="all", labels="parent_folder", partition_size=7)
    for name in ("label_means.parquet", "label_checks.csv"):
        assert (tmp_path / name).read_bytes() == (output / name).read_bytes(), name
    assert len(ended) == passes


@pytest.mark.long
def test_of_a_large_label_a_sample_is_held(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its trimmed mean is of the sample, all else of all faces; in any partitioning."""
    monkeypatch.setattr(held_labels, "LABEL_FACES", 6)
    for name, size in (("whole", 1000), ("parts", 11)):
        run_on(photos, tmp_path / name, faces="all", labels="parent_folder", partition_size=size)
    whole, parts = ((tmp_path / name / "label_means.parquet").read_bytes() for name in ("whole", "parts"))
    assert whole == parts
    templates = read_templates(Result.at(str(tmp_path / "whole")))
    for label, rows in faces(tmp_path / "whole").items():
        held = np.array([face for *_, face in rows])
        distances = np.linalg.norm(held - templates[label].mean, axis=1)
        assert templates[label].largest_distance == pytest.approx(max(distances))
        of_all = metrically_trimmed_mean(held)
        assert (templates[label].trimmed.tolist() == of_all.tolist()) == (len(rows) <= 6)


def test_results_without_templates(output: Path, photos: Path, tmp_path: Path) -> None:
    run_on(photos, tmp_path / "none")
    with pytest.raises(UsageError, match="has no templates: the run has no labels: set labels=parent_folder"):
        read_templates(Result.at(str(tmp_path / "none")))
    result = Result.at(str(output))
    table = (output / "label_means.parquet").read_bytes()
    try:
        pq.write_table(pq.read_table(output / "label_means.parquet").select(["label", "faces", "mean"]), tmp_path / "t")
        (output / "label_means.parquet").write_bytes((tmp_path / "t").read_bytes())
        assert result.label_means() is not None  # of an earlier release
        with pytest.raises(UsageError, match="earlier release"):
            read_templates(result)
        (output / "label_means.parquet").write_bytes(b"PAR1")
        with pytest.raises(DamagedRecord, match="label_means"):
            read_templates(result)
        (output / "label_means.parquet").unlink()
        with pytest.raises(DamagedRecord, match="is missing"):
            read_templates(result)
    finally:
        (output / "label_means.parquet").write_bytes(table)


def test_a_ledger_that_changes_while_it_is_read_is_refused(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = label_scan.LabelScan._add
    seen: list[int] = []

    def losing(self: label_scan.LabelScan, chunk: object, *, again: bool) -> None:
        seen.append(1)
        if len(seen) != 2:
            add(self, chunk, again=again)

    monkeypatch.setattr(label_scan.LabelScan, "_add", losing)
    with pytest.raises(DamagedRecord, match="changed while it was read"):
        run_on(photos, tmp_path, faces="all", labels="parent_folder", partition_size=20)
