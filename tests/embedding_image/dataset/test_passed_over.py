"""The account of what a listing passes over: its laws, and the kinds of files that people have."""

from __future__ import annotations

import io
import random
import re
import string
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanface.dataset import kinds
from meanface.dataset.kinds import HIDDEN_FOLDERS, PREVIEWS, RAW, SIDECARS, TRASH, UNKNOWN, VIDEOS, passed_over
from meanface.dataset.passed_over import EXAMPLES, Account

KINDS = [RAW, SIDECARS, VIDEOS, UNKNOWN]
entries = st.lists(st.tuples(st.sampled_from(KINDS), st.text(string.printable, max_size=3)), max_size=40)


def counted(files: list) -> Account:
    account = Account()
    for kind, name in files:
        account.add(kind, name)
    return account


@given(entries, st.randoms())
def test_order_does_not_matter_and_every_file_is_counted_once(files: list, order: random.Random) -> None:
    shuffled = files[:]
    order.shuffle(shuffled)
    records = counted(files).records()
    assert records == counted(shuffled).records()
    assert sum(each.files for each in records) == len(files)
    for each in records:
        names = sorted(name for kind, name in files if kind.name == each.kind)
        assert each.examples == tuple(names[:EXAMPLES])


@given(entries, entries)
def test_two_accounts_merge_to_that_of_all_files(here: list, there: list) -> None:
    merged = counted(here)
    merged.merge(counted(there))
    assert merged.records() == counted(here + there).records()


@given(st.lists(st.text(string.ascii_letters + string.digits + "._-@#$ ", min_size=1), min_size=1, max_size=5))
def test_a_name_below_a_folder_that_is_passed_over_is_passed_over(parts: list[str]) -> None:
    name = "/".join(parts)
    for folder, kind in (("@eaDir", PREVIEWS), ("#recycle", TRASH), (".cache", HIDDEN_FOLDERS)):
        assert passed_over(f"{folder}/{name}") == kind
    assert passed_over(f"people/{name}") == passed_over(name)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("IMG_1.jxl", "JPEG XL and JPEG 2000 photos"),
        ("IMG_1.DNG", "raw photos"),
        (".IMG_6.JPG.icloud", "iCloud placeholders"),
        ("IMG_2.MOV", "videos"),
        ("IMG_2.AAE", "sidecar and text files"),
        ("DSC_1.NEF", "raw photos"),
        ("inner.tar.gz", "archives inside the dataset"),
        ("train-00000.parquet", "tables"),
        ("a.jpg.crdownload", "unfinished downloads"),
        ("a.jpg~", "backup copies"),
        ("photo", "files without a known suffix"),
        ("ann/.ipynb_checkpoints/a-checkpoint.jpg", "checkpoint copies"),
        (".Trash-1000/files/deleted.jpg", "files in a trash folder"),
        (".trashed-1690000000-IMG_1.jpg", "files in a trash folder"),
        ("2026_$folder$", "files of the system"),
        ("$RECYCLE.BIN/S-1-5/a.jpg", "files in a trash folder"),
        ("Catalog Previews.lrdata/0/a.jpg", "files in a folder of previews"),
        ("Photos.photoslibrary/resources/derivatives/a.jpeg", "files in a folder of previews"),
        ("__MACOSX/a/._a.jpg", "macOS companion files"),
        ("lost+found/#12.jpg", "files of the system"),
        (".git/lfs/a.jpg", "files of version control"),
        ("#snapshot/yesterday/a.jpg", "files in a folder of snapshots"),
        (".stversions/a.jpg", "files in hidden folders"),
    ],
)
def test_kinds_by_name(name: str, kind: str) -> None:
    found = passed_over(name)
    assert found is not None
    assert found.name == kind


@pytest.mark.parametrize(
    "name",
    [
        "a.JPG",
        "a.mpo",
        "IMG_1.HEIC",
        "a.hif",
        "a.avif",
        "a.heics",
        "photo.jpg?w=640",
        "a/b.c/d.jpeg",
        "Photos.photoslibrary/originals/0/a.jpeg",
        "./a.jpg",
        "a..jpg",
    ],
)
def test_photos_by_name(name: str) -> None:
    assert passed_over(name) is None


def test_every_kind_is_in_the_documents_table():
    document = (Path(__file__).parents[3] / "docs" / "datasets.md").read_text()
    documented = re.findall(r"^\| ([^|`]+) \| .+ \|$", document.partition("| kind | files |")[2], re.MULTILINE)
    known = {kind.name for kind in vars(kinds).values() if isinstance(kind, kinds.Kind)}
    assert set(documented) >= known


TREE = (
    *("a.jpg", "ann/b.PNG", "ann/c.jpg?w=640", "bob/2023/d.jpeg", "ann/@eaDir/b.PNG/THUMB.jpg", "#recycle/old.jpg"),
    *("bob/.ipynb_checkpoints/d-checkpoint.jpeg", "__MACOSX/ann/._b.PNG", "ann/._b.PNG", ".hidden/a.jpg", "x.NEF"),
    *(".IMG_6.JPG.icloud", "IMG_2.MOV", "IMG_2.aae", "inner.zip", "list.csv", "Thumbs.db", "ann/a.jpg.part"),
)


@pytest.fixture
def trees(tmp_path, bucket, photo):
    """The same tree as each kind of dataset that has names: kind -> its address."""
    names = list(TREE)
    for name in names:
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photo())
        bucket.pipe_file(f"photos/tree/{name}", photo())
    random.Random(7).shuffle(names)
    with tarfile.open(tmp_path / "tree.tar", "w") as tar, zipfile.ZipFile(tmp_path / "tree.zip", "w") as packed:
        for name in names:
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(photo())
            tar.addfile(info, io.BytesIO(photo()))
            packed.writestr(name, photo())
    return {
        "folder": tmp_path / "tree",
        "tar": tmp_path / "tree.tar",
        "zip": tmp_path / "tree.zip",
        "bucket": "s3://photos/tree",
        "shards": tmp_path / "tr*.tar",
    }


def test_the_same_tree_has_the_same_account_in_every_kind_of_dataset(trees, listed):
    found = {kind: listed(address) for kind, address in trees.items()}
    shard = "tree.tar/"
    assert found["folder"].names == ["a.jpg", "ann/b.PNG", "ann/c.jpg?w=640", "bob/2023/d.jpeg"]
    for dataset in found.values():
        assert [name.removeprefix(shard) for name in dataset.names] == found["folder"].names
        account = [
            each.model_copy(update={"examples": tuple(name.removeprefix(shard) for name in each.examples)})
            for each in dataset.source.passed_over
        ]
        assert account == list(found["folder"].source.passed_over)
        assert len(dataset.refs) + sum(dataset.passed_over.values()) == len(TREE)
