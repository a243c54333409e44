"""Plan: list the photos and cut the list into partitions; plan a run again if its photos have changed."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import structlog

from meanface.dataset import canonical_address, open_dataset
from meanface.dataset.refs import Source
from meanface.embedder.recipe import recipe
from meanface.errors import Conflict, DamagedRecord, EmptyDataset, SettingsError
from meanface.ledger.manifest import Digest, Manifest, PlanAt, fingerprint, scope
from meanface.ledger.photo_labels import warnings_about
from meanface.ledger.photo_list import PhotoList
from meanface.pipeline.run import Run
from meanface.pipeline.series import Series
from meanface.settings import Settings
from meanface.storage.files import Storage, without_credentials
from meanface.storage.layout import MANIFEST, NOT_FINAL, PHOTO_LISTS, PLAN_MANIFEST, RESULT_FILES, photo_list_path
from meanface.storage.marker import Claimed, InSeries, Marker, claim, is_manifest
from meanface.storage.own_files import OwnFiles

EARLIER_PLANS = 8
"""maximum number of earlier plans whose ledgers a new plan reuses"""

log = structlog.get_logger(__name__)


def plan(run: Run, settings: Settings, series: InSeries | None = None) -> Manifest:
    """Plan a run; a run that is planned already keeps its plan while its photos are the same.

    A run is planned again if its photos have changed. It is also planned again after its end, if the outcome of some
    photos may change: photos without a version, and photos that could not be read. Then its commits, progress and
    result are deleted. The new plan has its own folder for photo lists and ledger: an attempt that still works for
    the earlier plan is refused and cannot touch the new plan's files. Photos that both plans have are copied from the
    earlier ledger.

    Raises
    ------
    EmptyDataset
        if there is no photo
    OutputNotEmpty
        if the run's folder has files that meanface did not write
    Conflict
        if the run was planned with other settings or another program, its folder holds another run, or its series has
        embeddings of another recipe
    MeanfaceError
        if the dataset cannot be listed
    """
    public = settings.model_copy(update={"dataset": without_credentials(settings.dataset)})
    stored = run.manifest() if run.state.manifest() is not None else None
    if stored is not None:
        _refuse_other_request(stored, public, series)
    if series is not None:
        _check_series(run, series, settings)

    marker = _marker(run, public, series)
    claimed = Claimed(run.files, marker)
    dataset = open_dataset(settings, claimed, run.network_policy)
    claim(run.files, marker, lambda: _has_unmarked_plan(run))
    OwnFiles(run.files).check([MANIFEST, *RESULT_FILES])
    ended = _ended_not_final(run, stored or _plan_in_files(run))  # first: another attempt may end the run now
    photos = PhotoList.sorted(dataset.list())
    claimed.check()
    if not len(photos):
        passed_over = "; ".join(map(str, dataset.source.passed_over)) or "no files at all"
        raise EmptyDataset(f"{public.dataset}: no photo in it. Passed over: {passed_over}")
    found = dataset.source
    warnings = (*found.warnings, *warnings_about(photos, settings.labels))
    source = found.model_copy(update={"warnings": warnings})
    cuts = photos.partitions(settings.partition_size)
    manifest = _manifest(run, public, series, source, photos, cuts)
    before, newest = stored or _plan_in_files(run), _newest_generation(run, series)
    same = before is not None and before.generation >= newest and _comparable(before) == _comparable(manifest)
    same = same and before != ended
    if stored is not None and same:
        _repair_lists(run.plan_files(stored), stored, photos, cuts)
        _finish(run, stored)
        log.info("planned before", run=run.name, photos=stored.photos, partitions=len(stored.partitions))
        return stored
    newest = max(newest, before.generation) if before else newest
    manifest = manifest.model_copy(update={"generation": newest if same else newest + 1})
    if before is not None:
        manifest = _after(run, before, manifest, same=same)

    files = run.plan_files(manifest)
    for index, cut in enumerate(cuts):
        files.write(photo_list_path(index), photos[cut].to_parquet())
    files.write(PLAN_MANIFEST, manifest.to_json().encode())
    files.sync(PHOTO_LISTS)
    claimed.check()  # another request may have claimed the folder before the first of these files
    replaces = stored.content_digest() if stored else None
    run.state.put_manifest(manifest.to_json(), manifest.content_digest(), replaces)
    _finish(run, manifest)
    for warning in warnings:
        log.warning("dataset", warning=warning)
    event = "planned" if before is None or same else "planned again, because photos have changed or may have changed"
    log.info(event, run=run.name, photos=manifest.photos, partitions=len(cuts))
    return manifest


def _marker(run: Run, public: Settings, series: InSeries | None) -> Marker:
    return Marker(
        kind="run", name=run.name, dataset=canonical_address(public.dataset), recipe=recipe(public), series=series
    )


def _has_unmarked_plan(run: Run) -> bool:
    """Whether the folder holds a plan of a release that wrote no marker."""
    return run.files.exists(MANIFEST) and is_manifest(run.files.read(MANIFEST))


def _manifest(
    run: Run, public: Settings, series: InSeries | None, source: Source, photos: PhotoList, cuts: list[range]
) -> Manifest:
    own, overall = recipe(public), Digest()
    where = scope(own, source)
    partitions = tuple(photos.partition(index, cut, overall, where) for index, cut in enumerate(cuts))
    return Manifest(
        run=run.name,
        recipe=own,
        fingerprint=fingerprint(own, overall.hexdigest()),
        digest=overall.hexdigest(),
        photos=len(photos),
        settings=public,
        source=source,
        partitions=partitions,
        series=series,
    )


def _after(run: Run, before: Manifest, manifest: Manifest, *, same: bool) -> Manifest:
    """The plan with the folder of the one before it, if both are the same, or else with its own folder."""
    if same:
        return manifest.model_copy(update={"folder": before.folder, "earlier": before.earlier})
    plans = [PlanAt.of(before), *before.earlier]  # the remaining plans were embedded in part
    there = [at for at in plans if run.files.exists(f"{at.folder}/{PLAN_MANIFEST}".lstrip("/"))]
    manifest = manifest.model_copy(update={"earlier": tuple(there[:EARLIER_PLANS])})
    return manifest.model_copy(update={"folder": f"plans/{manifest.content_digest()[:16]}"})


def _comparable(manifest: Manifest) -> dict[str, Any]:
    """The fields in which two plans of the same photos are equal."""
    fields = manifest.model_dump(
        exclude={"folder": True, "generation": True, "earlier": True, "source": {"checksum", "passed_over", "warnings"}}
    )
    return fields | {"settings": manifest.recipe}


def _check_series(run: Run, series: InSeries, settings: Settings) -> None:
    """Refuse a run that would not fit its series, before its photos are embedded."""
    if run.shared is None:
        raise SettingsError(f"series={series.name!r} needs storage that runs share, and this run has none")
    Series(run.shared, series.name).expect(recipe(settings), series.interval)


def _newest_generation(run: Run, series: InSeries | None) -> int:
    """The highest generation of the plan in the run's files and of its interval in the series; -1 if there is none."""
    found = -1
    with suppress(FileNotFoundError, DamagedRecord):
        found = Manifest.from_json(run.files.read(MANIFEST)).generation
    if series is None or run.shared is None:
        return found
    return max(found, Series(run.shared, series.name).generation(series.interval))


