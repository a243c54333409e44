"""Reduce: every partition's commit to one result, and that of the run's series."""

from __future__ import annotations

import re
import time
from collections import Counter

import structlog

from meanface.errors import Conflict, NoFaceFound, StorageUnavailable, TooManyFailures
from meanface.ledger import chip_sums
from meanface.ledger.cache import Catalog
from meanface.ledger.contribution import Contribution, ContributionHeader
from meanface.ledger.manifest import Manifest
from meanface.ledger.photo_labels import MOST_LABELS
from meanface.outcome import Outcome
from meanface.pipeline.merge import Merged, merge
from meanface.pipeline.plan_files import remove_chips, remove_plan
from meanface.pipeline.run import Run
from meanface.pipeline.series import Series
from meanface.pipeline.thumbnails import thumbnails
from meanface.results import report
from meanface.results.account import sentences
from meanface.results.reasons import Reasons
from meanface.results.result import (
    PartitionCounts,
    Result,
    SeriesSummary,
    figures,
    mean_npy,
    moments_npz,
    versions,
)
from meanface.results.statistics import NO_LABELS, study
from meanface.results.tables import label_means, label_sums, write_failures
from meanface.settings import Labels
from meanface.stats.chip_sum import png
from meanface.storage.layout import NOT_FINAL, RESULT_FILES
from meanface.storage.own_files import OwnFiles
from meanface.workers.pool import Workers

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
    own = OwnFiles(run.files)
    own.check(RESULT_FILES)
    _still_planned(run, manifest)
    if not manifest.settings.face_pixels:  # first, as the run may be refused
        _remove_pixels(run, manifest)
    merged = merge(run, manifest)
    moments, outcomes = merged.moments, merged.outcomes
    _remove_earlier_plans(run, manifest)
    artifacts = {"manifest": "manifest.json", "ledger": _below(manifest, "ledger"), "failures": "failures.csv"}
    with own.open_output("failures.csv") as output:
        reasons = write_failures(output, files, [manifest.partitions[index] for index in merged.failing])
        _still_planned(run, manifest)
    account = _account(run, outcomes, reasons)
    _check_failures(run, manifest, outcomes, account)
    _still_planned(run, manifest)
    series = _added_to_series(run, manifest, merged)
    if not moments.count:
        _refuse(run, manifest, outcomes)
        raise NoFaceFound(f"no face in any of {manifest.photos:,} photos: {account}")

    labels, no_labels, warnings = None, NO_LABELS, list(manifest.source.warnings)
    if manifest.settings.labels is not Labels.NONE:
        labels = label_sums(files, manifest.partitions)
        if labels is None:
            no_labels = f"there are more than {MOST_LABELS:,} labels, too many for means by label"
            warnings.append(no_labels)
        else:
            artifacts["label_means"] = "label_means.parquet"
    mean_face = None
    if manifest.settings.face_pixels:
        mean_face = png(chip_sums.merged(files, merged.chips).mean())
        artifacts |= {"mean_face": "mean_face.png", "chips": _below(manifest, "chips")}
    artifacts |= {"mean": "mean.npy", "moments": "moments.npz", "report": "report.html"}
    found = study(files, manifest.partitions, moments, labels, no_labels)
    result = Result(
        run=run.name,
        dataset=manifest.source.url,
        recipe=manifest.recipe,
        fingerprint=manifest.fingerprint,
        partitions=PartitionCounts(total=len(manifest.partitions), reused=merged.reused),
        photos_reused=merged.photos_reused,
        series=series,
        settings=manifest.settings.model_dump(mode="json"),
        versions=versions(merged.detector()),
        artifacts=artifacts | {"result": "result.json"},
        location=run.files.url,
        **merged.account(),
        passed_over=list(manifest.source.passed_over),
        account=sentences(manifest.source.passed_over, merged.counts, manifest.settings),
        warnings=warnings,
        timings={"embed_seconds": round(merged.seconds, 3), "reduce_seconds": round(time.monotonic() - started, 3)},
        statistics=found.statistics,
        **figures(outcomes, moments),
    )
    pictures = thumbnails(run, manifest, found.faces(), workers)
    material = report.Material(result, moments, found.failures, merged.throughput, mean_face, pictures)
    written = {
        "label_means.parquet": label_means(labels) if labels is not None else None,
        "mean_face.png": mean_face,
        "mean.npy": mean_npy(moments),
        "moments.npz": moments_npz(moments),
        "report.html": report.html(material).encode(),
        "result.json": result.to_json().encode(),
    }
    for file, data in written.items():
        if data is not None:
            _still_planned(run, manifest)
            own.write(file, data)
    run.state.put_result(result.model_copy(update={"statistics": None}).to_json(), manifest.content_digest())
    Catalog(run.shared).note_newest(manifest)
    _note_end(run, manifest, outcomes)
    counts = {**result.partitions.model_dump(), "photos_reused": result.photos_reused}
    log.info("reduced", run=run.name, photos=result.photos, faces=result.faces, **counts)
    return result


