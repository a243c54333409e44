"""A worker process: photos come in as bytes, what became of them goes out.

Hostile bytes are decoded here and nowhere else, confined by `sandbox`, so that a photo that kills its decoder, or has
it take all memory, takes no other photo along.
Parent and worker speak over one socket in whole messages. One way: how many photos are in a group, and the bytes of
each. The other: an empty message for each photo that is through detection, then a result for each: JSON, a line feed,
raw float32 embeddings and, if the settings keep pixels, raw chips. Nothing is pickled. A closed socket ends the worker.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, TypeVar

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
    """A photo with faces that count, which the network has not seen yet."""

    detection: Detection
    orientation: int


def detect(data: bytes, embedder: FaceEmbedder, settings: PhotoSettings) -> Detected | PhotoResult:
    """The faces of one photo that count, from its bytes; or what becomes of a photo without any.

    Raises
    ------
    MemoryError
        if the photo takes more memory than there is, or is called broken where there may have been too little
    """
    try:
        photo = decode(data, settings)
    except PhotoRefused as refused:
        result, memory = PhotoResult(refused.outcome, refused.detail), refused.memory
    else:
        rules = FaceRules(settings.faces, settings.min_face, settings.min_score)
        found = _found(embedder.detect(photo.pixels, rules))
        if isinstance(found, Detection):
            return Detected(found, photo.orientation)
        return replace(found, orientation=photo.orientation)
    if not system.has_room(memory):  # asked where nothing keeps the decoder's memory any more
        raise MemoryError
    return result


def _found(detection: Detection) -> Detection | PhotoResult:
    """The faces that count, if any do."""
    if detection.chosen:
        return detection
    faces = Faces(detection.found, (), detection.left_out)
    left_out = [f"{count} by {name}" for name, count in detection.left_out._asdict().items() if count]
    remaining = detection.found - sum(detection.left_out)
    if remaining:
        detail = ", ".join([f"{remaining} faces, not one", *(f"left out {reason}" for reason in left_out)])
        return PhotoResult(Outcome.SEVERAL_FACES, detail, faces=faces)
    detail = f"every face was left out: {', '.join(left_out)}" if left_out else ""
    return PhotoResult(Outcome.NO_FACE, detail, faces=faces)


def embed(
    detected: Sequence[Detected | PhotoResult], embedder: FaceEmbedder, settings: PhotoSettings
) -> list[PhotoResult]:
    """What becomes of each photo of a group; the network sees the faces of all together."""
    together = iter(embed_faces(embedder, [one.detection for one in detected if isinstance(one, Detected)]))
    results = [
        PhotoResult(Outcome.OK, faces=next(together), orientation=one.orientation) if isinstance(one, Detected) else one
        for one in detected
    ]
    return results if settings.face_pixels else [result.without_chips() for result in results]


def encode(result: PhotoResult) -> bytes:
    """A result as a message."""
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
    """The result in a message of `encode`."""
    start = message.index(b"\n") + 1
    head: dict[str, Any] = json.loads(message[:start])
    faces = len(head["faces"])
    # Copied: an embedding that is kept must not keep the chips behind it.
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

    Called by `workers`, as `python -m meanface.workers.child FD SETTINGS CACHE DETECTOR MEMORY ALONE`.
    """
    descriptor, settings_json, cache, detector, memory, alone = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    settings = PhotoSettings.from_json(settings_json)
    gone = (BrokenPipeError, ConnectionResetError)  # a parent that needed no photo embedded, or was killed
    with Connection(int(descriptor)) as parent, suppress(*gone):
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
                detected.append(within_limits(partial(detect, data, embedder, settings)))
                parent.send_bytes(b"")
            for result in embed(detected, embedder, settings):
                parent.send_bytes(encode(result))


def _group(parent: Connection) -> list[bytes]:
    """The next photos, all there before the first is looked at: the parent waits for no photo; none at the end."""
    try:
        return [parent.recv_bytes() for _ in range(int(parent.recv_bytes()))]
    except EOFError:
        return []


Found = TypeVar("Found")


def within_limits(work: Callable[[], Found]) -> Found | PhotoResult:
    """What is found in a photo; of one that takes more memory than there is, that."""
    try:
        return work()
    except MemoryError:
        limit = resource.getrlimit(resource.RLIMIT_DATA)[0] // MIB
        return PhotoResult(Outcome.CRASHED, f"took more memory than a worker may ({limit:,} MiB)")


if __name__ == "__main__":
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    main()
