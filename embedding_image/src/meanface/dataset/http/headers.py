"""Parse headers of HTTP responses. Pure."""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit

from meanface.dataset.photos import PhotoUnreadable
from meanface.storage.files import without_credentials

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

LONGEST_RETRY_AFTER = 120.0
"""longest `Retry-After` that is respected"""

_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


def retry_after_seconds(retry_after: str, now: float) -> float:
    """Seconds of a `Retry-After` header, which is a number or a date; 0 for anything else."""
    if retry_after.isdecimal():
        return min(float(retry_after), LONGEST_RETRY_AFTER)
    try:
        date = parsedate_to_datetime(retry_after)
    except (ValueError, OverflowError):
        return 0.0
    seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)


def content_range(response: BaseHTTPResponse) -> tuple[int, int] | None:
    """First byte of a partial response, and the size of the whole; None for any other response."""
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    return (int(found[1]), int(found[2])) if found and response.status == 206 else None


def served_name(response: BaseHTTPResponse) -> str:
    """The file name in a response's `Content-Disposition`; empty if there is none."""
    disposition = decode_utf8(response.headers.get("Content-Disposition", ""))
    if found := re.search(r"filename\*=(?:UTF-8|utf-8)''([^;]+)", disposition):
        return unquote(found[1])
    found = re.search(r'filename="?([^";]+)', disposition)
    return found[1].strip() if found else ""


def decode_utf8(value: str) -> str:
    """Decode a header's value as UTF-8, if it is; Python decodes headers as Latin-1."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value


def redirect_target(url: str, location: str) -> str:
    """The address that a redirect from `url` leads to.

    Raises `PhotoUnreadable` if it leaves http(s), or leads from https to http.
    """
    try:
        target = urljoin(url, decode_utf8(location))
        before, now = urlsplit(url).scheme, urlsplit(target).scheme
    except ValueError:
        raise PhotoUnreadable("redirected to what is not a valid address") from None
    if now not in ("http", "https"):
        raise PhotoUnreadable(f"redirected out of http(s), to {quoted(target)}")
    if (before, now) == ("https", "http"):
        raise PhotoUnreadable(f"redirected from https to http, to {quoted(target)}")
    return target


def quoted(url: str) -> str:
    """Quote an address that a server sent: short, printable and without credentials."""
    try:
        return repr(without_credentials(url)[:200])
    except ValueError:
        return "what is not a valid address"
