"""Statistics of complete runs: independent of partitions, equal to NumPy's, and named if they are missing."""

from __future__ import annotations

import io
from collections import Counter
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from meanface.dataset.refs import PhotoRef
from meanface.errors import DamagedRecord
from meanface.ledger.chunk import Chunk
from meanface.outcome import Outcome
from meanface.pipeline import reduce
from meanface.results import duplicates, scan
from meanface.results.result import ResultRecord
from meanface.results.scan import CommitTotals, FaceScan, LedgerScan, scan_ledger
from meanface.results.tables import failure_rows
from meanface.stats.exact_sum import ExactSum
from meanface.stats.models import Distances, FaceDistance, Statistics
from meanface.stats.moments import Moments
from meanface.workers.prefetch import PhotoBytes
from synthetic import embedded, embeddings, run_on, studied, vectors_in, write

PEOPLE = 7


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 photos of seven people: most with a face, some with two, none or broken; copies, and one that is almost."""
    rows = embeddings(600)
    content: dict[str, bytes | np.ndarray] = {
        f"person {n % PEOPLE}/{n:03}.jpg": rows[[n] if n % 10 else [n, 300 + n]] for n in range(280)
    }
    content |= {f"nobody/{n}.jpg": b"" for n in range(5)}
    content |= {f"broken/{n:03}.jpg": bytes([n % 250, n // 250]) for n in range(12)}
    content |= {
        "copies/1.jpg": rows[17:18],
        "copies/2.jpg": rows[17:18],
        "copies/3.jpg": rows[23:24] + np.float32(1e-4),
    }
    return write(tmp_path_factory.mktemp("vectors"), content)


@pytest.fixture(scope="module")
def quiet(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[ResultRecord, Path]:
    output = tmp_path_factory.mktemp("quiet")
    return run_on(photos, output, faces="all", labels="parent_folder"), output


def statistics(quiet: tuple[ResultRecord, Path]) -> Statistics:
    found = quiet[0].statistics
    assert found is not None
    return found


def faces_of(photos: Path) -> dict[tuple[str, int], np.ndarray]:
    """Every embedding by photo and place in it, in the manifest's order."""
    files = sorted((str(file.relative_to(photos)), file) for file in photos.rglob("*.jpg"))
    return {
        (name, index): row.astype(float)
        for name, file in files
        if len(file.read_bytes()) % 512 == 0
        for index, row in enumerate(np.frombuffer(file.read_bytes(), np.float32).reshape(-1, 128))
    }


@pytest.mark.parametrize("partition_size", [11, 37, 256])
@pytest.mark.parametrize("sample", [scan.SAMPLE, 50], ids=["all", "sample"])
def test_no_partitioning_changes_a_bit(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, partition_size: int, sample: int
) -> None:
    """Of all faces or of a sample; robust centres, nearest and farthest faces, duplicates, labels and the rest."""
    monkeypatch.setattr(scan, "SAMPLE", sample)
    settings = {"faces": "all", "labels": "parent_folder"}
    whole = studied(photos, tmp_path / "whole", **settings)
    parts = studied(photos, tmp_path / "parts", partition_size=partition_size, **settings)
    assert whole == parts
    robust = whole[0].robust
    assert robust is not None
    assert (robust.faces, robust.sample_step) == ((45, 7) if sample == 50 else (311, 1))


def test_nearest_and_farthest_are_numpys(photos: Path, quiet: tuple[ResultRecord, Path]) -> None:
    faces, mean = faces_of(photos), np.array(quiet[0].mean)
    distances = {at: np.linalg.norm(row - mean) for at, row in faces.items()}
    order = sorted(distances, key=lambda at: distances[at])  # stable: ties by place
    found = statistics(quiet).distances
    assert found is not None
    assert [(face.photo, face.face) for face in found.nearest] == order[:12]
    assert {(face.photo, face.face) for face in found.farthest} == set(order[-12:])
    farthest = sorted((distances[at] for at in order[-12:]), reverse=True)
    assert [face.distance for face in found.farthest] == pytest.approx(farthest)
    assert sum(found.counts) + found.beyond == len(faces) == quiet[0].faces
    histogram, _ = np.histogram(list(distances.values()), bins=len(found.counts), range=(0, 0.01 * len(found.counts)))
    assert found.counts == histogram.tolist()
    assert (found.minimum, found.maximum) == pytest.approx((min(distances.values()), max(distances.values())))


