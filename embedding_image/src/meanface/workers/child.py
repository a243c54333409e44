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
import math
import resource
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from meanface import system
from meanface.embedder import heif
from meanface.embedder.decode import PhotoRefused, decode
from meanface.embedder.embedder import FaceEmbedder, detect_faces, open_embedder
from meanface.embedder.faces import Box, Embedding, Face, LeftOut
from meanface.embedder.kernels import KernelChoice
from meanface.embedder.models.plain import ModelData
from meanface.embedder.result import Detection, PhotoResult
from meanface.errors import MeanfaceError
from meanface.outcome import Outcome
from meanface.photo_settings import DetectorName, FaceRules, PhotoSettings, is_card
from meanface.system import MIB


def detect(data: bytes, embedder: FaceEmbedder, settings: PhotoSettings) -> Detection | PhotoResult:
    """Decode a photo and find its faces; a photo for which that fails has its result already."""
    rules = FaceRules(settings.faces, settings.min_face, settings.min_score)
    try:
        return detect_faces(embedder, decode(data, settings), rules)
    except PhotoRefused as refused:
        return PhotoResult(refused.outcome, refused.detail)
    except MemoryError:
        limit = resource.getrlimit(resource.RLIMIT_DATA)[0] // MIB
        by_network = settings.detector is DetectorName.CNN or is_card(settings.embedder)
        advice = ": allow more, or set max_side" if by_network else ""
        if settings.upsample > 1:
            advice = f": allow more, or lower upsample={settings.upsample}"
        return PhotoResult(Outcome.CRASHED, f"took more memory than a worker may ({limit:,} MiB){advice}")


def embed(
    detected: Sequence[Detection | PhotoResult], embedder: FaceEmbedder, settings: PhotoSettings
) -> list[PhotoResult]:
    """Results of a group of photos; the network embeds their faces together."""
    detections = [one for one in detected if isinstance(one, Detection)]
    embeddings = iter(embedder.embed([chip for one in detections for chip in one.chips.values()]))
    results = [_result(one, embeddings) if isinstance(one, Detection) else one for one in detected]
    return results if settings.face_pixels else [result.without_chips() for result in results]


def _result(detection: Detection, embeddings: Iterator[Embedding]) -> PhotoResult:
    """The result of a photo; it is `crashed` if an embedding is not finite, as no sum can have that."""
    result = PhotoResult.of(detection, embeddings)
    for face in result.faces:
        if not np.isfinite(face.embedding).all():
            return PhotoResult(Outcome.CRASHED, f"the network computes no finite embedding of face {face.index}")
    return result


def encode(result: PhotoResult) -> bytes:
    """Encode a result as a message; the SHA-256 of the photo is not in it."""
    chips = [face.chip for face in result.faces if face.chip is not None]
    head = {
        "outcome": result.outcome.value,
        "detail": result.detail,
        "orientation": result.orientation,
        "found": result.faces_found,
        "left_out": result.left_out,
        "faces": [[face.index, face.score, *face.box] for face in result.faces],
        "dimensions": len(result.faces[0].embedding) if result.faces else 0,
        "chips": [len(chips), *(chips[0].shape if chips else (0, 0, 3))],
    }
    embeddings = [face.embedding.tobytes() for face in result.faces]
    return b"".join([json.dumps(head).encode(), b"\n", *embeddings, *(chip.tobytes() for chip in chips)])


def decode_result(message: bytes, sha256: bytes) -> PhotoResult:
    """Decode a message of `encode`, about a photo with this SHA-256."""
    start = message.index(b"\n") + 1
    head: dict[str, Any] = json.loads(message[:start])
    faces = len(head["faces"])
    # Copied, so that an embedding does not keep the chips in memory.
    shape = (faces, head["dimensions"])
    embeddings = np.frombuffer(message, np.float32, math.prod(shape), start).reshape(shape).copy()
    pixels = np.frombuffer(message, np.uint8, offset=start + embeddings.nbytes).reshape(head["chips"])
    chips = pixels if len(pixels) else [None] * faces
    chosen = tuple(
        Face(index, Box(*box), score, embedding, chip)
        for (index, score, *box), embedding, chip in zip(head["faces"], embeddings, chips, strict=True)
    )
    outcome, left_out = Outcome(head["outcome"]), LeftOut(*head["left_out"])
    return PhotoResult(outcome, head["detail"], sha256, chosen, head["found"], left_out, head["orientation"])


def main() -> None:
    """Serve photos until the socket closes.

    `process` runs `python -m meanface.workers FD SETTINGS CACHE DETECTOR MEMORY ALONE MODEL`.
    """
    descriptor, settings_json, cache, kernels, memory, alone, model = sys.argv[1:]
    settings = PhotoSettings.from_json(settings_json)
    # The parent may have ended: it did not need the worker any more, or it was killed.
    with Connection(int(descriptor)) as parent, suppress(BrokenPipeError, ConnectionResetError):
        try:
            described = ModelData.from_json(model) if model else None
            embedder = open_embedder(settings, cache or None, KernelChoice(kernels), described)
            heif.decoders()  # loaded here, where memory and files are not limited yet
        except (ImportError, OSError, MeanfaceError) as failure:
            parent.send_bytes(f"{type(failure).__name__}: {failure}".encode())
            return
        system.confine(int(memory), int(alone))
        parent.send_bytes(b"")  # ready
        while photos := _group(parent):
            detected = []
            for data in photos:
                detected.append(detect(data, embedder, settings))
                parent.send_bytes(b"")
            for result in embed(detected, embedder, settings):
                parent.send_bytes(encode(result))


def _group(parent: Connection) -> list[bytes]:
    """Receive the next group whole, so that the parent never waits; empty at the end."""
    try:
        return [parent.recv_bytes() for _ in range(int(parent.recv_bytes()))]
    except EOFError:
        return []
