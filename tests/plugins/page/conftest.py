"""A browser's requests to the page, without a browser."""

import warnings

import pytest

from page_airflow import PREFIX, airflow_app, airflow_run, client, connected, family, reason, records, session, token

__all__ = ["airflow_app", "airflow_run", "client", "connected", "family", "reason", "records", "session", "token"]


@pytest.fixture
def page(airflow_app, connected, token):
    """A logged-in viewer at the page."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what it will need one day
        from fastapi.testclient import TestClient

    address = f"http://testserver{PREFIX}/meanface/"
    viewer = TestClient(airflow_app, base_url=address, root_path=PREFIX, follow_redirects=False)
    viewer.cookies.set("_token", token())
    return viewer
