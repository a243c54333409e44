"""Open the file system of an address by its scheme, such as `s3` in `s3://bucket/photos`."""

from __future__ import annotations

import logging
from typing import Any

import fsspec

from meanface.extras import advice

BUCKET_SCHEMES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "hf"})
"""schemes that lead to the deployment's own servers, whatever stands behind them"""
EXTRAS = {
    **dict.fromkeys(("s3", "s3a"), "s3"),
    **dict.fromkeys(("gs", "gcs"), "gcs"),
    **dict.fromkeys(("az", "abfs", "abfss"), "azure"),
    "hf": "hf",
}
"""extras of meanface that install the package for a scheme"""
READ_ONLY = frozenset({"hf"})

logging.getLogger("gcsfs").addHandler(logging.NullHandler())  # else it prints a traceback for each failed request


def file_system(url: str, **options: Any) -> tuple[Any, str]:
    """Return the file system of a remote address, and the path in it.

    Raises `ImportError` if a package is missing, `ValueError` for an address that cannot be used, and
    `OSError` if no credentials can be obtained.
    """
    found, _, path = url.partition("://")
    if found.lower() in ("gs", "gcs"):
        return _google(path, options)
    if found.lower() == "hf":
        from meanface.storage.hub_files import HubFiles

        return HubFiles(), HubFiles.checked(path.strip("/"))
    try:
        opened: tuple[Any, str] = fsspec.url_to_fs(url, **options)
    except TypeError as lacking:  # a part of the address, such as the host
        raise ValueError(str(lacking)) from lacking
    return opened


def _google(path: str, options: dict[str, Any]) -> tuple[Any, str]:
    """Open Google Cloud Storage.

    The class in fsspec's registry asks by gRPC what kind each bucket is, and takes `#1` at an
    address's end for a version.
    """
    if "@" in path.partition("/")[0]:
        raise ValueError("an address in Google Cloud Storage has no user: gs://bucket/prefix/")
    from gcsfs.core import GCSFileSystem

    try:
        # A remembered listing would hide what other processes write.
        return GCSFileSystem(**options | {"use_listings_cache": False}), path.strip("/")
    except OSError as error:  # its text may have the token
        raise ConnectionError(f"Google's server of credentials: {type(error).__name__}") from None


def speaks(fs: Any, scheme: str) -> bool:
    """Whether a file system is that of a scheme."""
    return scheme in ((fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol)


def missing_package(url: str, error: Exception) -> str:
    """Which extra to install for an address, if the error is that its package is not installed.

    >>> missing_package("az://photos/2026", ImportError())
    "az:// needs a package that is not installed: pip install 'meanface[azure]'"
    """
    scheme = url.partition("://")[0].lower()
    if not isinstance(error, ImportError) or scheme not in EXTRAS:
        return ""
    return advice(f"{scheme}://", EXTRAS[scheme])
