"""Loaded by every process of Airflow when it starts, from the folder `config` in its home.

The scheduler forks a process for each task, and the Kubernetes client takes seconds of a core to import: loaded here,
it is there for all of them.
"""

import sys

if "scheduler" in sys.argv:
    import airflow.providers.cncf.kubernetes.operators.pod
    import airflow.providers.cncf.kubernetes.triggers.pod  # noqa: F401  loaded, not used
