"""Wait until Airflow's database accepts connections; if it does not, print why and exit with 1.

    database.py SECRET [SECONDS]

The URL is AIRFLOW__DATABASE__SQL_ALCHEMY_CONN, the key `connection` of SECRET. No message contains
it, because it has a password.
"""

import os
import sys
import time

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

EXPECTED = "postgresql+psycopg2://user:password@host:5432/name"
TEMPORARY = (
    *("Connection refused", "No route to host", "Network is unreachable", "timeout", "timed out"),
    *("could not translate host name", "the database system is", "server closed the connection"),
    *("connection slots", "too many connections"),
)


def make_engine(address):
    """An engine with a timeout; an invalid URL ends the program with a message."""
    try:
        url = make_url(address)
        if url.drivername == "postgresql+psycopg2" and url.host and url.database:
            return create_engine(url, connect_args={"connect_timeout": 10})
    except (SQLAlchemyError, ValueError):
        pass  # their messages may contain the password
    sys.exit(f"Correct {source}: expected {EXPECTED}, with %40 for @ and %2F for / in the password.")


def refusal(database):
    """Why the database does not accept Airflow, in one line; empty if it does."""
    try:
        with database.connect() as connection:
            connection.execute(text("SELECT 1"))
    except DBAPIError as error:
        return "; ".join(line.strip() for line in str(error.orig).splitlines() if line.strip())
    return ""


secret, *seconds = sys.argv[1:]
source = f"the key 'connection' of the Secret '{secret}'"
database = make_engine(os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
deadline = time.monotonic() + float(*seconds or ("120",))
printed = ""
while reason := refusal(database):
    if not any(words in reason for words in TEMPORARY):
        sys.exit(f"PostgreSQL refuses Airflow: {reason}. Correct {source}, or the role in the database.")
    if time.monotonic() > deadline:
        sys.exit(f"PostgreSQL cannot be reached: {reason}. Start the server, or correct its host in {source}.")
    if reason != printed:
        sys.stderr.write(f"Waiting for PostgreSQL: {reason}\n")
        printed = reason
    time.sleep(1)
