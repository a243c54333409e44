"""Files of the Hugging Face Hub, read only: `hf://datasets/ORG/NAME@REVISION/path`.

Listings come page by page, and nothing is remembered: `huggingface_hub`'s own file system holds each
folder that it has listed, and describes files by what it holds. Importing this module needs the
package `huggingface_hub`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.spec import AbstractBufferedFile
from huggingface_hub import HfApi, constants, hf_hub_url, parse_hf_uri
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HfUriError,
    RepositoryNotFoundError,
)
from huggingface_hub.hf_api import RepoFile, RepoFolder
from huggingface_hub.utils import HfUri, build_hf_headers, hf_raise_for_status, http_backoff

_ADVICE = "set HF_TOKEN to a token that may read it"
RETRIES = 3
"""of one request, for a server that is busy"""
KINDS = ("model", "dataset", "space")


class HubFiles(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """The file system of `hf://`. Endpoint and token are those of `huggingface_hub`: `HF_ENDPOINT`, `HF_TOKEN`."""

    protocol = "hf"

    def __init__(self, endpoint: str | None = None, token: str | bool | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._endpoint, self._token = endpoint, token
        self._api = HfApi(endpoint=endpoint, token=token)

    @classmethod
    def checked(cls, path: str) -> str:
        """Return a path of a repository of models, datasets or spaces; raises `ValueError` for any other."""
        kind = parse_hf_uri(f"hf://{path}").type
        if kind not in KINDS:
            raise ValueError(f"a {kind} of the Hub is not supported: give hf://datasets/ORG/NAME/")
        return path

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Name, size and type of a file or folder; a file's ETag."""
        where = _parsed(path)
        if not where.path_in_repo:
            return {"name": path, "size": 0, "type": "directory"}
        with _asking(where):
            found = self._api.get_paths_info(
                where.id, where.path_in_repo, revision=where.revision, repo_type=where.type
            )
        if not found:
            raise FileNotFoundError(f"there is no {where.path_in_repo!r} in the {_repository(where)}")
        return _described(found[0], path)

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        """List a folder."""
        found = list(self.listed(path, recursive=False))
        return found if detail else [each["name"] for each in found]

    def find(self, path: str, maxdepth: int | None = None, withdirs: bool = False, **options: Any) -> Any:
        """List everything below a folder, in one listing for all of its folders.

        Raises what `listed` raises: fsspec's own takes a server that is down for an empty folder.
        """
        path = path.rstrip("/")
        deepest = path.count("/") + maxdepth if maxdepth else sys.maxsize
        found = {
            each["name"]: each
            for each in self.listed(path, recursive=maxdepth != 1)
            if (withdirs or each["type"] == "file") and each["name"].count("/") <= deepest
        }
        return dict(sorted(found.items())) if options.get("detail") else sorted(found)

    def listed(self, path: str, *, recursive: bool = True) -> Iterator[dict[str, Any]]:
        """Describe the files and folders below a folder, page by page; nothing for a file.

        Raises `FileNotFoundError` if there is no such folder, and `PermissionError` if its files may
        not be read.
        """
        path, where = path.rstrip("/"), _parsed(path)
        revision, kind = where.revision, where.type
        with _asking(where):
            if recursive:
                self._check_access(where)
            try:
                for found in self._api.list_repo_tree(
                    where.id, where.path_in_repo, recursive=recursive, revision=revision, repo_type=kind
                ):
                    yield _described(found, f"{path}/{found.path[len(where.path_in_repo) :].lstrip('/')}")
            except EntryNotFoundError:
                if self.info(path)["type"] != "file":
                    raise

    def _check_access(self, where: HfUri) -> None:
        """Ask whether the files of a gated repository may be read, which anyone may list."""
        if where.type == "space":
            return  # none is gated
        # Without `expand`, the record has the names of all files.
        found = self._api.repo_info(where.id, revision=where.revision, repo_type=where.type, expand="gated")
        if found.gated:
            self._api.auth_check(where.id, repo_type=where.type)

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        """Read the bytes of a file from `start` up to, not including, `end`."""
        return self.read(path, start or 0, end)[0]

    def read(self, path: str, start: int, end: int | None) -> tuple[bytes, str]:
        """Read the bytes of a file from `start` up to, not including, `end`; also the file's ETag."""
        where = _parsed(path)
        url = hf_hub_url(
            where.id, where.path_in_repo, repo_type=where.type, revision=where.revision, endpoint=self._endpoint
        )
        headers = build_hf_headers(token=self._token) | {"Accept-Encoding": "identity"}
        if start or end is not None:
            headers["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
        with _asking(where):
            response = http_backoff(
                "GET", url, headers=headers, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT, max_retries=RETRIES
            )
            hf_raise_for_status(response)
        # Of a large file, the Hub names the ETag and redirects to a server that has one of its own.
        linked = [each.headers.get("X-Linked-ETag") for each in (*response.history, response)]
        etag = next(filter(None, linked), response.headers.get("ETag", ""))
        data = response.content if response.status_code == 206 else response.content[start:end]
        return data, etag.removeprefix("W/").strip('"')

    def _open(self, path: str, mode: str = "rb", **options: Any) -> AbstractBufferedFile:
        if mode != "rb":
            raise PermissionError("the Hugging Face Hub is only read")
        return _HubFile(self, path, mode, **options)


class _HubFile(AbstractBufferedFile):  # type: ignore[misc]  # fsspec has no types
    def _fetch_range(self, start: int, end: int) -> bytes:
        found: bytes = self.fs.cat_file(self.path, start, end)
        return found


def _parsed(path: str) -> HfUri:
    try:
        return parse_hf_uri(f"hf://{path.rstrip('/')}")
    except HfUriError as wrong:
        raise FileNotFoundError(wrong.msg) from wrong


def _described(found: RepoFile | RepoFolder, name: str) -> dict[str, Any]:
    if isinstance(found, RepoFolder):
        return {"name": name, "size": 0, "type": "directory"}
    etag = found.lfs.sha256 if found.lfs else found.blob_id
    return {"name": name, "size": found.size, "type": "file", "etag": etag}


@contextmanager
def _asking(where: HfUri) -> Iterator[None]:
    """Translate the Hub's refusals, and what it has not."""
    repository = _repository(where)
    try:
        yield
    except GatedRepoError as gated:
        raise PermissionError(f"the {repository} is gated: ask for access on its page, and {_ADVICE}") from gated
    except RepositoryNotFoundError as missing:  # the Hub does not tell which
        raise FileNotFoundError(f"there is no {repository}, or it is private: {_ADVICE}") from missing
    except HfHubHTTPError as error:
        status = error.response.status_code
        if status == 404:
            what = f"{where.path_in_repo or '/'!r} at {where.revision or 'main'!r}"
            raise FileNotFoundError(f"there is no {what} in the {repository}") from error
        if status in (401, 403):
            raise PermissionError(f"the {repository} refuses access: {_ADVICE}") from error
        raise


def _repository(where: HfUri) -> str:
    return f"{where.type} {where.id}"
