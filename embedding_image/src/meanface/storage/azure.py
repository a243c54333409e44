"""Blobs of Azure, listed page by page and read under a condition: adlfs offers neither."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from fsspec.asyn import sync


def blobs(fs: Any, container: str, prefix: str) -> Iterator[Any]:
    """Every blob whose name begins with a prefix, without the folders of a hierarchical namespace.

    Raises `FileNotFoundError` if there is no such container.
    """
    client = fs.service_client.get_container_client(container)
    pages = client.list_blobs(name_starts_with=prefix or None, include=["metadata"]).by_page()
    while (page := sync(fs.loop, _page, pages)) is not None:
        for blob in page:
            if (blob.metadata or {}).get("hdi_isfolder", "").lower() != "true":
                yield blob


async def _page(pages: AsyncIterator[AsyncIterator[Any]]) -> list[Any] | None:
    """The next page; None after the last one."""
    from azure.core.exceptions import ResourceNotFoundError

    try:
        async for page in pages:
            return [blob async for blob in page]
    except ResourceNotFoundError as missing:
        raise FileNotFoundError(missing.message) from missing
    return None


def read(fs: Any, path: str, start: int, end: int | None, etag: str) -> bytes | None:
    """Read the bytes of a blob from `start` up to, not including, `end`; None if its ETag is another one by now."""
    found: bytes | None = sync(fs.loop, _read, fs, path, start, end, etag)
    return found


async def _read(fs: Any, path: str, start: int, end: int | None, etag: str) -> bytes | None:
    from azure.core import MatchConditions
    from azure.core.exceptions import ResourceModifiedError, ResourceNotFoundError

    container, _, name = path.partition("/")
    length = None if end is None else end - start
    condition = {"etag": f'"{etag}"', "match_condition": MatchConditions.IfNotModified}
    async with fs.service_client.get_blob_client(container, name) as client:
        try:
            stream = await client.download_blob(offset=start, length=length, **condition)
            data: bytes = await stream.readall()
        except ResourceNotFoundError as missing:
            raise FileNotFoundError(path) from missing
        except ResourceModifiedError:
            return None
    return data
