"""Records in Redis and in storage: manifests, moments, commits, contributions, entries of the catalog."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from random import Random

import numpy as np

from fuzz.mutate import Mutator, json_text
from fuzz.target import Target, held
from meanface.dataset.refs import Source
from meanface.embedder.dlib_models import DIMENSIONS
from meanface.errors import DamagedRecord
from meanface.ledger import commit, contribution
from meanface.ledger.cache import Entry, Newest
from meanface.ledger.commit import Commit
from meanface.ledger.contribution import Contribution
from meanface.ledger.manifest import Manifest, Partition
from meanface.outcome import Outcome
from meanface.settings import Settings
from meanface.stats.moments import Moments
from meanface.storage.marker import InSeries

DIGEST = "0123456789abcdef" * 4
PARTITIONS = tuple(
    Partition(
        index=i,
        photos=10,
        first=f"{i}/a.jpg",
        last=f"{i}/z.jpg",
        digest=DIGEST,
        listing=DIGEST,
        chunks=1,
        address=DIGEST,
    )
    for i in range(3)
)
MANIFEST = Manifest(
    run="fuzz",
    recipe=DIGEST,
    fingerprint=DIGEST,
    digest=DIGEST,
    photos=30,
    settings=Settings(dataset="s3://photos"),
    source=Source(url="s3://photos", kind="folder", root="s3://photos", warnings=("ends early",)),
    partitions=PARTITIONS,
    series=InSeries(name="daily", interval="2026-01-02T00:00:00Z"),
    generation=3,
)
MOMENTS = Moments.of(np.linspace(-0.3, 0.3, 7 * DIMENSIONS, dtype=np.float32).reshape(7, DIMENSIONS))
COMMIT = Commit(
    commit.CommitHeader(
        fingerprint=DIGEST,
        partition=1,
        photos_digest=DIGEST,
        outcomes={Outcome.OK: 7, Outcome.NO_FACE: 2, Outcome.UNDECODABLE: 1},
        counts={"faces_found": 9, "left_out_min_face": 2, "turned": 1},
        chips=DIGEST,
        attempt=1,
        host="pod",
        seconds=1.5,
        reused={"other": 3},
    ),
    MOMENTS,
)
CONTRIBUTION = Contribution(
    contribution.ContributionHeader(
        series="daily",
        interval="2026-01-02T00:00:00Z",
        run="fuzz",
        recipe=DIGEST,
        fingerprint=DIGEST,
        dataset="s3://photos",
        photos=10,
        outcomes={Outcome.OK: 7, Outcome.NO_FACE: 3},
        faces=7,
    ),
    MOMENTS,
)
NEWEST = Newest(run="fuzz", pixels=True, plan="0123456789abcdef")
ENTRY = Entry(address=DIGEST, run="fuzz", pixels=True, plan="0123456789abcdef", partition=0, digest=DIGEST)


def refusing(check: Callable[[bytes], None]) -> Callable[[bytes], bool]:
    """The check, with a record's own refusal for an answer."""

    def checked(data: bytes) -> bool:
        try:
            check(data)
        except DamagedRecord as refused:
            str(refused).encode()
            return False
        return True

    return checked


def _manifest(data: bytes) -> None:
    manifest = Manifest.from_json(data)
    held(Manifest.from_json(manifest.to_json()) == manifest, "another manifest when it is read back")


def _entry(data: bytes) -> None:
    entry = Entry.parsed(data, "an entry")
    held(Entry.parsed(entry.model_dump_json(by_alias=True), "an entry") == entry, "another entry when it is read back")


def _newest(data: bytes) -> None:
    newest = Newest.parsed(data, "an entry")
    held(Newest.parsed(newest.model_dump_json(by_alias=True), "an entry") == newest, "another when it is read back")


def _moments(data: bytes) -> None:
    """What has a checksum is refused, or is what it was."""
    held(Moments.from_bytes(data) == MOMENTS, "changed moments were accepted")


def _moments_sealed(data: bytes) -> None:
    """Under a valid checksum a record may have any content; it must not be misread."""
    moments = Moments.from_bytes(data)
    held(Moments.from_bytes(moments.to_bytes()) == moments, "other moments when they are read back")


def _commit(data: bytes) -> None:
    read = Commit.from_bytes(data)
    read.check(MANIFEST)
    held(read.digest() == COMMIT.digest(), "a changed commit was accepted")


def _contribution(data: bytes) -> None:
    held(Contribution.from_bytes(data) == CONTRIBUTION, "a changed contribution was accepted")


def _json_of(record: str) -> Callable[[Random], bytes]:
    value = json.loads(record)
    mutator = Mutator([json.dumps(value).encode()], [b'"', b"{", b"]", b"\\ud800", b"NaN", b"1e999", b"\xff"])
    return lambda random: json_text(random, value, mutator)


def _checksum_put_right(random: Random) -> bytes:
    data = MOMENTS_BYTES(random)
    return data[:-4] + struct.pack("<I", zlib.crc32(data[:-4]))


def _head_changed(record: bytes, mutator: Mutator) -> Callable[[Random], bytes]:
    """A record of several lines: changes anywhere, or in its line of JSON alone."""
    lines = record.split(b"\n")
    place = next(place for place, line in enumerate(lines) if line.startswith(b"{"))

    def make(random: Random) -> bytes:
        if random.random() < 0.5:
            return mutator(random)
        changed = json_text(random, json.loads(lines[place]), mutator)
        return b"\n".join((*lines[:place], changed, *lines[place + 1 :]))

    return make


MOMENTS_BYTES = Mutator([MOMENTS.to_bytes(), Moments.zero().to_bytes()[:-4]], [b"MFMO"])
COMMIT_BYTES = Mutator([COMMIT.to_bytes()], [b"\n", b'"', b"ok", b"no_face"])
CONTRIBUTION_BYTES = Mutator([CONTRIBUTION.to_bytes()], [b"\n", b'"'])

TARGETS = (
    Target("records.manifest", _json_of(MANIFEST.to_json()), refusing(_manifest), full=100_000, short=1000),
    Target(
        "records.entry",
        _json_of(ENTRY.model_dump_json(by_alias=True)),
        refusing(_entry),
        full=30_000,
        short=500,
    ),
    Target(
        "records.newest",
        _json_of(NEWEST.model_dump_json(by_alias=True)),
        refusing(_newest),
        full=30_000,
        short=500,
    ),
    Target("records.moments", MOMENTS_BYTES, refusing(_moments), full=20_000, short=200),
    Target("records.moments-sealed", _checksum_put_right, refusing(_moments_sealed), full=5_000, short=50),
    Target("records.commit", _head_changed(COMMIT.to_bytes(), COMMIT_BYTES), refusing(_commit), full=20_000, short=200),
    Target(
        "records.contribution",
        _head_changed(CONTRIBUTION.to_bytes(), CONTRIBUTION_BYTES),
        refusing(_contribution),
        full=20_000,
        short=200,
    ),
)
