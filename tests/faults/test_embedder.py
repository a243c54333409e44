"""The test embedder sends messages like the real worker, with the results that the tests need."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np

from faults import collection
from faults.embedder import answer, embedding
from meanface.outcome import Outcome
from meanface.workers.child import decode_result, encode


def test_messages_are_those_of_the_worker(tmp_path: Path) -> None:
    photos = [path.read_bytes() for path in sorted(collection.make(tmp_path, photos=28, crash=-1).rglob("*.jpg"))]
    outcomes = []
    for photo in photos:
        result = decode_result(answer(photo), sha256(photo).digest())
        assert encode(result) == answer(photo)
        outcomes.append((result.outcome, len(result.faces)))
    assert set(outcomes) == {(Outcome.OK, 1), (Outcome.OK, 2), (Outcome.NO_FACE, 0), (Outcome.UNDECODABLE, 0)}


def test_float_sums_of_the_embeddings_depend_on_the_order() -> None:
    vectors = [np.frombuffer(embedding(b"%d" % number), np.float32).astype(np.float64) for number in range(50)]
    forwards, backwards = sum(vectors), sum(vectors[::-1])
    assert (forwards != backwards).any()
    assert np.isfinite(vectors).all()
