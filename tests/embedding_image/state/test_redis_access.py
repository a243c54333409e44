"""Access to Redis: permissions, TLS, and a password that is never displayed."""

from __future__ import annotations

import re
import socket
import ssl
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

import meanface.state
from meanface.errors import RedisUnavailable, SettingsError
from meanface.state import State
from meanface.state.redis import RedisState

SECRET = "s3cret-of-the-store"


def connect(url: str) -> closing[RedisState]:
    return closing(RedisState.connect(url, f"run-{uuid4().hex}", patience=20))


@contextmanager
def refused(kind: type[Exception], match: str) -> Iterator[None]:
    """Expect an error; the password is neither in its traceback nor in the log."""
    with capture_logs() as logs, pytest.raises(kind, match=match) as caught:
        yield
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(logs)
    assert SECRET not in shown


# --- permissions --------------------------------------------------------------------------------------------------

DOCUMENTED = re.search(r"ACL SETUSER pods on >PASSWORD (.+?)\n\n", f"{meanface.state.__doc__}\n\n", re.DOTALL)
assert DOCUMENTED
RULES = DOCUMENTED[1].split()
PERMISSIONS = [rule for rule in RULES if rule.startswith("+")]


@pytest.fixture
def user(server: Any) -> Iterator[Callable[[list[str]], str]]:
    """Makes a user by rules of an ACL; gives the address to log in with."""
    name = f"pods-{uuid4().hex}"

    def make(rules: list[str]) -> str:
        server.admin.execute_command("ACL", "SETUSER", name, "on", f">{SECRET}", *rules)
        return f"redis://{name}:{SECRET}@127.0.0.1:{server.port}"

    yield make
    server.admin.acl_deluser(name)


def test_the_documented_permissions_are_enough(user: Callable[[list[str]], str], fill: Callable[[State], None]) -> None:
    with connect(user(RULES)) as state:
        fill(state)


@pytest.mark.parametrize("permission", PERMISSIONS)
def test_each_documented_permission_is_needed(
    user: Callable[[list[str]], str], permission: str, fill: Callable[[State], None]
) -> None:
    url = user([rule for rule in RULES if rule != permission])
    with refused(SettingsError, "permission"), connect(url) as state:
        fill(state)
    assert SettingsError.exit_code == 2


def test_a_user_without_the_keys_is_refused(user: Callable[[list[str]], str]) -> None:
    url = user([rule.replace("~meanface:", "~other:") for rule in RULES])
    with refused(SettingsError, "permission"), connect(url) as state:
        state.committed()
    with refused(SettingsError, "permission"), connect(url) as state:
        state.commit(0, b"", "d", "plan")


# --- secrets ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("login", ["", f"nobody:{SECRET}@", f":{SECRET}-wrong@", f":wrong-{SECRET}@"])
def test_a_wrong_login_is_refused_without_the_password(new_server: Callable[..., Any], login: str) -> None:
    server = new_server("--requirepass", "another")
    with refused(SettingsError, rf"127.0.0.1:{server.port} \(user '(nobody|default)'\).*check user and password"):
        RedisState.connect(f"redis://{login}127.0.0.1:{server.port}", "run", patience=1000)


@pytest.mark.parametrize(
    "url",
    [
        f"http://:{SECRET}@redis",
        f"{SECRET}",
        f"redis://:{SECRET}/x@redis:6379/0",
        f"redis://:12#{SECRET}@redis:6379",
        f"redis://:12?{SECRET}@redis:6379",
        f"redis://:12/{SECRET}@redis:6379",
        f"redis://:x@redis:{SECRET}",
        f"redis://:x@redis/{SECRET}",
        f"redis://:x@redis/0?db={SECRET}",
        f"redis://:x@[{SECRET}",
        f"rediss://:{SECRET}@redis?ssl_something=1",
        f"rediss://:{SECRET}@redis?ssl_cert_reqs=perhaps",
        f"redis://:{SECRET}@redis?socket_timeout=1",
        f"unix://:12/{SECRET}@/redis.sock",
        f"unix://:{SECRET}@",
        f"unix://:pw@/redis.sock?/pods:{SECRET}@redis.example=1",
    ],
)
def test_an_invalid_url_is_refused_and_not_quoted(url: str) -> None:
    with refused(SettingsError, "MEANFACE_REDIS_URL"):
        RedisState.connect(url, "run", patience=1000)


