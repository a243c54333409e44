"""Partitions and digests: laws over any list of photos."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanface.dataset.refs import Part, PassedOver, PhotoRef, Source
from meanface.errors import DamagedRecord
from meanface.ledger.manifest import Digest, Manifest, digest, scope
from meanface.ledger.photo_list import PhotoList
from meanface.ledger.sorted_photos import SortedPhotos
from meanface.settings import Settings

names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
photos = st.lists(st.builds(PhotoRef, names, st.integers(-1, 2**40), names, st.integers(-1, 2**40), st.just("")))


@given(photos.filter(len), st.integers(1, 5))
def test_the_digest_does_not_depend_on_the_cut(listed: list[PhotoRef], size: int) -> None:
    ordered = SortedPhotos(listed)
    overall = Digest()
    cuts = ordered.partitions(size)
    partitions = [ordered.partition(index, cut, overall, "scope") for index, cut in enumerate(cuts)]
    assert overall.hexdigest() == digest(ordered)
    for partition, cut in zip(partitions, cuts, strict=True):
        part = PhotoList.from_parquet(ordered[cut].to_parquet())
        assert list(part) == list(ordered)[cut.start : cut.stop]
        assert (partition.digest, partition.photos, partition.chunks) == (digest(part), len(part), len(part.chunks()))


@given(photos.filter(len), st.data())
def test_any_other_name_or_size_is_another_digest(listed: list[PhotoRef], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(listed) - 1))
    old = listed[index]
    other = data.draw(st.sampled_from([PhotoRef(old.name + "x", old.size), PhotoRef(old.name, old.size + 1)]))
    assert digest([*listed[:index], other, *listed[index + 1 :]]) != digest(listed)


def test_names_cannot_be_confused() -> None:
    assert digest([PhotoRef("a", 1), PhotoRef("b", 2)]) != digest([PhotoRef("a 1\n1:b", 2)])


@pytest.mark.parametrize("data", [b"", b"PAR1", b"not parquet" * 10])
def test_a_damaged_photo_list_is_refused(data: bytes) -> None:
    with pytest.raises(DamagedRecord):
        PhotoList.from_parquet(data)


def manifest() -> Manifest:
    listed = SortedPhotos([PhotoRef("a.jpg", 1), PhotoRef("b.jpg", 2)])
    return Manifest(
        run="test",
        recipe="r",
        fingerprint="f",
        digest="d",
        photos=2,
        settings=Settings(dataset="sample"),
        source=Source(url="sample", kind="folder", root="/"),
        partitions=(listed.partition(0, range(2), Digest(), "scope"),),
    )


def test_a_manifest_survives_json() -> None:
    assert Manifest.from_json(manifest().to_json()) == manifest()


def test_the_record_of_one_dataset_is_that_of_the_releases_before_there_were_several() -> None:
    """Its digests are names of folders and of earlier results."""
    passed_over = (PassedOver(kind="videos", files=1, examples=("a.mov",)),)
    source = Source(url="/photos", kind="folder", root="/photos", passed_over=passed_over, warnings=("w",))
    settings = Settings(dataset="/photos")
    one = manifest().model_copy(update={"settings": settings, "source": source, "partitions": ()})
    assert one.content_digest() == "41d6278ee5a81e0cb8d71b6bd90373e1b8c6dcc5883f50b75e7046699898fabc"
    assert one.plan == "9fe18b5233271266"
    assert scope("r", source) == "fceb07a78e4e4bda70e0c50d1727786039a9079116b3aaecb7d76a317512aaf5"


def test_the_plan_of_several_datasets_depends_on_their_places_and_not_on_their_accounts() -> None:
    def several(*parts: Part) -> Manifest:
        source = Source(url="a, b", kind="several", root="", parts=parts)
        return manifest().model_copy(update={"source": source})

    a, b = (Part(name=name, source=Source(url=name, kind="archive", root="")) for name in "ab")
    found = several(a, b)
    assert Manifest.from_json(found.to_json()) == found
    other = b.model_copy(update={"source": b.source.model_copy(update={"url": "c"})})
    checked = b.model_copy(update={"source": b.source.model_copy(update={"checksum": "md5:0"})})
    assert several(a, checked).plan == found.plan != several(a, other).plan
    assert len({scope("r", one.source) for one in (found, several(b, a), several(a, other), several(a))}) == 4


@pytest.mark.parametrize("change", [{"schema": 2}, {"photos": 0}, {"more": 1}])
def test_another_schema_is_refused(change: dict[str, object]) -> None:
    altered = json.dumps(json.loads(manifest().to_json()) | change)
    with pytest.raises(DamagedRecord, match="not a manifest of schema 1"):
        Manifest.from_json(altered)


def test_a_plan_of_the_previous_release_is_refused_with_advice() -> None:
    """Its partitions had chunks of 256 photos, and did not list how many."""
    before = json.loads(manifest().to_json())
    del before["partitions"][0]["chunks"]
    with pytest.raises(DamagedRecord, match=r"another release of meanface has planned the run.*: start a new run"):
        Manifest.from_json(json.dumps(before))
