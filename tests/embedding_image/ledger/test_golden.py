"""Records of dlib's embeddings have the bytes that they had before other dimensions were possible."""

from __future__ import annotations

import hashlib

import numpy as np

from meanface.dataset.refs import Source
from meanface.ledger.commit import Commit, CommitHeader
from meanface.ledger.manifest import Manifest
from meanface.outcome import Outcome
from meanface.settings import Settings
from meanface.stats.chip_sum import ChipSum
from meanface.stats.moments import Moments

ROWS = np.random.default_rng(7).normal(0, 0.1, (5, 128)).astype(np.float32)


def start(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def test_moments_of_faces_and_of_none() -> None:
    assert start(Moments.of(ROWS).to_bytes()) == "3da99ae79a56b64b"
    assert start(Moments.of(ROWS[:0]).to_bytes()) == "a49d0c104dfa5cd9"
    assert start((Moments.zero() + Moments.of(ROWS[:0])).to_bytes()) == "a49d0c104dfa5cd9"


def test_commits() -> None:
    head = CommitHeader(fingerprint="f", partition=0, photos_digest="p", outcomes={Outcome.OK: 5}, chips=None)
    assert Commit(head, Moments.of(ROWS)).digest()[:16] == "ec2f0172fdaed1f1"
    assert start(Commit(head, Moments.of(ROWS[:0])).to_bytes()) == "e4d2f5b94fd0dd9b"


def test_chip_sums() -> None:
    chips = [np.random.default_rng(seed).integers(0, 256, (150, 150, 3), np.uint8) for seed in range(3)]
    assert ChipSum.of(chips).digest()[:16] == "d09ad7a68cc41f5f"
    assert ChipSum.zero().digest()[:16] == (ChipSum.zero() + ChipSum.zero()).digest()[:16] == "e3fe7e218abb12dd"


def test_manifests() -> None:
    source = Source(kind="folder", root="/p", url="/p")
    settings = Settings(dataset="sample")
    fields = {"run": "r", "recipe": "x", "fingerprint": "f", "digest": "d", "photos": 1, "partitions": ()}
    manifest = Manifest(settings=settings, source=source, **fields)
    assert "dimensions" not in manifest.to_json()
    assert manifest.plan == "2915683f817af6f8"
    wide = Manifest(settings=settings, source=source, dimensions=512, **fields)
    assert wide.plan != manifest.plan
    assert Manifest.from_json(wide.to_json()) == wide
