"""Reduce: every partition's commit to one result, and that of the run's series."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

import structlog

from meanface import chipfiles, report
from meanface.chipfiles import KeptChips
from meanface.chips import png
from meanface.commit import Commit
from meanface.contribution import Contribution, Head
from meanface.detector import DetectorChoice
from meanface.errors import Conflict, DamagedRecord, IncompleteRun, NoFaceFound, StorageUnavailable, TooManyFailures
from meanface.manifest import Manifest
from meanface.moments import Moments
from meanface.outcome import Outcome
from meanface.report import Throughput
from meanface.result import PartitionCounts, Result, SeriesSummary, figures, mean_npy, moments_npz, versions
from meanface.run import Run
from meanface.series import Series
from meanface.settings import EmbedderName, Labels
from meanface.study import study
from meanface.tables import label_means, label_sums, write_failures
from meanface.thumbnails import thumbnails
from meanface.workers import Workers

log = structlog.get_logger(__name__)


def reduce(run: Run, workers: Workers | None = None) -> Result:
    """The run's result: merged, checked, written to storage, and kept in the store.

    Parameters
    ----------
    workers
        that run already under the run's settings, for the report's thumbnails; if not given, one is started

    Raises
    ------
    IncompleteRun
        naming the partitions that are not committed
    DamagedRecord
        if a commit or a ledger chunk is not what it should be
    Conflict
        if the run was planned again meanwhile, or its embeddings do not fit its series
    NoFaceFound, TooManyFailures
        if the photos do not allow a mean; `failures.csv` is there to look at
    """
    started = time.monotonic()
    manifest = run.manifest()
    files = run.plan_files(manifest)
    merged = _merged(run, manifest)
    moments, outcomes = merged.moments, merged.outcomes
    _still_planned(run, manifest)
    if not manifest.settings.face_pixels:
        _remove_pixels(run, manifest)
    artifacts = {"manifest": "manifest.json", "ledger": _below(manifest, "ledger"), "failures": "failures.csv"}
    with run.files.open_output("failures.csv") as output:
        write_failures(output, files, [manifest.partitions[index] for index in merged.failing])
    _check_failures(manifest, outcomes)
    series = _added_to_series(run, manifest, merged)
    if not moments.count:
        raise NoFaceFound(f"no face in any of {manifest.photos:,} photos: {_counts(outcomes)}")

    labels = None
    if manifest.settings.labels is not Labels.NONE:
        labels = label_sums(files, manifest.partitions)
        artifacts["label_means"] = "label_means.parquet"
        run.files.write("label_means.parquet", label_means(labels))
    mean_face = None
    if manifest.settings.face_pixels:
        mean_face = png(chipfiles.merged(files, merged.chips).mean())
        artifacts |= {"mean_face": "mean_face.png", "chips": _below(manifest, "chips")}
        run.files.write("mean_face.png", mean_face)
    artifacts |= {"mean": "mean.npy", "moments": "moments.npz", "report": "report.html"}
    run.files.write("mean.npy", mean_npy(moments))
    run.files.write("moments.npz", moments_npz(moments))
    found = study(files, manifest.partitions, moments, labels)
    result = Result(
        run=run.name,
        dataset=manifest.source.url,
        recipe=manifest.recipe,
        fingerprint=manifest.fingerprint,
        partitions=PartitionCounts(total=len(manifest.partitions), reused=merged.reused),
        series=series,
        settings=manifest.settings.model_dump(mode="json"),
        versions=versions(_detector(run, manifest)),
        artifacts=artifacts | {"result": "result.json"},
        location=run.files.url,
        warnings=list(manifest.source.warnings),
        timings={"embed_seconds": round(merged.seconds, 3), "reduce_seconds": round(time.monotonic() - started, 3)},
        statistics=found.statistics,
        **figures(outcomes, moments),
    )
    pictures = thumbnails(run, manifest, found.faces(), workers)
    material = report.Material(result, moments, found.failures, merged.throughput, mean_face, pictures)
    run.files.write("report.html", report.html(material).encode())
    run.files.write("result.json", result.to_json().encode())
    run.store.put_result(result.model_copy(update={"statistics": None}).to_json(), manifest.content_digest())
    _remove_earlier_plans(run, manifest)
    counts = result.partitions
    log.info("reduced", run=run.name, photos=result.photos, faces=result.faces, **counts.model_dump())
    return result


@dataclass
class _Merged:
    """All partitions' commits together."""

    moments: Moments = field(default_factory=Moments.zero)
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    seconds: float = 0.0
    failing: list[int] = field(default_factory=list)
    """partitions with failed photos"""
    reused: int = 0
    """partitions whose whole ledger was taken from other runs"""
    throughput: list[Throughput] = field(default_factory=list)
    chips: list[KeptChips] = field(default_factory=list)
    """of the partitions, where pixels are kept"""

    def add(self, commit: Commit) -> None:
        head = commit.head
        self.moments += commit.moments
        self.outcomes.update(head.outcomes)
        self.seconds += head.seconds
        photos, taken = sum(head.outcomes.values()), sum(head.reused.values())
        self.reused += taken == photos
        self.throughput.append(Throughput(head.partition, photos, photos - taken - head.photos_resumed, head.seconds))
        if any(outcome.failed for outcome in head.outcomes):
            self.failing.append(head.partition)
        if head.chips is not None:
            self.chips.append(KeptChips(head.partition, head.chips, commit.moments.count))


