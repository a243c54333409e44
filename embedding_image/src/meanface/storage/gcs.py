"""Objects of Google Cloud Storage, listed page by page and read under a condition: gcsfs offers neither."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fsspec.asyn import sync

_FIELDS = "items(name,size,generation),nextPageToken"


def objects(fs: Any, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
    """Every object whose name begins with a prefix: its name, its size and its generation.

    Raises `FileNotFoundError` if there is no such bucket.
    """
    page: dict[str, Any] = {"nextPageToken": None}
    while "nextPageToken" in page:
        token = page["nextPageToken"]
        try:
            page = fs.call(
                "GET", "b/{}/o", bucket, json_out=True, prefix=prefix or None, pageToken=token, fields=_FIELDS
            )
        except FileNotFoundError as missing:
            raise FileNotFoundError(f"there is no bucket {bucket!r}") from missing
        yield from page.get("items", ())


def read(fs: Any, path: str, start: int, end: int | None, generation: str = "") -> bytes | None:
    """Read the bytes of an object from `start` up to, not including, `end`; None if it has another generation.

    The bytes are those that are stored, also of an object with a `Content-Encoding`.
    """
    found: bytes | None = sync(fs.loop, _read, fs, path, start, end, generation)
    return found


async def _read(fs: Any, path: str, start: int, end: int | None, generation: str) -> bytes | None:
    from gcsfs.retry import retry_request, validate_response

    async def attempt() -> bytes | None:
        session = await fs._set_session()
        wanted = {"Accept-Encoding": "gzip"}  # else Google decompresses objects that are stored so
        if start or end is not None:
            wanted["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
        async with session.get(
            fs.url(path),
            params=fs._get_params({"ifGenerationMatch": generation or None}),
            headers=fs._get_headers(wanted),
            timeout=fs.requests_timeout,
            auto_decompress=False,
        ) as response:
            data: bytes = await response.read()
            found = response.headers.get("X-Goog-Generation", generation)
            if response.status == 412 or (generation and found != generation):
                return None
            validate_response(response.status, data, path)
            return data

    retried: Any = retry_request(retries=fs.retries)
    found: bytes | None = await retried(attempt)()
    return found
