"""Planted secrets (canaries) must not appear, in any encoding, in anything that runs leave."""

import base64
import contextlib
import json
import shutil
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

import psutil
import psycopg2
import pytest
from machine import CHECKOUT, Laptop

from canaries import leaks
from laptop.api import Airflow, ApiError
from polling import until

SAMPLE = CHECKOUT / "embedding_image/src/meanface/dataset/sample/photos"
PLANTED = {
    name: f"canary/+{name}%&-e7c1" for name in ("bucket-key", "bucket-secret", "listed", "typed", "azure", "hub")
}
KEPT = {"environment", "secrets.json", "simple_auth_manager_passwords.json.generated"}
"""files that are meant to contain secrets; another test checks that only their owner can read
them"""

PRINT_PARQUET = """
import sys, pyarrow.parquet as pq
for path in sys.argv[1:]:
    print(path, pq.read_table(path).to_pydict(), pq.read_schema(path).metadata)
"""


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A list of addresses with passwords: a photo, a missing one, and an unreachable one."""
    folder = tmp_path_factory.mktemp("served")
    shutil.copy(SAMPLE / "grace_hopper/grace_hopper.jpg", folder / "a.jpg")

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    login = f"user:{quote(PLANTED['listed'], safe='')}"
    hosts = (f"127.0.0.1:{server.server_port}/a.jpg", f"127.0.0.1:{server.server_port}/b.jpg", "10.0.0.1/c.jpg")
    (folder / "list.csv").write_text("\n".join(["url", *(f"http://{login}@{host}" for host in hosts)]))
    yield folder / "list.csv"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def used(tmp_path_factory, photos):
    """A home after runs that succeeded, failed and were refused; its secrets, command lines and
    output.
    """
    planted = {
        "AWS_ACCESS_KEY_ID": PLANTED["bucket-key"],
        "AWS_SECRET_ACCESS_KEY": PLANTED["bucket-secret"],
        "AZURE_CLIENT_SECRET": PLANTED["azure"],
        "HF_TOKEN": PLANTED["hub"],
        "MEANFACE_PRIVATE_ADDRESSES": "127.0.0.0/8",
    }
    laptop = Laptop(tmp_path_factory.mktemp("home"))
    seen, printed = set(), []
    with pytest.MonkeyPatch.context() as environment:
        for name, value in planted.items():
            environment.setenv(name, value)
        try:
            started = laptop.do("up")
            assert started.returncode == 0, started.stderr
            secrets = json.loads((laptop.home / "secrets.json").read_text())
            with Airflow(f"http://127.0.0.1:{laptop.saved()['ui_port']}", secrets["ui_password"]) as client:
                client.log_in()
                typed = f"https://user:{quote(PLANTED['typed'], safe='')}@photos.example/a.tgz"
                with pytest.raises(ApiError) as refused:
                    client.trigger({"dataset": typed})
                assert "dataset" in str(refused.value)
                ended = {}
                for allowed in (1, 0):
                    run = client.trigger({"dataset": str(photos), "max_failed_fraction": allowed})

                    def watched(run=run):
                        for process in laptop.processes():
                            with contextlib.suppress(psutil.Error):
                                seen.add(" ".join(process.cmdline()))
                        return client.state(run) in ("success", "failed")

                    until(watched, 240)
                    ended[run] = client.state(run)
                    for task in client.tasks(run):
                        printed.append(json.dumps(task))
                        if task["state"] in ("success", "failed"):
                            printed.append("\n".join(client.log(run, task)))
                good = next(run for run, state in ended.items() if state == "success")
                printed += [json.dumps(client.xcom(good, "publish", key)) for key in ("return_value", "mean_vector")]
                assert sorted(ended.values()) == ["failed", "success"]
            yield laptop, PLANTED | secrets, seen, printed
        finally:
            laptop.do("down")


def test_the_search_finds_planted_secrets():
    secret = {"it": "s3cret/+word"}
    for text in ("a s3cret/+word.", "s3cret%2F%2Bword", "s3cret/%2Bword", secret["it"].encode().hex()):
        assert leaks(text, secret)
    for before in ("", "x", "xy", "xyz"):
        assert leaks(base64.b64encode(f"{before}s3cret/+word:more".encode()).decode(), secret)
        assert leaks(base64.urlsafe_b64encode(f"{before}s3cret/+word:more".encode()).decode(), secret)
    assert not leaks("nothing of it", secret)


@pytest.mark.long
def test_no_secret_is_in_output_logs_or_xcoms(used):
    """Output of commands, and every task's rendered arguments, log and XComs."""
    _, secrets, _, printed = used
    assert any("--dataset=" in one for one in printed)
    assert any("TooManyFailures" in one for one in printed)
    assert [leaks(one, secrets) for one in printed if leaks(one, secrets)] == []


@pytest.mark.long
def test_no_secret_is_in_a_process_list(used):
    _, secrets, seen, _ = used
    assert any("meanface.workers" in line for line in seen)
    assert any("--partition" in line for line in seen)
    assert [line for line in seen if leaks(line, secrets)] == []


@pytest.mark.long
def test_no_secret_is_in_a_file(used):
    """Airflow's database and logs, Redis' log of commands, results, reports, lists, ledgers."""
    laptop, secrets, _, _ = used
    files = [path for path in laptop.home.rglob("*") if path.is_file() and path.name not in KEPT]
    assert {".log", ".json", ".html", ".parquet", ".aof"} <= {path.suffix for path in files}
    assert any("pg_wal" in path.parts for path in files)
    found = {path: leaks(path.read_bytes().decode("latin-1"), secrets) for path in files}
    for path, names in found.items():
        known = {"listed"} if path.parents[1].name == "manifest" else set()
        known |= {"typed"} if path.is_relative_to(laptop.home / "database") else set()  # see the next test
        assert names <= known, path


def readable(value):
    """A column's value as text is searched: bytes as they are."""
    return bytes(value).decode("latin-1") if isinstance(value, memoryview) else value


@pytest.mark.long
def test_a_refused_request_is_only_in_airflows_audit_log(used):
    """Its audit log has every request's body, before the request is validated."""
    laptop, secrets, _, _ = used
    place = {"host": laptop.saved()["socket"], "user": "airflow", "dbname": "postgres"}
    with contextlib.closing(psycopg2.connect(**place)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        holding = {}
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT * FROM "{table}"')
            holding[table] = leaks(repr([tuple(map(readable, row)) for row in cursor.fetchall()]), secrets)
    assert {"dag_run", "rendered_task_instance_fields", "xcom", "task_instance"} <= holding.keys()
    assert {table: names for table, names in holding.items() if names} in ({"log": {"typed"}}, {})


@pytest.mark.long
def test_credentials_of_a_list_are_only_in_the_runs_own_list(used):
    """The addresses of a list's photos, passwords and all, are what pods read them by."""
    laptop, secrets, _, _ = used
    python = CHECKOUT / ".venvs/meanface/bin/python"
    tables = sorted((laptop.home / "storage").rglob("*.parquet"))
    assert {path.parents[1].name for path in tables} >= {"manifest"}
    for path in tables:
        text = subprocess.run([python, "-c", PRINT_PARQUET, path], check=True, capture_output=True, text=True).stdout
        expected = {"listed"} if path.parents[1].name == "manifest" else set()
        assert leaks(text, secrets) == expected, path
