"""Errors of the libraries behind file systems, as built-in ones."""

from __future__ import annotations

import azure.core.exceptions
import botocore.exceptions
import gcsfs.retry
import google.auth.exceptions
import httpx2
import pytest
from aiohttp import ClientError

from meanface.errors import SettingsError
from meanface.storage.file_errors import os_errors


def azure_error(status: int) -> azure.core.exceptions.HttpResponseError:
    error = azure.core.exceptions.HttpResponseError("an answer of Azure")
    error.status_code = status
    return error


def google_error(status: int) -> Exception:
    return gcsfs.retry.HttpError({"code": status, "message": "an answer of Google"})


CREDENTIALS = [
    botocore.exceptions.NoCredentialsError(),
    botocore.exceptions.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
    azure.core.exceptions.ClientAuthenticationError("no token"),
    azure_error(401),
    azure_error(403),
    google_error(401),
    google_error(403),
    OSError("Forbidden: b/photos/o"),
    google.auth.exceptions.RefreshError("expired"),
    gcsfs.retry.NonRetryableError("cannot be refreshed"),
]
OUTAGES = [
    botocore.exceptions.EndpointConnectionError(endpoint_url="http://localhost:1"),
    azure.core.exceptions.ServiceRequestError("no connection"),
    azure_error(503),
    google_error(503),
    google.auth.exceptions.TransportError("no connection"),
    ClientError("no connection"),
    httpx2.ConnectError("no connection"),
    ValueError("Bad Request: b/photos/o invalid"),
    ValueError("Bucket is requester pays. Set `requester_pays=True` when creating the GCSFileSystem."),
]
AS_THEY_ARE = [
    FileNotFoundError("a.png"),
    PermissionError("a.png"),
    ConnectionResetError("a.png"),
    OSError("disk full"),
    SettingsError("a setting"),
    ValueError("a value"),
    KeyError("a key"),
]


def raised(error: Exception) -> Exception:
    """What comes out if a library raises an error."""
    with pytest.raises(Exception) as found, os_errors():  # noqa: PT011 - each case has its own class
        raise error
    return found.value


@pytest.mark.parametrize("error", CREDENTIALS, ids=lambda error: f"{type(error).__name__} {error}")
def test_errors_about_credentials_are_permission_errors(error):
    found = raised(error)
    assert type(found) is PermissionError
    assert str(found) == str(error)
    assert found.__cause__ is error


@pytest.mark.parametrize("error", OUTAGES, ids=lambda error: f"{type(error).__name__} {error}")
def test_outages_are_os_errors(error):
    found = raised(error)
    assert isinstance(found, OSError)
    assert not isinstance(found, PermissionError)
    assert str(found) == str(error)


def test_what_adlfs_wraps_in_a_runtime_error_counts():
    wrapped = RuntimeError("Failed to upload block")
    for cause, kind in ((azure_error(403), PermissionError), (azure_error(503), OSError)):
        wrapped.__cause__ = cause
        assert type(raised(wrapped)) is kind
    wrapped.__cause__ = ValueError("something else")
    assert raised(wrapped) is wrapped


@pytest.mark.parametrize("error", AS_THEY_ARE, ids=lambda error: type(error).__name__)
def test_other_errors_pass_as_they_are(error):
    assert raised(error) is error
