"""Where the progress page is in Airflow's UI, and the links from tasks to it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from airflow.sdk import BaseOperatorLink

from meanface_airflow.naming import DAG_ID, TAG

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

NAVIGATION = "meanface"
"""route of the view in the navigation"""
TAB = "meanface-run"
"""route of the tab of a run"""
LINKED = ("embed", "publish")
"""tasks that have the link"""


def tab_address(base_url: str, dag: str, run: str) -> str:
    """Path of a run's tab, below the path of Airflow's base URL.

    >>> tab_address("https://example.org/airflow/", "meanface", "manual__2026-01-02T00:00:00+00:00")
    '/airflow/dags/meanface/runs/manual__2026-01-02T00%3A00%3A00%2B00%3A00/plugin/meanface-run'
    """
    prefix = urlsplit(base_url).path.rstrip("/")
    return f"{prefix}/dags/{quote(dag, safe='')}/runs/{quote(run, safe='')}/plugin/{TAB}"


class ProgressLink(BaseOperatorLink):
    """The link from a task to the progress of its run.

    It is computed when the UI shows the task, so it exists while the task runs. Tasks of DAGs
    without the tag `meanface` have none.
    """

    name = "Progress"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The address, or an empty string for no link."""
        from airflow.configuration import conf

        dag = operator.get_dag()
        ours = ti_key.dag_id == DAG_ID or (dag is not None and TAG in dag.tags)
        if ti_key.task_id not in LINKED or not ours:
            return ""
        return tab_address(conf.get("api", "base_url", fallback="/"), ti_key.dag_id, ti_key.run_id)
