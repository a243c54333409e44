"""Files under a prefix of a bucket, listed page by page: `walk` and `find` hold the whole prefix in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from meanface.storage import azure, gcs
from meanface.storage.schemes import speaks
from meanface.storage.version import of_etag, of_file, of_generation

PAGED = ("s3", "abfs", "gs", "hf")


class Found(NamedTuple):
    """A file of a listing."""

    path: str
    size: int
    version: str
    """as of `meanface.storage.version`"""


def is_paged(fs: Any) -> bool:
    """Whether `files_below` lists a file system."""
    return any(speaks(fs, scheme) for scheme in PAGED)


def files_below(fs: Any, root: str, start: str = "") -> Iterator[Found]:
    """Every file below a root whose name below it begins with `start`, in the order of the bucket."""
    if speaks(fs, "hf"):
        for found in fs.listed(root):
            if found["type"] == "file" and found["name"].startswith(f"{root}/{start}"):
                yield Found(found["name"], int(found["size"]), of_file(fs, found["name"], found))
        return
    bucket, _, key = root.partition("/")
    prefix = f"{key}/{start}" if key else start
    if speaks(fs, "s3"):
        yield from _objects(fs, bucket, prefix)
    elif speaks(fs, "gs"):
        for each in gcs.objects(fs, bucket, prefix):
            yield Found(f"{bucket}/{each['name']}", int(each["size"]), of_generation(each.get("generation")))
    else:
        for blob in azure.blobs(fs, bucket, prefix):
            yield Found(f"{bucket}/{blob.name}", int(blob.size), of_etag(blob.etag))


def _objects(fs: Any, bucket: str, prefix: str) -> Iterator[Found]:
    request = {"Bucket": bucket, "Prefix": prefix}
    while True:
        page = fs.call_s3("list_objects_v2", **request)
        for found in page.get("Contents", ()):
            yield Found(f"{bucket}/{found['Key']}", int(found["Size"]), of_etag(found.get("ETag")))
        if not page.get("IsTruncated"):
            return
        request["ContinuationToken"] = page["NextContinuationToken"]
