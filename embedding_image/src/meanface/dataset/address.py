"""Addresses of datasets, pure: date fields, and which kind of dataset an address names."""

from __future__ import annotations

import math
import re
from datetime import datetime
from itertools import chain, product
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from meanface.dataset.network_policy import VARIABLE, NetworkPolicy
from meanface.errors import SettingsError
from meanface.storage.files import BUCKET_SCHEMES, without_credentials

ARCHIVE_SUFFIXES = (".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz", ".zip")
LIST_SUFFIXES = (".csv", ".parquet")

_FIELD = re.compile(r"%[YmdHMSjy%]")
_FIELD_IN_URL = re.compile(r"%(?:[YmHMSjy%]|d(?![0-9a-fA-F]))")
MAX_PATTERNS = 1_000_000
"""that one address with braces may stand for"""

_BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}")


def resolve(address: str, date: datetime | None) -> str:
    """The address with its date fields (%Y %m %d %H %M %S %j %y) filled in; %% becomes %.

    Every other `%` stays. In an http(s) or file address, where %d0 is an encoded byte, %d before a hexadecimal digit
    is no date field.

    >>> resolve("s3://photos/%Y/%m/%d/", datetime(2026, 3, 7))
    's3://photos/2026/03/07/'
    >>> resolve("https://photos.example/my%20photos/%d0%b0.zip", None)
    'https://photos.example/my%20photos/%d0%b0.zip'

    Raises
    ------
    SettingsError
        there is a date field but no date
    """

    def fill(field: re.Match[str]) -> str:
        if field[0] == "%%":
            return "%"
        if date is None:
            raise SettingsError(
                f"dataset {_shown(address)} has the date field {field[0]}, but the run has no date: "
                "give one with --date, or write %% for a percent sign"
            )
        return date.strftime(field[0])

    return (_FIELD_IN_URL if scheme(address) in ("http", "https", "file") else _FIELD).sub(fill, address)


def scheme(address: str) -> str:
    """Scheme of an address; of a local path, the empty string."""
    before, separator, _ = address.partition("://")
    return before.lower() if separator and "/" not in before else ""


def is_web(address: str) -> bool:
    """Whether it is behind HTTP."""
    return scheme(address) in ("http", "https")


def is_bucket(address: str) -> bool:
    """Whether it is in a bucket, and by no other file system in between (`simplecache::s3://...`)."""
    return scheme(address) in BUCKET_SCHEMES and "::" not in address


def local_path(address: str) -> str | None:
    """Path of an address on this machine; None for any other."""
    if scheme(address) in ("file", "local"):
        path = address.partition("://")[2]
        return path.removeprefix("localhost") if path.startswith("localhost/") else path
    return None if scheme(address) else address


def refuse_unchecked(address: str, network_policy: NetworkPolicy, what: str = "dataset") -> None:
    """Refuse file systems that connect to whatever host the address names, past all checks (ftp, sftp, webhdfs...).

    Raises
    ------
    SettingsError
        the address is of such a one, or a chain of several
    """
    if local_path(address) is not None:
        return
    refuse_chained(address, what)
    if not (is_bucket(address) or network_policy.unchecked):
        raise SettingsError(
            f"{what} {_shown(address)}: {scheme(address)}:// connects to any host, which only "
            f"{VARIABLE}=allow permits; http(s), buckets and folders need no permission"
        )


def refuse_chained(address: str, what: str = "dataset") -> None:
    """Refuse addresses by which fsspec puts one file system before another (`simplecache::http://...`)."""
    if "::" in address:
        raise SettingsError(f"{what} {_shown(address)}: chained addresses (::) are not supported")


def url_path(address: str) -> str:
    """The path in an address: without host, query and percent-encoding where these mean something."""
    return unquote(urlsplit(address).path) if is_web(address) else address


def base_name(address: str) -> str:
    """Last part of the path, as people name the file."""
    return PurePosixPath(url_path(address)).name


def has_suffix(name: str, suffixes: tuple[str, ...]) -> bool:
    """Whether a name ends in one of them, in either case."""
    return name.lower().endswith(suffixes)


def is_glob(address: str) -> bool:
    """Whether it names several files. In an http(s) address `?` and `[` mean something else.

    They are letters of a bucket's keys as well, and only mean other letters where the address ends in `.tar`.
    """
    if is_web(address):
        return False
    letters = "*" if is_bucket(address) and not has_suffix(address, (".tar",)) else "*?["
    return any(letter in address for letter in letters) or bool(_BRACES.search(address))


def expand_braces(pattern: str) -> list[str]:
    """Patterns that a numeric brace range stands for, as sets of shards are usually written.

    >>> expand_braces("shard-{008..010}.tar")
    ['shard-008.tar', 'shard-009.tar', 'shard-010.tar']

    Raises
    ------
    SettingsError
        there are more of them than anybody has shards
    """
    *fixed, end = _BRACES.split(pattern)[::3]
    ranges = [_numbers(first, last) for first, last in _BRACES.findall(pattern)]
    if math.prod(max(1, stop - start) for _, start, stop in ranges) > MAX_PATTERNS:
        raise SettingsError(
            f"dataset {_shown(pattern)} stands for more than {MAX_PATTERNS:,} files: use * instead of braces"
        )
    numbers = product(*([f"{n:0{width}d}" for n in range(start, stop)] for width, start, stop in ranges))
    return ["".join((*chain.from_iterable(zip(fixed, chosen, strict=True)), end)) for chosen in numbers]


def _shown(address: str) -> str:
    """An address as errors quote it; one that is none is not, as nobody knows where its password is."""
    try:
        return repr(without_credentials(address))
    except ValueError:
        return "address"


def _numbers(first: str, last: str) -> tuple[int, int, int]:
    """A brace range as width, first number, and the one behind the last."""
    if max(len(first), len(last)) > 18:
        raise SettingsError(f"a dataset's braces count from {first[:20]} to {last[:20]}: that is more than anybody has")
    return len(first), int(first), max(int(first), int(last) + 1)
