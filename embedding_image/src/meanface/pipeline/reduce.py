"""Reduce: merge the commits of all partitions into one result, and add it to the run's series."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import IO

import structlog

from meanface.embedder.recipe import identity_of, model_versions
from meanface.errors import Conflict, NoFaceFound, StorageUnavailable, TooManyFailures
from meanface.ledger import chip_sum_files
from meanface.ledger.cache import Catalog
from meanface.ledger.chunk_reader import chunk_at, chunks_of, photo_names, thumbnails
from meanface.ledger.contribution import Contribution, ContributionHeader
from meanface.ledger.manifest import Manifest
from meanface.outcome import Outcome
from meanface.pipeline.attempts import Recorder, recorded
from meanface.pipeline.merge import Merged, merge
from meanface.pipeline.plan_files import note_end, remove_chips, remove_plan
from meanface.pipeline.run import Run
from meanface.pipeline.series import Series
from meanface.results import report
from meanface.results.account import sentences
from meanface.results.label_checks import write_checks
from meanface.results.recognition import customary_threshold
from meanface.results.result import (
    PartitionCounts,
    ResultRecord,
    SeriesSummary,
    figures,
    mean_npy,
    moments_npz,
    versions,
)
from meanface.results.scan import LedgerScan, scan_ledger
from meanface.results.statistics import NO_LABELS, compute_statistics
from meanface.results.tables import failure_rows
from meanface.results.templates import write_templates
from meanface.settings import Labels
from meanface.stats.chip_sum import png
from meanface.storage.layout import (
    CHIP_SUMS,
    FAILURES,
    LABEL_CHECKS,
    LABEL_MEANS,
    LEDGER,
    MANIFEST,
    MEAN,
    MEAN_FACE,
    MOMENTS,
    REPORT,
    RESULT,
    RESULT_FILES,
)
from meanface.storage.own_files import OwnFiles

_PIXELS = re.compile("|".join(map(re.escape, (MEAN_FACE, REPORT))))
"""files at the top of a run that may have pixels of faces"""

log = structlog.get_logger(__name__)


def reduce(run: Run) -> ResultRecord:
    """Merge and check all partitions, write the result to storage, and keep it in the state.

    Raises
    ------
    IncompleteRun
        naming the partitions that are not committed
    DamagedRecord
        naming a commit or a chunk of the ledger that is missing, damaged, or does not match
    Conflict
        if the run was planned again meanwhile, or its embeddings do not fit its series
    NoFaceFound, TooManyFailures
        if no mean can be computed, or too many photos failed; `failures.csv` is written nevertheless
    """
    with recorded(run.state, "reduce") as recorder:
        return _reduce(run, recorder)


def _reduce(run: Run, recorder: Recorder) -> ResultRecord:
    started = time.monotonic()
    manifest = run.manifest()
    recorder.series = manifest.series.name if manifest.series is not None else None
    recorder.begin(manifest.content_digest())
    output = _Output(run, manifest)
    if not manifest.settings.face_pixels:  # first, as the run may end without a result
        output.remove_pixels()
    merged = merge(run, manifest)
    scanned = _scan(run, manifest, merged, output)
    if not manifest.settings.face_pixels:
        _remove_earlier_plans(run, manifest, output)
    account = _account(run, merged, scanned)
    _check_failures(manifest, merged, output, account)
    output.check_plan()
    series = _add_to_series(run, manifest, merged)
    if not merged.moments.count:
        ending = output.end_without_result(merged)
        raise NoFaceFound(f"no face in any of {manifest.photos:,} photos: {account}{ending}")

    no_labels, warnings = NO_LABELS, list(manifest.source.warnings)
    if scanned.labels is None and manifest.settings.labels is not Labels.NONE:
        no_labels = f"more than {scanned.most_labels:,} labels: too many for means by label"
        warnings.append(no_labels)
    files = run.plan_files(manifest)
    read = partial(chunk_at, files)
    statistics, labels = compute_statistics(
        merged.moments,
        scanned,
        partial(photo_names, partitions=manifest.partitions, read=read),
        no_labels,
        partial(chunks_of, files, manifest.partitions),
        customary_threshold(manifest.settings.embedder),
    )
    mean_face = png(chip_sum_files.merged(files, merged.chips).mean()) if manifest.settings.face_pixels else None
    result = ResultRecord(
        run=run.name,
        dataset=manifest.source.url,
        recipe=manifest.recipe,
        fingerprint=manifest.fingerprint,
        partitions=PartitionCounts(total=len(manifest.partitions), reused=merged.reused),
        photos_reused=merged.photos_reused,
        series=series,
        settings=manifest.settings.model_dump(mode="json"),
        versions=versions(merged.detector()) | model_versions(manifest.settings, run.network_policy),
        artifacts=_artifacts(manifest, labels=labels is not None),
        location=run.files.url,
        **merged.account(),
        passed_over=list(manifest.source.passed_over),
        account=sentences(manifest.source.passed_over, merged.counts, manifest.settings),
        warnings=warnings,
        timings={"embed_seconds": round(merged.seconds, 3), "reduce_seconds": round(time.monotonic() - started, 3)},
        statistics=statistics,
        **figures(merged.outcomes, merged.moments),
    )
    pictures = dict(scanned.faces.thumbnails) if scanned.faces is not None else {}
    if statistics.checks is not None:
        pictures |= thumbnails((face.at for face in statistics.checks.wrong_labels), manifest.partitions, read)
    components = identity_of(manifest.settings, run.network_policy)
    material = report.Material(
        result, merged.moments, scanned.failures, merged.throughput, mean_face, pictures, components
    )
    output.remove_result_of_another_plan()
    if labels is not None:
        with output.open_output(LABEL_MEANS) as stream:
            write_templates(stream, labels.scan)
        with output.open_output(LABEL_CHECKS) as stream:
            write_checks(stream, labels.checks)
    output.write(
        {
            MEAN_FACE: mean_face,
            MEAN: mean_npy(merged.moments),
            MOMENTS: moments_npz(merged.moments),
            REPORT: report.html(material).encode(),
            RESULT: result.to_json().encode(),
        }
    )
    run.state.put_result(result.model_copy(update={"statistics": None}).to_json(), manifest.content_digest())
    Catalog(run.shared).note_newest(manifest)
    note_end(files, manifest, merged.outcomes)
    _remove_earlier_plans(run, manifest, output)
    counts = {**result.partitions.model_dump(), "photos_reused": result.photos_reused}
    log.info("reduced", run=run.name, photos=result.photos, faces=result.faces, **counts)
    return result


class _Output:
    """The run's result files, which change only while the run still has this plan.

    The plan is checked before every change. This closes all but the moment between check and change. The contribution
    to a series outlasts that moment, and so has the plan's generation in its name.

    Raises
    ------
    Conflict
        by each method, if the run was planned again, or a file is not as meanface wrote it
    """

    def __init__(self, run: Run, manifest: Manifest) -> None:
        self._run, self._manifest, self._plan = run, manifest, manifest.to_json()
        self._own = OwnFiles(run.files)
        self._own.check(RESULT_FILES)
        self.check_plan()

    def check_plan(self) -> None:
        """Raise `Conflict` if the run was planned again."""
        if self._run.verified_manifest() != self._plan:
            raise Conflict(
                f"run {self._run.name} was planned again while it was reduced: embed its partitions and reduce it again"
            )

    def write(self, files: Mapping[str, bytes | None]) -> None:
        """Write files by name; those without content are left as they are."""
        for name, data in files.items():
            if data is not None:
                self.check_plan()
                self._own.write(name, data)

    @contextmanager
    def open_output(self, name: str) -> Iterator[IO[bytes]]:
        """Stream into a file, which exists once the block has ended."""
        with self._own.open_output(name) as stream:
            yield stream
            self.check_plan()

    def remove_pixels(self) -> None:
        """Remove the pixels of an earlier plan with face pixels, and its result: the ledger goes with them."""
        self.remove_result_of_another_plan()
        for name in (MEAN_FACE, REPORT):
            self._own.remove(name)
        self._run.files.remove_unfinished("", _PIXELS)
        remove_chips(self._run.plan_files(self._manifest))

    def remove_result_of_another_plan(self) -> None:
        """Remove the result of an earlier plan, so that nobody reads files of two plans."""
        if self._has_result_of_another_plan():
            self.check_plan()
            self._remove_result()

    def end_without_result(self, merged: Merged) -> str:
        """Note the end of a run that is refused, and return the end of its error.

        A result of an earlier plan stays. One of this plan goes: other limits allowed it.
        """
        self.check_plan()
        note_end(self._run.plan_files(self._manifest), self._manifest, merged.outcomes)
        if self._has_result_of_another_plan():
            return f"; {self._run.files.url}/{RESULT} stays, and is the result of an earlier plan"
        self._remove_result()
        return ""

    def _remove_result(self) -> None:
        """Remove the result's files, its record first; `failures.csv` stays."""
        for name in RESULT_FILES:
            if name != FAILURES:
                self._own.remove(name)

    def _has_result_of_another_plan(self) -> bool:
        try:
            artifacts = json.loads(self._run.files.read(RESULT))["artifacts"]
        except FileNotFoundError:
            return False
        except (ValueError, KeyError):  # of an earlier version
            return True
        return bool(artifacts.get("ledger") != f"{LEDGER}/{self._manifest.plan}")


