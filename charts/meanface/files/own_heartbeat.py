"""Check that this pod's component has written a heartbeat recently; the exit code is 0 or 1.

    own_heartbeat.py COMPONENT [--lenient]

The API server reports one heartbeat for all replicas of a component, so each asks the database for
its own. `airflow jobs check --local` does the same, but takes seconds of CPU time. With `--lenient`
the check passes if the database cannot be reached: its failures must not restart other components.
"""

import os
import socket
import sys

import psycopg2

JOBS = {"dag_processor": "DagProcessorJob", "triggerer": "TriggererJob"}
SECONDS = 60
QUERY = """
    SELECT extract(epoch FROM now() - max(latest_heartbeat)) FROM job
    WHERE job_type = %s AND hostname = %s AND state = 'running'
"""


def age(job_type):
    """Seconds since the last heartbeat of this host's job; None without one."""
    address = os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg2", "", 1)
    database = psycopg2.connect(address, connect_timeout=5)
    try:
        with database, database.cursor() as cursor:
            cursor.execute(QUERY, (job_type, socket.gethostbyname(socket.getfqdn())))
            return cursor.fetchone()[0]
    finally:
        database.close()


component, *options = sys.argv[1:]
try:
    seconds = age(JOBS[component])
except psycopg2.OperationalError as error:
    sys.exit(0 if "--lenient" in options else f"the database cannot be reached: {str(error).splitlines()[0]}")
if seconds is None:
    sys.exit(f"{component} has no running job on this host")
if seconds > SECONDS:
    sys.exit(f"the last heartbeat of {component} was {seconds:.0f} s ago, more than {SECONDS} s")
