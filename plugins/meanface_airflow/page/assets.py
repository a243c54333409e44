"""The files that a browser loads: read once, served from memory.

Pages name their parts in a folder that is named for the digest of all parts: `static/VERSION/run.js`. What has been
loaded from there never changes, so that a browser asks once; pages, and parts by plain names, it asks for every time.
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
        """The file, or 304 where the browser has it already.

        Parameters
        ----------
        version
            that the browser asks for; of another one than this, as while Airflow is upgraded, it keeps nothing
        """
        kept = "max-age=31536000, immutable" if version == VERSION else "no-cache"
        headers = {"ETag": self.etag, "Cache-Control": f"private, {kept}"}
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
"""By name; there is no other way to a file."""
