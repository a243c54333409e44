"""Several datasets in one run: their photos, accounts, settings and shards."""

from __future__ import annotations

import io
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from meanface.dataset import PhotoUnreadable, open_photos
from meanface.dataset.network_policy import NetworkPolicy
from meanface.dataset.refs import Source
from meanface.errors import DatasetNotFound, SettingsError


@pytest.fixture
def folders(tmp_path, photo):
    """Two folders with photos of the same names."""
    for number, name in enumerate(("anna/1.png", "anna/x/2.png", "bob/1.png", "bob/clip.mov")):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photo(number))
    return tmp_path


def lines(*several: object) -> str:
    return "\n".join(map(str, several))


def test_each_dataset_is_a_folder_of_the_whole(folders, photo, listed):
    found = listed(lines(folders / "anna", folders / "bob"))
    assert found.read_all() == {"anna/1.png": photo(0), "anna/x/2.png": photo(1), "bob/1.png": photo(2)}
    assert (found.source.kind, found.source.url) == ("several", f"{folders}/anna, {folders}/bob")
    assert [(part.name, part.source.kind, part.source.root) for part in found.source.parts] == [
        ("anna", "folder", f"{folders}/anna"),
        ("bob", "folder", f"{folders}/bob"),
    ]


def test_every_kind_of_dataset_can_be_one_of_several(folders, photo, tarred, listed, bucket, server):
    (folders / "a.tar").write_bytes(tarred(("1.png", photo(10)), ("2.png", photo(11))))
    (folders / "b").mkdir()
    (folders / "b" / "a.tar").write_bytes(tarred(("1.png", photo(12))))
    (folders / "s-0.tar").write_bytes(tarred(("in/1.png", photo(13))))
    rows = pa.table({"image": [{"bytes": photo(14), "path": "1.png"}]})
    pq.write_table(rows, folders / "table.parquet")
    bucket.pipe_file("photos/2026/1.png", photo(15))
    bucket.pipe_file("photos/2026/x/2.png", photo(16))
    server.files["/1.png"] = photo(17)
    (folders / "list.csv").write_text(f"url\n{server.url}/1.png\nanna/1.png\n")
    several = (
        *(
            folders / "anna",
            folders / "a.tar",
            folders / "b" / "a.tar",
            f"{folders}/s-*.tar",
            folders / "table.parquet",
        ),
        *("s3://photos/2026/", "s3://photos/2026/*/2.png", "s3://photos/2026/1.png", folders / "list.csv"),
        *(f"{server.url}/1.png", folders / "bob" / "1.png"),
    )
    found = listed(lines(*several))
    assert found.read_all() == {
        "anna/1.png": photo(0),
        "anna/x/2.png": photo(1),
        "a.tar/1.png": photo(10),
        "a.tar/2.png": photo(11),
        "a.tar (2)/1.png": photo(12),
        f"{folders.name}/s-0.tar/in/1.png": photo(13),
        "table.parquet/table.parquet/00000000-1.png": photo(14),
        "2026/1.png": photo(15),
        "2026/x/2.png": photo(16),
        "2026 (2)/x/2.png": photo(16),
        "1.png/1.png": photo(15),
        f"list.csv/{server.url}/1.png": photo(17),
        "list.csv/anna/1.png": photo(0),
        f"1.png (2)/{server.url}/1.png": photo(17),
        "1.png (3)/1.png": photo(2),
    }
    shards = {ref.source for ref in found.refs if ref.source.startswith("shards/")}
    assert shards == {"shards/1/00000.tar", "shards/2/00000.tar", "shards/4/00000.tar"}


def test_a_shard_of_one_dataset_is_as_it_was(folders, tarred, photo, listed):
    (folders / "a.tar").write_bytes(tarred(("1.png", photo())))
    assert listed(folders / "a.tar").refs[0].source == "shards/00000.tar"
    assert listed(f"{folders}/a.tar\n").source == listed(folders / "a.tar").source


def test_a_name_without_a_dataset_is_unreadable(folders, listed):
    """The plan may have been replaced."""
    found = listed(lines(folders / "anna", folders / "bob"))
    with open_photos(found.source, found.storage) as photos:
        for name, message in (
            ("eve/1.png", "the plan has no dataset 'eve'"),
            ("1.png", "the plan has no dataset '1.png'"),
            ("anna/../bob/1.png", "leads out of the dataset"),
        ):
            with pytest.raises(PhotoUnreadable, match=message):
                photos.read(found.ref("anna/1.png")._replace(name=name), 1000)


def test_photos_that_change_or_are_too_large_are_told_by_their_dataset(folders, listed):
    found = listed(lines(folders / "anna", folders / "bob"))
    (folders / "bob" / "1.png").write_bytes(b"other")
    with pytest.raises(PhotoUnreadable, match="changed since the plan"):
        found.read("bob/1.png")


def test_the_accounts_are_one(folders, tarred, photo, listed):
    (folders / "anna" / "film.mov").touch()
    (folders / "anna" / "raw.nef").touch()
    (folders / "cut.tar").write_bytes(tarred(("1.png", photo()), ("2.png", photo()))[:1600])
    found = listed(lines(folders / "anna", folders / "bob", folders / "cut.tar"))
    videos, raw = found.source.passed_over
    assert (videos.files, videos.examples) == (2, ("anna/film.mov", "bob/clip.mov"))
    assert (raw.files, raw.examples) == (1, ("anna/raw.nef",))
    (warning,) = found.source.warnings
    assert warning.startswith("cut.tar: the archive 'cut.tar' ends early")
    assert all(part.source.passed_over == part.source.warnings == () for part in found.source.parts)


