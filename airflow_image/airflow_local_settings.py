"""Loaded by every process of Airflow when it starts, from the folder `config` in its home.

The scheduler forks a process for each task, and the DAG processor one for each parse of a file: what these import is
imported here, once, and costs them nothing.
"""

from contextlib import suppress
from importlib import import_module
from sys import argv

FORKING = {"scheduler", "dag-processor"}
OF_A_TASK = (
    "airflow.sdk.execution_time.supervisor",
    "airflow.sdk.execution_time.task_runner",
    "airflow.dag_processing.dagbag",
    "airflow.dag_processing.bundles.local",
    "airflow.providers.standard.operators.python",
    "airflow.providers.standard.operators.empty",
    "jinja2.ext",
)
OF_THE_DAG = ("meanface_airflow.params", "meanface_airflow.runtime", "meanface_airflow.tasks")
"""With the Kubernetes client, which takes seconds of a core; after a change of the plugin these two start anew."""

if FORKING & set(argv):
    for name in OF_A_TASK:
        import_module(name)
    with suppress(Exception):  # a setting that cannot be used, say: it is told where the DAG is parsed
        for name in OF_THE_DAG:
            import_module(name)
