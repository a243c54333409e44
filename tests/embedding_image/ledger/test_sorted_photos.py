"""All photos of a dataset, sorted in memory or in parts on disk: laws over any list of photos."""

from __future__ import annotations

import errno
import tempfile
from pathlib import Path
from unittest import mock

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanface.dataset.refs import PhotoRef
from meanface.errors import StorageUnavailable
from meanface.ledger import sorted_photos
from meanface.ledger.manifest import Digest, Partition
from meanface.ledger.sorted_photos import SortedPhotos

texts = st.text(st.characters(codec="utf-8"), max_size=3)
sizes = st.integers(-1, 3)
photos = st.lists(st.builds(PhotoRef, texts, sizes, texts, sizes, texts, texts, texts), max_size=60)


def partitions(ordered: SortedPhotos) -> list[Partition]:
    overall = Digest()
    cuts = ordered.partitions(4)
    return [ordered.partition(index, cut, overall, "scope") for index, cut in enumerate(cuts)]


@given(photos, st.randoms(), st.integers(1, 7), st.integers(1, 1000))
def test_neither_the_order_of_arrival_nor_the_parts_change_the_list(
    listed: list[PhotoRef], random: object, batch: int, part_bytes: int
) -> None:
    shuffled = list(listed)
    random.shuffle(shuffled)
    with SortedPhotos(listed) as whole:
        expected, cut = list(whole), partitions(whole)
    assert expected == sorted(listed)
    with mock.patch.object(sorted_photos, "BATCH", batch), SortedPhotos(shuffled, part_bytes) as ordered:
        assert list(ordered) == expected
        assert partitions(ordered) == cut
        for start in range(0, len(listed), 5):
            assert list(ordered[range(start, min(start + 9, len(listed)))]) == expected[start : start + 9]


def refs(count: int) -> list[PhotoRef]:
    return [PhotoRef(f"{number * 7919 % count:06}.jpg", number) for number in range(count)]


def test_parts_are_on_disk_only_while_the_list_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(sorted_photos, "BATCH", 100)
    with SortedPhotos(refs(1000), part_bytes=1) as ordered:
        assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == ["sorted"]
        assert [photo.name for photo in ordered] == [f"{number:06}.jpg" for number in range(1000)]
    assert not list(tmp_path.iterdir())


def test_a_listing_that_fails_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(sorted_photos, "BATCH", 100)

    def broken() -> object:
        yield from refs(500)
        assert list(tmp_path.rglob("part-*"))
        raise StorageUnavailable("the bucket is away")

    with pytest.raises(StorageUnavailable, match="the bucket is away"):
        SortedPhotos(broken(), part_bytes=1)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(sorted_photos, "BATCH", 100)
    full = OSError(errno.ENOSPC, "No space left on device")
    with (
        mock.patch.object(pa, "OSFile", side_effect=full),
        pytest.raises(StorageUnavailable, match=f"cannot write temporary files to {tmp_path}: .*; set TMPDIR"),
    ):
        SortedPhotos(refs(500), part_bytes=1)
    assert not list(tmp_path.iterdir())


def test_a_column_of_labels_is_there_if_any_photo_has_one() -> None:
    with SortedPhotos([PhotoRef("a.jpg", 1), PhotoRef("b.jpg", 1, label="b")]) as labelled:
        assert "label" in labelled[range(1)].table.column_names
    with SortedPhotos([PhotoRef("a.jpg", 1)]) as plain:
        assert "label" not in plain[range(1)].table.column_names
