"""A worker process: photos come in as bytes, what became of them goes out.

Hostile bytes are decoded here and nowhere else, confined by `sandbox`, so that a photo that kills its decoder, or has
it take all memory, takes no other photo along.
Parent and worker speak over one socket in whole messages: a photo's bytes one way; JSON, a line feed, raw float32
embeddings and, if the settings keep pixels, raw chips the other. Nothing is pickled. A closed socket ends the worker.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from meanface import sandbox
from meanface.chips import SHAPE
from meanface.detector import DetectorChoice
from meanface.errors import MeanfaceError
from meanface.faces import Box, Face, FaceEmbedder, Faces, open_embedder
from meanface.moments import DIMENSIONS
from meanface.outcome import Outcome
from meanface.photo import PhotoRefused, decode
from meanface.photoresult import PhotoResult
from meanface.settings import Settings


def embed_photo(data: bytes, embedder: FaceEmbedder, settings: Settings) -> PhotoResult:
    """What becomes of one photo, from its bytes to the embeddings, and perhaps chips, of its faces."""
    try:
        pixels = decode(data, settings)
    except PhotoRefused as refused:
        return PhotoResult(refused.outcome, refused.detail)
    faces = embedder.faces(pixels, settings.faces)
    if not settings.face_pixels:
        faces = faces.without_chips()
    if faces.chosen:
        return PhotoResult(Outcome.OK, faces=faces)
    if faces.found:
        return PhotoResult(Outcome.SEVERAL_FACES, f"{faces.found} faces, not one", faces=faces)
    return PhotoResult(Outcome.NO_FACE)


def encode(result: PhotoResult) -> bytes:
    """A result as a message."""
    faces = result.faces.chosen
    chips = [face.chip.tobytes() for face in faces if face.chip is not None]
    head = {
        "outcome": result.outcome.value,
        "detail": result.detail,
        "found": result.faces.found,
        "faces": [[face.index, *face.box] for face in faces],
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
        Face(index, Box(*box), embedding, chip)
        for (index, *box), embedding, chip in zip(head["faces"], embeddings, chips, strict=True)
    )
    return PhotoResult(Outcome(head["outcome"]), head["detail"], faces=Faces(head["found"], chosen))


def main() -> None:
    """Serve photos until the socket closes.

    Called by `workers`, as `python -m meanface.worker FD SETTINGS CACHE DETECTOR MEMORY ALONE`.
    """
    descriptor, settings_json, cache, detector, memory, alone = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    settings = Settings.model_validate_json(settings_json)
    gone = (BrokenPipeError, ConnectionResetError)  # a parent that needed no photo embedded, or was killed
    with Connection(int(descriptor)) as parent, suppress(*gone):
        try:
            embedder = open_embedder(settings.embedder, cache or None, DetectorChoice(detector))
        except (ImportError, OSError, MeanfaceError) as failure:
            parent.send_bytes(f"{type(failure).__name__}: {failure}".encode())
            return
        sandbox.confine(int(memory), int(alone))
        parent.send_bytes(b"")  # ready
        while True:
            try:
                data = parent.recv_bytes()
            except EOFError:
                return
            parent.send_bytes(encode(sandbox.within_limits(partial(embed_photo, data, embedder, settings))))


if __name__ == "__main__":
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    main()
