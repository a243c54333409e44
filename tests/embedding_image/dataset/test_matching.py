"""Files that match a pattern are found, or the dataset is refused: none is silently missing."""

from __future__ import annotations

import errno
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from meanface.errors import DatasetNotFound, StorageUnavailable


def table(*photos):
    output = pa.BufferOutputStream()
    pq.write_table(pa.table({"image": [{"bytes": photo, "path": None} for photo in photos]}), output)
    return output.getvalue().to_pybytes()


@pytest.fixture
def two_folders(tmp_path, tarred, photo):
    """A shard and a table in each of two folders."""
    for number, name in enumerate("ab"):
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        (folder / "0.tar").write_bytes(tarred(("1.png", photo(number))))
        (folder / "0.parquet").write_bytes(table(photo(number)))
    return tmp_path / "data"


@pytest.mark.parametrize("suffix", ["tar", "parquet"])
@pytest.mark.parametrize(("error", "refused"), [(errno.EIO, StorageUnavailable), (errno.EACCES, DatasetNotFound)])
def test_a_folder_that_cannot_be_listed_is_an_error(suffix, error, refused, two_folders, listed, monkeypatch):
    assert len(listed(f"{two_folders}/*/*.{suffix}").refs) == 2
    scandir = os.scandir

    def failing(path):
        if str(path).endswith("/data/b"):
            raise OSError(error, os.strerror(error), path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", failing)
    with pytest.raises(refused, match=r"cannot be reached: Input/output error|may not be read .*: .*/data/b"):
        listed(f"{two_folders}/*/*.{suffix}")
    assert len(listed(f"{two_folders}/a*/*.{suffix}").refs) == 1  # it cannot hold what matches


@pytest.mark.parametrize("suffix", ["tar", "parquet"])
def test_a_folder_may_be_called_like_a_pattern(suffix, two_folders, listed):
    two_folders.rename(two_folders.with_name("[2026]"))
    assert len(listed(f"{two_folders.with_name('[2026]')}/*/*.{suffix}").refs) == 2


def test_in_a_bucket_only_shards_have_all_wildcards(bucket, photo, listed):
    for number, name in enumerate(("data[1]/0.parquet", "data1/0.parquet", "who?/0.parquet", "whom/0.parquet")):
        bucket.pipe_file(f"photos/{name}", table(photo(number)))
    for folder, number in (("data[1]", 0), ("who?", 2)):
        assert [*listed(f"s3://photos/{folder}/*.parquet").read_all().values()] == [photo(number)]


def test_a_table_whose_lookup_fails_is_an_error(bucket, photo, listed, monkeypatch):
    from s3fs import S3FileSystem

    for number in range(2):
        bucket.pipe_file(f"photos/{number}.parquet", table(photo(number)))
    call = S3FileSystem._call_s3

    async def failing(self, method, *args, **options):
        if method == "head_object" and options["Key"] == "1.parquet":
            raise OSError(errno.EBUSY, "503 Slow Down")
        return await call(self, method, *args, **options)

    monkeypatch.setattr(S3FileSystem, "_call_s3", failing)
    with pytest.raises(StorageUnavailable, match="503 Slow Down"):
        listed("s3://photos/*.parquet")