def _scan(run: Run, manifest: Manifest, merged: Merged, output: _Output) -> LedgerScan:
    """Scan the ledger; `failures.csv` is written when the scan is returned."""
    with output.open_output(FAILURES) as stream, failure_rows(stream) as write_failure:
        scanned = LedgerScan(merged.moments, write_failure, labels=manifest.settings.labels is not Labels.NONE)
        scan_ledger(run.plan_files(manifest), manifest, merged.totals, scanned)
    return scanned


def _remove_earlier_plans(run: Run, manifest: Manifest, output: _Output) -> None:
    """Remove lists, ledger and chip sums of earlier plans; this plan has copies of all shared photos."""
    for earlier in run.plan_files(manifest).others():
        output.check_plan()  # after the listing: a plan that is made now is not in it
        try:
            remove_plan(earlier)
        except StorageUnavailable as error:
            log.warning("files of an earlier plan remain", plan=earlier.plan, reason=str(error))


def _add_to_series(run: Run, manifest: Manifest, merged: Merged) -> SeriesSummary | None:
    """Add the run to its series; a run without a face is added, too, for its number of photos."""
    interval = manifest.series
    if interval is None or run.shared is None:
        return None
    header = ContributionHeader(
        series=interval.name,
        interval=interval.interval,
        run=run.name,
        recipe=manifest.recipe,
        fingerprint=manifest.fingerprint,
        dataset=manifest.source.url,
        photos=manifest.photos,
        outcomes=dict(sorted(merged.outcomes.items())),
        faces=merged.moments.count,
        generation=manifest.generation,
    )
    result = Series(run.shared, interval.name).add(Contribution(header, merged.moments))
    return result.summary(interval.interval) if result else None


