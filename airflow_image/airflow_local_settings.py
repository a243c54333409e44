"""Loaded by every process of Airflow when it starts, from the folder `config` in its home.

The scheduler forks a process for each task, and the Kubernetes client takes seconds of a core to import: loaded here,
it is there for all of them.
"""

from importlib import import_module
from sys import argv

if "scheduler" in argv:
    import_module("airflow.providers.cncf.kubernetes.operators.pod")
    import_module("airflow.providers.cncf.kubernetes.triggers.pod")
