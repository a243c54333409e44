"""Addresses of datasets: date fields, and the kind of dataset that an address names. Pure."""

from __future__ import annotations

import math
import re
from datetime import datetime
from itertools import chain, product
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from meanface.dataset.network_policy import VARIABLE, NetworkPolicy
from meanface.errors import SettingsError
from meanface.storage.files import without_credentials
from meanface.storage.schemes import BUCKET_SCHEMES

ARCHIVE_SUFFIXES = (".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz", ".zip")

_FIELD = re.compile(r"%[YmdHMSjy%]")
_FIELD_IN_URL = re.compile(r"%(?:[YmHMSjy%]|d(?![0-9a-fA-F]))")
MAX_PATTERNS = 1_000_000
"""maximum number of files that an address with braces may expand to"""
_AZURE_ACCOUNT = re.compile(
    r"[a-z0-9]{3,24}[.](dfs|blob)[.]core[.](windows[.]net|chinacloudapi[.]cn|usgovcloudapi[.]net)"
)
"""adlfs makes the host that it connects to of what stands there"""
_BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}")


def resolve(address: str, date: datetime | None) -> str:
    """Fill in the date fields of an address (%Y %m %d %H %M %S %j %y); %% becomes %.

    Every other `%` stays. In an http(s) or file address, %d before a hexadecimal digit is no date
    field: %d0 is an encoded byte. Raises `SettingsError` if there is a date field but no date.

    >>> resolve("s3://photos/%Y/%m/%d/", datetime(2026, 3, 7))
    's3://photos/2026/03/07/'
    """

    def fill(field: re.Match[str]) -> str:
        if field[0] == "%%":
            return "%"
        if date is None:
            raise SettingsError(
                f"dataset {_quoted(address)} has the date field {field[0]}, but the run has no date: "
                "give one with --date, or write %% for a percent sign"
            )
        return date.strftime(field[0])

    return (_FIELD_IN_URL if scheme(address) in ("http", "https", "file") else _FIELD).sub(fill, address)


def scheme(address: str) -> str:
    """The scheme of an address, in lower case; empty for a local path."""
    before, separator, _ = address.partition("://")
    return before.lower() if separator and "/" not in before else ""


def is_web(address: str) -> bool:
    """Whether the address is behind http(s)."""
    return scheme(address) in ("http", "https")


def is_bucket(address: str) -> bool:
    """Whether the address is in a bucket, and no chain such as `simplecache::s3://...`."""
    return scheme(address) in BUCKET_SCHEMES and "::" not in address


def local_path(address: str) -> str | None:
    """The path of an address on this machine; None for any other."""
    if scheme(address) in ("file", "local"):
        path = address.partition("://")[2]
        return path.removeprefix("localhost") if path.startswith("localhost/") else path
    return None if scheme(address) else address


def refuse_unchecked(address: str, network_policy: NetworkPolicy, what: str = "dataset") -> None:
    """Raise `SettingsError` for chains, and for schemes that connect unchecked (ftp, webhdfs)."""
    if local_path(address) is not None:
        return
    refuse_chained(address, what)
    container, _, account = address.partition("://")[2].partition("/")[0].rpartition("@")
    named = scheme(address).startswith(("az", "abfs", "adl")) and container and ":" not in container
    if named and not _AZURE_ACCOUNT.fullmatch(account):
        raise SettingsError(
            f"{what} {_quoted(address)}: behind the @ is no storage account of Azure (ACCOUNT.dfs.core.windows.net)"
        )
    if not (is_bucket(address) or network_policy.unchecked):
        raise SettingsError(
            f"{what} {_quoted(address)}: {scheme(address)}:// connects to any host, which only "
            f"{VARIABLE}=allow permits; http(s), buckets and folders need no permission"
        )


def refuse_chained(address: str, what: str = "dataset") -> None:
    """Raise `SettingsError` for a chain of file systems such as `simplecache::http://...`."""
    if "::" in address:
        raise SettingsError(f"{what} {_quoted(address)}: chained addresses (::) are not supported")


def base_name(address: str) -> str:
    """The file name of an address."""
    return PurePosixPath(unquote(urlsplit(address).path) if is_web(address) else address).name


def has_suffix(name: str, suffixes: tuple[str, ...]) -> bool:
    """Whether a name ends in one of the suffixes, in capitals or not."""
    return name.lower().endswith(suffixes)


def is_glob(address: str) -> bool:
    """Whether an address is a pattern for several files. A web address never is.

    In a bucket, `?` and `[` are letters of a key, unless the address ends in `.tar`.
    """
    return not is_web(address) and has_wildcards(address, wildcards_of(address))


def wildcards_of(address: str) -> str:
    """The letters that are wildcards in an address, see `is_glob`."""
    return "*" if is_bucket(address) and not has_suffix(address, (".tar",)) else "*?["


def has_wildcards(text: str, wildcards: str) -> bool:
    """Whether an address or a part of one has wildcards, or braces with numbers."""
    return not set(wildcards).isdisjoint(text) or bool(_BRACES.search(text))


def expand_braces(pattern: str) -> list[str]:
    """Expand numeric brace ranges: `shard-{008..010}.tar` stands for three shards.

    Raises `SettingsError` for more than `MAX_PATTERNS`.
    """
    *fixed, end = _BRACES.split(pattern)[::3]
    braces = _BRACES.findall(pattern)
    ranges = [range(int(first), int(last) + 1) for first, last in braces if max(len(first), len(last)) <= 18]
    if len(ranges) < len(braces) or math.prod(max(1, len(numbers)) for numbers in ranges) > MAX_PATTERNS:
        raise SettingsError(
            f"dataset {_quoted(pattern)[:200]} stands for more than {MAX_PATTERNS:,} files: use * instead of braces"
        )
    widths = [len(first) for first, _ in braces]
    texts = ([f"{n:0{width}d}" for n in numbers] for width, numbers in zip(widths, ranges, strict=True))
    return ["".join((*chain.from_iterable(zip(fixed, chosen, strict=True)), end)) for chosen in product(*texts)]


def _quoted(address: str) -> str:
    """Quote an address, but not an invalid one: any part of it may be a password."""
    try:
        return repr(without_credentials(address))
    except ValueError:
        return "address"
