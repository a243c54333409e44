"""The heartbeat probe, the scheduler's delayed start and the API server's delayed end, with a real
HTTP server.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from laptop.services import unused_port
from polling import until

from .conftest import CHART

SCRIPT = CHART / "files/heartbeat.py"
WAIT_FOR_API = CHART / "files/wait_for_api.py"
WAIT_FOR_SCHEDULER = CHART / "files/wait_for_scheduler.py"


class Monitor(BaseHTTPRequestHandler):
    """Responds as Airflow's `/api/v2/monitor/health`."""

    def do_GET(self):
        statuses = {"triggerer": "healthy", "dag_processor": "unhealthy", "scheduler": None}
        statuses["metadatabase"] = self.server.database
        answer = {name: {"status": status} for name, status in statuses.items()}
        if self.server.refusals:
            self.server.refusals.pop()()
            self.send_error(503)
            return
        self.send_response(200 if self.path in ("/api/v2/monitor/health", "/api/v2/version") else 404)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_):
        pass


@contextmanager
def answering(database="healthy", refusals=()):
    """Port of a server that refuses its first requests, calling a function for each."""
    server = HTTPServer(("localhost", 0), Monitor)
    server.database, server.refusals = database, list(refusals)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def port():
    """Port of a server that responds."""
    with answering() as port:
        yield port


def ends(port, *arguments):
    """Exit code and error output of the probe with that port."""
    command = [sys.executable, "-IS", SCRIPT, f"localhost:{port}", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return ended.returncode, ended.stderr.strip()


def test_a_heartbeat_decides(port):
    assert ends(port, "triggerer") == (0, "")
    assert ends(port, "dag_processor") == (1, "dag_processor is unhealthy")
    assert ends(port, "dag_processor", "--lenient") == (1, "dag_processor is unhealthy")
    assert ends(port, "scheduler", "--lenient") == (1, "scheduler is absent")


def test_the_lenient_probe_passes_if_the_server_has_no_database():
    """The server reports the others as unhealthy, because it cannot read their heartbeats."""
    with answering(database="unhealthy") as port:
        assert ends(port, "dag_processor") == (1, "dag_processor is unknown")
        assert ends(port, "dag_processor", "--lenient") == (0, "")


def test_the_lenient_probe_passes_if_the_server_does_not_respond():
    assert ends(1, "triggerer") == (1, "triggerer is unknown")
    assert ends(1, "triggerer", "--lenient") == (0, "")


@pytest.fixture
def starting(tmp_path):
    """Starts the script with a port and a program that creates the file `made`."""
    begin = [sys.executable, "-c", "import pathlib, sys; pathlib.Path(sys.argv[1]).touch()", str(tmp_path / "made")]
    started = []

    def start(port):
        started.append(subprocess.Popen([sys.executable, "-IS", WAIT_FOR_API, f"localhost:{port}", *begin]))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_the_scheduler_starts_after_the_api_server(starting, tmp_path):
    """An error response does not count."""
    made, seen = tmp_path / "made", []
    with answering(refusals=2 * [lambda: seen.append(made.exists())]) as port:
        assert starting(port).wait(30) == 0
    assert seen == [False, False]
    assert made.exists()


def test_a_waiting_start_can_be_stopped(starting, tmp_path):
    process = starting(unused_port())
    status = Path(f"/proc/{process.pid}/status")
    until(lambda: caught(status.read_text(), signal.SIGTERM), 30)
    process.terminate()
    assert process.wait(30) == 0
    assert not (tmp_path / "made").exists()


def caught(status, number):
    """Whether a process has a handler for a signal."""
    (mask,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt")]
    return bool(int(mask, 16) >> (number - 1) & 1)


@pytest.fixture
def ending():
    """Starts the script that delays the API server's end, with the scheduler's port and seconds."""
    started = []

    def start(port, seconds):
        code = WAIT_FOR_SCHEDULER.read_text().replace("8974", str(port))
        started.append(subprocess.Popen([sys.executable, "-ISc", code, str(seconds)]))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_the_api_server_ends_after_the_scheduler(ending):
    with HTTPServer(("localhost", 0), Monitor) as scheduler:
        process = ending(scheduler.server_port, 60)
        scheduler.socket.settimeout(30)
        for _ in range(3):  # it has looked, and looks again
            scheduler.socket.accept()[0].close()
        assert process.poll() is None
    assert process.wait(30) == 0


def test_the_api_server_does_not_wait_for_ever(ending):
    with HTTPServer(("localhost", 0), Monitor) as scheduler:
        assert ending(scheduler.server_port, 1).wait(30) == 0


def test_the_api_server_of_a_pod_without_a_scheduler_ends_at_once(ending):
    assert ending(unused_port(), 600).wait(30) == 0


def test_the_chart_uses_the_script_for_the_api_server(render):
    pod = render().pods()["StatefulSet/demo-meanface-airflow"]["spec"]
    (server,) = (each for each in pod["containers"] if each["name"] == "api-server")
    *command, seconds = server["lifecycle"]["preStop"]["exec"]["command"]
    assert command == ["python3", "-IS", "/etc/meanface/wait_for_scheduler.py"]
    assert 0 < int(seconds) < pod["terminationGracePeriodSeconds"]
    assert "wait_for_scheduler.py" in render().of("ConfigMap")["demo-meanface-files"]["data"]


def test_the_chart_uses_the_script_for_the_scheduler(render):
    pod = render().pods()["StatefulSet/demo-meanface-airflow"]["spec"]
    commands = {each["name"]: each["command"] for each in pod["containers"]}
    wait = ["python3", "-IS", "/etc/meanface/wait_for_api.py", "localhost:8080"]
    assert commands["scheduler"] == [*wait, "airflow", "scheduler"]
    assert "wait_for_api.py" in render().of("ConfigMap")["demo-meanface-files"]["data"]