def _plan_in_files(run: Run) -> Manifest | None:
    """The plan in the run's files, if the state has none."""
    try:
        return Manifest.from_json(run.files.read(MANIFEST))
    except FileNotFoundError:
        return None


def _ended_not_final(run: Run, before: Manifest | None) -> Manifest | None:
    """The plan, if it was reduced and the outcome of its photos may change."""
    return before if before and run.plan_files(before).exists(NOT_FINAL) else None


def _repair_lists(files: Storage, manifest: Manifest, photos: PhotoList, cuts: list[range]) -> None:
    """Write missing or damaged photo lists again."""
    for partition, cut in zip(manifest.partitions, cuts, strict=True):
        path = photo_list_path(partition.index)
        try:
            whole = PhotoList.from_parquet(files.read(path)).listing() == partition.listing
        except (FileNotFoundError, DamagedRecord):
            whole = False
        if not whole:
            log.warning("photo list written again", path=f"{files.url}/{path}")
            files.write(path, photos[cut].to_parquet())


def _finish(run: Run, manifest: Manifest) -> None:
    """Write the plan into the run's folder and remove the result of another plan; the last step of planning."""
    own, text = OwnFiles(run.files), manifest.to_json().encode()
    try:
        if run.files.read(MANIFEST) == text:
            return
    except FileNotFoundError:
        pass
    else:
        for file in RESULT_FILES:
            own.remove(file)
    own.write(MANIFEST, text)


def _refuse_other_request(stored: Manifest, settings: Settings, series: InSeries | None) -> None:
    now = {"series": series and series.model_dump(), **settings.model_dump(mode="json")}
    before = {"series": stored.series and stored.series.model_dump(), **stored.settings.model_dump(mode="json")}
    other = ", ".join(f"{key}={before[key]!r} then, {now[key]!r} now" for key in before if before[key] != now[key])
    if other:
        raise Conflict(f"run {stored.run} was planned with other settings: {other}")
