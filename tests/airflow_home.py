"""A home of Airflow's for each process of the tests."""

import atexit
import os
import shutil
import tempfile
from functools import cache


@cache
def use() -> None:
    """Give this process a home of its own, gone at its end.

    Called before Airflow is imported, which reads it then. One that is in the environment is another's: pytest's
    parallel processes inherit their controller's, and would share its database.
    """
    home, owner = tempfile.mkdtemp(prefix="airflow-home-"), os.getpid()
    os.environ["AIRFLOW_HOME"] = home
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    atexit.register(lambda: os.getpid() == owner and shutil.rmtree(home, ignore_errors=True))
