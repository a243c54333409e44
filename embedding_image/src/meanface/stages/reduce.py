"""Reduce: every partition's commit to one result."""

from __future__ import annotations

import csv
import io
import time
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import structlog

from meanface import ledger, report
from meanface.commit import Commit
from meanface.errors import DamagedRecord, IncompleteRun, NoFaceFound, TooManyFailures
from meanface.ledger import CHUNK_PHOTOS, Chunk
from meanface.manifest import Manifest, Partition
from meanface.moments import DIMENSIONS, ExactSum, Moments
from meanface.outcome import Outcome
from meanface.result import Result, every_outcome, mean_npy, moments_npz, versions
from meanface.run import Run
from meanface.settings import Labels

log = structlog.get_logger(__name__)

LABEL_MEANS = pa.schema(
    [
        pa.field("label", pa.string(), nullable=False),
        pa.field("faces", pa.int64(), nullable=False),
        pa.field("mean", pa.list_(pa.float64(), DIMENSIONS), nullable=False),
    ]
)


def reduce(run: Run) -> Result:
    """The run's result: merged, checked, written to storage, and kept in the store.

    Raises
    ------
    IncompleteRun
        naming the partitions that are not committed
    DamagedRecord
        if a commit or a ledger chunk is not what it should be
    NoFaceFound, TooManyFailures
        if the photos do not allow a mean; `failures.csv` is there to look at
    """
    started = time.time()
    manifest = run.manifest()
    moments, outcomes, embed_seconds, failing = _merged(run, manifest)
    artifacts = {"manifest": "manifest.json", "ledger": "ledger", "failures": "failures.csv"}
    _write_failures(run, [manifest.partitions[index] for index in failing])
    _check_failures(manifest, outcomes)
    if not moments.count:
        raise NoFaceFound(f"no face in any of {manifest.photos:,} photos: {_counts(outcomes)}")

    if manifest.settings.labels is not Labels.NONE:
        artifacts["label_means"] = "label_means.parquet"
        run.files.write("label_means.parquet", _label_means(run, manifest))
    artifacts |= {"mean": "mean.npy", "moments": "moments.npz", "report": "report.html"}
    run.files.write("mean.npy", mean_npy(moments))
    run.files.write("moments.npz", moments_npz(moments))
    result = Result(
        run=run.name,
        dataset=manifest.source.url,
        photos=manifest.photos,
        outcomes=every_outcome(outcomes),
        photos_with_face=outcomes[Outcome.OK],
        faces=moments.count,
        mean=moments.mean().tolist(),
        mean_normalized=moments.mean_normalized().tolist() if any(moments.sums) else None,
        standard_error=moments.standard_error().tolist() if moments.count > 1 else None,
        fingerprint=manifest.fingerprint,
        settings=manifest.settings.model_dump(mode="json"),
        versions=versions(),
        artifacts=artifacts | {"result": "result.json"},
        location=run.files.url,
        warnings=list(manifest.source.warnings),
        timings={"embed_seconds": round(embed_seconds, 3), "reduce_seconds": round(time.time() - started, 3)},
    )
    run.files.write("report.html", report.html(result).encode())
    run.files.write("result.json", result.to_json().encode())
    run.store.put_result(result.to_json())
    log.info("reduced", run=run.name, photos=result.photos, faces=result.faces, partitions=len(manifest.partitions))
    return result


def _merged(run: Run, manifest: Manifest) -> tuple[Moments, Counter[Outcome], float, list[int]]:
    """Moments and outcomes of all partitions, the seconds they took together, and the partitions with failures."""
    everything = range(len(manifest.partitions))
    missing = sorted(set(everything) - run.store.committed())
    if missing:
        raise IncompleteRun(
            f"run {run.name}: {len(missing)} of {len(everything)} partitions are not committed: {_ranges(missing)}"
        )
    moments, outcomes, seconds, failing = Moments.zero(), Counter[Outcome](), 0.0, []
    for partition, record in run.store.records(everything):
        commit = Commit.from_bytes(record)
        if commit.head.partition != partition:
            raise DamagedRecord(f"commit of partition {partition} says it is of partition {commit.head.partition}")
        commit.check(manifest)
        moments += commit.moments
        outcomes.update(commit.head.outcomes)
        seconds += commit.head.seconds
        if any(outcome.failed for outcome in commit.head.outcomes):
            failing.append(partition)
    return moments, outcomes, seconds, failing


def _check_failures(manifest: Manifest, outcomes: Counter[Outcome]) -> None:
    failed = sum(count for outcome, count in outcomes.items() if outcome.failed)
    allowed = manifest.settings.max_failed_fraction
    if failed > allowed * manifest.photos:
        raise TooManyFailures(
            f"{failed:,} of {manifest.photos:,} photos failed ({_counts(outcomes)}), more than "
            f"max_failed_fraction={allowed:g}; failures.csv names them"
        )


def _chunks(run: Run, partition: Partition) -> Iterator[Chunk]:
    """The partition's ledger."""
    for number in range(-(-partition.photos // CHUNK_PHOTOS)):
        path = ledger.path(partition.index, number)
        try:
            yield Chunk.from_parquet(run.files.read(path))
        except FileNotFoundError:
            raise DamagedRecord(
                f"{run.files.url}/{path} is gone, though partition {partition.index} is committed"
            ) from None
        except DamagedRecord as damage:
            raise DamagedRecord(f"{run.files.url}/{path}: {damage}") from None


def _write_failures(run: Run, partitions: list[Partition]) -> None:
    """`failures.csv`: photo, outcome, detail of every failed photo; streamed."""
    with run.files.open_output("failures.csv") as output:
        text = io.TextIOWrapper(output, "utf-8", newline="")
        rows = csv.writer(text)
        rows.writerow(["photo", "outcome", "detail"])
        for partition in partitions:
            for chunk in _chunks(run, partition):
                columns = (chunk.photos()[name].to_pylist() for name in ("photo", "outcome", "detail"))
                rows.writerows(row for row in zip(*columns, strict=True) if Outcome(row[1]).failed)
        text.detach()


def _label_means(run: Run, manifest: Manifest) -> bytes:
    """`label_means.parquet`: label, faces, exact mean; streamed from the ledger, one exact sum per label in memory."""
    sums: dict[str, ExactSum] = {}
    for partition in manifest.partitions:
        for chunk in _chunks(run, partition):
            labels = [label or "" for label in chunk.face_labels()]
            for label, part in ExactSum.by_group(chunk.embeddings(), labels).items():
                sums[label] = sums.get(label, ExactSum.zero()) + part
    labels = sorted(sums)
    means = np.array([sums[label].mean() for label in labels]).reshape(-1)
    column = pa.FixedSizeListArray.from_arrays(pa.array(means), DIMENSIONS)
    output = io.BytesIO()
    table = {"label": labels, "faces": [sums[label].count for label in labels], "mean": column}
    pq.write_table(pa.table(table, schema=LABEL_MEANS), output, compression="zstd")
    return output.getvalue()


def _counts(outcomes: Counter[Outcome]) -> str:
    return ", ".join(f"{count:,} {outcome.value}" for outcome, count in sorted(outcomes.items()))


def _ranges(numbers: list[int]) -> str:
    """Numbers as people list them.

    >>> _ranges([0, 1, 2, 5])
    '0-2, 5'
    """
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts)
