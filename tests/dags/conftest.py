"""Airflow's SDK with a home of its own."""

import airflow_home

airflow_home.use()
