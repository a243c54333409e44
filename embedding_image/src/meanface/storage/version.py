"""Which version a file is of, where its file system can tell: unchanged files are known without reading them.

A version is a text that is another one when the bytes are, though place and size stay:

    etag:...    an object's ETag; S3 compares it while reading
    mtime:...   a local file's time of modification in nanoseconds; compared at the open file
    sha256:...  a checksum of the bytes themselves, which holds anywhere; whoever has read them compares it

An empty text means that nobody can tell: such a file is never taken for an unchanged one.
"""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path
from typing import Any

from fsspec.asyn import sync
from fsspec.implementations.local import LocalFileSystem

_ETAG, _MTIME, _SHA256 = "etag:", "mtime:", "sha256:"


class VersionChanged(Exception):
    """The file has the place and perhaps the size of the one that was asked for, and other bytes."""


def of_etag(etag: str | None) -> str:
    """Version of an object, by its ETag as S3 writes it.

    >>> of_etag('"9b2cf535f27731c974343645a3985328"'), of_etag(None)
    ('etag:9b2cf535f27731c974343645a3985328', '')
    """
    return _ETAG + etag.strip('"') if etag else ""


def of_stat(found: os.stat_result) -> str:
    """Version of a local file."""
    return f"{_MTIME}{found.st_mtime_ns}"


def of_bytes(digest: bytes) -> str:
    """Version of bytes, by their SHA-256."""
    return _SHA256 + digest.hex()


def of_file(fs: Any, path: str, info: dict[str, Any]) -> str:
    """Version of a file; `info` is what the file system says of it."""
    if isinstance(fs, LocalFileSystem):
        return of_stat(Path(path).stat())  # fsspec's own time of modification is a rounded number
    return of_etag(info.get("ETag")) if is_s3(fs) else ""


def check_bytes(data: bytes, version: str) -> None:
    """See that bytes are of a version, where it is one of bytes.

    Raises
    ------
    VersionChanged
        they are not
    """
    if version.startswith(_SHA256) and of_bytes(hashlib.sha256(data).digest()) != version:
        raise VersionChanged


def read_range(fs: Any, path: str, start: int | None, end: int | None, version: str = "") -> bytes:
    """Bytes of a file from `start` to before `end`, all of one version, where the file system can hold on to it.

    Raises
    ------
    VersionChanged
        the file has another version by now
    """
    if version.startswith(_MTIME) and isinstance(fs, LocalFileSystem):
        return _read_local(path, start or 0, end, version)
    if version.startswith(_ETAG) and is_s3(fs):
        return _read_object(fs, path, start or 0, end, version)
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
    """What `get_object` answers. s3fs' own ways of reading take no condition."""
    bucket, key, _ = fs.split_path(path)
    answer = await fs._call_s3("get_object", Bucket=bucket, Key=key, **wanted)
    async with answer["Body"] as body:
        data: bytes = await body.read()
    return data


def is_s3(fs: Any) -> bool:
    """Whether a file system is s3fs."""
    return "s3" in ((fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol)
