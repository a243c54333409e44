"""Errors of file systems as built-in ones: each library has a tree of its own beside `OSError`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_TREES = (
    ("botocore.exceptions", "BotoCoreError"),
    ("aiohttp", "ClientError"),
    ("azure.core.exceptions", "AzureError"),
    ("gcsfs.retry", "HttpError"),
    ("gcsfs.retry", "NonRetryableError"),
    ("google.auth.exceptions", "GoogleAuthError"),
    ("httpx2", "HTTPError"),
)
"""the roots of these trees; a library that is not imported has raised nothing"""
_CREDENTIALS = (
    ("botocore.exceptions", "NoCredentialsError"),
    ("botocore.exceptions", "PartialCredentialsError"),
    ("azure.core.exceptions", "ClientAuthenticationError"),
    ("gcsfs.retry", "NonRetryableError"),
    ("google.auth.exceptions", "RefreshError"),
)
"""errors about credentials that have no status of HTTP"""
_REFUSED = (401, 403)


@contextmanager
def os_errors() -> Iterator[None]:
    """Raise a file system's errors as `OSError`; `PermissionError` if it is the credentials.

    Errors of other kinds pass.
    """
    try:
        yield
    except Exception as error:
        found = _as_os_error(error)
        if found is None:
            raise
        raise found from error


def _as_os_error(error: Exception) -> OSError | None:
    """Return the built-in error for a library's; None for one that stays as it is."""
    if isinstance(error, RuntimeError) and isinstance(error.__cause__, _imported(_TREES)):  # adlfs, while it writes
        error = error.__cause__
    if isinstance(error, (FileNotFoundError, PermissionError)):
        return None
    if isinstance(error, _imported(_CREDENTIALS)) or _status(error) in _REFUSED or _refused_by_google(error):
        return PermissionError(str(error) or type(error).__name__)
    if isinstance(error, OSError):
        return None
    google = isinstance(error, ValueError) and str(error).startswith(("Bad Request: ", "Bucket is requester pays"))
    return OSError(str(error) or type(error).__name__) if google or isinstance(error, _imported(_TREES)) else None


def _refused_by_google(error: Exception) -> bool:
    """gcsfs raises a plain `OSError` for the status 403."""
    return type(error) is OSError and str(error).startswith("Forbidden: ")


def _status(error: Exception) -> object:
    """The status of HTTP that the libraries of Azure and Google keep in their errors."""
    if isinstance(error, _imported((("azure.core.exceptions", "AzureError"),))):
        return getattr(error, "status_code", None)
    return getattr(error, "code", None) if isinstance(error, _imported((("gcsfs.retry", "HttpError"),))) else None


def _imported(names: tuple[tuple[str, str], ...]) -> tuple[type[Exception], ...]:
    return tuple(getattr(sys.modules[module], name) for module, name in names if module in sys.modules)
