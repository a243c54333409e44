"""A home of Airflow's for each process of the tests: imported before Airflow, which reads it then.

One that is in the environment is another process's: pytest's parallel processes inherit their controller's, and would
share its database. That is served only for tests that need it, by `served_database`.
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
    """Make Airflow's database in a home, and serve it; its address."""
    from laptop import components, database, sessions
    from laptop.home import Home
    from polling import until

    home = Home(Path(folder))
    home.database.mkdir()
    subprocess.run(database.making(database.data(home)), check=True, capture_output=True, env=database.ENVIRONMENT)
    server = sessions.start(components.postgresql(home, str(home.database)), home.database / "log")
    until(lambda: database.answers(str(home.database)))
    yield _address(folder)
    sessions.stop([server])


@atexit.register
def _remove() -> None:
    if os.getpid() == _OWNER:
        shutil.rmtree(HOME, ignore_errors=True)
