"""Addresses, and what servers say in their headers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from random import Random
from urllib.parse import urlsplit

from urllib3 import HTTPHeaderDict, HTTPResponse

from fuzz.mutate import Mutator
from fuzz.target import Target, held
from meanface.dataset.address import base_name, expand_braces, is_glob, local_path, resolve, scheme, wildcards_of
from meanface.dataset.http.headers import LONGEST_RETRY_AFTER, content_range, retry_after_seconds, served_name
from meanface.dataset.http.hosts import host_of
from meanface.dataset.photo_pattern import PhotoPattern, is_pattern_of_photos
from meanface.dataset.photos import printable
from meanface.dataset.table.references import ref_of
from meanface.dataset.table.rows import Row
from meanface.dataset.url_photos import public_name
from meanface.errors import SettingsError
from meanface.state.url import RedisUrl

ADDRESSES = (
    *(
        "s3://photos/%Y/%m/%d/",
        "https://u:p@photos.example:8080/my%20photos/%d0%b0.zip?token=1#x",
        "/data/shard-{008..010}.tar",
    ),
    *(
        "http://[::1]:80/a.jpg",
        "file:///data/[2026]/*.tar",
        "C:\\photos",
        "gs://b/x?y",
        "https://photos.example/100%%/ü.jpg",
    ),
)
REDIS = (
    *(
        "redis://pods:s3cret@redis.example:6379/2",
        "rediss://:p%40ss@h:1/0?ssl_cert_reqs=none",
        "unix://u:p@/run/redis.sock?db=1",
    ),
    *("redis://[::1]:6379", "redis://localhost?socket_timeout=5"),
)
RETRY = ("7", "120", "Thu, 01 Jan 1970 00:00:30 GMT", "Wed, 21 Oct 2026 07:28:00 +0200", "soon", "-1", "1e9", "²")
RANGES = ("bytes 0-0/1234", "bytes 0-99/*", "bytes */100", "bytes 5-4/3")
NAMES = (
    'attachment; filename="lfw.tgz"',
    "attachment; filename*=UTF-8''l%C3%BCfw.tgz; x",
    "inline",
    "filename=../../a.zip;",
)
WORDS = (
    *(
        "://",
        "//",
        "@",
        ":",
        "/",
        "?",
        "#",
        "%",
        "%%",
        "%d",
        "%Y",
        "[",
        "]",
        "{0..9}",
        "{1..99999999999}",
        "{5..1}",
        "*",
        "::",
    ),
    *(
        "\0",
        "\n",
        "٣",
        "²",
        "\ud800",
        "\u2100",
        "\uff0f",
        "999999999999999999999",
        "xn--",
        "file",
        "s3",
        "GMT",
        "+9999",
    ),
)
DATE = datetime.fromisoformat("2026-03-07T01:02:03+00:00")


def texts(good: Sequence[str]) -> Callable[[Random], bytes]:
    """Inputs that are nearly these texts; lone surrogates stand for bytes that are no text."""
    return Mutator([text.encode() for text in good], [word.encode("utf-8", "surrogatepass") for word in WORDS])


def _address(data: bytes) -> bool:
    """Every function of an address returns a value, or the address is refused."""
    address = data.decode("utf-8", "surrogateescape")
    refused = False
    try:
        address = resolve(address, DATE if len(data) % 2 else None)
    except SettingsError:
        refused = True
    try:
        if is_glob(address) and is_pattern_of_photos(address):
            PhotoPattern(address.rpartition("://")[2], wildcards_of(address)).matches(address)
        patterns = expand_braces(address) if is_glob(address) else []
        held(len(patterns) <= 1_000_000, "more patterns than can be looked for")
    except SettingsError:
        refused = True
    ref = ref_of(Row(address), "row 1")
    (ref.name + ref.refusal + ref.source).encode()
    shown = printable(address)[0]
    name = public_name(shown)
    held(name.count("://") != 1 or "://u:p@" not in name, "a password in a photo's name")
    host_of(ref.source or ref.name)
    scheme(address), local_path(address)
    try:
        urlsplit(address)
    except ValueError:
        return False  # as `open_dataset` refuses it, before it asks for a name
    base_name(address)
    return not (refused or ref.refusal)


def _redis(data: bytes) -> bool:
    text = data.decode("utf-8", "surrogateescape")
    try:
        url = RedisUrl.parse(text)
    except SettingsError as refused:
        held("s3cret" not in str(refused), "a password in an error")
        return False
    password = url.options.get("password") or ""
    held("s3cret" not in password or "s3cret" not in f"{url} {url!r}", "a password in a URL that is shown")
    return True


def _answer(data: bytes, name: str, status: int = 206) -> HTTPResponse:
    # A header's bytes are Latin-1 to http.client, whatever their sender meant.
    return HTTPResponse(b"", HTTPHeaderDict({name: data.decode("latin-1")}), status)


def _retry(data: bytes) -> bool:
    rest = retry_after_seconds(data.decode("latin-1"), 1.0)
    held(0 <= rest <= LONGEST_RETRY_AFTER, f"a rest of {rest} s")
    return rest > 0


def _range(data: bytes) -> bool:
    found = content_range(_answer(data, "Content-Range"))
    held(found is None or min(found) >= 0, f"range {found}")
    return found is not None


def _served(data: bytes) -> bool:
    name = served_name(_answer(data, "Content-Disposition"))
    base_name(name)
    return bool(name)


TARGETS = (
    Target("web.address", texts(ADDRESSES), _address, full=60_000, short=1000),
    Target("web.redis-address", texts(REDIS), _redis, full=30_000, short=500),
    Target("web.retry-after", texts(RETRY), _retry, full=20_000, short=500),
    Target("web.content-range", texts(RANGES), _range, full=10_000, short=200),
    Target("web.file-name", texts(NAMES), _served, full=10_000, short=200),
)