def _still_planned(run: Run, manifest: Manifest) -> None:
    """Refuse to write over the files of another plan, which has come in this one's place meanwhile.

    Asked before every step that takes something away. It closes all but the moment between question and step; what
    would outlast that, the contribution to a series, has the plan's generation in its name.
    """
    if run.settled() != manifest.to_json():
        raise Conflict(f"run {run.name} was planned again while it was reduced: reduce it again when it is embedded")


def _added_to_series(run: Run, manifest: Manifest, merged: Merged) -> SeriesSummary | None:
    """What the run's series is with this run; also a run without a face counts, by its photos."""
    place = manifest.series
    if place is None or run.shared is None:
        return None
    head = ContributionHeader(
        series=place.name,
        interval=place.interval,
        run=run.name,
        recipe=manifest.recipe,
        fingerprint=manifest.fingerprint,
        dataset=manifest.source.url,
        photos=manifest.photos,
        outcomes=dict(sorted(merged.outcomes.items())),
        faces=merged.moments.count,
        generation=manifest.generation,
    )
    result = Series(run.shared, place.name).add(Contribution(head, merged.moments))
    return result.summary(place.interval) if result else None


def _remove_earlier_plans(run: Run, manifest: Manifest) -> None:
    """Lists, ledger, sums of plans that this one has replaced; from now on, what they had in common is in its own."""
    if not manifest.folder:
        _still_planned(run, manifest)
        return
    plans = [f"plans/{name}" for name in run.files.list("plans") if re.fullmatch("[0-9a-f]{16}", name)]
    for folder in {"", *plans} - {manifest.folder}:
        _still_planned(run, manifest)  # behind the list, on which a plan that comes now is not
        try:
            remove_plan(run.files.child(folder) if folder else run.files)
            if folder:
                run.files.remove_empty_folder(folder)
        except StorageUnavailable as refused:
            log.warning("files of an earlier plan are still there", folder=folder, reason=str(refused))


def _remove_pixels(run: Run, manifest: Manifest) -> None:
    """What a run with pixels has left where this one, without them, takes its place."""
    for file in ("mean_face.png", "report.html"):
        OwnFiles(run.files).remove(file)
    remove_chips(run.plan_files(manifest))


def _refuse(run: Run, manifest: Manifest, outcomes: Counter[Outcome]) -> None:
    """End a run without a result; where it had one before, that is not true any more."""
    _still_planned(run, manifest)
    for file in RESULT_FILES:
        if file != "failures.csv":
            OwnFiles(run.files).remove(file)
    _note_end(run, manifest, outcomes)


def _note_end(run: Run, manifest: Manifest, outcomes: Counter[Outcome]) -> None:
    """Have the next `plan` look again at photos that may come to something else; the last step of a run that ends.

    These are photos without a version, which may be others by now, and those whose outcome may pass.
    """
    if any(each.address is None for each in manifest.partitions) or any(outcome.passing for outcome in outcomes):
        run.plan_files(manifest).create(NOT_FINAL, b"")


def _below(manifest: Manifest, folder: str) -> str:
    return f"{manifest.folder}/{folder}" if manifest.folder else folder


def _check_failures(run: Run, manifest: Manifest, outcomes: Counter[Outcome], account: str) -> None:
    failed = sum(count for outcome, count in outcomes.items() if outcome.failed)
    allowed = manifest.settings.max_failed_fraction
    if failed / manifest.photos > allowed:
        _refuse(run, manifest, outcomes)
        raise TooManyFailures(
            f"{failed:,} of {manifest.photos:,} photos failed, more than max_failed_fraction={allowed:g}: {account}"
        )


def _account(run: Run, outcomes: Counter[Outcome], reasons: Reasons) -> str:
    """What became of the photos, why most of them failed, and where all of them are named."""
    counts = ", ".join(f"{outcomes[one]:,} {one.value.replace('_', ' ')}" for one in Outcome if outcomes[one])
    commonest = reasons.commonest()
    if commonest is None:
        return f"{counts}; check that they are the right photos, and that their faces are larger than 40 pixels"
    reason, often = commonest
    return f"{counts}, most often {reason!r} ({often:,}); {run.files.url}/failures.csv lists them"
