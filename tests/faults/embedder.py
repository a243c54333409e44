"""A worker that embeds test photos: what it says is a function of the photo's SHA-256, in the language of
`meanface.workers.child`. It imports next to nothing, as the schedules start thousands of it.

The first word of a photo says what becomes of it: `face`, `faces` (two), `nobody`, `refuse` (undecodable) or `crash`.
Components are spread over many magnitudes, so that adding them as floats would depend on the order.
"""

import hashlib
import json
import os
import signal
import struct
import sys
from multiprocessing.connection import Connection

DIMENSIONS = 128
SIDE = 150
CHIP_BYTES = SIDE * SIDE * 3


def embedding(seed: bytes) -> bytes:
    """128 float32 of up to 24 significant bits, between 2^-30 and 1."""
    bits = hashlib.shake_256(seed).digest(DIMENSIONS * 4)
    numbers = []
    for (word,) in struct.iter_unpack("<I", bits):
        size = (2**23 + (word >> 9)) * 2.0 ** (-24 - (word & 0xFF) % 30)
        numbers.append(-size if word & 0x100 else size)
    return struct.pack(f"<{DIMENSIONS}f", *numbers)


def chip(seed: bytes) -> bytes:
    """Pixels."""
    return hashlib.shake_256(b"chip" + seed).digest(CHIP_BYTES)


def answer(photo: bytes) -> bytes:
    """The message with a photo's result."""
    digest = hashlib.sha256(photo).digest()
    word = photo.split(b" ", 1)[0]
    if word == b"crash":
        os.kill(os.getpid(), signal.SIGKILL)
    count = {b"face": 1, b"faces": 2, b"nobody": 0}.get(word)
    if count is None:
        return _head("undecodable", "not a photo of the test", [])
    faces = [[index, 1.5, index, 40 + digest[0], 50 + digest[1], 0] for index in range(count)]
    seeds = [digest + bytes([index]) for index in range(count)]
    head = _head("ok" if count else "no_face", "", faces)
    return b"".join([head, *map(embedding, seeds), *map(chip, seeds)])


def _head(outcome: str, detail: str, faces: list[list[float]]) -> bytes:
    """A message's first line."""
    fields = {
        "outcome": outcome,
        "detail": detail,
        "orientation": 1,
        "found": len(faces),
        "left_out": [0, 0],
        "faces": faces,
        "dimensions": DIMENSIONS if faces else 0,
        "chips": [len(faces), SIDE, SIDE, 3] if faces else [0, 0, 0, 3],
    }
    return json.dumps(fields).encode() + b"\n"


def main() -> None:
    with Connection(int(sys.argv[1])) as parent:
        parent.send_bytes(b"")
        while True:
            try:
                photos = [parent.recv_bytes() for _ in range(int(parent.recv_bytes()))]
            except EOFError:
                return
            answers = []
            for photo in photos:
                answers.append(answer(photo))
                parent.send_bytes(b"")
            for said in answers:
                parent.send_bytes(said)


if __name__ == "__main__":
    main()
