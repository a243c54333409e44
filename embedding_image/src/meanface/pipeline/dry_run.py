"""List a dataset as `plan` does, write nothing, and estimate how long a run over it takes."""

from __future__ import annotations

import heapq
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from meanface.dataset import PhotoSource, open_dataset, open_photos
from meanface.dataset.addresses import shown_addresses
from meanface.dataset.archive.first_bytes import FirstBytes
from meanface.dataset.choice import by_hash
from meanface.dataset.kinds import PHOTO_SUFFIXES
from meanface.dataset.network_policy import NetworkPolicy
from meanface.dataset.refs import UNKNOWN_SIZE, PassedOver, PhotoRef
from meanface.embedder import detector
from meanface.embedder.kernels import KernelChoice
from meanface.embedder.models.opening import check_model
from meanface.errors import EmptyDataset
from meanface.ledger.own_labels import with_own_labels
from meanface.ledger.photo_labels import MOST_LABELS, label_of
from meanface.settings import EmbedderName, Settings
from meanface.workers.pool import Workers
from meanface.workers.prefetch import GROUP_PHOTOS, ReadAhead

PHOTOS_PER_WORKER = 16
"""photos that are embedded for the estimate"""
MOST_SECONDS = 20.0
"""of embedding them"""


@dataclass(frozen=True)
class Estimate:
    """The time of a run, from photos that were embedded to measure it."""

    seconds: float
    measured: int
    """photos"""
    measured_seconds: float
    workers: int
    first: bool
    """whether they are from the first photos of an archive, and not from all"""


@dataclass
class DatasetAccount:
    """What a plan would have."""

    address: str
    """without credentials"""
    photos: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    """photos by suffix, in small letters"""
    labels: Counter[str] = field(default_factory=Counter)
    """photos by label; empty without labels, or if there are more than `MOST_LABELS`"""
    many_labels: bool = False
    bytes: int = 0
    unknown_sizes: int = 0
    """photos behind URLs, whose bytes are not known"""
    refused: int = 0
    """photos that cannot be read"""
    too_large: int = 0
    """photos with more bytes than `max_bytes`"""
    refusals: list[tuple[str, str]] = field(default_factory=list)
    """name and reason of the first ones by name"""
    passed_over: tuple[PassedOver, ...] = ()
    warnings: tuple[str, ...] = ()
    estimate: Estimate | None = None
    """None if no photo can be read"""


def dry_run(
    settings: Settings, network_policy: NetworkPolicy, *, workers: int, kernels: KernelChoice = KernelChoice.AUTO
) -> DatasetAccount:
    """Account for a dataset's photos, and measure on some of them how long a run takes.

    Nothing stays on disk: an archive's shards are not written, and the detector's weights are
    derived in a temporary folder. Raises what `plan` raises for the dataset.
    """
    check_model(settings, None, network_policy)
    storage = FirstBytes()
    dataset = open_dataset(settings, storage, network_policy)
    account = DatasetAccount(shown_addresses(settings.dataset))
    readable = (
        photo
        for photo in _counted(with_own_labels(dataset.list(), settings), account, settings)
        if not photo.refusal and photo.size <= settings.max_bytes and storage.has(photo)
    )
    some = heapq.nsmallest(PHOTOS_PER_WORKER * workers, readable, key=by_hash)
    source = dataset.source
    account.passed_over, account.warnings = source.passed_over, source.warnings
    if not account.photos:
        passed_over = "; ".join(map(str, source.passed_over)) or "no files at all"
        raise EmptyDataset(f"{account.address}: no photo in it. Passed over: {passed_over}")
    if some:
        with (
            tempfile.TemporaryDirectory(prefix="meanface-") as cache,
            open_photos(source, storage, network_policy, follow_links=settings.follow_links) as photos,
            Workers(workers, settings, cache, kernels, network_policy) as processes,
        ):
            if settings.embedder is EmbedderName.DLIB:
                detector.prepare(kernels, cache)
            _embed(some[:workers], photos, processes, settings)  # starts the workers
            measured, seconds = _embed(some, photos, processes, settings)
        left = account.photos - account.refused - account.too_large
        if measured:
            account.estimate = Estimate(seconds / measured * left, measured, seconds, workers, bool(storage.paths))
    return account


def _counted(photos: Iterable[PhotoRef], account: DatasetAccount, settings: Settings) -> Iterator[PhotoRef]:
    """Pass on photos, and count them."""
    refusals: list[tuple[str, str]] = []
    for photo in photos:
        account.photos += 1
        account.kinds[_suffix(photo.name)] += 1
        label = label_of(photo, settings.labels)
        if label is not None and not account.many_labels:
            account.labels[label] += 1
            account.many_labels = len(account.labels) > MOST_LABELS
        if photo.refusal:
            account.refused += 1
            refusals = sorted([*refusals, (photo.name, photo.refusal)])[:3]
        elif photo.size == UNKNOWN_SIZE:
            account.unknown_sizes += 1
        else:
            account.bytes += photo.size
            account.too_large += photo.size > settings.max_bytes
        yield photo
    account.refusals = refusals


def _suffix(name: str) -> str:
    """The suffix of a photo's name, in small letters.

    >>> _suffix("ada#1.JPG"), _suffix("https://photos.example/ada.png?w=640"), _suffix("0a1b"), _suffix("2026.03.07")
    ('.jpg', '.png', 'without suffix', 'other suffix')
    """
    suffixes = [PurePosixPath(one).suffix.lower() for one in (name, name.partition("?")[0], name.partition("#")[0])]
    known = next((suffix for suffix in suffixes if suffix in PHOTO_SUFFIXES), None)
    return known or ("other suffix" if suffixes[0] else "without suffix")


def _embed(some: Sequence[PhotoRef], photos: PhotoSource, processes: Workers, settings: Settings) -> tuple[int, float]:
    """Read and embed photos as a run does, for `MOST_SECONDS`; their number and the seconds."""
    count, started = processes.count, time.monotonic()
    bounds = {"max_bytes": settings.max_bytes, "at_once": 2 * count + 8, "ahead": GROUP_PHOTOS * (count + 1)}
    done = 0
    with ReadAhead(some, range(len(some)), photos, **bounds) as ahead:
        for _ in processes.results(ahead.groups(count, lambda *_: None)):
            done += 1
            if time.monotonic() - started > MOST_SECONDS:
                break
    return done, time.monotonic() - started
