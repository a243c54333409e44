"""A worker process: receives photos as bytes, returns their results.

Untrusted bytes are decoded here only, within the limits of `sandbox`: a photo that kills its
decoder, or makes it allocate all memory, affects no other photo.

Parent and worker exchange whole messages over one socket. The parent sends the number of photos in
a group, and the bytes of each. The worker sends an empty message for each photo after detection,
then a result for each: JSON, a line feed, raw float32 embeddings and, if the settings keep pixels,
raw chips. Nothing is pickled. A closed socket ends the worker.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import numpy as np

from meanface import system
from meanface.embedder.decode import PhotoRefused, decode
from meanface.embedder.detector import DetectorChoice
from meanface.embedder.embedder import FaceEmbedder, embed_faces, open_embedder
from meanface.embedder.faces import Box, Detection, Face, Faces, LeftOut
from meanface.embedder.result import PhotoResult
from meanface.errors import MeanfaceError
from meanface.outcome import Outcome
from meanface.photo_settings import FaceRules, PhotoSettings
from meanface.stats.chip_sum import SHAPE
from meanface.stats.moments import DIMENSIONS
from meanface.system import MIB


class Detected(NamedTuple):
    """A photo with faces for the network."""

    detection: Detection
    orientation: int


def detect(data: bytes, embedder: FaceEmbedder, settings: PhotoSettings) -> Detected | PhotoResult:
    """Decode a photo and find its faces; a photo without faces to embed has its result already.

    MemoryError if the photo needs more memory than allowed, or if its decoder fails and too little
    memory may be the reason.
    """
    try:
        photo = decode(data, settings)
    except PhotoRefused as refused:
        result, memory = PhotoResult(refused.outcome, refused.detail), refused.memory
    else:
        rules = FaceRules(settings.faces, settings.min_face, settings.min_score)
        detected = Detected(embedder.detect(photo.pixels, rules), photo.orientation)
        return detected if detected.detection.chosen else _without_faces(*detected)
    if not system.has_room(memory):  # checked here, where the decoder's memory is free again
        raise MemoryError
    return result


def _without_faces(detection: Detection, orientation: int) -> PhotoResult:
    """Result of a photo of which no face is chosen."""
    faces = Faces(detection.found, (), detection.left_out)
    left_out = [f"{count} by {name}" for name, count in detection.left_out._asdict().items() if count]
    remaining = detection.found - sum(detection.left_out)
    if remaining:
        outcome = Outcome.SEVERAL_FACES
        detail = ", ".join([f"{remaining} faces, not one", *(f"left out {reason}" for reason in left_out)])
    else:
        outcome = Outcome.NO_FACE
        detail = f"every face was left out: {', '.join(left_out)}" if left_out else ""
    return PhotoResult(outcome, detail, faces=faces, orientation=orientation)


def within_limits(data: bytes, embedder: FaceEmbedder, settings: PhotoSettings) -> Detected | PhotoResult:
    """As `detect`; a photo that needs more memory than allowed is `crashed`."""
    try:
        return detect(data, embedder, settings)
    except MemoryError:
        limit = resource.getrlimit(resource.RLIMIT_DATA)[0] // MIB
        return PhotoResult(Outcome.CRASHED, f"took more memory than a worker may ({limit:,} MiB)")


def embed(
    detected: Sequence[Detected | PhotoResult], embedder: FaceEmbedder, settings: PhotoSettings
) -> list[PhotoResult]:
    """Results of a group of photos; the network embeds their faces together."""
    embedded = iter(embed_faces(embedder, [one.detection for one in detected if isinstance(one, Detected)]))
    results = [
        PhotoResult(Outcome.OK, faces=next(embedded), orientation=one.orientation) if isinstance(one, Detected) else one
        for one in detected
    ]
    return results if settings.face_pixels else [result.without_chips() for result in results]


def encode(result: PhotoResult) -> bytes:
    """Encode a result as a message."""
    faces = result.faces.chosen
    chips = [face.chip.tobytes() for face in faces if face.chip is not None]
    head = {
        "outcome": result.outcome.value,
        "detail": result.detail,
        "orientation": result.orientation,
        "found": result.faces.found,
        "left_out": result.faces.left_out,
        "faces": [[face.index, face.score, *face.box] for face in faces],
        "chips": len(chips),
    }
    embeddings = [face.embedding.tobytes() for face in faces]
    return b"".join([json.dumps(head).encode(), b"\n", *embeddings, *chips])


def decode_result(message: bytes) -> PhotoResult:
    """Decode a message of `encode`."""
    start = message.index(b"\n") + 1
    head: dict[str, Any] = json.loads(message[:start])
    faces = len(head["faces"])
    # Copied, so that an embedding does not keep the chips in memory.
    embeddings = np.frombuffer(message, np.float32, faces * DIMENSIONS, start).reshape(faces, DIMENSIONS).copy()
    pixels = np.frombuffer(message, np.uint8, offset=start + embeddings.nbytes).reshape(head["chips"], *SHAPE)
    chips = pixels if len(pixels) else [None] * faces
    chosen = tuple(
        Face(index, Box(*box), score, embedding, chip)
        for (index, score, *box), embedding, chip in zip(head["faces"], embeddings, chips, strict=True)
    )
    faces_found = Faces(head["found"], chosen, LeftOut(*head["left_out"]))
    return PhotoResult(Outcome(head["outcome"]), head["detail"], faces=faces_found, orientation=head["orientation"])


def main() -> None:
    """Serve photos until the socket closes.

    `process` runs `python -m meanface.workers.child FD SETTINGS CACHE DETECTOR MEMORY ALONE`.
    """
    descriptor, settings_json, cache, detector, memory, alone = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent to handle
    settings = PhotoSettings.from_json(settings_json)
    # The parent may have ended: it did not need the worker any more, or it was killed.
    with Connection(int(descriptor)) as parent, suppress(BrokenPipeError, ConnectionResetError):
        try:
            embedder = open_embedder(settings.embedder, cache or None, DetectorChoice(detector))
        except (ImportError, OSError, MeanfaceError) as failure:
            parent.send_bytes(f"{type(failure).__name__}: {failure}".encode())
            return
        system.confine(int(memory), int(alone))
        parent.send_bytes(b"")  # ready
        while photos := _group(parent):
            detected = []
            for data in photos:
                detected.append(within_limits(data, embedder, settings))
                parent.send_bytes(b"")
            for result in embed(detected, embedder, settings):
                parent.send_bytes(encode(result))


def _group(parent: Connection) -> list[bytes]:
    """Receive the next group whole, so that the parent never waits; empty at the end."""
    try:
        return [parent.recv_bytes() for _ in range(int(parent.recv_bytes()))]
    except EOFError:
        return []


if __name__ == "__main__":
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    main()
