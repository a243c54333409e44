"""Import early what tasks and DAG parsing need; every process of Airflow loads this file first.

The scheduler forks a process for each task, and the DAG processor forks one for each parse. Modules
that are imported here are shared by these processes, and cost them no time. Airflow finds this file
in the folder `config` of its home.
"""

from contextlib import suppress
from importlib import import_module
from sys import argv

FORKING = {"scheduler", "dag-processor"}
TASK_MODULES = (
    "airflow.sdk.execution_time.supervisor",
    "airflow.sdk.execution_time.task_runner",
    "airflow.dag_processing.dagbag",
    "airflow.dag_processing.bundles.local",
    "airflow.providers.standard.operators.python",
    "airflow.providers.standard.operators.empty",
    "jinja2.ext",
)
DAG_MODULES = ("meanface_airflow.dag",)
"""These import the Kubernetes client, which takes seconds of CPU time. Restart the scheduler and
the DAG processor after a change of the plugin."""

if FORKING & set(argv):
    for name in TASK_MODULES:
        import_module(name)
    with suppress(Exception):  # for example an invalid setting, which the DAG then reports as an import error
        for name in DAG_MODULES:
            import_module(name)
