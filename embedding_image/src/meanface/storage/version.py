"""Versions of files: they tell an unchanged file without reading it.

A version is a string that changes with the bytes, even if path and size do not::

    etag:...    ETag of an object; S3 and Azure compare it while reading
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

from meanface.storage import azure

_ETAG, _MTIME, _SHA256 = "etag:", "mtime:", "sha256:"


class VersionChanged(Exception):
    """The file at this path has another version than the expected one."""


def of_etag(etag: str | None) -> str:
    """Return the version of an object from its ETag, which S3 quotes."""
    return _ETAG + etag.strip('"') if etag else ""


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
    if azure.is_azure(fs):
        return of_etag(info.get("etag"))
    return of_etag(info.get("ETag")) if is_s3(fs) else ""


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
    if version.startswith(_ETAG) and is_s3(fs):
        return _read_object(fs, path, start or 0, end, version)
    if version.startswith(_ETAG) and azure.is_azure(fs):
        found = azure.read(fs, path, start or 0, end, version.removeprefix(_ETAG))
        if found is None:
            raise VersionChanged
        return found
    data: bytes = fs.cat_file(path, start=start, end=end)
    return data


def _read_local(path: str, start: int, end: int | None, version: str) -> bytes:
    with Path(path).open("rb") as file:
        if of_stat(os.fstat(file.fileno())) != version:
            raise VersionChanged
        file.seek(start)
        return file.read(-1 if end is None else end - start)


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


def is_s3(fs: Any) -> bool:
    """Whether a file system is s3fs."""
    return "s3" in ((fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol)