def test_a_choice_is_over_the_photos_of_all(folders, listed):
    both = lines(folders / "anna", folders / "bob")
    assert listed(both, include=["bob"]).names == ["bob/1.png"]
    assert listed(both, exclude=["anna/x"], limit=1).names == ["anna/1.png"]
    assert listed(both, exclude=["anna/x"], limit=1).passed_over == {
        "videos": 1,
        "photos left out by exclude": 1,
        "photos left out by limit=1": 1,
    }


def test_a_setting_applies_where_it_fits_and_is_refused_if_it_fits_nowhere(folders, photo, server, listed):
    server.files["/1.png"] = photo(17)
    (folders / "list.csv").write_text(f"where,id,who\n{server.url}/1.png,one,eve\n")
    (folders / "anna" / "linked").symlink_to("../bob")
    columns = {"url_column": "where", "name_column": "id", "label_column": "who"}
    found = listed(lines(folders / "anna", folders / "list.csv"), follow_links=True, **columns)
    assert {ref.name: ref.label for ref in found.refs} == {
        "anna/1.png": "",
        "anna/linked/1.png": "",
        "anna/x/2.png": "",
        "list.csv/one": "eve",
    }
    for settings, message in (
        ({"follow_links": True}, "follow_links is for a local folder, which"),
        ({"url_column": "where"}, "url_column='where' is for a list of photos, which"),
        ({"name_column": "id"}, "name_column='id' is for a list of photos, which"),
        ({"labels": "column"}, "has no columns that labels could come from"),
    ):
        one, other = folders / "anna" / "1.png", folders / "bob" / "1.png"
        with pytest.raises(SettingsError, match=message):
            listed(lines(one, other), **settings)
    with pytest.raises(SettingsError, match="has no columns that labels could come from"):
        listed(lines(folders / "anna", folders / "bob"), labels="column")


def test_labels_come_from_the_metadata_of_each_folder(folders, listed):
    (folders / "bob" / "metadata.csv").write_text("file_name,who\n1.png,bob\n")
    found = listed(lines(folders / "anna", folders / "bob"), label_column="who")
    assert {ref.name: ref.label for ref in found.refs} == {"anna/1.png": "", "anna/x/2.png": "", "bob/1.png": "bob"}


def test_what_makes_no_sense_for_several_is_refused(folders, listed, bucket):
    with pytest.raises(SettingsError, match=r"is for a single archive, and these are 2 datasets: leave it out"):
        listed(lines(folders / "anna", folders / "bob"), checksum=f"md5:{0:032x}")
    (folders / "link").symlink_to("anna")
    with pytest.raises(SettingsError, match=r"/link' is given twice: its photos would count twice"):
        listed(lines(folders / "anna", folders / "link"))
    (folders / "my photos").mkdir()
    for one, other in (
        ("s3://photos/2026", "s3://photos/2026/"),
        (f"file://{folders}/my%20photos", folders / "my photos"),
    ):
        for both in (lines(one, other), lines(other, one)):
            with pytest.raises(SettingsError, match="is given twice: its photos would count twice"):
                listed(both)
    with pytest.raises(SettingsError, match=r"1,001 datasets, more than 1,000: .* 'photos/\*\.jpg'"):
        listed(lines(*(f"/data/{number}.jpg" for number in range(1001))))


def test_what_is_wrong_with_one_dataset_names_it(folders, listed):
    with pytest.raises(DatasetNotFound, match="/nowhere' does not exist"):
        listed(lines(folders / "anna", folders / "nowhere"))
    with pytest.raises(SettingsError, match=r"^the dataset is not a valid address: Invalid IPv6 URL$"):
        listed(lines(folders / "anna", "https://user:secret@[broken/a.zip"))
    with pytest.raises(SettingsError, match="chained addresses"):
        listed(lines(folders / "anna", "zip://a.png::s3://photos/a.zip"))
    with pytest.raises(SettingsError, match=r"ftp:// connects to any host"):
        listed(lines(folders / "anna", "ftp://user:secret@host/a/"), network_policy=NetworkPolicy())


def test_the_policy_trusts_each_host_for_its_own_dataset_only(folders, photo, tarred, server, names, listed):
    """A list on one host may not name photos on the host of another dataset."""
    server.files["/a.tar"] = tarred(("1.png", photo()))
    names["nas.example"] = ["127.0.0.1"]
    address, policy = server.url.replace("127.0.0.1", "nas.example"), NetworkPolicy.of("dataset")
    (folders / "list.csv").write_text(f"url\n{address}/a.png\n")
    found = listed(lines(f"{address}/a.tar", folders / "list.csv"), network_policy=policy)
    assert found.read("a.tar/1.png") == photo()
    with pytest.raises(PhotoUnreadable, match=r"nas\.example has a loopback address"):
        found.read(f"list.csv/{address}/a.png")


def test_a_plan_from_elsewhere_cannot_nest_datasets(folders, listed, storage):
    one = listed(lines(folders / "anna", folders / "bob")).source
    part = one.parts[0].model_copy(update={"source": one})
    nested = Source.model_validate_json(one.model_copy(update={"parts": (part,)}).model_dump_json())
    with pytest.raises(SettingsError, match="several"):
        open_photos(nested, storage)


def test_the_shards_hold_the_photos_of_their_own_dataset(folders, photo, tarred, listed, storage):
    for name in ("anna.tar", "bob.tar"):
        (folders / name).write_bytes(tarred(("1.png", photo(len(name)))))
    listed(lines(folders / "anna.tar", folders / "bob.tar"))
    for number, name in enumerate(("anna.tar", "bob.tar")):
        with tarfile.open(fileobj=io.BytesIO(storage.read(f"shards/{number}/00000.tar"))) as shard:
            (member,) = shard.getmembers()
            data = shard.extractfile(member)
            assert data is not None
            assert data.read() == photo(len(name))
