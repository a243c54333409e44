"""Airflow's SDK with a home of its own."""

import airflow_home  # noqa: F401 - sets the environment
