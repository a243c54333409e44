"""Airflow's SDK with a home of its own and the plugin where Airflow finds it."""

import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-home-"))
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
sys.path.append(str(Path(__file__).parents[2] / "plugins"))
