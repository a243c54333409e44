"""Plan: list the photos and cut the list into partitions; plan a run again if its photos have changed."""

from __future__ import annotations

from contextlib import suppress

import structlog

from meanface.dataset import Dataset, canonical_address, open_dataset
from meanface.dataset.addresses import public_addresses, shown_addresses
from meanface.dataset.refs import Source
from meanface.embedder.dlib_models import DIMENSIONS
from meanface.embedder.models.opening import card_of, check_model
from meanface.embedder.recipe import recipe
from meanface.errors import Conflict, DamagedRecord, EmptyDataset, SettingsError
from meanface.ledger.manifest import Digest, Manifest, fingerprint, scope
from meanface.ledger.own_labels import with_own_labels
from meanface.ledger.photo_labels import warnings_about
from meanface.ledger.photo_list import PhotoList
from meanface.ledger.sorted_photos import SortedPhotos
from meanface.pipeline.attempts import Recorder, recorded
from meanface.pipeline.run import Run
from meanface.pipeline.series import Series
from meanface.settings import Settings
from meanface.storage.layout import MANIFEST, RESULT_FILES, PlanFiles
from meanface.storage.marker import Claimed, InSeries, Marker, claim
from meanface.storage.own_files import OwnFiles

_FEWER = (
    "the ledger of the photos that are missing now is removed when this run ends: to keep it, stop the run and choose "
    "another output folder"
)

log = structlog.get_logger(__name__)


