"""A home of Airflow's for each process of the tests: imported before Airflow, which reads it then.

One that is in the environment is another process's: pytest's parallel processes inherit their controller's, and would
share its database.
"""

import atexit
import os
import shutil
import tempfile

HOME, _OWNER = tempfile.mkdtemp(prefix="airflow-home-"), os.getpid()

os.environ["AIRFLOW_HOME"] = HOME
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"


@atexit.register
def _remove() -> None:
    if os.getpid() == _OWNER:
        shutil.rmtree(HOME, ignore_errors=True)