def _merged(run: Run, manifest: Manifest) -> _Merged:
    everything = range(len(manifest.partitions))
    missing = sorted(set(everything) - run.store.committed())
    if missing:
        raise IncompleteRun(
            f"run {run.name}: {len(missing)} of {len(everything)} partitions are not committed: {_ranges(missing)}"
        )
    merged = _Merged()
    for partition, record in run.store.records(everything):
        commit = Commit.from_bytes(record)
        if commit.head.partition != partition:
            raise DamagedRecord(f"commit of partition {partition} says it is of partition {commit.head.partition}")
        commit.check(manifest)
        merged.add(commit)
    return merged


def _detector(run: Run, manifest: Manifest) -> DetectorChoice:
    """Who found the faces: the reference embedder asks dlib, whatever was chosen."""
    return DetectorChoice.DLIB if manifest.settings.embedder is EmbedderName.FACE_RECOGNITION else run.detector


def _still_planned(run: Run, manifest: Manifest) -> None:
    """Refuse to write over the files of another plan, which has come in this one's place meanwhile."""
    if run.manifest() != manifest:
        raise Conflict(f"run {run.name} was planned again while it was reduced: reduce it again when it is embedded")


def _added_to_series(run: Run, manifest: Manifest, merged: _Merged) -> SeriesSummary | None:
    """What the run's series is with this run; also a run without a face counts, by its photos."""
    place = manifest.series
    if place is None or run.shared is None:
        return None
    head = Head(
        series=place.name,
        interval=place.interval,
        run=run.name,
        recipe=manifest.recipe,
        fingerprint=manifest.fingerprint,
        dataset=manifest.source.url,
        photos=manifest.photos,
        outcomes=dict(sorted(merged.outcomes.items())),
        faces=merged.moments.count,
    )
    result = Series(run.shared, place.name).add(Contribution(head, merged.moments))
    return result.summary(place.interval) if result else None


def _remove_earlier_plans(run: Run, manifest: Manifest) -> None:
    """Lists, ledger, sums of plans that this one has replaced; from now on, what they had in common is in its own."""
    if not manifest.folder:
        return
    plans = [f"plans/{name}" for name in run.files.list("plans")]
    for folder in {"ledger", "manifest", "chips", *plans} - {manifest.folder}:
        try:
            run.files.remove(folder)
        except StorageUnavailable as refused:
            log.warning("files of an earlier plan are still there", folder=folder, reason=str(refused))


def _remove_pixels(run: Run, manifest: Manifest) -> None:
    """What a run with pixels has left where this one, without them, takes its place."""
    run.files.remove("mean_face.png")
    run.plan_files(manifest).remove("chips")


def _below(manifest: Manifest, folder: str) -> str:
    return f"{manifest.folder}/{folder}" if manifest.folder else folder


def _check_failures(manifest: Manifest, outcomes: Counter[Outcome]) -> None:
    failed = sum(count for outcome, count in outcomes.items() if outcome.failed)
    allowed = manifest.settings.max_failed_fraction
    if failed > allowed * manifest.photos:
        raise TooManyFailures(
            f"{failed:,} of {manifest.photos:,} photos failed ({_counts(outcomes)}), more than "
            f"max_failed_fraction={allowed:g}; failures.csv names them"
        )


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
