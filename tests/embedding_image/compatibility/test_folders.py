"""docs/compatibility.md, Folders, names and links."""

from __future__ import annotations

import os
import unicodedata

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from compatibility import Place, Recipes

recipe = Recipes("Folders, names and links")


def test_folders(what: str, place: Place, unprivileged: None) -> None:
    recipe.check(what, place)


@recipe("a folder whose name has `[`, `*`, `?`, `{1..3}`, `#`, `%`, `::`, or ends in `.zip`")
def folder_names(place: Place) -> str:
    names = ["[2024] a", "a*b", "what?", "{1..3}", "no #1", "50%25 off %d", "a::b", "photos.zip", " a "]
    for number, name in enumerate(names):
        place.write(f"{name}/{name}.jpg")
        assert place.run(name, f"results-{number}").happened(f"{name}.jpg") == "read", name
    return "read"


@recipe("a glob of photos: `2026-*/*.jpg`, `**/front.jpg`, `{0..9}.png`")
def globs(place: Place) -> str:
    for name in ("2026-03/ada.jpg", "2026-04/x/front.jpg", "7.png", "notes.txt"):
        place.write(f"photos/{name}")
    found = set()
    for number, (pattern, name) in enumerate(
        (("2026-*/*.jpg", "2026-03/ada.jpg"), ("**/front.jpg", "2026-04/x/front.jpg"), ("{0..9}.png", "7.png"))
    ):
        account = place.run(f"photos/{pattern}", f"results-{number}")
        assert set(account.photos) == {name}
        assert account.passed_over == {}
        found.add(account.happened())
    (outcome,) = found
    return outcome


@recipe("`*.jpg` for `ADA.JPG`")
def capitals(place: Place) -> str:
    place.write("photos/ADA.JPG")
    return place.run("photos/*.jpg").happened("ADA.JPG")


@recipe("a hidden file that a glob matches")
def hidden(place: Place) -> str:
    place.write("photos/a.jpg")
    place.write("photos/.b.jpg")
    return place.run("photos/*.jpg").kind(".b.jpg")


@recipe("a glob that matches nothing")
def no_match(place: Place) -> str:
    place.write("photos/a.jpg")
    return place.refusal("photos/*.png", "no file matches; expected photos")


@recipe("one photo: `ada.jpg`, also without a suffix or behind a link")
def one_photo(place: Place) -> str:
    for name in ("ada.jpg", "ada"):
        place.write(name)
    (place.path / "links").mkdir()
    (place.path / "links" / "eve.jpg").symlink_to("../ada.jpg")
    outcomes = set()
    for number, (dataset, name) in enumerate((("ada.jpg", "ada.jpg"), ("ada", "ada"), ("links/eve.jpg", "ada.jpg"))):
        outcomes.add(place.run(dataset, f"results-{number}").happened(name))
    (outcome,) = outcomes
    return outcome


@recipe("several datasets with photos of the same names")
def several(place: Place) -> str:
    for name in ("anna", "bob"):
        place.write(f"{name}/1.jpg")
    found = place.run(f"anna\n{place.path}/bob")
    assert set(found.photos) == {"anna/1.jpg", "bob/1.jpg"}
    return found.happened()


@recipe("several datasets of the same name")
def same_name(place: Place) -> str:
    for name in ("2025/anna", "2026/anna"):
        place.write(f"{name}/1.jpg")
    found = place.run(f"2025/anna\n{place.path}/2026/anna")
    assert set(found.photos) == {"anna/1.jpg", "anna (2)/1.jpg"}
    return found.happened()


@recipe("a dataset that is given twice")
def twice(place: Place) -> str:
    place.write("anna/1.jpg")
    return place.refusal(f"anna\n{place.path}/anna/", "anna' is given twice")


@recipe("a photo whose name has line breaks, tabs, quotes or marks of direction")
def letters(place: Place) -> str:
    names = ["a\nb.jpg", "c\td\r.jpg", "e'f\".jpg", "g\u202egpj.jpg", "=1+1.jpg", " h.jpg", "i .jpg"]
    for name in names:
        place.write(f"photos/{name}")
    return place.run().happened(*names)


@recipe("a photo whose name is no UTF-8")
def not_utf_8(place: Place) -> str:
    place.write("photos/a.jpg")
    place.write(os.fsdecode(b"photos/Zo\xeb.jpg"))
    return place.run().happened("Zo\\xeb.jpg", detail="its name is not valid UTF-8")


@recipe("names that differ in case only")
def case(place: Place) -> str:
    for name in ("Ann/1.jpg", "ann/1.jpg", "ann/1.JPG"):
        place.write(f"photos/{name}")
    found = place.run(labels="parent_folder")
    assert [photo.label for photo in found.photos.values()] == ["Ann", "ann", "ann"]
    return found.happened()


