"""Thumbnails of a few faces for the report, from photos that are read and aligned once more.

The ledger has no pixels of single faces. As in the embed stage, bytes are decoded in a worker
process only. Thumbnails are optional: a photo that is missing, unreadable or changed has none, and
nothing fails.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from itertools import accumulate, pairwise
from typing import NamedTuple

import structlog
from PIL import Image

from meanface.dataset import open_photos
from meanface.dataset.refs import PhotoRef
from meanface.errors import MeanfaceError
from meanface.ledger.chunk import Chunk
from meanface.ledger.manifest import Manifest
from meanface.ledger.photo_list import PhotoList
from meanface.pipeline.run import Run
from meanface.stats.chip_sum import Chip
from meanface.stats.models import FaceAt
from meanface.storage.layout import PlanFiles
from meanface.workers.pool import Workers
from meanface.workers.prefetch import PhotoBytes, ReadAhead

QUALITY = 85
"""of the JPEG; a thumbnail has about 5 kB"""

READ_AT_ONCE = 4

log = structlog.get_logger(__name__)


class _Photo(NamedTuple):
    """A photo of the plan."""

    position: int
    ref: PhotoRef
    sha256: bytes
    """of its bytes when it was embedded"""


def thumbnails(
    run: Run, manifest: Manifest, faces: Iterable[FaceAt], workers: Workers | None = None
) -> dict[FaceAt, bytes]:
    """Return the aligned chips of faces as JPEG, in order, without those that cannot be read.

    Starts one worker process, unless `workers` are given. With `face_pixels=false` there are none.
    """
    if not manifest.settings.face_pixels:
        return {}
    wanted = dict.fromkeys(faces)
    photos = list(_photos(run.plan_files(manifest), manifest, {face.position for face in wanted}))
    found: dict[FaceAt, bytes] = {}
    try:
        for face, chip in _chips(run, manifest, photos, workers):
            if face in wanted:
                found[face] = jpeg(chip)
    except MeanfaceError as trouble:  # an outage, or no worker starts
        log.warning("no more thumbnails", reason=str(trouble))
    return {face: found[face] for face in wanted if face in found}


def jpeg(chip: Chip) -> bytes:
    """Encode a chip as JPEG, without metadata."""
    output = io.BytesIO()
    Image.fromarray(chip).save(output, "JPEG", quality=QUALITY)
    return output.getvalue()


def _photos(files: PlanFiles, manifest: Manifest, positions: set[int]) -> Iterator[_Photo]:
    """Find the photos at these positions, and read only the lists and chunks that have them."""
    starts = list(accumulate((partition.photos for partition in manifest.partitions), initial=0))
    for partition, (start, stop) in enumerate(pairwise(starts)):
        places = sorted(position - start for position in positions if start <= position < stop)
        try:
            yield from _photos_of(files, partition, start, places) if places else ()
        except (FileNotFoundError, MeanfaceError) as trouble:
            log.warning("no thumbnails of a partition's photos", partition=partition, reason=str(trouble))


def _photos_of(files: PlanFiles, partition: int, start: int, places: list[int]) -> Iterator[_Photo]:
    """Find the photos at places of a partition whose first photo has the position `start`."""
    listed = PhotoList.from_parquet(files.run.read(files.photo_list(partition)))
    for number, chunk in enumerate(listed.chunks()):
        within = [place for place in places if place in chunk]
        if within:
            photos = Chunk.from_parquet(files.run.read(files.chunk(partition, number))).photos()
            keys = zip(photos["position"].to_pylist(), photos["photo"].to_pylist(), strict=True)
            embedded = dict(zip(keys, photos["sha256"].to_pylist(), strict=True))
        for place in within:
            for ref in listed[range(place, place + 1)]:
                sha256 = embedded.get((start + place, ref.name))
                if sha256 is not None:
                    yield _Photo(start + place, ref, sha256)


def _chips(
    run: Run, manifest: Manifest, photos: list[_Photo], running: Workers | None
) -> Iterator[tuple[FaceAt, Chip]]:
    """Yield the chips of all chosen faces of the photos whose bytes have not changed."""
    settings, refs = manifest.settings, [photo.ref for photo in photos]
    with (
        open_photos(manifest.source, run.files, run.network_policy) as source,
        nullcontext(running) if running else Workers(1, settings, run.cache, run.detector) as workers,
        ReadAhead(refs, range(len(refs)), source, max_bytes=settings.max_bytes, at_once=READ_AT_ONCE) as ahead,
    ):
        unchanged = ([one] for i, one in ahead if isinstance(one, PhotoBytes) and one.sha256 == photos[i].sha256)
        for index, result in workers.results(unchanged):
            for face in result.faces:
                if face.chip is not None:
                    yield FaceAt(photos[index].position, face.index), face.chip
