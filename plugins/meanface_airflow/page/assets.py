"""The page's own files: read once, and served from memory.

Pages refer to their scripts and styles by a folder with the digest of all files,
`static/VERSION/run.js`. These never change, so a browser requests them once. It asks again each
time for pages, and for files by their plain names.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

FOLDER = Path(__file__).parent / "static"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True)
class Asset:
    """One file."""

    content: bytes
    media_type: str
    etag: str

    def response(self, request: Request, version: str = "") -> Response:
        """The file, or status 304 if the browser has it already.

        Parameters
        ----------
        version
            the version that the browser requested; during an upgrade of Airflow it may be another
            one, and the browser must not cache the file
        """
        caching = "max-age=31536000, immutable" if version == VERSION else "no-cache"
        headers = {"ETag": self.etag, "Cache-Control": f"private, {caching}"}
        if request.headers.get("if-none-match", "").removeprefix("W/") == self.etag:
            return Response(status_code=304, headers=headers)
        return Response(self.content, media_type=self.media_type, headers=headers)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def _asset(path: Path, content: bytes) -> Asset:
    if path.suffix == ".html":
        content = content.replace(b'"static/', f'"static/{VERSION}/'.encode())
    return Asset(content, TYPES[path.suffix], f'"{_digest(content)}"')


_FILES = {path: path.read_bytes() for path in sorted(FOLDER.iterdir()) if path.suffix in TYPES}
VERSION = _digest(b"".join(_FILES.values()))
ASSETS = {path.name: _asset(path, content) for path, content in _FILES.items()}
"""All files that are served, by name."""