@recipe("names that differ in their Unicode form only (macOS, Linux)")
def forms(place: Place) -> str:
    for form in ("NFC", "NFD"):
        place.write(unicodedata.normalize(form, "photos/José/é.jpg"))
    found = place.run(labels="parent_folder")
    assert len(found.photos) == 2
    assert {photo.label for photo in found.photos.values()} == {unicodedata.normalize("NFC", "José")}
    return found.happened()


@recipe("a name of 255 bytes")
def long_name(place: Place) -> str:
    return place.photo("x" * 251 + ".jpg")


@recipe("a folder deeper than a path may be (4,096 bytes)")
def deep(place: Place, monkeypatch: pytest.MonkeyPatch | None = None) -> str:
    place.write("photos/a.jpg")
    name, here = "d" * 250, os.open(place.path / "photos", os.O_RDONLY)
    for _ in range(20):
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    found = place.run()
    assert found.happened("a.jpg") == "read"
    (closed,) = found.photos.keys() - {"a.jpg"}
    return found.happened(closed, detail="the folder cannot be listed: File name too long")


@recipe("a folder named `photo.jpg`")
def folder_as_photo(place: Place) -> str:
    return place.photo("a.jpg/b.jpg")


@recipe("a hard link to a photo")
def hard_link(place: Place) -> str:
    (place.write("photos/a.jpg").parent / "b.jpg").hardlink_to(place.path / "photos/a.jpg")
    return place.run().happened("a.jpg", "b.jpg")


@recipe("a link to a photo in the dataset, also of git-annex")
def link_inside(place: Place) -> str:
    place.write("photos/.git/annex/objects/x/KEY.jpg")
    (place.path / "photos/a.jpg").symlink_to(".git/annex/objects/x/KEY.jpg")
    found = place.run()
    assert set(found.photos) == {"a.jpg"}
    return found.happened("a.jpg")


@recipe("a snapshot of Hugging Face, whose links lead to `blobs/`")
def snapshot(place: Place) -> str:
    place.write("datasets--org--faces/blobs/aaaa")
    (place.path / "datasets--org--faces/snapshots/abc").mkdir(parents=True)
    (place.path / "datasets--org--faces/snapshots/abc/a.jpg").symlink_to("../../blobs/aaaa")
    return place.run("datasets--org--faces/snapshots/abc").happened("a.jpg")


@recipe("a link that leads out of the dataset")
def link_outside(place: Place) -> str:
    place.write("photos/a.jpg")
    (place.path / "photos/b.jpg").symlink_to(place.write("elsewhere/b.jpg"))
    return place.run().happened("b.jpg", detail="a link that leads out of the dataset")


@recipe("a link to nowhere, or in a circle")
def broken_link(place: Place) -> str:
    place.write("photos/a.jpg")
    (place.path / "photos/b.jpg").symlink_to("gone.jpg")
    (place.path / "photos/c.jpg").symlink_to("c.jpg")
    return place.run().happened("b.jpg", "c.jpg", detail="cannot be read: (No such file|Too many levels)")


@recipe("a linked folder, also one that leads back up")
def linked_folder(place: Place) -> str:
    place.write("photos/a/a.jpg")
    (place.path / "photos/up").symlink_to(".")
    (place.path / "photos/a/root").symlink_to("/")
    found = place.run()
    assert found.happened("a/a.jpg") == "read"
    return found.kind("up", "a/root")


@recipe("`follow_links`: a linked folder outside of the dataset")
def followed_link(place: Place) -> str:
    place.write("photos/a.jpg")
    (place.path / "photos/more").symlink_to(place.write("elsewhere/b.jpg").parent)
    return place.run(follow_links=True).happened("more/b.jpg")


@recipe("`follow_links`: a linked folder inside a hidden one")
def link_into_a_hidden_folder(place: Place) -> str:
    place.write("photos/a.jpg")
    hidden = place.write("photos/.releases/2026/b.jpg").parent
    (place.path / "photos/current").symlink_to(hidden)
    return place.run(follow_links=True).happened("current/b.jpg")


@recipe("`follow_links`: a second link to a folder, or one back up")
def repeated_link(place: Place) -> str:
    place.write("photos/a.jpg")
    for name in ("more", "same"):
        (place.path / "photos" / name).symlink_to(place.write("elsewhere/b.jpg").parent)
    (place.path / "photos/up").symlink_to(".")
    return place.run(follow_links=True).kind("same", "up")


@recipe("a photo that `exclude` matches")
def excluded(place: Place) -> str:
    place.write("photos/a.jpg")
    place.write("photos/private/b.jpg")
    return place.run(exclude=["private"]).kind("private/b.jpg")


@recipe("a named pipe, a socket or a device")
def pipe(place: Place) -> str:
    place.write("photos/a.jpg")
    os.mkfifo(place.path / "photos/b.jpg")
    return place.run().happened("b.jpg", detail="not a file but a named pipe")


