"""A separate AIRFLOW_HOME for each process of the tests. Import this before Airflow, which reads
it.

A home that is already in the environment belongs to another process: pytest's workers inherit their
controller's, and would share its database. `served_database` starts the database for tests that
need it.
"""

import atexit
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

HOME, _OWNER = tempfile.mkdtemp(prefix="airflow-home-"), os.getpid()

os.environ["AIRFLOW_HOME"] = HOME
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"


def _address(folder):
    return f"postgresql+psycopg2://airflow@/postgres?host={folder}/database"


os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = _address(HOME)


@contextmanager
def served_database(folder=HOME):
    """Create Airflow's database in a home, and serve it; its URL."""
    from laptop import components, database, sessions
    from laptop.home import Home
    from polling import until

    home = Home(Path(folder))
    home.database.mkdir()
    subprocess.run(
        database.create_command(database.data_folder(home)), check=True, capture_output=True, env=database.ENVIRONMENT
    )
    server = sessions.start(components.postgresql(home, str(home.database)), home.database / "log")
    until(lambda: database.is_ready(str(home.database)))
    yield _address(folder)
    sessions.stop([server])


@atexit.register
def _remove() -> None:
    if os.getpid() == _OWNER:
        shutil.rmtree(HOME, ignore_errors=True)
