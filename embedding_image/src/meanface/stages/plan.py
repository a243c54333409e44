"""Plan: list the photos, cut the list into partitions, and say so once."""

from __future__ import annotations

import structlog

from meanface import photolist
from meanface.dataset import open_dataset
from meanface.errors import Conflict, EmptyDataset
from meanface.manifest import Digest, Manifest, partition_size, slices
from meanface.photolist import PhotoList
from meanface.run import Run, fingerprint
from meanface.settings import Settings
from meanface.storage import Storage, without_credentials

log = structlog.get_logger(__name__)


def plan(run: Run, settings: Settings) -> Manifest:
    """The run's manifest; made at the first call, and the same ever after.

    Raises
    ------
    EmptyDataset
        if there is no photo
    Conflict
        if the run was planned with other settings, or its place holds another run
    MeanfaceError
        whatever keeps the dataset from being listed
    """
    public = settings.model_copy(update={"dataset": without_credentials(settings.dataset)})
    if (stored := run.store.manifest()) is not None:
        manifest = Manifest.from_json(stored)
        if manifest.settings != public:
            raise Conflict(f"run {run.name} was planned with other settings: {_difference(manifest.settings, public)}")
        log.info("planned before", run=run.name, photos=manifest.photos, partitions=len(manifest.partitions))
        return manifest

    dataset = open_dataset(settings, run.files)
    photos = PhotoList.sorted(dataset.list())
    if not len(photos):
        raise EmptyDataset(f"{public.dataset}: no photo in it ({dataset.source.ignored:,} other files)")
    size = partition_size(len(photos), settings.partition_size)
    cuts = list(slices(len(photos), size))
    overall = Digest()
    partitions = tuple(photos.partition(index, cut, overall) for index, cut in enumerate(cuts))
    manifest = Manifest(
        run=run.name,
        fingerprint=fingerprint(settings, overall.hexdigest()),
        digest=overall.hexdigest(),
        photos=len(photos),
        settings=public,
        source=dataset.source,
        partitions=partitions,
    )
    _check_place(run.files, manifest)
    for index, cut in enumerate(cuts):
        run.files.write(photolist.path(index), photos[cut].to_parquet())
    run.files.write("manifest.json", manifest.to_json().encode())
    run.store.put_manifest(manifest.to_json(), manifest.content_digest())
    for warning in dataset.source.warnings:
        log.warning("dataset", warning=warning)
    log.info("planned", run=run.name, photos=manifest.photos, partitions=len(partitions), partition_size=size)
    return manifest


def _check_place(files: Storage, manifest: Manifest) -> None:
    """Refuse to mix two runs' files: a ledger read as a folder must be of one run."""
    try:
        before = Manifest.from_json(files.read("manifest.json"))
    except FileNotFoundError:
        return
    if (before.fingerprint, before.partitions) != (manifest.fingerprint, manifest.partitions):
        raise Conflict(f"{files.url} holds a run over other photos or settings: choose another place, or remove it")


def _difference(old: Settings, new: Settings) -> str:
    before, after = old.model_dump(mode="json"), new.model_dump(mode="json")
    return ", ".join(f"{key}={before[key]!r} then, {after[key]!r} now" for key in before if before[key] != after[key])