def test_equal_distances_are_ordered_by_place(tmp_path: Path) -> None:
    """Each corner is as far from the mean as any other."""
    corners = np.concatenate([np.eye(128), -np.eye(128)]).astype(np.float32)
    photos = write(tmp_path / "photos", {f"{n:03}.jpg": row for n, row in enumerate(corners)})
    found, _ = studied(photos, tmp_path / "out", partition_size=50)
    assert found.distances is not None
    assert [face.position for face in found.distances.nearest] == list(range(12))
    assert [face.position for face in found.distances.farthest] == list(range(12))


def test_variances_are_the_eigenvalues_of_the_covariance(photos: Path, quiet: tuple[ResultRecord, Path]) -> None:
    rows = np.array(list(faces_of(photos).values()))
    assert statistics(quiet).variances == pytest.approx(np.linalg.eigvalsh(np.cov(rows.T))[::-1], abs=1e-8)


def test_duplicates_are_named(quiet: tuple[ResultRecord, Path]) -> None:
    found = statistics(quiet).duplicates
    assert found is not None
    assert [group.photos for group in found.identical] == [
        [f"nobody/{n}.jpg" for n in range(5)],
        ["copies/1.jpg", "copies/2.jpg", "person 3/017.jpg"],
    ]
    assert (found.identical_groups, found.identical_photos) == (2, 8)
    assert ("copies/3.jpg", "person 2/023.jpg") in [pair.photos for pair in found.close]
    assert found.photos_compared == 300


def test_neighbours_of_a_sample_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies that are saved beside their photos: of pairs of neighbours, both are drawn now and then."""
    monkeypatch.setattr(duplicates, "FACES_COMPARED", 60)
    rows = np.repeat(embeddings(61), 2, axis=0)[1:-1]
    rows[::2] += np.float32(1e-4)
    photos = write(tmp_path / "photos", {f"{n:03}.jpg": row for n, row in enumerate(rows)})
    found = studied(photos, tmp_path / "out")[0].duplicates
    assert found is not None
    assert (found.faces_compared, found.faces_step) == (60, 2)
    assert found.close_pairs


def test_result_json_has_statistics_and_the_state_has_not(photos: Path, tmp_path: Path) -> None:
    run, _ = embedded(photos, tmp_path)
    result = reduce(run)
    assert ResultRecord.parsed((tmp_path / "result.json").read_text(), "a result") == result
    stored = run.state.result() or ""
    assert ResultRecord.parsed(stored, "a result") == result.model_copy(update={"statistics": None})
    assert len(stored) < 20_000


def test_one_face_has_reasons_for_missing_statistics(tmp_path: Path) -> None:
    photos = write(tmp_path / "photos", {"a.jpg": embeddings(1)})
    found, _ = studied(photos, tmp_path / "out")
    assert (found.variances, found.labels) == (None, None)
    assert set(found.missing) == {"variances", "labels"}
    assert found.robust is not None
    assert found.robust.geometric_median.distance_to_mean == 0


def test_equal_faces_have_reasons_for_missing_statistics(tmp_path: Path) -> None:
    face = embeddings(1)
    photos = write(tmp_path / "photos", {f"{n}.jpg": face for n in range(40)})
    found, _ = studied(photos, tmp_path / "out", labels="parent_folder")
    assert "same embedding" in found.missing["variances"]
    assert found.duplicates is not None
    assert (found.duplicates.identical_photos, found.duplicates.close_pairs) == (40, 0)


def test_too_many_labels_cost_only_the_means_by_label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "MOST_LABELS", 3)
    faces = embeddings(4)
    few = write(tmp_path / "few", {f"{n % 3}/{n}.jpg": face for n, face in enumerate(faces)})
    many = write(tmp_path / "many", {f"{n}/{n}.jpg": face for n, face in enumerate(faces)})
    summary = [
        run_on(photos, tmp_path / "out" / photos.name, labels="parent_folder", partition_size=2)
        for photos in (few, many)
    ]
    assert summary[0].warnings == []
    assert "label_means" in summary[0].artifacts
    assert summary[1].statistics is not None
    assert summary[1].warnings == [summary[1].statistics.missing["labels"]]
    assert "too many" in summary[1].warnings[0]
    assert "label_means" not in summary[1].artifacts
    assert summary[0].mean == summary[1].mean


def test_a_samples_centres_are_compared_with_its_own_mean(
    photos: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The sample's mean is farther from the mean of all than its trimmed mean is from it: noise, and no skewness."""
    monkeypatch.setattr(scan, "SAMPLE", 50)
    found, _ = studied(photos, tmp_path / "out", faces="all")
    robust = found.robust
    assert robust is not None
    rows = np.array(list(faces_of(photos).values())).astype(np.float32)
    strata, places = np.divmod(np.arange(len(rows), dtype=np.uint64), np.uint64(7))
    sample = rows[places == scan._mixed(strata) % np.uint64(7)].astype(float)
    assert len(sample) == robust.faces
    for centre in (robust.trimmed_mean, robust.geometric_median):
        distance = np.linalg.norm(centre.value - sample.mean(axis=0))
        assert centre.distance_to_mean == pytest.approx(distance)
        assert distance < np.linalg.norm(sample.mean(axis=0) - rows.mean(axis=0)) / 2