@recipe("a photo without permission, or a folder without")
def no_permission(place: Place) -> str:
    place.write("photos/a.jpg")
    place.write("photos/b.jpg").chmod(0)
    folder = place.write("photos/closed/c.jpg").parent
    folder.chmod(0)
    try:
        return place.run().happened("b.jpg", "closed", detail="Permission denied")
    finally:
        folder.chmod(0o700)


@recipe("a time of modification in the future, or before 1970")
def times(place: Place) -> str:
    for name, at in (("future.jpg", 4_000_000_000), ("past.jpg", -1_000_000_000)):
        os.utime(place.write(f"photos/{name}"), (at, at))
    return place.run().happened("future.jpg", "past.jpg")


@recipe("`labels=parent_folder`: `anna/2023/` and `bob/2023/`")
def same_folders(place: Place) -> str:
    place.write("photos/anna/2023/a.jpg")
    place.write("photos/bob/2023/b.jpg")
    found = place.run(labels="parent_folder")
    assert {photo.label for photo in found.photos.values()} == {"2023"}
    assert any("photos of several folders have one label: '2023'" in text for text in found.source.warnings)
    return found.happened()


@recipe("`labels=top_folder`: `anna/2023/` and `bob/2023/`")
def top_folders(place: Place) -> str:
    place.write("photos/anna/2023/a.jpg")
    place.write("photos/bob/2023/b.jpg")
    found = place.run(labels="top_folder")
    assert {photo.label for photo in found.photos.values()} == {"anna", "bob"}
    return found.happened()


@recipe("`labels=parent_folder`: a name with spaces at its end")
def spaces(place: Place) -> str:
    place.write("photos/ann /a.jpg")
    place.write("photos/ann/a.jpg")
    found = place.run(labels="parent_folder")
    assert [photo.label for photo in found.photos.values()] == ["ann ", "ann"]
    return found.happened()


@recipe("`label_level=2`: `photos/anna/2023/` and `photos/bob/2023/`")
def levels(place: Place) -> str:
    names = [f"photos/{who}/2023/a.jpg" for who in ("anna", "bob")]
    for name in names:
        place.write(f"all/{name}")
    place.write("all/top.jpg")
    for level in (2, -2):
        found = place.run("all", f"results{level}", label_level=level)
        assert {photo.name: photo.label for photo in found.rows} == {names[0]: "anna", names[1]: "bob", "top.jpg": ""}
        assert found.source.warnings == ("labels=level: 1 of 3 photos have no label, such as 'top.jpg'",)
    return found.happened()


PATTERN = "(?P<label>[^/]+)_[0-9]+[.]jpg$"


@recipe("`label_pattern`: `Ada_Lovelace_0001.jpg` by `(?P<label>[^/]+)_[0-9]+[.]jpg$`")
def pattern(place: Place) -> str:
    for name in ("Ada_Lovelace_0001.jpg", "x/Ada_Lovelace_0002.jpg", "Zoe_0001.jpg", "other.jpg"):
        place.write(f"photos/{name}")
    found = place.run(label_pattern=PATTERN)
    assert [photo.label for photo in found.rows] == ["Ada_Lovelace", "Zoe", "", "Ada_Lovelace"]
    return found.happened()


@recipe("a `label_pattern` that is no pattern, or has no group `label`")
def no_pattern(place: Place) -> str:
    place.write("photos/a.jpg")
    place.refusal("photos", "is no regular expression of RE2: ", label_pattern="(?P<label>x")
    return place.refusal("photos", "has no group", label_pattern="[a-z]+")


@recipe("`metadata.csv`, `.jsonl` or `.parquet` beside photos, with `label_column`")
def metadata(place: Place) -> str:
    place.write("photos/train/a.jpg")
    place.write("photos/train/metadata.csv", b"file_name,person\na.jpg,ann\n")
    place.write("photos/test/b.jpg")
    place.write("photos/test/metadata.jsonl", b'{"file_name": "b.jpg", "person": "bob"}\n')
    place.write("photos/c.jpg")
    pq.write_table(pa.table({"file_name": ["c.jpg"], "person": ["eve"]}), place.path / "photos/metadata.parquet")
    found = place.run(label_column="person")
    labels = {photo.name: photo.label for photo in found.rows}
    assert labels == {"train/a.jpg": "ann", "test/b.jpg": "bob", "c.jpg": "eve"}
    return found.happened()


@recipe("`label_column` for a folder without metadata")
def no_metadata(place: Place) -> str:
    place.write("photos/a.jpg")
    return place.refusal("photos", "has no metadata.csv", label_column="person")


@recipe("an empty folder")
def empty(place: Place) -> str:
    (place.path / "photos").mkdir()
    return place.refusal("photos", "no photo in it")
