"""Import and make what tasks need before Airflow forks their processes.

The scheduler forks a process for each task (`LocalExecutor`), and the DAG processor one for each
parse. Modules that are imported before are shared by these processes, and so are Airflow's plugins
and the project's own DAG. Otherwise each would import the Kubernetes client and its provider again,
which is most of its processor time, and then load the plugins and make the DAG. So a new version of
this package takes effect when scheduler and DAG processor restart, as with any plugin.
"""

from __future__ import annotations

from importlib import import_module

from airflow.listeners import hookimpl

from meanface_airflow.naming import DAG_ID

MODULES = (
    "airflow.sdk.execution_time.supervisor",
    "airflow.sdk.execution_time.task_runner",
    "airflow.sdk.execution_time.timeout",
    "airflow.sdk.bases.sensor",
    "airflow.dag_processing.dagbag",
    "airflow.dag_processing.bundles.local",
    "airflow.providers.standard.operators.python",
    "airflow.providers.standard.operators.empty",
    "jinja2.ext",
    "meanface_airflow.dag",
)


@hookimpl
def on_starting(component: object) -> None:
    """Airflow's listener: a component of Airflow starts, or a task, which may be of any DAG.

    Airflow logs an exception and goes on, for example if a setting is invalid. The DAG then reports
    it as an import error.
    """
    if type(component).__name__ == "TaskRunnerMarker":  # by name: with `run_as_user` its module is `__main__`
        return
    for name in MODULES:
        import_module(name)

    from airflow.sdk.listener import get_listener_manager

    from meanface_airflow.dag import prepare_dag
    from meanface_airflow.settings import settings

    get_listener_manager()  # that of tasks, which loads the plugins
    prepare_dag(DAG_ID, settings().dag_params)
