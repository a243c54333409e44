"""A complete Airflow with a folder of DAGs of the test's own, one of them `meanface`."""

import os
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from unittest.mock import patch

from laptop import database, startup
from laptop.home import Home
from laptop.services import Services, unused_port


@dataclass
class OwnDags(Services):
    """The components of a local Airflow, which find their DAGs in the folder `dags` of the home."""

    def settings(self, inherited: Mapping[str, str]) -> dict[str, str]:
        own = {
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.home.path / "dags"),
            "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "True",  # also decides whether assets start runs
        }
        return super().settings(inherited) | own


@contextmanager
def airflow_with(path, dags, **chosen):
    """Start Airflow in a folder with DAG files, a text by name, and stop it again."""
    home = Home.of({"MEANFACE_HOME": str(path)})
    (path / "dags").mkdir()
    for name, text in dags.items():
        (path / "dags" / name).write_text(text)
    services = OwnDags(
        home, unused_port(), unused_port(), database.socket_folder(home), str(home.storage), kept=False, chosen=chosen
    )
    try:
        with patch.object(startup, "DEADLINE", 900.0):  # seconds; other tests may use every core
            startup._start(services, os.environ | chosen, print)
        with services.client() as client:
            client.log_in()
            yield services, client
    finally:
        services.stop()
