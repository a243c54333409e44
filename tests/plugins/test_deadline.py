"""The report of a run that misses its deadline; `test_assets.py` has one with a complete Airflow."""

import asyncio
import logging

from meanface_airflow.deadline import report_late_run

RUN = {"dag_id": "family", "dag_run_id": "manual__2026-01-02T03:04:05+00:00", "state": "running"}


def test_it_names_the_run_its_state_and_its_page_and_is_logged(monkeypatch, caplog):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://example.org/airflow/")
    with caplog.at_level(logging.WARNING, logger="meanface_airflow.deadline"):
        text = asyncio.run(report_late_run("2:00:00", {"dag_run": RUN}))
    assert text == (
        "DAG family, run manual__2026-01-02T03:04:05+00:00: no result within 2:00:00; the run is running, its progress "
        "is at https://example.org/airflow/dags/family/runs/manual__2026-01-02T03%3A04%3A05%2B00%3A00/"
        "plugin/meanface-run"
    )
    assert caplog.messages == [text]
