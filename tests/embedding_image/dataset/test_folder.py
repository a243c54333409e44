"""Local folders: photos, refused files, and changes between planning and embedding."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import tracemalloc

import pytest

from meanface.dataset import PhotoTooLarge, PhotoUnreadable, open_photos
from meanface.dataset.folder import FolderDataset
from meanface.errors import DatasetNotFound, SettingsError, StorageUnavailable


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "photos"
    path.mkdir()
    return path


def test_every_photo_below_the_folder_is_listed_and_read(folder, photo, listed):
    names = ["ada.JPG", "people/grace.jpeg", "people/a/b.tiff", "x.webp", "Zoë\n2.png", "-rf.gif", "a\\b.bmp"]
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(photo(number))
    for other in ["README.md", ".hidden.jpg", "people/._ada.jpg", "people/Thumbs.db"]:
        (folder / other).write_bytes(b"no photo")
    found = listed(folder)
    assert found.read_all() == {name: photo(number) for number, name in enumerate(names)}
    assert (found.source.kind, found.source.warnings) == ("folder", ())
    assert [(each.kind, each.files, each.examples) for each in found.source.passed_over] == [
        ("files of the system", 1, ("people/Thumbs.db",)),
        ("hidden files", 1, (".hidden.jpg",)),
        ("macOS companion files", 1, ("people/._ada.jpg",)),
        ("sidecar and text files", 1, ("README.md",)),
    ]


def test_a_folder_without_photos_lists_nothing(folder, listed):
    (folder / "empty").mkdir()
    assert listed(folder).refs == []


def test_a_folder_that_does_not_exist_is_named(tmp_path, listed):
    with pytest.raises(DatasetNotFound, match=f"'{tmp_path}/nowhere' does not exist"):
        listed(tmp_path / "nowhere")


def test_file_addresses_relative_paths_and_odd_folder_names(folder, photo, listed, monkeypatch):
    odd = folder / "photos [2026].zip"
    odd.mkdir()
    (odd / "a.png").write_bytes(photo())
    monkeypatch.chdir(folder)
    assert listed(f"file://{odd}").read_all() == listed(odd.name).read_all() == {"a.png": photo()}


def test_files_without_a_suffix_are_recognised_by_content(folder, photo, listed, tmp_path):
    contents = {
        "0": photo(),
        "1.640": photo(1, "JPEG"),
        "2": b"<html>",
        "3": b"\0\xff",
        "4": b"",
        "5": b"II*\0" + bytes(9),
    }
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    os.mkfifo(folder / "pipe")
    (folder / "linked").symlink_to("0")
    (tmp_path / "secret").write_bytes(photo(9))
    (folder / "out").symlink_to(tmp_path / "secret")
    found = listed(folder)
    assert found.read_all() == {"0": photo(), "1.640": photo(1, "JPEG"), "linked": photo()}
    assert found.passed_over == {
        "sidecar and text files": 1,
        "other files": 3,
        "raw photos": 1,
        "files without a known suffix": 1,
    }


def test_snapshots_of_a_hugging_face_cache_are_read_through_their_links(tmp_path, photo, listed):
    """The cache, a revision in it, and a folder of that; a blob counts once, and no link leads anywhere else."""
    hub = tmp_path / "hub" / "datasets--org--faces"
    people = hub / "snapshots" / "abc" / "people"
    people.mkdir(parents=True)
    (hub / "blobs").mkdir()
    for number in range(2):
        (hub / "blobs" / f"{number:040x}").write_bytes(photo(number))
        (people / f"{number}.png").symlink_to(f"../../../blobs/{number:040x}")
    (tmp_path / "secret.png").write_bytes(photo(9))
    (people / "out.png").symlink_to(tmp_path / "secret.png")
    for dataset, prefix in ((people, ""), (people.parent, "people/"), (hub, "snapshots/abc/people/")):
        found = listed(dataset)
        assert found.read_all() == {f"{prefix}{number}.png": photo(number) for number in range(2)}
        assert found.refusals.keys() == {f"{prefix}out.png"}
        assert found.passed_over == ({"files of a Hugging Face cache": 2} if dataset == hub else {})


def test_folders_of_a_user_with_the_names_of_a_hugging_face_cache_are_folders(folder, photo, listed):
    for name in ("blobs", "snapshots"):
        (folder / name).mkdir()
        (folder / name / "a.png").write_bytes(photo())
    found = listed(folder)
    assert (sorted(found.names), found.passed_over) == (["blobs/a.png", "snapshots/a.png"], {})


def test_a_photo_library_as_the_dataset_has_its_originals(tmp_path, photo, listed):
    library = tmp_path / "Fotos.photoslibrary"
    for number, name in enumerate(("originals/0/A.png", "resources/derivatives/A.png", "scopes/A.png")):
        (library / name).parent.mkdir(parents=True)
        (library / name).write_bytes(photo(number))
    found = listed(library)
    assert (found.names, found.passed_over) == (["originals/0/A.png"], {"files in a folder of previews": 2})


def test_folders_in_one_another_are_refused_if_they_are_more_than_files_may_be_open(folder, listed):
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    (folder / "/".join("a" * 300)).mkdir(parents=True)
    assert listed(folder).names == []
    resource.setrlimit(resource.RLIMIT_NOFILE, (300, limit[1]))
    try:
        with pytest.raises(StorageUnavailable, match="was not listed to its end: Too many open files"):
            listed(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)


def test_a_link_to_a_folder_is_one_whatever_its_name(folder, photo, listed):
    (folder / "photos").mkdir()
    (folder / "photos" / "a.png").write_bytes(photo())
    (folder / "best.jpg").symlink_to("photos")
    found = listed(folder)
    assert (found.names, found.passed_over) == (["photos/a.png"], {"linked folders": 1})


def test_a_file_address_may_be_encoded(folder, photo, listed):
    (folder / "my photos").mkdir()
    (folder / "my photos" / "a.png").write_bytes(photo(1))
    for given in ("my%20photos", "my photos"):
        assert listed(f"file://{folder}/{given}").read_all() == {"a.png": photo(1)}
    (folder / "my%20photos").mkdir()
    (folder / "my%20photos" / "b.png").write_bytes(photo(2))
    assert listed(f"file://{folder}/my%20photos").read_all() == {"b.png": photo(2)}


def test_the_home_of_an_unknown_user_is_a_missing_dataset(listed):
    with pytest.raises(DatasetNotFound, match="'~nobody-of-this-name/photos' does not exist"):
        listed("~nobody-of-this-name/photos")


@pytest.mark.parametrize("around", ["'{}'", '"{}"', " {}", "{} "])
def test_quotes_and_blanks_around_a_path_are_named(around, folder, listed):
    with pytest.raises(DatasetNotFound, match="Leave out the quotes and blanks around it"):
        listed(around.format(folder))


@pytest.mark.usefixtures("unprivileged")
def test_a_closed_folder_that_is_passed_over_is_no_failure(folder, photo, listed):
    (folder / "a.png").write_bytes(photo())
    for name in ("lost+found", ".Trashes"):
        (folder / name).mkdir(mode=0)
    found = listed(folder)
    assert (found.names, found.refusals) == (["a.png"], {})
    assert [(each.kind, each.examples) for each in found.source.passed_over] == [
        ("files in a trash folder", (".Trashes/",)),
        ("files of the system", ("lost+found/",)),
    ]


def test_a_folder_called_sample_is_not_the_sample(folder, photo, listed, monkeypatch):
    (folder / "sample").mkdir()
    (folder / "sample" / "a.png").write_bytes(photo())
    monkeypatch.chdir(folder)
    assert listed("./sample").read_all() == {"a.png": photo()}


def test_an_address_that_no_file_can_have_is_refused(listed):
    with pytest.raises(DatasetNotFound, match="cannot be reached: File name too long"):
        listed("/" + "x" * 5000)


def test_names_that_are_not_utf8_are_refused_and_escaped(folder, photo, listed):
    (folder / os.fsdecode(b"Zo\xeb.jpg")).write_bytes(photo())
    assert listed(folder).refusals == {"Zo\\xeb.jpg": "its name is not valid UTF-8"}


def test_links_that_stay_inside_count(folder, photo, listed, tmp_path):
    (tmp_path / "secret.png").write_bytes(photo(1))
    (folder / "a.png").write_bytes(photo())
    (folder / "inside.png").symlink_to("a.png")
    (folder / "outside.png").symlink_to(tmp_path / "secret.png")
    (folder / "nowhere.png").symlink_to("missing.png")
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "cycle").symlink_to(folder)
    found = listed(folder)
    assert found.read_all() == {"a.png": photo(), "inside.png": photo()}
    assert found.refusals["outside.png"].startswith("a link that leads out of the dataset: ")
    assert found.refusals["nowhere.png"] == "cannot be read: No such file or directory"
    assert found.refusals.keys() == {"outside.png", "nowhere.png", "loop.png"}
    assert found.passed_over == {"linked folders": 1}


def test_a_link_that_leads_out_after_planning_is_not_followed(folder, photo, listed, tmp_path):
    (tmp_path / "secret.png").write_bytes(photo(1))
    (folder / "a.png").write_bytes(photo(2))
    found = listed(folder)
    (folder / "a.png").unlink()
    (folder / "a.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(PhotoUnreadable, match="leads out of the dataset"):
        found.read("a.png")


def test_a_named_pipe_does_not_hang(folder, photo, listed):
    os.mkfifo(folder / "pipe.png")
    (folder / "a.png").write_bytes(photo())
    found = listed(folder)
    assert found.refusals == {"pipe.png": "not a file but a named pipe"}
    (folder / "a.png").unlink()
    os.mkfifo(folder / "a.png")
    with pytest.raises(PhotoUnreadable, match="not a file but a named pipe"):
        found.read("a.png")


def test_a_folder_named_like_a_photo_is_a_folder(folder, photo, listed):
    (folder / "a.jpg").mkdir()
    (folder / "a.jpg" / "b.png").write_bytes(photo())
    assert listed(folder).names == ["a.jpg/b.png"]


def test_photos_that_change_between_planning_and_embedding_are_unreadable(folder, photo, listed):
    for name in ("gone", "grown", "folder", "same"):
        (folder / f"{name}.png").write_bytes(photo())
    found = listed(folder)
    size = len(photo())
    (folder / "gone.png").unlink()
    (folder / "grown.png").write_bytes(photo() + b"more")
    (folder / "folder.png").unlink()
    (folder / "folder.png").mkdir()
    for name, message in {
        "gone": "gone since the plan",
        "grown": f"changed since the plan: {size} bytes then, {size + 4} now",
        "folder": "not a file but a folder",
    }.items():
        with pytest.raises(PhotoUnreadable, match=message):
            found.read(f"{name}.png")
    assert found.read("same.png") == photo()
    shutil.rmtree(folder)
    with pytest.raises(PhotoUnreadable, match="gone since the plan"):
        found.read("same.png")


def test_a_photo_of_too_many_bytes_is_too_large(folder, photo, listed):
    (folder / "a.png").write_bytes(photo())
    with pytest.raises(PhotoTooLarge, match=f"{len(photo())} bytes, more than max_bytes=10"):
        listed(folder).read("a.png", max_bytes=10)


def test_a_folder_that_cannot_be_listed_counts_as_a_photo_that_failed(folder, photo, listed):
    """Its path is longer than the system takes."""
    (folder / "a.png").write_bytes(photo())
    name = "d" * 250
    levels = [os.open(folder, os.O_RDONLY)]
    try:
        for _ in range(17):
            os.mkdir(name, dir_fd=levels[-1])
            levels.append(os.open(name, os.O_RDONLY, dir_fd=levels[-1]))
    finally:
        for level in levels:
            os.close(level)
    found = listed(folder)
    assert found.read_all() == {"a.png": photo()}
    (refusal,) = found.refusals.items()
    assert refusal[0].startswith("ddd")
    assert refusal[1] == "the folder cannot be listed: File name too long"


@pytest.mark.usefixtures("unprivileged")
def test_closed_folders_and_photos_are_refused_by_name(folder, photo, listed):
    for name in ("a.png", "closed/b.png", "half/c.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(photo())
    (folder / "closed").chmod(0)
    (folder / "half").chmod(0o400)  # names can be seen
    found = listed(folder)
    assert found.read_all() == {"a.png": photo()}
    assert found.refusals == {
        "closed": "the folder cannot be listed: Permission denied",
        "half/c.png": "cannot be read: Permission denied",
    }


@pytest.mark.usefixtures("unprivileged")
def test_a_photo_that_may_not_be_read_is_unreadable(folder, photo, listed):
    (folder / "a.png").write_bytes(photo())
    found = listed(folder)
    (folder / "a.png").chmod(0)
    with pytest.raises(PhotoUnreadable, match=r"^cannot be read: Permission denied$"):
        found.read("a.png")


@pytest.mark.usefixtures("unprivileged")
def test_links_that_cannot_be_followed_are_in_the_account_and_lose_nothing(folder, photo, listed, tmp_path):
    (folder / "a.png").write_bytes(photo())
    (folder / "latest").symlink_to("latest")
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed" / "below").mkdir()
    (folder / "elsewhere").symlink_to(tmp_path / "closed" / "below")
    (folder / "nowhere").symlink_to("missing")
    (tmp_path / "closed").chmod(0)
    found = listed(folder)
    assert found.read_all() == {"a.png": photo()}
    (passed_over,) = found.source.passed_over
    assert passed_over.kind == "links that cannot be followed"
    assert passed_over.examples == ("elsewhere", "latest", "nowhere")


class Broken:
    """The entries of a folder on a disk that fails."""

    def __init__(self, entries, good):
        self._entries, self._good = entries, good

    def __next__(self):
        if not self._good:
            raise OSError(errno.EIO, "Input/output error")
        self._good -= 1
        return next(self._entries)

    def __iter__(self):
        return self

    def close(self):
        self._entries.close()


@pytest.mark.parametrize("good", [None, 0, 2])
def test_a_folder_that_breaks_off_ends_the_listing(good, folder, photo, listed, monkeypatch):
    """No disk fails on demand: `os.scandir` does, at once or after so many entries."""
    (folder / "below").mkdir()
    for number in range(4):
        (folder / "below" / f"{number}.png").write_bytes(photo(number))
    scandir = os.scandir

    def failing(path):
        if not path.endswith("below"):
            return scandir(path)
        if good is None:
            raise OSError(errno.EIO, "Input/output error")
        return Broken(scandir(path), good)

    with monkeypatch.context() as broken:  # the fixtures' own folders are listed when they are removed
        broken.setattr(os, "scandir", failing)
        with pytest.raises(StorageUnavailable, match="a folder was not listed to its end: Input/output error"):
            listed(folder)


def test_a_checksum_is_for_archives(folder, listed):
    with pytest.raises(SettingsError, match="is for a single archive"):
        listed(folder, checksum=f"md5:{0:032x}")


def test_threads_can_share_a_reader(folder, photo, listed, storage):
    from concurrent.futures import ThreadPoolExecutor

    for number in range(40):
        (folder / f"{number}.png").write_bytes(photo(number))
    found = listed(folder)
    with open_photos(found.source, storage) as photos, ThreadPoolExecutor(8) as pool:
        read = dict(zip(found.refs, pool.map(lambda ref: photos.read(ref, 10_000), found.refs), strict=True))
    assert all(data == photo(int(ref.name.removesuffix(".png"))) for ref, data in read.items())


def test_listing_holds_no_list_of_names(folder):
    for number in range(20):
        below = folder / str(number)
        below.mkdir()
        for other in range(100):
            (below / f"a-photo-with-a-long-name-{other}.png").touch()
    tracemalloc.start()
    count = sum(1 for _ in FolderDataset(folder).list())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 2000
    assert peak < 100_000
