"""A commit record: the same answer has the same digest, and nothing else has."""

from __future__ import annotations

import json

import numpy as np
import pytest

from meanface.dataset.refs import PhotoRef, Source
from meanface.errors import DamagedRecord
from meanface.ledger.commit import Commit, CommitHeader
from meanface.ledger.manifest import Digest, Manifest
from meanface.ledger.sorted_photos import SortedPhotos
from meanface.outcome import Outcome
from meanface.settings import Settings
from meanface.stats.moments import Moments
from meanface.storage.checksum import seal, unseal

MOMENTS = Moments.of(np.random.default_rng(7).normal(0, 0.1, (5, 128)).astype(np.float32))
PHOTOS = SortedPhotos(PhotoRef(f"{number}.jpg", number) for number in range(5))
PARTITION = PHOTOS.partition(0, range(5), Digest(), "scope")
HEAD = CommitHeader(
    fingerprint="f",
    partition=0,
    photos_digest=PARTITION.digest,
    outcomes={Outcome.OK: 4, Outcome.NO_FACE: 1},
    counts={"faces_found": 6, "left_out_policy": 1, "turned": 1, "turned_without_face": 1},
    chips="c",
)
COMMIT = Commit(HEAD, MOMENTS)
MANIFEST = Manifest(
    run="test",
    recipe="r",
    fingerprint="f",
    digest="d",
    photos=5,
    settings=Settings(dataset="sample"),
    source=Source(url="sample", kind="folder", root="/"),
    partitions=(PARTITION,),
)


def test_a_commit_survives_serialisation() -> None:
    again = Commit.from_bytes(COMMIT.to_bytes())
    assert again == COMMIT
    assert again.digest() == COMMIT.digest()


def test_attempt_and_clock_do_not_change_the_digest() -> None:
    told = {
        "attempt": 3,
        "seconds": 9.5,
        "host": "another",
        "photos_resumed": 2,
        "detectors": {"dlib": 3},
        "reused": {"other": 3},
    }
    later = HEAD.model_copy(update=told)
    assert Commit(later, MOMENTS).digest() == COMMIT.digest()


@pytest.mark.parametrize(
    "commit",
    [
        Commit(HEAD.model_copy(update={"fingerprint": "g"}), MOMENTS),
        Commit(HEAD.model_copy(update={"partition": 1}), MOMENTS),
        Commit(HEAD.model_copy(update={"photos_digest": "other"}), MOMENTS),
        Commit(HEAD.model_copy(update={"outcomes": {Outcome.OK: 5}}), MOMENTS),
        Commit(HEAD.model_copy(update={"chips": "d"}), MOMENTS),
        Commit(HEAD.model_copy(update={"chips": None}), MOMENTS),
        Commit(HEAD, MOMENTS + MOMENTS),
    ],
)
def test_any_other_result_has_another_digest(commit: Commit) -> None:
    assert commit.digest() != COMMIT.digest()


def test_it_has_a_chip_sum_exactly_if_the_settings_keep_pixels() -> None:
    without = MANIFEST.model_copy(update={"settings": Settings(dataset="sample", face_pixels=False)})
    Commit(HEAD.model_copy(update={"chips": None}), MOMENTS).check(without)
    with pytest.raises(DamagedRecord, match="with a chip sum True, expected False"):
        COMMIT.check(without)


@pytest.mark.parametrize(
    "change", [{"fingerprint": "g"}, {"photos_digest": "other"}, {"outcomes": {Outcome.OK: 4}}, {"chips": None}]
)
def test_a_record_of_another_kind_is_refused(change: dict[str, object]) -> None:
    """It fits its manifest but for the change."""
    COMMIT.check(MANIFEST)
    with pytest.raises(DamagedRecord, match="commit of partition 0"):
        Commit(HEAD.model_copy(update=change), MOMENTS).check(MANIFEST)


@pytest.mark.parametrize("partition", [1, 2**70])
def test_a_record_of_no_partition_is_refused(partition: int) -> None:
    with pytest.raises(DamagedRecord, match=f"commit of partition {partition}: the manifest has 1 partitions"):
        Commit(HEAD.model_copy(update={"partition": partition}), MOMENTS).check(MANIFEST)


def test_changed_counts_are_refused() -> None:
    """Though there are as many photos as before."""
    altered = COMMIT.to_bytes().replace(b'"ok":4', b'"ok":3').replace(b'"no_face":1', b'"no_face":2')
    with pytest.raises(DamagedRecord, match="a commit record fails its checksum"):
        Commit.from_bytes(altered)


def test_another_schema_is_refused() -> None:
    line, _, moments = unseal(COMMIT.to_bytes(), "a commit").partition(b"\n")
    altered = json.dumps(json.loads(line) | {"schema": 1}).encode()
    with pytest.raises(DamagedRecord, match="not a commit record of schema 3"):
        Commit.from_bytes(seal(altered + b"\n" + moments))


@pytest.mark.parametrize("cut", [0, 10, 300, -1])
def test_a_cut_record_is_refused(cut: int) -> None:
    with pytest.raises(DamagedRecord):
        Commit.from_bytes(COMMIT.to_bytes()[:cut])
