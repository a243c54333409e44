"""Delete old records from Airflow's database, with `airflow db clean`.

Of each DAG, Airflow keeps the last run that was not triggered by hand, but not its old tasks and XComs.

Usage: clean_database.py DAYS
"""

import os
import sys
from datetime import UTC, datetime, timedelta

before = datetime.now(UTC) - timedelta(days=int(sys.argv[1]))
command = ["airflow", "db", "clean", "--clean-before-timestamp", before.isoformat(timespec="seconds")]
os.execvp("airflow", [*command, "--skip-archive", "--error-on-cleanup-failure", "--yes"])  # noqa: S606, S607 - the chart's own command
