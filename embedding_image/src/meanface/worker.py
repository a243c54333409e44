"""A worker process: photos come in as bytes, what became of them goes out.

Hostile bytes are decoded here and nowhere else, so that a photo that kills its decoder takes no other photo along.
Parent and worker speak over one socket in whole messages: a photo's bytes one way; JSON, a line feed and raw float32
embeddings the other. Nothing is pickled. A closed socket ends the worker.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from meanface.detector import DetectorChoice
from meanface.errors import MeanfaceError
from meanface.faces import Box, Face, FaceEmbedder, Faces, open_embedder
from meanface.moments import DIMENSIONS
from meanface.outcome import Outcome
from meanface.photo import PhotoRefused, decode
from meanface.photoresult import PhotoResult
from meanface.settings import Settings


def embed_photo(data: bytes, embedder: FaceEmbedder, settings: Settings) -> PhotoResult:
    """What becomes of one photo, from its bytes to the embeddings of its faces."""
    try:
        pixels = decode(data, settings)
    except PhotoRefused as refused:
        return PhotoResult(refused.outcome, refused.detail)
    faces = embedder.faces(pixels, settings.faces)
    if faces.chosen:
        return PhotoResult(Outcome.OK, faces=faces)
    if faces.found:
        return PhotoResult(Outcome.SEVERAL_FACES, f"{faces.found} faces, not one", faces=faces)
    return PhotoResult(Outcome.NO_FACE)


def encode(result: PhotoResult) -> bytes:
    """A result as a message."""
    head = {
        "outcome": result.outcome.value,
        "detail": result.detail,
        "found": result.faces.found,
        "faces": [[face.index, *face.box] for face in result.faces.chosen],
    }
    embeddings = b"".join(face.embedding.tobytes() for face in result.faces.chosen)
    return json.dumps(head).encode() + b"\n" + embeddings


def decode_result(message: bytes) -> PhotoResult:
    """The result in a message of `encode`."""
    line, _, tail = message.partition(b"\n")
    head: dict[str, Any] = json.loads(line)
    embeddings = np.frombuffer(tail, np.float32).reshape(len(head["faces"]), DIMENSIONS)
    pairs = zip(head["faces"], embeddings, strict=True)
    chosen = tuple(Face(index, Box(*box), embedding) for (index, *box), embedding in pairs)
    return PhotoResult(Outcome(head["outcome"]), head["detail"], faces=Faces(head["found"], chosen))


def main() -> None:
    """Serve photos until the socket closes.

    Called by `workers`, as `python -m meanface.worker FD SETTINGS CACHE DETECTOR`.
    """
    descriptor, settings_json, cache, detector = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    settings = Settings.model_validate_json(settings_json)
    with suppress(BrokenPipeError, ConnectionResetError), Connection(int(descriptor)) as parent:
        try:
            embedder = open_embedder(settings.embedder, cache or None, DetectorChoice(detector))
        except (ImportError, OSError, MeanfaceError) as failure:
            parent.send_bytes(f"{type(failure).__name__}: {failure}".encode())
            return
        parent.send_bytes(b"")  # ready
        while True:
            try:
                data = parent.recv_bytes()
            except EOFError:
                return
            parent.send_bytes(encode(embed_photo(data, embedder, settings)))


if __name__ == "__main__":
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    main()
