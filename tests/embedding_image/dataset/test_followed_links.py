"""With `follow_links`, linked folders are entered, and each is read once, under the same name each time."""

from __future__ import annotations

import itertools

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from meanface.dataset import open_photos
from meanface.dataset.photos import PhotoUnreadable

TWICE = "linked folders that are read under another name"


@pytest.fixture
def places(tmp_path, photo):
    """The dataset with one photo, and a folder outside it with two."""
    inside, outside = tmp_path / "photos", tmp_path / "nas"
    for number, path in enumerate([inside / "a.png", outside / "b.png", outside / "deep" / "c.png"]):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photo(number))
    return inside, outside


def read(found, storage, *, follow_links=True):
    with open_photos(found.source, storage, follow_links=follow_links) as photos:
        return {ref.name: photos.read(ref, 10**6) for ref in found.refs}


def test_photos_outside_the_dataset_are_listed_and_read_under_the_links_name(places, photo, listed, storage):
    inside, outside = places
    (inside / "2023").symlink_to(outside)
    (inside / "one.png").symlink_to(outside / "b.png")
    found = listed(inside, follow_links=True)
    assert read(found, storage) == {
        "a.png": photo(0),
        "one.png": photo(1),
        "2023/b.png": photo(1),
        "2023/deep/c.png": photo(2),
    }
    assert found.passed_over == {}


def test_without_the_setting_none_is_followed(places, listed, storage):
    inside, outside = places
    (inside / "2023").symlink_to(outside)
    (inside / "one.png").symlink_to(outside / "b.png")
    found = listed(inside)
    assert found.passed_over == {"linked folders": 1}
    assert "leads out of the dataset" in found.refusals["one.png"]
    followed = listed(inside, follow_links=True)
    with pytest.raises(PhotoUnreadable, match="leads out of the dataset"):  # the plan alone allows nothing
        read(followed, storage, follow_links=False)


def test_a_circle_ends(places, listed):
    inside, outside = places
    (inside / "here").symlink_to(inside)
    (inside / "up").symlink_to(inside.parent)
    (outside / "back").symlink_to(inside)
    (outside / "self").symlink_to(outside)
    found = listed(inside, follow_links=True)
    assert found.names == ["a.png", "up/nas/b.png", "up/nas/deep/c.png"]
    assert found.passed_over == {TWICE: 4}  # here, up/photos/, up/nas/back, up/nas/self


@pytest.mark.parametrize("order", list(itertools.permutations(["x", "y", "z"])))
def test_the_first_link_by_name_names_the_photos(places, listed, order):
    """The file system's order, which depends on the order of creation, does not matter."""
    inside, outside = places
    targets = {"x": outside / "deep", "y": outside, "z": outside}
    for name in order:
        (inside / name).symlink_to(targets[name])
    found = listed(inside, follow_links=True)
    assert found.names == ["a.png", "x/c.png", "y/b.png"]
    assert found.source.passed_over[0].examples == ("y/deep/", "z")


def test_what_is_passed_over_in_a_folder_is_passed_over_behind_a_link(places, listed, photo):
    inside, outside = places
    (outside / "results").mkdir()
    (outside / "results" / ".meanface.json").write_text('{"schema": 1, "kind": "run", "name": "local"}')
    (outside / "results" / "mean_face.png").write_bytes(photo())
    (outside / "clip.mov").touch()
    (inside / "all").symlink_to(outside)
    (inside / ".hidden").symlink_to(outside)
    found = listed(inside, follow_links=True)
    assert found.names == ["a.png", "all/b.png", "all/deep/c.png"]
    assert found.passed_over == {"results of meanface": 2, "videos": 1, "linked folders": 1}


def test_a_link_into_a_folder_that_is_passed_over_is_followed(places, photo, listed, storage):
    """As releases are deployed: nothing else reads what the link leads to. Each folder is read once."""
    inside, _ = places
    release = inside / ".releases" / "2026"
    (release / "deep").mkdir(parents=True)
    (release / "d.png").write_bytes(photo(3))
    (release / "deep" / "e.png").write_bytes(photo(4))
    (inside / "current").symlink_to(release)
    (inside / "deep").symlink_to(release / "deep")
    (inside / "every").symlink_to(inside / ".releases")
    (inside / "last").symlink_to(release)
    (release / "loop").symlink_to(release)
    (release / "up").symlink_to(inside / ".releases")
    found = listed(inside, follow_links=True)
    assert read(found, storage) == {"a.png": photo(0), "current/d.png": photo(3), "current/deep/e.png": photo(4)}
    assert found.passed_over == {
        "files in hidden folders": 2,  # under their own names
        "linked folders": 2,  # there, loop and up
        TWICE: 5,  # current/loop, current/up/2026/, deep, every (which is current/up), last
    }


@pytest.mark.parametrize("target", ["b", "b/c"])
def test_a_link_into_a_folder_that_the_pattern_leaves_out_is_followed(target, tmp_path, photo, listed):
    (tmp_path / "b" / "c").mkdir(parents=True)
    (tmp_path / target / "1.png").write_bytes(photo())
    (tmp_path / "a").symlink_to(target)
    (tmp_path / "a2").symlink_to(target)
    found = listed(f"{tmp_path}/a*/*.png", follow_links=True)
    assert (found.names, found.passed_over) == (["a/1.png"], {TWICE: 1})


@pytest.mark.usefixtures("unprivileged")
def test_a_linked_folder_that_cannot_be_listed_is_a_failed_photo(places, listed):
    inside, outside = places
    (inside / "closed").symlink_to(outside)
    outside.chmod(0)
    try:
        found = listed(inside, follow_links=True)
    finally:
        outside.chmod(0o755)
    assert found.names == ["a.png", "closed"]
    assert found.refusals == {"closed": "the folder cannot be listed: Permission denied"}


def test_a_link_to_nowhere_is_counted_as_before(places, listed):
    inside, _ = places
    (inside / "gone").symlink_to(inside / "nowhere")
    (inside / "gone.jpg").symlink_to(inside / "nowhere.jpg")
    assert listed(inside, follow_links=True).passed_over == listed(inside).passed_over
    assert listed(inside, follow_links=True).refusals == listed(inside).refusals


def test_a_table_beside_a_followed_link_does_not_take_the_place_of_the_photos(tmp_path, photo, listed):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/a.png").write_bytes(photo())
    (tmp_path / "set").mkdir()
    (tmp_path / "set/ann").symlink_to("../elsewhere")
    pq.write_table(pa.table({"file_name": ["ann/a.png"]}), tmp_path / "set/metadata.parquet")
    assert listed(tmp_path / "set", follow_links=True).names == ["ann/a.png"]