def _artifacts(manifest: Manifest, *, labels: bool) -> dict[str, str]:
    """Files and folders of the result, relative to the run's files."""
    found = {"manifest": MANIFEST, "ledger": f"{LEDGER}/{manifest.plan}", "failures": FAILURES}
    if labels:
        found |= {"label_means": LABEL_MEANS, "label_checks": LABEL_CHECKS}
    if manifest.settings.face_pixels:
        found |= {"mean_face": MEAN_FACE, "chips": f"{CHIP_SUMS}/{manifest.plan}"}
    return found | {"mean": MEAN, "moments": MOMENTS, "report": REPORT, "result": RESULT}


def _check_failures(manifest: Manifest, merged: Merged, output: _Output, account: str) -> None:
    failed = sum(count for outcome, count in merged.outcomes.items() if outcome.failed)
    allowed = manifest.settings.max_failed_fraction
    if failed / manifest.photos > allowed:
        ending = output.end_without_result(merged)
        raise TooManyFailures(
            f"{failed:,} of {manifest.photos:,} photos failed, more than max_failed_fraction={allowed:g}: {account}"
            f"{ending}"
        )


def _account(run: Run, merged: Merged, scanned: LedgerScan) -> str:
    """Photos by outcome, the most common reason of failures, and the file that lists all of them."""
    counts = ", ".join(
        f"{merged.outcomes[one]:,} {one.value.replace('_', ' ')}" for one in Outcome if merged.outcomes[one]
    )
    commonest = scanned.reasons.commonest()
    if commonest is None:
        return f"{counts}; check that they are the right photos, and that their faces are larger than 40 pixels"
    reason, times = commonest
    return f"{counts}, most often {reason!r} ({times:,}); {run.files.url}/failures.csv lists them"
