import json

import pytest
from airflow.sdk import Connection
from redis.connection import parse_url

from meanface_airflow.connection import to_url

PASSWORD = "p@ss:w/o?r#d %41ü"


def connection(extra=None, **fields):
    """A connection `meanface_redis`."""
    return Connection(conn_id="meanface_redis", conn_type="redis", extra=json.dumps(extra or {}), **fields)


def test_an_empty_connection_is_the_local_default():
    assert to_url(connection()) == "redis://localhost:6379/0"


def test_every_part_reaches_redis_whatever_its_characters():
    url = to_url(connection(host="redis.example", port=6380, login="us:er", password=PASSWORD, schema="3"))
    assert parse_url(url) == {"host": "redis.example", "port": 6380, "username": "us:er", "password": PASSWORD, "db": 3}


def test_a_password_needs_no_user():
    assert parse_url(to_url(connection(host="h", password=PASSWORD)))["password"] == PASSWORD


def test_tls():
    url = to_url(connection({"ssl": True, "ssl_ca_certs": "/etc/ssl/my ca.pem"}, host="h", password="p"))
    assert url.startswith("rediss://")
    assert parse_url(url)["ssl_ca_certs"] == "/etc/ssl/my ca.pem"


def test_socket():
    parsed = parse_url(to_url(connection({"socket": "/run/my redis.sock"}, password=PASSWORD, schema="2")))
    assert (parsed["path"], parsed["password"], parsed["db"]) == ("/run/my redis.sock", PASSWORD, 2)


@pytest.mark.parametrize(
    "url", ["redis://us%3Aer:p%40ss@h:1/2", "rediss://:p%2Fw@h:6380/0?ssl_ca_certs=%2Fetc%2Fca.pem", "redis://h:6379/0"]
)
def test_a_url_is_converted_back_to_itself(url):
    assert to_url(Connection.from_uri(url, conn_id="meanface_redis")) == url


def test_ipv6():
    assert parse_url(to_url(connection(host="::1")))["host"] == "::1"


@pytest.mark.parametrize("extra", [{"timeout": 3}, {"ssl": False}])
def test_other_extras_do_not_matter(extra):
    assert to_url(connection(extra, host="h")) == "redis://h:6379/0"
