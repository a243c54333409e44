"""Credentials of buckets from an Airflow connection, as the environment variables that stages read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import mask_secret

from meanface_airflow.errors import StageRefused, fail_task

if TYPE_CHECKING:
    from airflow.sdk import Context


class Unusable(Exception):
    """The connection has no credentials that stages can use; the message names the field to change."""


def _aws(connection: Connection, extra: Mapping[str, Any]) -> dict[str, str]:
    for name in ("role_arn", "profile_name", "assume_role_method"):
        if extra.get(name):
            raise Unusable(f"stages cannot use its extra {name!r}: give it an access key, or give the pods a role")
    service = (extra.get("service_config") or {}).get("s3") or {}
    region = _text(extra.get("region_name"))
    return {
        "AWS_ACCESS_KEY_ID": _needed(connection.login or extra.get("aws_access_key_id"), "login, the access key's id"),
        "AWS_SECRET_ACCESS_KEY": _needed(
            connection.password or extra.get("aws_secret_access_key"), "password, the secret access key"
        ),
        "AWS_SESSION_TOKEN": _text(extra.get("aws_session_token")),
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "FSSPEC_S3_ENDPOINT_URL": _text(service.get("endpoint_url") or extra.get("endpoint_url")),
    }


def _google(_: Connection, extra: Mapping[str, Any]) -> dict[str, str]:
    given = _prefixed(extra, "google_cloud_platform")
    keyfile = given.get("keyfile_dict")
    if not keyfile and given.get("key_path"):
        try:
            keyfile = Path(given["key_path"]).read_text()
        except (OSError, UnicodeDecodeError) as failure:
            raise Unusable(f"its extra 'key_path' cannot be read: {failure}") from None
    if not keyfile:
        raise Unusable("it has no extra 'keyfile_dict' or 'key_path' with the key of a service account")
    try:
        key = json.loads(keyfile) if isinstance(keyfile, str) else keyfile
    except ValueError:
        key = None
    if not isinstance(key, dict) or not key.get("private_key"):
        raise Unusable("its key file is not the JSON of a service account's key, with 'private_key'")
    return {"FSSPEC_GS_TOKEN": json.dumps(key)}


def _azure(connection: Connection, extra: Mapping[str, Any]) -> dict[str, str]:
    given = _prefixed(extra, "wasb")
    names = ("AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_ACCOUNT_NAME")
    empty = dict.fromkeys((*names, "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_SAS_TOKEN"), "")
    if text := given.get("connection_string"):
        return empty | {"AZURE_STORAGE_CONNECTION_STRING": _text(text)}
    if given.get("tenant_id"):
        raise Unusable("stages cannot use its extra 'tenant_id': give it a connection string, an account key or a SAS")
    account = {"AZURE_STORAGE_ACCOUNT_NAME": _needed(connection.login, "login, the storage account")}
    if token := given.get("sas_token"):
        return empty | account | {"AZURE_STORAGE_SAS_TOKEN": _text(token).rpartition("?")[2]}
    key = connection.password or given.get("shared_access_key")
    return empty | account | {"AZURE_STORAGE_ACCOUNT_KEY": _needed(key, "password, the account's key")}


_KINDS: dict[str, Callable[[Connection, Mapping[str, Any]], dict[str, str]]] = {
    "aws": _aws,
    "google_cloud_platform": _google,
    "wasb": _azure,
}
_OTHERS = {
    "aws": ("AWS_PROFILE",),
    "google_cloud_platform": ("GOOGLE_APPLICATION_CREDENTIALS", "FSSPEC_GS", "FSSPEC_GCS", "FSSPEC_GCS_TOKEN"),
    "wasb": (),
}
"""variables of the same cloud that would name other credentials"""
_PLAIN = frozenset({"AWS_DEFAULT_REGION", "AWS_REGION", "FSSPEC_S3_ENDPOINT_URL", "AZURE_STORAGE_ACCOUNT_NAME"})
"""variables that are no secrets"""


def to_environment(connection: Connection) -> dict[str, str]:
    """Convert a connection to variables; an empty value means that a variable of this name must not be there.

    Raises
    ------
    Unusable
        for another type of connection, and for one without the credentials
    """
    kind = connection.conn_type or ""
    convert = _KINDS.get(kind)
    if convert is None:
        raise Unusable(f"its type is {connection.conn_type!r}, expected {', '.join(_KINDS)}")
    return dict.fromkeys(_OTHERS[kind], "") | convert(connection, connection.extra_dejson)


def storage_environment(name: str, context: Context | None) -> dict[str, str]:
    """Variables of a bucket's credentials, which are masked in the task's log.

    Raises
    ------
    StageRefused
        if Airflow has no connection of this name, or if it cannot be used
    """
    try:
        connection = Connection.get(name)
        variables = to_environment(connection)
    except AirflowNotFoundException:
        fail_task(StageRefused(f"Airflow has no connection {name}: {_advice('add it')}"), context)
    except Unusable as reason:
        fail_task(StageRefused(f"Airflow's connection {name}: {reason}; {_advice('change it')}"), context)
    for variable, value in variables.items():
        if value and variable not in _PLAIN:
            _mask(value)
    return variables


def _advice(what: str) -> str:
    return f"{what}, or name another one in MEANFACE_STORAGE_CONNECTION, then clear this task"


def _mask(value: str) -> None:
    """Mask a secret, also as a part of a URL; of a key file its private key, of a connection string its parts."""
    parts = [value]
    if value.startswith("{"):
        key = json.loads(value)["private_key"]
        parts = [key, json.dumps(key)[1:-1]]
    elif "AccountKey=" in value or "SharedAccessSignature=" in value:
        secret = ("AccountKey=", "SharedAccessSignature=")
        parts += [part.partition("=")[2] for part in value.split(";") if part.startswith(secret)]
    for part in parts:
        mask_secret(part)
        mask_secret(quote(part, safe=""))


def _prefixed(extra: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """The extras, also under the names that Airflow's older forms gave them."""
    prefix = f"extra__{kind}__"
    return {name.removeprefix(prefix): value for name, value in extra.items() if value}


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _needed(value: Any, what: str) -> str:
    if not value:
        raise Unusable(f"it has no {what}")
    return str(value)