def test_a_lasting_outage_is_an_error_with_advice(new_server: Callable[..., Any]) -> None:
    server = new_server("--requirepass", SECRET)
    url = f"redis://:{SECRET}@127.0.0.1:{server.port}"
    with closing(RedisState.connect(url, "run", patience=0.2)) as state:
        server.kill()
        with refused(RedisUnavailable, rf"cannot commit partition 4: Redis at 127.0.0.1:{server.port} .* run the same"):
            state.commit(4, b"four", "d", "plan")
    with refused(RedisUnavailable, "cannot connect"):
        RedisState.connect(url, "run", patience=0.2)
    assert RedisUnavailable.exit_code == 4


@contextmanager
def impostor(answer: bytes, port: int = 0) -> Iterator[int]:
    """A port where the first question has this answer."""
    with socket.create_server(("127.0.0.1", port)) as listener, ThreadPoolExecutor(1) as threads:

        def respond() -> None:
            with listener.accept()[0] as client:
                client.recv(65536)
                client.sendall(answer)

        responded = threads.submit(respond)
        yield listener.getsockname()[1]
        responded.result(timeout=20)


def test_an_error_that_quotes_the_password_is_printed_without_it() -> None:
    answer = f"-ERR unknown command 'AUTH', with args beginning with: '{SECRET}'\r\n"
    with impostor(answer.encode()) as port, refused(RedisUnavailable, r"beginning with: '\*\*\*'"):
        RedisState.connect(f"redis://:{SECRET}@127.0.0.1:{port}", "run", patience=1000)


STRANGER = b"HTTP/1.1 400 Bad Request\r\n\r\n"


@pytest.mark.parametrize(("scheme", "advice"), [("redis", "is not Redis"), ("rediss", "check scheme")])
def test_another_protocol_is_refused(scheme: str, advice: str) -> None:
    with impostor(STRANGER) as port, refused(SettingsError, advice):
        RedisState.connect(f"{scheme}://127.0.0.1:{port}", "run", patience=0)


def test_another_server_during_an_outage_is_waited_for(new_server: Callable[..., Any]) -> None:
    """As a cluster's proxy does if a service has no pod."""
    server = new_server()
    url = f"redis://127.0.0.1:{server.port}"
    with closing(RedisState.connect(url, "run", patience=30)) as state, ThreadPoolExecutor(1) as threads:
        server.kill()
        with impostor(STRANGER, server.port):
            asked = threads.submit(state.committed)
        server.start()
        assert asked.result(timeout=30) == set()


def test_a_server_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, refused(RedisUnavailable, "did not answer"):
        RedisState.connect(f"redis://127.0.0.1:{silent.getsockname()[1]}", "run", patience=0.2)


def test_a_unix_socket(server: Any, fill: Callable[[State], None]) -> None:
    with connect(f"unix://{server.socket}") as state:
        fill(state)


# --- TLS ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def tls_port(server: Any, new_proxy: Callable[..., Any], certificate: Path) -> int:
    """A port where the server speaks TLS; a proxy's, as not every build of the servers can."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return new_proxy(server.port, context).port


def test_tls_with_a_certificate_that_is_trusted(
    tls_port: int, certificate: Path, fill: Callable[[State], None]
) -> None:
    with connect(f"rediss://127.0.0.1:{tls_port}?ssl_ca_certs={certificate}") as state:
        fill(state)


def test_tls_with_a_certificate_that_is_not_trusted_is_refused_at_once(tls_port: int) -> None:
    with refused(SettingsError, "check scheme, host name and certificates"):
        RedisState.connect(f"rediss://:{SECRET}@127.0.0.1:{tls_port}", "run", patience=1000)


def test_tls_with_the_certificate_of_another_host_is_refused_at_once(tls_port: int, certificate: Path) -> None:
    """The authority is trusted, and the certificate is good: it is 127.0.0.1's, not localhost's."""
    with refused(SettingsError, "check scheme, host name and certificates"):
        RedisState.connect(f"rediss://:{SECRET}@localhost:{tls_port}?ssl_ca_certs={certificate}", "run", patience=1000)
