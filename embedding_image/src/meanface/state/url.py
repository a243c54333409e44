"""The URL of Redis; its password is used but never displayed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from redis.connection import parse_url

from meanface.errors import SettingsError

_FORMS = "redis://[[USER]:PASSWORD@]HOST[:PORT][/DB], rediss://... (TLS), or unix://[USER:PASSWORD@]/PATH"
_OPTIONS = {"host", "port", "path", "db", "username", "password", "connection_class"}


@dataclass(frozen=True)
class RedisUrl:
    """A parsed `redis://`, `rediss://` or `unix://` URL; its text has place and user only.

    >>> str(RedisUrl.parse("redis://pods:s3cret@redis.example/2"))
    "redis.example:6379 (user 'pods')"
    """

    place: str
    """host:port, or the path of a socket"""
    user: str
    options: dict[str, Any] = field(repr=False)
    """arguments of the client's connection, with the password"""

    @classmethod
    def parse(cls, url: str) -> RedisUrl:
        """Parse a URL; `SettingsError`, which quotes nothing, as any part may hold the password."""
        refused = SettingsError(
            f"MEANFACE_REDIS_URL is not a URL of Redis: expected {_FORMS};"
            " in user and password, write / ? # @ : % as %2F %3F %23 %40 %3A %25"
        )
        try:
            options = parse_url(url)
            options["db"] = _database(url, options)
        except ValueError:  # its message quotes a part, perhaps of the password
            raise refused from None
        if _is_torn(url):
            raise refused
        unknown = sorted(name for name in options if name not in _OPTIONS and not name.startswith("ssl_"))
        if unknown:
            raise SettingsError(f"MEANFACE_REDIS_URL has unknown options: {', '.join(unknown)}")
        if "path" in options:
            place = options["path"]
        else:
            host = options.setdefault("host", "localhost")
            place = f"[{host}]" if ":" in host else host
            place += f":{options.setdefault('port', 6379)}"
        return cls(place, options.get("username") or "default", options)

    def without_password(self, text: str) -> str:
        """Remove the password from a text, such as an error that quotes a command."""
        password = self.options.get("password")
        return text.replace(password, "***") if password else text

    def __str__(self) -> str:
        return f"{self.place} (user {self.user!r})"


def _database(url: str, options: dict[str, Any]) -> int:
    """Return the database's number; the client's parser reads a path that is not a number as 0."""
    path = urlsplit(url).path.strip("/")
    if "path" in options or not path:
        return int(options.get("db", 0))
    return int(path)


def _is_torn(url: str) -> bool:
    """Tell whether an unescaped character in user or password ends the host part too early."""
    parts = urlsplit(url)
    rest = url.partition("://")[2][len(parts.netloc) :]
    if parts.scheme == "unix":
        return not parts.path or "@" in parts.query or bool(parts.netloc and not parts.netloc.endswith("@"))
    return "@" in rest or bool(parts.fragment)
