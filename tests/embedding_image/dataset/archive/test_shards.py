"""Tar shards in place."""

from __future__ import annotations

import tracemalloc

import pytest

from meanface.dataset.archive.shard_glob import ShardDataset
from meanface.errors import DatasetNotFound, SettingsError


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "shards"
    path.mkdir()
    return path


def test_photos_are_named_by_shard_and_read_in_place(folder, tarred, photo, listed, storage):
    for shard in range(20):
        members = [(f"./{n}/Zoë.png", photo(shard * 3 + n)) for n in range(3)]
        (folder / f"s-{shard:02d}.tar").write_bytes(tarred(*members, ("labels.json", b"{}")))
    expected = {f"s-{shard:02d}.tar/{n}/Zoë.png": photo(shard * 3 + n) for shard in range(20) for n in range(3)}
    for pattern in (f"{folder}/s-*.tar", f"{folder}/s-{{00..19}}.tar", f"file://{folder}/s-??.tar"):
        found = listed(pattern)
        assert found.read_all() == expected
        assert (found.source.kind, found.passed_over, found.source.warnings) == (
            "shards",
            {"sidecar and text files": 20},
            (),
        )
    assert storage.list("shards") == []


def test_shards_of_one_name_in_several_folders_stay_apart(folder, tarred, photo, listed):
    for number, below in enumerate(("x", "y")):
        (folder / below).mkdir()
        (folder / below / "0.tar").write_bytes(tarred(("a.png", photo(number))))
    assert listed(f"{folder}/*/0.tar").read_all() == {"x/0.tar/a.png": photo(0), "y/0.tar/a.png": photo(1)}


def test_damaged_shards_are_reported_and_counted_and_do_not_end_the_run(folder, tarred, photo, listed):
    whole = tarred(("a.png", photo(1)), ("b.png", photo(2)))
    (folder / "good.tar").write_bytes(whole)
    (folder / "cut.tar").write_bytes(whole[: 1024 + 530])
    (folder / "cut-header.tar").write_bytes(whole[: 1024 + 300])
    (folder / "html.tar").write_bytes(b"<html>" * 300)
    (folder / "empty.tar").write_bytes(b"")
    (folder / "folder.tar").mkdir()
    found = listed(f"{folder}/*.tar")
    assert found.read_all() == {
        "good.tar/a.png": photo(1),
        "good.tar/b.png": photo(2),
        "cut.tar/a.png": photo(1),
        "cut-header.tar/a.png": photo(1),
    }
    assert found.refusals["cut.tar/b.png"] == "the archive ends early inside this photo"
    assert found.refusals["cut-header.tar"] == "the shard ends early behind 'a.png', its last good member"
    assert "is no uncompressed tar archive" in found.refusals["html.tar"]
    assert found.refusals.keys() == {"cut.tar/b.png", "cut-header.tar", "html.tar", "empty.tar"}
    assert len(found.source.warnings) == 4


def test_duplicates_inside_a_shard_are_refused_but_for_the_last(folder, tarred, photo, listed):
    (folder / "0.tar").write_bytes(tarred(("a.png", photo(1)), ("a.png", photo(2))))
    assert listed(f"{folder}/*.tar").read_all() == {"0.tar/a.png": photo(2)}


@pytest.mark.parametrize("suffix", ["tgz", "tar.gz", "tar.xz", "zip"])
def test_compressed_shards_are_refused(suffix, folder, listed):
    with pytest.raises(SettingsError, match=r"must be uncompressed \.tar files"):
        listed(f"{folder}/*.{suffix}")


def test_a_glob_that_matches_nothing_is_named(folder, listed):
    with pytest.raises(DatasetNotFound, match=r"/none-\*\.tar': no file matches"):
        listed(f"{folder}/none-*.tar")


def test_a_missing_shard_of_a_range_is_counted(folder, tarred, photo, listed):
    for shard in (0, 2):
        (folder / f"s-{shard}.tar").write_bytes(tarred(("a.png", photo(shard))))
    (folder / "s-3.tar").mkdir()
    (folder / "s-4.tar").symlink_to("nowhere.tar")
    found = listed(f"{folder}/s-{{0..4}}.tar")
    assert found.read_all() == {"s-0.tar/a.png": photo(0), "s-2.tar/a.png": photo(2)}
    assert found.refusals == {
        "s-1.tar": "the shard does not exist",
        "s-3.tar": "the shard is no file",
        "s-4.tar": "the shard does not exist",
    }
    assert "the shard 's-1.tar' does not exist" in found.source.warnings
    with pytest.raises(DatasetNotFound, match=r"s-{5\.\.7}\.tar': no file matches"):
        listed(f"{folder}/s-{{5..7}}.tar")
    star = listed(f"{folder}/s-*.tar")
    assert star.refusals == {"s-4.tar": "the shard does not exist"}
    assert star.passed_over == {"folders among the shards": 1}


@pytest.mark.long
def test_listing_holds_no_list_of_members(folder, tarred):
    (folder / "0.tar").write_bytes(tarred(*((f"a-photo-with-a-long-name-{n}.png", b"") for n in range(8_000))))
    dataset = ShardDataset(f"{folder}/0.t*r")
    tracemalloc.start()
    count = sum(1 for _ in dataset.list())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 8_000
    assert peak < 1_500_000  # the references alone would take 2 MB
