"""Task logs in a bucket of S3 or of a server with its protocol.

`[logging] logging_config_class = bucket_logs.LOGGING_CONFIG` turns it on; the folder in the bucket is
`[logging] remote_base_log_folder`. Credentials and the server's address are those of the AWS SDK
(`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`...). With `[logging] delete_local_logs` an uploaded log is
removed from the pod. Airflow finds this file in the folder `config` of its home.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import structlog
from airflow.config_templates.airflow_local_settings import DEFAULT_LOGGING_CONFIG
from airflow.configuration import conf
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

LOGGING_CONFIG = DEFAULT_LOGGING_CONFIG
PATIENCE = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 4})
TYPE = "application/x-ndjson"
log = structlog.get_logger(__name__)


@cache
def _client(_process: int) -> Any:
    """A client of this process; a process that is forked must not share its parent's connections."""
    return boto3.client("s3", config=PATIENCE)


class BucketLogs:
    """Writes a log when its task ends or waits, and reads it; what Airflow calls a `RemoteLogIO`."""

    processors: tuple[Any, ...] = ()

    def __init__(self, folder: str, local: Path, *, delete_local_logs: bool = False) -> None:
        place = urlsplit(folder)
        self._bucket, self._prefix, self._local = place.netloc, place.path.strip("/"), local
        self._delete_local_logs = delete_local_logs

    def upload(self, path: os.PathLike[str] | str, ti: Any = None) -> None:  # noqa: ARG002 - Airflow passes it
        """Upload a log file. A failure is reported and fails no task; then the file stays in the pod."""
        file = self._local / path
        key = self._key(file.relative_to(self._local).as_posix())
        try:
            written = file.read_bytes()
            before = self._get(key)
            _client(os.getpid()).put_object(
                Bucket=self._bucket, Key=key, Body=merged(before, written), ContentType=TYPE
            )
            if self._delete_local_logs:
                _remove(file, len(written))
        except (OSError, BotoCoreError, ClientError) as error:
            log.warning("A task log cannot be uploaded", address=self._address(key), reason=_reason(error))

    def read(self, relative_path: str, ti: Any) -> tuple[list[str], list[str] | None]:  # noqa: ARG002 - Airflow passes it
        """The logs whose names begin with a path: that of the task, and that of its triggerer."""
        prefix = self._key(relative_path)
        try:
            pages = _client(os.getpid()).get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            keys = sorted(each["Key"] for page in pages for each in page.get("Contents", ()))
            return [self._address(key) for key in keys], [self._get(key).decode() for key in keys] or None
        except (BotoCoreError, ClientError) as error:
            return [f"The logs at {self._address(prefix)} cannot be read: {_reason(error)}"], None

    def _get(self, key: str) -> bytes:
        """Content of an object; empty if it does not exist."""
        client = _client(os.getpid())
        try:
            content: bytes = client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except client.exceptions.NoSuchKey:
            return b""
        return content

    def _key(self, path: str) -> str:
        return f"{self._prefix}/{path}".lstrip("/")

    def _address(self, key: str) -> str:
        return f"s3://{self._bucket}/{key}"


def merged(before: bytes, written: bytes) -> bytes:
    r"""A log after another part of it was written, by the same pod or another one.

    >>> merged(b"", b"one\n")
    b'one\n'
    >>> merged(b"one\n", b"one\ntwo\n")  # the pod still has the first part
    b'one\ntwo\n'
    >>> merged(b"one\n", b"two\n")  # the task went on in another pod
    b'one\ntwo\n'
    >>> merged(b"one\ntwo\n", b"two\n")  # uploaded twice
    b'one\ntwo\n'
    """
    if written.startswith(before):
        return written
    return before if before.endswith(written) else before + written


def _remove(file: Path, size: int) -> None:
    """Remove an uploaded log of this size, and its folder if it is empty then.

    A larger file stays: the task goes on in this pod already, and uploads its log again later.
    """
    if file.stat().st_size == size:
        file.unlink()
        with suppress(OSError):  # the folder has other logs
            file.parent.rmdir()


def _reason(error: Exception) -> str:
    """An error in one line, with its kind."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


REMOTE_TASK_LOG = BucketLogs(
    conf.get_mandatory_value("logging", "remote_base_log_folder"),
    Path(conf.get_mandatory_value("logging", "base_log_folder")),
    delete_local_logs=conf.getboolean("logging", "delete_local_logs"),
)