def plan(run: Run, settings: Settings, series: InSeries | None = None) -> Manifest:
    """Plan a run; a run that is planned already keeps its plan while its photos are the same.

    A run is planned again if its photos have changed. It is also planned again after its end, if the outcome of some
    photos may change: photos without a version, and photos that could not be read. Then its commits, progress and
    result are deleted from the state; the files of the result stay until `reduce` has those of the new plan. Photo
    lists and ledger of each plan have their own folders: an attempt that still works for the earlier plan is refused
    and cannot touch the new plan's files. Photos that both plans have are copied from the earlier ledger.

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
    with recorded(run.state, "plan") as recorder:
        return _plan(run, settings, series, recorder)


def _plan(run: Run, settings: Settings, series: InSeries | None, recorder: Recorder) -> Manifest:
    public = settings.model_copy(update={"dataset": public_addresses(settings.dataset)})
    stored = run.manifest() if run.state.manifest() is not None else None
    if stored is not None:
        _refuse_other_request(stored, public, series)
    check_model(public, run.cache, run.network_policy)
    if series is not None:
        _check_series(run, series, settings)

    marker = _marker(run, public, series)
    claimed = Claimed(run.files, marker)
    dataset = open_dataset(settings, claimed, run.network_policy)
    claim(run.files, marker)
    OwnFiles(run.files).check([MANIFEST, *RESULT_FILES])
    ended = _ended_not_final(run, stored or _plan_in_files(run))  # first: another attempt may end the run now
    with SortedPhotos(with_own_labels(dataset.list(), settings)) as photos:
        claimed.check()
        source = _source(dataset, photos, settings)
        if series is not None and run.shared is not None:
            Series(run.shared, series.name).check_photos(series.interval, source.url)
        manifest, again = _write_lists(run, _manifest(run, public, series, source, photos), photos, stored, ended)
    claimed.check()  # another request may have claimed the folder before the first of these files
    replaces = stored.content_digest() if stored else None
    run.state.put_manifest(manifest.to_json(), manifest.content_digest(), replaces)
    recorder.begin(manifest.content_digest())
    _finish(run, manifest)
    for warning in source.warnings:
        log.warning("dataset", warning=warning)
    log.info(again, run=run.name, photos=manifest.photos, partitions=len(manifest.partitions))
    return manifest


def _source(dataset: Dataset, photos: SortedPhotos, settings: Settings) -> Source:
    """Where the photos come from, with all warnings; `EmptyDataset` if there is none."""
    source = dataset.source
    if not len(photos):
        passed_over = "; ".join(map(str, source.passed_over)) or "no files at all"
        raise EmptyDataset(f"{shown_addresses(settings.dataset)}: no photo in it. Passed over: {passed_over}")
    warnings = (*source.warnings, *warnings_about(photos, settings.labels))
    return source.model_copy(update={"warnings": warnings})


def _write_lists(
    run: Run, manifest: Manifest, photos: SortedPhotos, stored: Manifest | None, ended: Manifest | None
) -> tuple[Manifest, str]:
    """Write the manifest and the photo lists beside it; the manifest of that plan, and what happened."""
    before = stored or _plan_in_files(run)
    newest = max(_newest_generation(run, manifest.series), before.generation if before else -1)
    unchanged = manifest.model_copy(update={"generation": newest})
    same = before is not None and before.plan == unchanged.plan and before != ended
    if same:
        manifest = stored or unchanged  # they may differ in the account of the dataset
        files = run.plan_files(manifest)
        _repair_lists(files, manifest, photos)
    else:
        if before is not None and manifest.photos < before.photos:
            log.warning(
                "fewer photos than before", run=run.name, before=before.photos, now=manifest.photos, note=_FEWER
            )
        manifest = manifest.model_copy(update={"generation": newest + 1})
        files = run.plan_files(manifest)
        for partition, positions in zip(manifest.partitions, manifest.positions(), strict=True):
            run.files.write(files.photo_list(partition.index), photos[positions].to_parquet())
    run.files.write(files.manifest, manifest.to_json().encode())
    run.files.sync(files.photo_lists)
    again = "planned before" if same else "planned again, because photos have changed or may have changed"
    return manifest, again if before else "planned"


def _marker(run: Run, public: Settings, series: InSeries | None) -> Marker:
    return Marker(
        kind="run",
        name=run.name,
        dataset=canonical_address(public.dataset),
        recipe=recipe(public, run.network_policy),
        series=series,
    )


def _manifest(run: Run, public: Settings, series: InSeries | None, source: Source, photos: SortedPhotos) -> Manifest:
    own, overall = recipe(public, run.network_policy), Digest()
    card = card_of(public, run.network_policy)
    where = scope(own, source)
    cuts = photos.partitions(public.partition_size)
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
        dimensions=card.dimension if card else DIMENSIONS,
    )


def _check_series(run: Run, series: InSeries, settings: Settings) -> None:
    """Refuse a run that would not fit its series, before its photos are embedded."""
    if run.shared is None:
        raise SettingsError(f"series={series.name!r} needs storage that runs share, and this run has none")
    Series(run.shared, series.name).expect(recipe(settings, run.network_policy), series.interval)


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
    return before if before and run.files.exists(run.plan_files(before).not_final) else None


def _repair_lists(files: PlanFiles, manifest: Manifest, photos: SortedPhotos) -> None:
    """Write missing or damaged photo lists again."""
    for partition, positions in zip(manifest.partitions, manifest.positions(), strict=True):
        path, run = files.photo_list(partition.index), files.run
        try:
            whole = PhotoList.from_parquet(run.read(path)).listing() == partition.listing
        except (FileNotFoundError, DamagedRecord):
            whole = False
        if not whole:
            log.warning("photo list written again", path=f"{run.url}/{path}")
            run.write(path, photos[positions].to_parquet())


def _finish(run: Run, manifest: Manifest) -> None:
    """Write the plan into the run's folder; the last step of planning."""
    text = manifest.to_json().encode()
    with suppress(FileNotFoundError):
        if run.files.read(MANIFEST) == text:
            return
    OwnFiles(run.files).write(MANIFEST, text)


def _refuse_other_request(stored: Manifest, settings: Settings, series: InSeries | None) -> None:
    now = {"series": series and series.model_dump(), **settings.model_dump(mode="json")}
    before = {"series": stored.series and stored.series.model_dump(), **stored.settings.model_dump(mode="json")}
    other = ", ".join(f"{key}={before[key]!r} then, {now[key]!r} now" for key in before if before[key] != now[key])
    if other:
        raise Conflict(f"run {stored.run} was planned with other settings: {other}")
