"""Compare a photo with a result: distances of its faces to the mean and to means by label."""

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
from meanface.errors import DatasetNotFound, PhotoRefused, SettingsError, UsageError
from meanface.outcome import Outcome
from meanface.results.reader import Result
from meanface.settings import Settings
from meanface.stats.labels import LabelMeans
from meanface.stats.moments import distances_to
from meanface.storage.files import Storage, without_credentials
from meanface.text import escaped_json
from meanface.workers.pool import Workers
from meanface.workers.prefetch import PhotoBytes

LABELS = 5
"""nearest labels that are named"""

Embed = Callable[[PhotoBytes, Settings], PhotoResult]
"""Embeds a photo under settings."""


@dataclass(frozen=True)
class NearLabel:
    """The distance to the mean of a label's faces."""

    label: str
    faces: int
    distance: float


@dataclass(frozen=True)
class PlacedFace:
    """One face of the photo, compared with the result."""

    face: int
    box: Box
    """in pixels of the photo"""
    distance: float
    """Euclidean, to the mean"""
    cosine: float | None
    """of embedding and mean; None if one is the zero vector"""
    fraction_within: float | None
    """of the result's faces, those no farther from the mean; None if unknown"""
    labels: list[NearLabel]


@dataclass(frozen=True)
class Placement:
    """One photo, compared with a result."""

    photo: str
    outcome: Outcome
    detail: str
    faces_found: int
    policy: str
    """the result's setting `faces`"""
    faces: list[PlacedFace]
    recipe: str
    """of this program under the result's settings"""
    result_recipe: str

    @property
    def same_recipe(self) -> bool:
        """Whether the photo was embedded like those of the result; else the numbers may be off."""
        return self.recipe == self.result_recipe

    def to_json(self) -> str:
        """Return JSON."""
        return escaped_json({"schema": 1, **asdict(self), "same_recipe": self.same_recipe})


def in_worker(cache: str | None) -> Embed:
    """Return a function that embeds a photo in a worker process; nothing is decoded elsewhere."""

    def embed(photo: PhotoBytes, settings: Settings) -> PhotoResult:
        with Workers(1, settings, cache) as workers:
            ((_, result),) = workers.results([[photo]])
        return result

    return embed


def nearest(result: Result, address: str, embed: Embed, network_policy: NetworkPolicy = PUBLIC) -> Placement:
    """Compare a photo with the result of a run; `embed` is that of `in_worker`.

    The photo's address is an absolute path, a bucket address or an http(s) URL. Raises
    `DatasetNotFound` if it cannot be read, `PhotoRefused` if it cannot be decoded or is too large,
    `SettingsError` if the policy does not allow its address, and `UsageError` if the result has no
    settings, as that of a series, or settings of another version.
    """
    if not result.summary.settings:
        raise UsageError(f"{result.files.url} has no settings to embed a photo with: name a run of the series")
    try:
        settings = Settings.of(**result.summary.settings)
    except SettingsError as refused:
        raise UsageError(f"{result.files.url} is from another version of meanface: {refused}") from None
    embedded = embed(_read(address, settings.max_bytes, network_policy), settings)
    if embedded.outcome.failed:
        raise _refused(address, embedded.outcome, embedded.detail or embedded.outcome.meaning)
    means = result.label_means()
    return Placement(
        photo=_public(address),
        outcome=embedded.outcome,
        detail=embedded.detail,
        faces_found=embedded.faces_found,
        policy=settings.faces.value,
        faces=[_placed(face, result, means) for face in embedded.faces],
        recipe=recipe(settings),
        result_recipe=result.summary.recipe,
    )


def _read(address: str, max_bytes: int, network_policy: NetworkPolicy) -> PhotoBytes:
    public = _public(address)
    try:
        data = _fetched(address, max_bytes, network_policy)
    except FileNotFoundError:
        raise DatasetNotFound(f"there is no photo at {public}") from None
    except AddressRefused as refused:
        raise SettingsError(f"photo {public!r}: {refused}") from None
    except PhotoUnreadable as unreadable:
        raise DatasetNotFound(f"the photo at {public} cannot be read: {unreadable}") from None
    except PhotoTooLarge as large:
        raise _refused(address, Outcome.TOO_LARGE, str(large)) from None
    return PhotoBytes(0, public.rpartition("/")[2], data, hashlib.sha256(data).digest())


def _refused(address: str, outcome: Outcome, reason: str) -> PhotoRefused:
    return PhotoRefused(f"the photo at {_public(address)} is {outcome.value}: {reason}")


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


def _public(address: str) -> str:
    """Return the address without credentials."""
    return public_name(address) or "the photo" if is_web(address) else without_credentials(address)


def _placed(face: Face, result: Result, means: LabelMeans | None) -> PlacedFace:
    mean, statistics = result.moments.mean(), result.summary.statistics
    embedding = face.embedding.astype(np.float64)
    distance = float(distances_to(face.embedding[None], mean)[0])
    distribution = statistics and statistics.distances
    norms = math.hypot(*embedding) * math.hypot(*mean)
    return PlacedFace(
        face=face.index,
        box=face.box,
        distance=distance,
        cosine=math.fsum((embedding * mean).tolist()) / norms if norms else None,
        fraction_within=distribution.fraction_within(distance) if distribution else None,
        labels=[] if means is None else _near_labels(face.embedding, means),
    )


def _near_labels(embedding: Embedding, labels: LabelMeans) -> list[NearLabel]:
    away = labels.means - embedding.astype(np.float64)
    distances = np.sqrt((away * away).sum(axis=1))
    nearest = np.argsort(distances, kind="stable")[:LABELS].tolist()
    return [NearLabel(labels.names[i], int(labels.faces[i]), float(distances[i])) for i in nearest]
