"""What servers say in their answers' headers, pure."""

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

REST_SECONDS = 120.0
"""longest rest that a server is given at its word"""

_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


def rest_seconds(retry_after: str, now: float) -> float:
    """Seconds for which a server asks to be left alone: its `Retry-After`, as a number or a date.

    >>> rest_seconds("7", now=0), rest_seconds("Thu, 01 Jan 1970 00:00:30 GMT", now=0), rest_seconds("soon", now=0)
    (7.0, 30.0, 0.0)
    """
    if retry_after.isdecimal():
        return min(float(retry_after), REST_SECONDS)
    try:
        date = parsedate_to_datetime(retry_after)
    except (ValueError, OverflowError):
        return 0.0
    seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
    return min(max(seconds, 0.0), REST_SECONDS)


def content_range(answer: BaseHTTPResponse) -> tuple[int, int] | None:
    """First byte of a partial answer, and the size of the whole."""
    found = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    return (int(found[1]), int(found[2])) if found and answer.status == 206 else None


def served_name(answer: BaseHTTPResponse) -> str:
    """The file name that a server gives its answer; empty where it gives none."""
    disposition = in_utf8(answer.headers.get("Content-Disposition", ""))
    found = re.search(r"filename\*=(?:UTF-8|utf-8)''([^;]+)", disposition)
    if found:
        return unquote(found[1])
    found = re.search(r'filename="?([^";]+)', disposition)
    return found[1].strip() if found else ""


def in_utf8(value: str) -> str:
    r"""A header's value with its letters in UTF-8, as servers send them; Python reads headers as Latin-1.

    >>> in_utf8("/caf\xc3\xa9.jpg"), in_utf8("/caf\xe9.jpg")
    ('/café.jpg', '/café.jpg')
    """
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value


def redirected(url: str, location: str) -> str:
    """The address to which a server sends who asked for `url`.

    >>> redirected("https://photos.example/a/b.jpg", "../c.jpg")
    'https://photos.example/c.jpg'

    Raises
    ------
    PhotoUnreadable
        it leaves http(s), or has an encrypted connection go on in the clear
    """
    try:
        target = urljoin(url, in_utf8(location))
        before, now = urlsplit(url).scheme, urlsplit(target).scheme
    except ValueError:
        raise PhotoUnreadable("redirected to what is not a valid address") from None
    if now not in ("http", "https"):
        raise PhotoUnreadable(f"redirected out of http(s), to {shown(target)}")
    if (before, now) == ("https", "http"):
        raise PhotoUnreadable(f"redirected from https to http, to {shown(target)}")
    return target


def shown(url: str) -> str:
    """An address that a server sent, as errors quote it: short, printable and without credentials."""
    try:
        return repr(without_credentials(url)[:200])
    except ValueError:
        return "what is not a valid address"
