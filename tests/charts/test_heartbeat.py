"""The probe of components that answer nobody: the real script against a real server."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from .conftest import CHART

SCRIPT = CHART / "files/heartbeat.py"


class Monitor(BaseHTTPRequestHandler):
    """Answers as Airflow's `/api/v2/monitor/health`."""

    def do_GET(self):
        statuses = {"triggerer": "healthy", "dag_processor": "unhealthy", "scheduler": None}
        statuses["metadatabase"] = self.server.database
        answer = {name: {"status": status} for name, status in statuses.items()}
        self.send_response(200 if self.path == "/api/v2/monitor/health" else 404)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_):
        pass


@pytest.fixture(params=["healthy"])
def port(request):
    """Port of a server that answers."""
    server = HTTPServer(("localhost", 0), Monitor)
    server.database = request.param
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def ends(port, *arguments):
    """Exit code and last words of the probe, asking that port."""
    code = SCRIPT.read_text().replace("8080", str(port))
    command = [sys.executable, "-ISc", code, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return ended.returncode, ended.stderr.strip()


def test_a_heartbeat_decides(port):
    assert ends(port, "triggerer") == (0, "")
    assert ends(port, "dag_processor") == (1, "dag_processor is unhealthy")
    assert ends(port, "dag_processor", "--lenient") == (1, "dag_processor is unhealthy")
    assert ends(port, "scheduler", "--lenient") == (1, "scheduler is absent")


@pytest.mark.parametrize("port", ["unhealthy"], indirect=True)
def test_a_server_without_its_database_is_no_evidence_against_a_component(port):
    """It calls every other component unhealthy then, as it cannot read their heartbeats."""
    assert ends(port, "dag_processor") == (1, "dag_processor is unknown")
    assert ends(port, "dag_processor", "--lenient") == (0, "")


def test_a_silent_server_is_no_evidence_against_a_component():
    assert ends(1, "triggerer") == (1, "triggerer is unknown")
    assert ends(1, "triggerer", "--lenient") == (0, "")
