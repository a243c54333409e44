"""Versions of files: they tell an unchanged file without reading it.

A version is a string that changes with the bytes, even if path and size do not::

    etag:...    ETag of an object; S3 and Azure compare it while reading, for the Hugging Face Hub we do
    generation:...  generation of an object, which Google Cloud Storage compares
    mtime:...   modification time of a local file in nanoseconds; compared on the open file
    sha256:...  checksum of the bytes, valid everywhere; compared after reading

The empty string means unknown: such a file never counts as unchanged.
"""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path
from typing import Any

from fsspec.asyn import sync
from fsspec.implementations.local import LocalFileSystem

from meanface.storage import azure, gcs
from meanface.storage.file_errors import os_errors
from meanface.storage.schemes import speaks

_ETAG, _GENERATION, _MTIME, _SHA256 = "etag:", "generation:", "mtime:", "sha256:"


class VersionChanged(Exception):
    """The file at this path has another version than the expected one."""


def of_etag(etag: str | None) -> str:
    """Return the version of an object from its ETag, which S3 quotes."""
    return _ETAG + etag.strip('"') if etag else ""


def of_generation(generation: str | None) -> str:
    """Return the version of an object from its generation in Google Cloud Storage."""
    return _GENERATION + generation if generation else ""


def of_stat(found: os.stat_result) -> str:
    """Return the version of a local file."""
    return f"{_MTIME}{found.st_mtime_ns}"


def of_bytes(digest: bytes) -> str:
    """Return the version of bytes from their SHA-256."""
    return _SHA256 + digest.hex()


def of_file(fs: Any, path: str, info: dict[str, Any]) -> str:
    """Return the version of a file; `info` comes from fsspec."""
    if isinstance(fs, LocalFileSystem):
        return of_stat(Path(path).stat())  # fsspec rounds the modification time
    if speaks(fs, "gs"):
        return of_generation(info.get("generation"))
    if speaks(fs, "abfs") or speaks(fs, "hf"):
        return of_etag(info.get("etag"))
    return of_etag(info.get("ETag")) if speaks(fs, "s3") else ""


def check_bytes(data: bytes, version: str) -> None:
    """Raise `VersionChanged` if the version is a checksum and the bytes do not match it."""
    if version.startswith(_SHA256) and of_bytes(hashlib.sha256(data).digest()) != version:
        raise VersionChanged


def read_range(fs: Any, path: str, start: int | None, end: int | None, version: str = "") -> bytes:
    """Read the bytes of a file from `start` up to, not including, `end`.

    Raises `VersionChanged` if the file system can compare versions and the file has another one
    now.
    """
    if version.startswith(_MTIME) and isinstance(fs, LocalFileSystem):
        return _read_local(path, start or 0, end, version)
    with os_errors():
        return _read_remote(fs, path, start, end, version)


def _read_local(path: str, start: int, end: int | None, version: str) -> bytes:
    with Path(path).open("rb") as file:
        if of_stat(os.fstat(file.fileno())) != version:
            raise VersionChanged
        file.seek(start)
        return file.read(-1 if end is None else end - start)


def _read_remote(fs: Any, path: str, start: int | None, end: int | None, version: str) -> bytes:
    first, expected, is_etag = start or 0, version.partition(":")[2], version.startswith(_ETAG)
    found: bytes | None
    if is_etag and speaks(fs, "s3"):
        return _read_object(fs, path, first, end, version)
    if is_etag and speaks(fs, "abfs"):
        found = azure.read(fs, path, first, end, expected)
    elif is_etag and speaks(fs, "hf"):
        data, etag = fs.read(path, first, end)
        found = data if etag == expected else None
    elif speaks(fs, "gs"):
        found = gcs.read(fs, path, first, end, expected if version.startswith(_GENERATION) else "")
    else:
        found = fs.cat_file(path, start=start, end=end)
    if found is None:
        raise VersionChanged
    return found


def _read_object(fs: Any, path: str, start: int, end: int | None, version: str) -> bytes:
    etag = version.removeprefix(_ETAG)
    wanted = {"Range": f"bytes={start}-{'' if end is None else end - 1}", "IfMatch": f'"{etag}"'}
    try:
        data: bytes = sync(fs.loop, _body, fs, path, wanted)
    except OSError as error:
        if error.errno == errno.EINVAL and of_etag(fs.info(path).get("ETag")) != version:  # a failed precondition
            raise VersionChanged from error
        raise
    return data


async def _body(fs: Any, path: str, wanted: dict[str, str]) -> bytes:
    """Call `get_object`: the read methods of s3fs take no condition."""
    bucket, key, _ = fs.split_path(path)
    answer = await fs._call_s3("get_object", Bucket=bucket, Key=key, **wanted)
    async with answer["Body"] as body:
        data: bytes = await body.read()
    return data
