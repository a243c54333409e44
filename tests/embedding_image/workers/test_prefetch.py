"""Reading ahead: every photo once, no more of them and of their bytes in memory than is allowed."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from meanface.dataset import PhotoSource
from meanface.dataset.folder_photos import FolderPhotos
from meanface.dataset.refs import UNKNOWN_SIZE, PhotoRef
from meanface.embedder.result import PhotoResult
from meanface.outcome import Outcome
from meanface.retry import Stopped
from meanface.workers import prefetch
from meanface.workers.prefetch import GROUP_BYTES, ReadAhead
from polling import until


class Gated(PhotoSource):
    """A source whose photos come when their gates are opened."""

    def __init__(self, photos: list[PhotoRef]) -> None:
        super().__init__()
        self.gates = {photo.name: threading.Event() for photo in photos}
        self.asked: list[str] = []
        self.changed = threading.Condition()

    def _fetch(self, ref: PhotoRef, max_bytes: int) -> bytes:  # noqa: ARG002 - none is too large
        with self.changed:
            self.asked.append(ref.name)
            self.changed.notify_all()
        assert self.gates[ref.name].wait(30)
        return bytes(max(ref.size, 1))

    def wait_for(self, number: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.asked) >= number, 30)


def photos_of(*sizes: int) -> list[PhotoRef]:
    return [PhotoRef(f"{number:04d}.png", size) for number, size in enumerate(sizes)]


def test_every_photo_comes_once_as_its_bytes_or_with_its_outcome(tmp_path: Path) -> None:
    photos = [PhotoRef(f"{number}.png", 4) for number in range(600)]
    for photo in photos:
        (tmp_path / photo.name).write_bytes(b"data")
    photos[7] = PhotoRef("link.png", 4, refusal="a link")
    photos[8] = PhotoRef("large.png", 101)
    photos[9] = PhotoRef("gone.png", 4)
    indices = range(1, 600, 2)
    with FolderPhotos(str(tmp_path)) as source:
        read = dict(ReadAhead(photos, indices, source, max_bytes=100, at_once=4))
    assert sorted(read) == list(indices)
    unread = {index: read.pop(index) for index in (7, 9)}
    assert unread == {
        7: PhotoResult(Outcome.UNREADABLE, "a link"),
        9: PhotoResult(Outcome.UNREADABLE, "gone since the plan"),
    }
    assert {(photo.index == index, photo.data) for index, photo in read.items()} == {(True, b"data")}
    (large,) = ReadAhead(photos, [8], source, max_bytes=100, at_once=4)
    assert large == (8, PhotoResult(Outcome.TOO_LARGE, "101 bytes, more than max_bytes=100"))


def test_a_photo_that_keeps_others_waiting_is_overtaken() -> None:
    photos = photos_of(*[1] * 500)
    source = Gated(photos)
    for photo in photos[1:]:
        source.gates[photo.name].set()
    ahead = ReadAhead(photos, range(500), source, max_bytes=9, at_once=2)
    assert [next(ahead)[0] for _ in range(499)] == list(range(1, 500))
    source.gates[photos[0].name].set()
    assert [index for index, _ in ahead] == [0]


@pytest.mark.parametrize(
    ("sizes", "in_reading"),
    [((10,) * 6, 4), ((40,) * 6, 2), ((100, 1, 1, 1, 1, 1), 1), ((500, 1, 1, 1, 1, 1), 1), ((UNKNOWN_SIZE,) * 6, 4)],
)
def test_photos_and_bytes_in_reading_have_bounds(
    sizes: tuple[int, ...], in_reading: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefetch, "MAX_BYTES_AHEAD", 100)
    photos = photos_of(*sizes)
    source = Gated(photos)
    ahead = ReadAhead(photos, range(6), source, max_bytes=1000, at_once=4)
    source.wait_for(in_reading)
    source.gates[photos[0].name].set()
    until(lambda: ahead._read.qsize() == 1)
    assert sorted(source.asked) == [photo.name for photo in photos[:in_reading]]
    for gate in source.gates.values():
        gate.set()
    assert sorted(index for index, _ in ahead) == [0, 1, 2, 3, 4, 5]


def test_photos_are_read_as_there_is_room() -> None:
    photos = photos_of(*[1] * 1000)
    source = Gated(photos)
    for gate in source.gates.values():
        gate.set()
    ahead = ReadAhead(photos, range(1000), source, max_bytes=9, at_once=4)
    next(ahead)
    ahead.close()
    assert len(source.asked) <= 5  # the one that was taken, and four in its place or beside it


def test_threads_read_on_while_nobody_asks() -> None:
    photos = photos_of(*[1] * 20)
    source = Gated(photos)
    for gate in source.gates.values():
        gate.set()
    with ReadAhead(photos, range(20), source, max_bytes=9, at_once=2, ahead=7) as ahead:
        until(lambda: ahead._read.qsize() == 7)
        assert len(source.asked) == 7
        assert len(list(ahead)) == 20


def test_who_leaves_waits_for_nothing() -> None:
    photos = photos_of(*[1] * 9)
    source = Gated(photos)
    for photo in photos[:4]:
        source.gates[photo.name].set()
    with ReadAhead(photos, range(9), source, max_bytes=9, at_once=2, ahead=4) as ahead:
        until(lambda: ahead._read.qsize() == 4)
    assert len(source.asked) == 4
    assert source._closed.is_set()


def test_a_source_that_was_closed_settles_nothing() -> None:
    photos = photos_of(1, 1)
    source = Gated(photos)
    source.close()
    with pytest.raises(Stopped):
        next(ReadAhead(photos, range(2), source, max_bytes=9, at_once=1))
    assert source.asked == []


def in_order(photos: list[PhotoRef], source: Gated, **bounds: int) -> ReadAhead:
    """A reader of all photos, one after the other."""
    return ReadAhead(photos, range(len(photos)), source, at_once=1, ahead=len(photos), **{"max_bytes": 9} | bounds)


def all_read(photos: list[PhotoRef], **bounds: int) -> ReadAhead:
    """A reader that has read all photos."""
    source = Gated(photos)
    for gate in source.gates.values():
        gate.set()
    ahead = in_order(photos, source, **bounds)
    until(lambda: ahead._read.qsize() == len(photos))
    return ahead


@pytest.mark.parametrize(("photos", "workers", "groups"), [
    (40, 1, [16, 16, 8]),
    (40, 2, [10, 7, 5, 4, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1]),
    (5, 1, [5]),
    (5, 2, [1, 1, 1, 1, 1]),
    (3, 4, [1, 1, 1]),
])  # fmt: skip
def test_a_group_has_half_of_a_workers_share_of_what_is_left_and_a_single_worker_takes_all(
    photos: int, workers: int, groups: list[int]
) -> None:
    unread: list[object] = []
    found = list(all_read(photos_of(*[1] * photos)).groups(workers, lambda *one: unread.append(one)))
    assert [len(group) for group in found] == groups
    assert [photo.index for group in found for photo in group] == list(range(photos))
    assert unread == []


def test_a_group_has_few_large_photos() -> None:
    ahead = all_read(photos_of(*[GROUP_BYTES // 2] * 12), max_bytes=GROUP_BYTES)
    assert [len(group) for group in ahead.groups(1, lambda *_: None)][:3] == [2, 2, 2]


def test_photos_that_cannot_be_read_are_in_no_group_and_are_not_left() -> None:
    """If they counted as left, groups would stay large to the end, which workers then reach one after the other."""
    photos = [PhotoRef(f"{number}.png", 1, refusal="a link") for number in range(100)] + photos_of(*[1] * 8)
    unread: dict[int, PhotoResult] = {}
    assert [len(group) for group in all_read(photos).groups(2, unread.__setitem__)] == [2, 1, 1, 1, 1, 1, 1]
    assert unread == dict.fromkeys(range(100), PhotoResult(Outcome.UNREADABLE, "a link"))


def test_a_group_waits_for_its_first_photo_only() -> None:
    """Neither for a photo that is slow, nor for one behind another that cannot be read."""
    photos = photos_of(*[1] * 40)
    photos[3] = PhotoRef("link.png", 1, refusal="a link")
    source = Gated(photos)
    unread: list[int] = []
    with in_order(photos, source) as ahead:
        groups = ahead.groups(1, lambda index, _: unread.append(index))
        for index in (0, 1):
            source.gates[photos[index].name].set()
            assert [photo.index for photo in next(groups)] == [index]
        source.gates[photos[2].name].set()
        until(lambda: ahead._read.qsize() == 2)
        assert [photo.index for photo in next(groups)] == [2]
        assert unread == [3]
        for gate in source.gates.values():
            gate.set()
