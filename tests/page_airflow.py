"""Fixtures of the page's tests: a real Airflow application with the plugin, behind a prefix, and
runs in it.
"""

import json
import os
import warnings
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest
from redis import Redis

from airflow_home import served_database

PREFIX = "/flow"
PLUGINS = Path(__file__).parents[1] / "plugins"
RUN = "manual__2026-01-02T03:04:05+00:00"


def address(server, run=RUN):
    """Address of a run's page on a server."""
    return f"{server}/meanface/run?run={quote(run, safe='')}"


os.environ["AIRFLOW__API__BASE_URL"] = f"http://testserver{PREFIX}"
os.environ["AIRFLOW__API__SECRET_KEY"] = "s" * 64
os.environ["AIRFLOW__API_AUTH__JWT_SECRET"] = "j" * 64
os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(PLUGINS)
os.environ["AIRFLOW__CORE__AUTH_MANAGER"] = (
    "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"
)


@pytest.fixture(scope="session")
def airflow_app():
    """Airflow's API server, with the plugin found in its folder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Airflow's own
        from airflow import settings
        from airflow.api_fastapi.app import create_app
        from airflow.utils.db import initdb

        settings.PLUGINS_FOLDER = str(PLUGINS)
        with served_database():
            initdb()
            yield create_app(apps="core")
            settings.dispose_orm()


@pytest.fixture
def token(airflow_app):
    """Makes a login token for a role; None is a user without permissions."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    def made(role="viewer"):
        return get_auth_manager().generate_jwt(SimpleAuthManagerUser(username="somebody", role=role))

    return made


@pytest.fixture
def connected(monkeypatch, redis):
    """The page's application with this test's Valkey and an empty cache."""
    from meanface_airflow.page import app, source, views

    new = source.RedisSource()
    monkeypatch.setenv("AIRFLOW_CONN_MEANFACE_REDIS", redis.connection_url)
    monkeypatch.setattr(app, "source", new)
    monkeypatch.setattr(app, "overview", views.Overview(new))
    return app


@pytest.fixture
def session(airflow_app):
    """Airflow's database, without runs before and after the test."""
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session() as session:
        yield session
        session.rollback()
        session.execute(delete(XComModel))
        session.execute(delete(TaskInstance))
        session.execute(delete(DagRun))


@pytest.fixture
def airflow_run(session):
    """Puts a run and its task instances into Airflow's database."""
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy import insert

    def put(run=RUN, state="running", dag="meanface", embed=(), **stages):
        now = datetime.now(UTC)
        ended = now if state in ("success", "failed") else None
        times = {"run_after": now, "queued_at": now, "start_date": now, "end_date": ended}
        named = {"dag_id": dag, "run_id": run, "span_status": "not_started"}
        session.execute(insert(DagRun.__table__).values(**named, **times, state=state, run_type="manual"))
        tasks = [("embed", index, *task) for index, task in enumerate(embed)]
        tasks += [(stage, -1, state, 1) for stage, state in stages.items()]
        rows = [
            named
            | {"id": uuid4(), "task_id": task, "map_index": index, "state": state, "try_number": attempt}
            | {"max_tries": 4, "pool": "default_pool", "pool_slots": 1}
            for task, index, state, attempt in tasks
        ]
        if rows:
            session.execute(insert(TaskInstance.__table__), rows)
        session.commit()

    return put


@pytest.fixture
def family(session):
    """A DAG `family` with the tag of `mean_face_dag`, and a DAG `other` without."""
    from airflow.models.dag import DagModel, DagTag
    from airflow.models.dagbundle import DagBundleModel

    session.merge(DagBundleModel(name="tests"))
    session.flush()
    for name in ("family", "other"):
        session.add(DagModel(dag_id=name, bundle_name="tests", is_stale=False))
    session.add(DagTag(name="meanface", dag_id="family"))
    session.commit()
    yield "family"
    session.query(DagTag).filter(DagTag.dag_id == "family").delete()
    session.query(DagModel).filter(DagModel.dag_id.in_(("family", "other"))).delete()
    session.commit()


@pytest.fixture
def reason(session):
    """Stores the reason of a task's failure, as the task does; the run must be there."""
    from airflow.models.dagrun import DagRun
    from airflow.models.xcom import XComModel
    from sqlalchemy import insert, select

    def put(task, text, run=RUN, dag="meanface", index=-1, key="error"):
        number = session.scalar(select(DagRun.id).where(DagRun.dag_id == dag, DagRun.run_id == run))
        named = {"dag_run_id": number, "dag_id": dag, "run_id": run, "task_id": task, "map_index": index}
        session.execute(insert(XComModel.__table__).values(**named, key=key, value=text, timestamp=datetime.now(UTC)))
        session.commit()

    return put


class Records:
    """Writes a run's records to Valkey, as the stages do."""

    def __init__(self, client, run=RUN):
        self.client, self.run = client, run

    def key(self, name):
        return f"meanface:{{{self.run}}}:{name}"

    def plan(self, partitions, photos=500, **more):
        slices = [
            {"index": index, "photos": photos, "first": "a", "last": "b", "digest": "d"} for index in range(partitions)
        ]
        record = {"schema": 1, "photos": partitions * photos, "source": {"url": "s3://photos"}, "partitions": slices}
        self.client.set(self.key("manifest"), json.dumps(record | {"fingerprint": "f" * 64} | more))

    def progress(self, partition, **fields):
        now = datetime.now(UTC).timestamp()
        record = {
            "schema": 1,
            "partition": partition,
            "state": "embedding",
            "photos": 500,
            "photos_done": 100,
            "outcomes": {"ok": 90, "no_face": 10},
            "photos_per_second": 10.0,
            "recent_photos_per_second": fields.get("photos_per_second", 10.0),
            "eta_seconds": 40.0,
            "attempt": 1,
            "host": f"embed-{partition}",
            "started_at": now - 10,
            "updated_at": now,
            "failures_named": 0,
            "message": None,
        }
        self.client.hset(self.key("progress"), str(partition), json.dumps(record | fields))

    def commit(self, partition):
        self.client.hset(self.key("digests"), str(partition), "d" * 64)

    def failures(self, partition, failures, more=0):
        text = json.dumps({"schema": 1, "failures": failures, "more": more})
        self.client.hset(self.key("failures"), str(partition), text)

    def result(self, **more):
        record = {
            "schema": 1,
            "run": self.run,
            "dataset": "s3://photos",
            "photos": 1000,
            "outcomes": {"ok": 900, "no_face": 100},
            "photos_with_face": 900,
            "faces": 950,
            "mean": [0.5, -0.25, *[0.0] * 126],
            "mean_normalized": None,
            "standard_error": [0.001] * 128,
            "fingerprint": "f" * 64,
            "settings": {"faces": "first"},
            "versions": {},
            "artifacts": {"report": "report.html"},
            "location": "s3://results/run",
            "warnings": [],
            "account": [],
            "timings": {},
        }
        self.client.set(self.key("result"), json.dumps(record | more))


@pytest.fixture
def client(redis):
    """A client of the test's Valkey."""
    with Redis.from_url(redis.connection_url) as client:
        yield client


@pytest.fixture
def records(client):
    return Records(client)
