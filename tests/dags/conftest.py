"""Airflow's SDK with a separate AIRFLOW_HOME."""

import airflow_home  # noqa: F401 - sets the environment
