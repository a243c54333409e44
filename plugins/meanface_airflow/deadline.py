"""The deadline of a DAG's runs, and the report of a run that misses it."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

# airflow.sdk has these names, too, but its stub for type checkers lacks them
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

from meanface_airflow.links import tab_address

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)


def alert(deadline: timedelta | DeadlineAlert) -> DeadlineAlert:
    """Make Airflow's alert from the time that a run may take, from when it was queued.

    Raises
    ------
    ValueError
        if the time is not positive
    """
    if not isinstance(deadline, timedelta):
        return deadline
    if deadline <= timedelta(0):
        raise ValueError(f"deadline={deadline!r}: expected more than no time, such as timedelta(hours=2)")
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=deadline,
        callback=AsyncCallback(report_late_run, kwargs={"allowed": str(deadline)}),
    )


async def report_late_run(allowed: str, context: Mapping[str, Any]) -> str:
    """Write to the triggerer's log that a run is late, with the address of its progress; return the text."""
    from airflow.configuration import conf

    run = context["dag_run"]
    base = conf.get("api", "base_url", fallback="/")
    page = urljoin(base, tab_address(base, run["dag_id"], run["dag_run_id"]))
    text = (
        f"DAG {run['dag_id']}, run {run['dag_run_id']}: no result within {allowed}; the run is {run['state']}, "
        f"its progress is at {page}"
    )
    log.warning("%s", text)
    return text
