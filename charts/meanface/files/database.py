"""Waits until Airflow's database accepts Airflow, and prints in one sentence why it does not: exit code 0 or 1.

    database.py SECRET [SECONDS]

The address is that of AIRFLOW__DATABASE__SQL_ALCHEMY_CONN, which comes from the key `connection` of SECRET. No message
shows it, as it has a password.
"""

import os
import sys
import time

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

EXPECTED = "postgresql+psycopg2://user:password@host:5432/name"
PASSING = (
    *("Connection refused", "No route to host", "Network is unreachable", "timeout", "timed out"),
    *("could not translate host name", "the database system is", "server closed the connection"),
    *("connection slots", "too many connections"),
)


def engine(address):
    """An engine that does not wait for ever; an unusable address ends the program with a sentence."""
    try:
        url = make_url(address)
        if url.drivername == "postgresql+psycopg2" and url.host and url.database:
            return create_engine(url, connect_args={"connect_timeout": 10})
    except (SQLAlchemyError, ValueError):
        pass  # their texts may have the password
    sys.exit(f"{source} is not {EXPECTED} (with %40 for @, %2F for / in a password): correct it there.")


def refusal(database):
    """Why the database does not accept Airflow, in one line; empty where it does."""
    try:
        with database.connect() as connection:
            connection.execute(text("SELECT 1"))
    except DBAPIError as error:
        return "; ".join(line.strip() for line in str(error.orig).splitlines() if line.strip())
    return ""


secret, *seconds = sys.argv[1:]
source = f"The key 'connection' of the Secret '{secret}'"
database = engine(os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
deadline = time.monotonic() + float(*seconds or ("120",))
printed = ""
while reason := refusal(database):
    if not any(words in reason for words in PASSING):
        sys.exit(f"PostgreSQL refuses Airflow: {reason}. {source} and the server must agree: correct one of them.")
    if time.monotonic() > deadline:
        sys.exit(f"PostgreSQL cannot be reached: {reason}. Is the server up, and the host right? {source} names it.")
    if reason != printed:
        sys.stderr.write(f"Waiting for PostgreSQL: {reason}\n")
        printed = reason
    time.sleep(1)
