"""Where one photo lies with respect to a result: how far its faces are from the mean, and from the means of labels."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from meanface.dataset.address import is_web, refuse_unchecked
from meanface.dataset.network_policy import PUBLIC, NetworkPolicy
from meanface.dataset.photos import AddressRefused, PhotoTooLarge, PhotoUnreadable
from meanface.dataset.refs import UNKNOWN_SIZE, PhotoRef
from meanface.dataset.url_photos import UrlPhotos, public_name
from meanface.embedder.faces import Box, Embedding, Face
from meanface.embedder.recipe import recipe
from meanface.embedder.result import PhotoResult
from meanface.errors import DamagedRecord, DatasetNotFound, SettingsError, UsageError
from meanface.outcome import Outcome
from meanface.results.reader import SavedResult
from meanface.settings import Settings
from meanface.stats.labels import LabelMeans
from meanface.stats.moments import distances_to
from meanface.storage.files import Storage, without_credentials
from meanface.text import escaped_json
from meanface.workers.pool import Workers
from meanface.workers.prefetch import Reading

LABELS = 5
"""nearest labels that are named"""

Embed = Callable[[Reading, Settings], PhotoResult]
"""What becomes of a photo under settings."""


@dataclass(frozen=True)
class NearLabel:
    """How far the mean of a label's faces is."""

    label: str
    faces: int
    distance: float


@dataclass(frozen=True)
class PlacedFace:
    """One face of the photo, with respect to the result."""

    face: int
    box: Box
    """in pixels of the photo"""
    distance: float
    """Euclidean, to the mean"""
    cosine: float | None
    """of the angle between embedding and mean; None where one is the zero vector"""
    fraction_within: float | None
    """of the result's faces, those no farther from the mean; None where that is unknown"""
    labels: list[NearLabel]


@dataclass(frozen=True)
class Placement:
    """One photo, with respect to a result."""

    photo: str
    outcome: Outcome
    detail: str
    faces_found: int
    policy: str
    """the result's setting `faces`: which of them are taken"""
    faces: list[PlacedFace]
    recipe: str
    """this program's, under the result's settings"""
    result_recipe: str

    @property
    def same_recipe(self) -> bool:
        """Whether the photo was embedded as the result's were; else its numbers may be off."""
        return self.recipe == self.result_recipe

    def to_json(self) -> str:
        """For programs."""
        summary = {"schema": 1, **asdict(self), "same_recipe": self.same_recipe}
        return escaped_json(summary)


def in_worker(cache: str | None) -> Embed:
    """Embeds a photo in a worker process, as every run does: hostile bytes are decoded nowhere else."""

    def embed(photo: Reading, settings: Settings) -> PhotoResult:
        with Workers(1, settings, cache) as workers:
            ((_, result),) = workers.results([photo])
        return result

    return embed


def nearest(result: SavedResult, address: str, embed: Embed, network_policy: NetworkPolicy = PUBLIC) -> Placement:
    """Place a photo.

    Parameters
    ----------
    result
        of a run
    address
        of the photo: a file's whole path, or where it is in a bucket or behind http(s)
    embed
        what becomes of it; see `in_worker`
    reach
        where the photo may be

    Raises
    ------
    DatasetNotFound
        where there is no photo, or none that can be had
    SettingsError
        for one that is out of reach
    UsageError
        for a result without settings, such as that of a series, or with others than this program's
    """
    if not result.summary.settings:
        raise UsageError(f"{result.files.url} says no settings to embed a photo with: name one run of the series")
    try:
        settings = Settings.of(**result.summary.settings)
    except SettingsError as refused:
        raise UsageError(f"{result.files.url} is of another version of meanface: {refused}") from None
    done = embed(_read(address, settings.max_bytes, network_policy), settings)
    means = result.label_means()
    return Placement(
        photo=_shown(address),
        outcome=done.outcome,
        detail=done.detail,
        faces_found=done.faces.found,
        policy=settings.faces.value,
        faces=[_placed(face, result, means) for face in done.faces.chosen],
        recipe=recipe(settings),
        result_recipe=result.summary.recipe,
    )


def _read(address: str, max_bytes: int, network_policy: NetworkPolicy) -> Reading:
    escaped = _shown(address)
    name = escaped.rpartition("/")[2]
    try:
        data = _fetched(address, max_bytes, network_policy)
    except FileNotFoundError:
        raise DatasetNotFound(f"there is no photo at {escaped}") from None
    except AddressRefused as refused:
        raise SettingsError(f"photo {escaped!r}: {refused}") from None
    except PhotoUnreadable as unreadable:
        raise DatasetNotFound(f"the photo at {escaped} cannot be had: {unreadable}") from None
    except PhotoTooLarge as large:
        return Reading(0, name, result=PhotoResult(Outcome.TOO_LARGE, str(large)))
    return Reading(0, name, data, hashlib.sha256(data).digest())


def _fetched(address: str, max_bytes: int, network_policy: NetworkPolicy) -> bytes:
    if is_web(address):
        with UrlPhotos(network_policy.for_dataset(address)) as photos:
            return photos.read(PhotoRef(address, UNKNOWN_SIZE), max_bytes)
    refuse_unchecked(address, network_policy, "photo")
    folder, _, name = address.rpartition("/")
    data = Storage(folder or "/").read_range(name, 0, max_bytes + 1)
    if len(data) > max_bytes:
        raise PhotoTooLarge(f"more than max_bytes={max_bytes:,}")
    return data


def _shown(address: str) -> str:
    """The address as people may see it."""
    return public_name(address) or "the photo" if is_web(address) else without_credentials(address)


def _placed(face: Face, result: SavedResult, means: LabelMeans | None) -> PlacedFace:
    mean = result.moments.mean()
    embedding = face.embedding.astype(np.float64)
    distance = float(distances_to(face.embedding[None], mean)[0])
    norms = math.hypot(*embedding) * math.hypot(*mean)
    return PlacedFace(
        face=face.index,
        box=face.box,
        distance=distance,
        cosine=math.fsum((embedding * mean).tolist()) / norms if norms else None,
        fraction_within=_fraction_within(result, distance),
        labels=[] if means is None else _near_labels(face.embedding, means),
    )


def _fraction_within(result: SavedResult, distance: float) -> float | None:
    """From the distribution that the result holds; from the ledger, where it holds none."""
    statistics = result.summary.statistics
    if statistics is not None and statistics.distances is not None:
        return statistics.distances.fraction_within(distance)
    mean, within = result.moments.mean(), 0
    try:
        for chunk in result.chunks():
            within += int(np.count_nonzero(distances_to(chunk.embeddings(), mean) <= distance))
    except DamagedRecord:
        return None
    return within / result.moments.count


def _near_labels(embedding: Embedding, labels: LabelMeans) -> list[NearLabel]:
    away = labels.means - embedding.astype(np.float64)
    distances = np.sqrt((away * away).sum(axis=1))
    nearest = np.argsort(distances, kind="stable")[:LABELS].tolist()
    return [NearLabel(labels.names[i], int(labels.faces[i]), float(distances[i])) for i in nearest]
