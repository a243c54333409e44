"""Credentials of buckets from Airflow connections."""

import json

import pytest
from airflow.sdk import Connection

from meanface_airflow import storage_access
from meanface_airflow.errors import StageRefused
from meanface_airflow.process import stage_environment
from meanface_airflow.settings import Settings
from meanface_airflow.storage_access import Unusable, storage_environment, to_environment

SECRET = "s3cret/+word"
KEY = {"type": "service_account", "private_key": "-----BEGIN\nabc\n", "client_email": "faces@acme"}


def given(kind, **fields):
    """The variables of a connection that are not empty."""
    extra = json.dumps(fields.pop("extra", {}))
    variables = to_environment(Connection(conn_id="bucket", conn_type=kind, extra=extra, **fields))
    return {name: value for name, value in variables.items() if value}


def test_an_access_key_of_aws():
    extra = {"aws_session_token": "token", "region_name": "eu-1", "endpoint_url": "http://minio:9000"}
    assert given("aws", login="key", password=SECRET, extra=extra) == {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_SESSION_TOKEN": "token",
        "AWS_REGION": "eu-1",
        "AWS_DEFAULT_REGION": "eu-1",
        "FSSPEC_S3_ENDPOINT_URL": "http://minio:9000",
    }
    key = {"aws_access_key_id": "key", "aws_secret_access_key": SECRET}
    own = {"endpoint_url": "http://any", "service_config": {"s3": {"endpoint_url": "http://s3"}}}
    found = given("aws", extra=key | own)
    assert (found["AWS_ACCESS_KEY_ID"], found["FSSPEC_S3_ENDPOINT_URL"]) == ("key", "http://s3")


@pytest.mark.parametrize("name", ["keyfile_dict", "extra__google_cloud_platform__keyfile_dict"])
@pytest.mark.parametrize("form", [dict, json.dumps])
def test_a_service_account_of_google(name, form):
    found = given("google_cloud_platform", extra={name: form(KEY)})
    assert found.keys() == {"FSSPEC_GS_TOKEN"}
    assert json.loads(found["FSSPEC_GS_TOKEN"]) == KEY


def test_a_key_file_of_google_is_read(tmp_path):
    (tmp_path / "key.json").write_text(json.dumps(KEY))
    found = given("google_cloud_platform", extra={"key_path": str(tmp_path / "key.json")})
    assert json.loads(found["FSSPEC_GS_TOKEN"]) == KEY


def test_an_account_of_azure():
    text = "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=k;"
    assert given("wasb", extra={"connection_string": text}) == {"AZURE_STORAGE_CONNECTION_STRING": text}
    account = {"AZURE_STORAGE_ACCOUNT_NAME": "acme"}
    assert given("wasb", login="acme", password="k") == account | {"AZURE_STORAGE_ACCOUNT_KEY": "k"}
    shared = given("wasb", login="acme", extra={"sas_token": "https://acme.blob.core.windows.net?sv=1&sig=s"})
    assert shared == account | {"AZURE_STORAGE_SAS_TOKEN": "sv=1&sig=s"}


@pytest.mark.parametrize(
    ("kind", "fields", "reason"),
    [
        ("ssh", {}, "its type is 'ssh', expected aws, google_cloud_platform, wasb"),
        ("aws", {}, "it has no login"),
        ("aws", {"login": "key"}, "it has no password"),
        ("aws", {"login": "key", "password": "s", "extra": {"role_arn": "arn"}}, "cannot use its extra 'role_arn'"),
        ("google_cloud_platform", {}, "no extra 'keyfile_dict'"),
        ("google_cloud_platform", {"extra": {"keyfile_dict": "{"}}, "not the JSON of a service account"),
        ("google_cloud_platform", {"extra": {"key_path": "/no/file"}}, "'key_path' cannot be read: .*/no/file"),
        ("wasb", {}, "it has no login"),
        ("wasb", {"login": "acme"}, "it has no password"),
        ("wasb", {"login": "id", "password": "s", "extra": {"tenant_id": "t"}}, "cannot use its extra 'tenant_id'"),
    ],
)
def test_a_connection_that_cannot_be_used_is_refused_by_name(kind, fields, reason, monkeypatch):
    with pytest.raises(Unusable, match=reason):
        given(kind, **fields)
    monkeypatch.setenv("AIRFLOW_CONN_BUCKET", json.dumps({"conn_type": kind} | fields))
    with pytest.raises(StageRefused, match=f"Airflow's connection bucket: .*{reason}.*; change it, .*clear this task"):
        storage_environment("bucket", None)


def test_a_missing_connection_is_refused_by_name():
    with pytest.raises(StageRefused, match=r"no connection photos: add it, .*MEANFACE_STORAGE_CONNECTION"):
        storage_environment("photos", None)


def test_secrets_are_masked(monkeypatch):
    masked = []
    monkeypatch.setattr(storage_access, "mask_secret", masked.append)
    text = "AccountName=acme;AccountKey=a/b==;"
    for fields in (
        {"conn_type": "aws", "login": "key", "password": SECRET},
        {"conn_type": "google_cloud_platform", "extra": {"keyfile_dict": KEY}},
        {"conn_type": "wasb", "extra": {"connection_string": text}},
    ):
        monkeypatch.setenv("AIRFLOW_CONN_BUCKET", json.dumps(fields))
        storage_environment("bucket", None)
    assert {SECRET, "s3cret%2F%2Bword", KEY["private_key"], "-----BEGIN\\nabc\\n", text, "a/b=="} <= set(masked)
    assert not {"", "acme"} & set(masked)


def test_a_connection_takes_the_place_of_inherited_credentials():
    """Otherwise a session token of one account would go with the key of another."""
    bucket = to_environment(Connection(conn_id="b", conn_type="aws", login="key", password="secret"))
    inherited = {
        "AWS_ACCESS_KEY_ID": "other",
        "AWS_SESSION_TOKEN": "other",
        "AWS_PROFILE": "other",
        "AWS_CA_BUNDLE": "ca",
    }
    chosen = Settings(env={"AWS_REGION": "eu-1"})
    found = stage_environment(inherited, chosen, "redis://h", bucket)
    assert found == {
        "AWS_CA_BUNDLE": "ca",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "eu-1",
        "MEANFACE_REDIS_URL": "redis://h",
    }
