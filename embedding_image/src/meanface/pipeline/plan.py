"""Plan: list the photos, cut the list into partitions, and say so once; or once more, where the photos have changed."""

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
from meanface.results.result import FILES
from meanface.settings import Settings
from meanface.storage.files import Storage, without_credentials
from meanface.storage.layout import MANIFEST, NOT_FINAL, PHOTO_LISTS, PLAN_MANIFEST, photo_list_path
from meanface.storage.marker import Claimed, InSeries, Marker, claim, is_manifest
from meanface.storage.own_files import OwnFiles

EARLIER_PLANS = 8
"""of a run that are looked into, while none of the plans after them was reduced"""

log = structlog.get_logger(__name__)


def plan(run: Run, settings: Settings, series: InSeries | None = None) -> Manifest:
    """The run's manifest: the one that it has, as long as the photos are those that it lists.

    Where they are not, the run is planned again; so it is where it has ended, and some of its photos may come to
    something else: those without a version, and those that could not be read. Its commits, progress and result
    are given up, and lists and ledger go into a folder of their own, so that an attempt which still works for the
    earlier plan can neither be counted nor get between the files of the new one. What the two plans have in common is
    taken from the earlier ledger.

    Raises
    ------
    EmptyDataset
        if there is no photo
    OutputNotEmpty
        if the run's place holds files that are not ours
    Conflict
        if the run was planned with other settings or another program, its place holds another run, or its series has
        embeddings of another kind
    MeanfaceError
        whatever keeps the dataset from being listed
    """
    public = settings.model_copy(update={"dataset": without_credentials(settings.dataset)})
    stored = run.manifest() if run.state.manifest() is not None else None
    if stored is not None:
        _refuse_other_request(stored, public, series)
    if series is not None:
        _expected_in_series(run, series, settings)

    marker = _marker(run, public, series)
    claimed = Claimed(run.files, marker)
    dataset = open_dataset(settings, claimed, run.network_policy)
    claim(run.files, marker, lambda: _of_an_earlier_release(run))
    OwnFiles(run.files).check([MANIFEST, *FILES])
    ended = _ended_not_final(run, stored or _left_in_files(run))  # first: another attempt may end it meanwhile
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
    before, newest = stored or _left_in_files(run), _newest_generation(run, series)
    same = before is not None and before.generation >= newest and _decisive(before) == _decisive(manifest)
    same = same and before != ended
    if stored is not None and same:
        _repair_lists(run.plan_files(stored), stored, photos, cuts)
        _finish(run, stored)
        log.info("planned before", run=run.name, photos=stored.photos, partitions=len(stored.partitions))
        return stored
    newest = max(newest, before.generation) if before else newest
    manifest = manifest.model_copy(update={"generation": newest if same else newest + 1})
    if before is not None:
        manifest = _instead_of(run, before, manifest, same=same)

    files = run.plan_files(manifest)
    for index, cut in enumerate(cuts):
        files.write(photo_list_path(index), photos[cut].to_parquet())
    files.write(PLAN_MANIFEST, manifest.to_json().encode())
    files.sync(PHOTO_LISTS)
    claimed.check()  # another request may have come before the first of these files
    replaces = stored.content_digest() if stored else None
    run.state.put_manifest(manifest.to_json(), manifest.content_digest(), replaces)
    _finish(run, manifest)
    for warning in warnings:
        log.warning("dataset", warning=warning)
    event = "planned" if before is None or same else "planned again, as photos have changed or may have"
    log.info(event, run=run.name, photos=manifest.photos, partitions=len(cuts))
    return manifest


def _marker(run: Run, public: Settings, series: InSeries | None) -> Marker:
    return Marker(
        kind="run", name=run.name, dataset=canonical_address(public.dataset), recipe=recipe(public), series=series
    )


def _of_an_earlier_release(run: Run) -> bool:
    """Whether a run was planned there by a release that made no marker."""
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


def _instead_of(run: Run, before: Manifest, manifest: Manifest, *, same: bool) -> Manifest:
    """The plan in the place of an earlier one: with its files, where it is the same, or else with its own."""
    if same:
        return manifest.model_copy(update={"folder": before.folder, "earlier": before.earlier})
    plans = [PlanAt.of(before), *before.earlier]  # each embedded in part only, if it is still there beside a later one
    there = [at for at in plans if run.files.exists(f"{at.folder}/{PLAN_MANIFEST}".lstrip("/"))]
    manifest = manifest.model_copy(update={"earlier": tuple(there[:EARLIER_PLANS])})
    return manifest.model_copy(update={"folder": f"plans/{manifest.content_digest()[:16]}"})


def _decisive(manifest: Manifest) -> dict[str, Any]:
    """What two plans must have in common to be one: all but what is said about other files, and which plan it is."""
    said = manifest.model_dump(
        exclude={"folder": True, "generation": True, "earlier": True, "source": {"checksum", "passed_over", "warnings"}}
    )
    return said | {"settings": manifest.recipe}


def _expected_in_series(run: Run, series: InSeries, settings: Settings) -> None:
    """Say before the work that it would not fit."""
    if run.shared is None:
        raise SettingsError(f"series={series.name!r} needs a storage that runs share: a run by itself has none")
    Series(run.shared, series.name).expect(recipe(settings), series.interval)


def _newest_generation(run: Run, series: InSeries | None) -> int:
    """The highest of any plan of the run that its files have, or of its interval in the series; -1 if there is none."""
    found = -1
    with suppress(FileNotFoundError, DamagedRecord):
        found = Manifest.from_json(run.files.read(MANIFEST)).generation
    if series is None or run.shared is None:
        return found
    return max(found, Series(run.shared, series.name).generation(series.interval))


def _left_in_files(run: Run) -> Manifest | None:
    """The plan whose files are in the run's place, though the store knows of none; its marker is that of the run."""
    try:
        return Manifest.from_json(run.files.read(MANIFEST))
    except FileNotFoundError:
        return None


def _ended_not_final(run: Run, before: Manifest | None) -> Manifest | None:
    """The plan, if it was reduced and its photos may come to something else now."""
    return before if before and run.plan_files(before).exists(NOT_FINAL) else None


def _repair_lists(files: Storage, manifest: Manifest, photos: PhotoList, cuts: list[range]) -> None:
    """Write the lists again that are gone or not what was planned."""
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
    """Have the run's own folder say what the store says; an attempt that was killed may have left this to the next."""
    own, text = OwnFiles(run.files), manifest.to_json().encode()
    try:
        if run.files.read(MANIFEST) == text:
            return
    except FileNotFoundError:
        pass
    else:  # of another plan: what was written of that one is not true any more
        for file in FILES:
            own.remove(file)
    own.write(MANIFEST, text)


def _refuse_other_request(stored: Manifest, settings: Settings, series: InSeries | None) -> None:
    asked = {"series": series and series.model_dump(), **settings.model_dump(mode="json")}
    before = {"series": stored.series and stored.series.model_dump(), **stored.settings.model_dump(mode="json")}
    other = ", ".join(f"{key}={before[key]!r} then, {asked[key]!r} now" for key in before if before[key] != asked[key])
    if other:
        raise Conflict(f"run {stored.run} was planned with other settings: {other}")