def test_a_damaged_ledger_is_refused_by_name(tmp_path: Path) -> None:
    faces = write(tmp_path / "photos", {f"{n}.jpg": row for n, row in enumerate(embeddings(30))})
    run, _ = embedded(faces, tmp_path / "out", partition_size=10)
    (chunk,) = (tmp_path / "out" / "ledger").glob("*/00001/00000.parquet")
    chunk.write_bytes(b"PAR1")
    with pytest.raises(DamagedRecord, match=r"00001/00000\.parquet: .*embed partition 1 again"):
        reduce(run)
    assert not {"failures.csv", "result.json"} & {path.name for path in (tmp_path / "out").iterdir()}


def test_the_sample_has_one_face_of_each_stratum() -> None:
    """And not always the same one, as of photos with a period it would be of the same kind."""
    rows = embeddings(1000)
    table = Chunk.of(
        0,
        [PhotoRef(f"{n:04}.jpg", 512) for n in range(1000)],
        [vectors_in(PhotoBytes(n, "", row.tobytes(), sha256(row.tobytes()).digest())) for n, row in enumerate(rows)],
        [None] * 1000,
    ).table
    for cuts in ([0, 1000], [0, 1, 13, 500, 1000]):
        found = FaceScan(rows.mean(axis=0), 150_000)
        found.step = 8
        for start, stop in pairwise(cuts):
            chunk = Chunk(table.slice(start, stop - start))
            found.add(chunk.embeddings(), chunk.table)
        faces, positions, *_ = found.sample()
        assert (faces == rows[positions]).all()
        assert (positions // 8).tolist() == list(range(125))
        assert len(set(positions % 8)) == 8


@pytest.mark.parametrize("committed", [29, 31])
def test_a_ledger_with_other_faces_than_are_committed_is_refused(committed: int, tmp_path: Path) -> None:
    faces = write(tmp_path / "photos", {f"{n}.jpg": row for n, row in enumerate(embeddings(30))})
    run, manifest = embedded(faces, tmp_path / "out")
    files, totals = (
        run.plan_files(manifest),
        CommitTotals(Counter({Outcome.OK: 30}), ExactSum.of(embeddings(committed))),
    )
    with (
        failure_rows(io.BytesIO()) as rows,
        pytest.raises(DamagedRecord, match=r"1 of 1 partition ledgers .* do not match"),
    ):
        scan_ledger(files, manifest, [totals], LedgerScan(Moments.of(embeddings(committed)), rows, labels=False))


def at(distance: float) -> FaceDistance:
    return FaceDistance(position=0, face=0, photo="", label=None, distance=distance)


def test_quantiles_and_fractions_of_a_distribution() -> None:
    """Four faces in [0, 1), none in [1, 2), six in [2, 3), of which the farthest is at 2.9; none beyond."""
    found = Distances(
        bin_width=1, counts=[4, 0, 6], beyond=0, minimum=0.1, maximum=2.9, nearest=[at(0.1)], farthest=[at(2.9)]
    )
    assert found.quantile(0.2) == pytest.approx(0.5)
    assert found.quantile(0.7) == pytest.approx(2.5)
    assert (found.quantile(0), found.quantile(1)) == pytest.approx((0.1, 2.9))
    assert [found.fraction_within(d) for d in (0, 0.5, 1.5, 2.5, 3, 99)] == pytest.approx([0, 0.2, 0.4, 0.7, 1, 1])
    far = found.model_copy(update={"beyond": 10, "maximum": 7})
    assert [far.fraction_within(d) for d in (0.05, 2.9, 6.9, 7)] == pytest.approx([0, 0.47, 0.5, 1], abs=0.01)
