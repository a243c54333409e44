"""The page's application, mounted by Airflow at `/meanface`.

Every route requires a login to Airflow. Data about runs requires the permissions that Airflow
itself requires: to read runs of the DAG that the request names, their task instances, their XComs.
The login is Airflow's cookie, which a browser also sends from a frame in Airflow's UI, or a bearer
token. All routes are GET routes and change nothing.
"""

from __future__ import annotations

import json
import math
from typing import Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag, requires_authenticated
from airflow.models.dag import DagModel
from fastapi import Depends, FastAPI, HTTPException, Path, Query, Request, Response
from fastapi.responses import FileResponse
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from meanface_airflow.page import files, runs, views
from meanface_airflow.page.assets import ASSETS
from meanface_airflow.page.models import Result
from meanface_airflow.page.source import RedisSource, RedisUnavailable
from meanface_airflow.settings import settings

POLICY = "; ".join(
    (
        *("default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'"),
        *("base-uri 'none'", "form-action 'none'", "frame-ancestors 'self'"),
    )
)
REPORT_POLICY = "; ".join(
    (
        *("sandbox allow-downloads", "default-src 'none'", "style-src 'unsafe-inline'", "img-src data:"),
        *("base-uri 'none'", "form-action 'none'", "frame-ancestors 'self'"),
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}

source = RedisSource()
overview = views.Overview(source)


def _require_read(entity: DagAccessEntity) -> Any:
    """Permission for the request's `dag_id`, which is in its path or its query."""
    return Depends(requires_access_dag("GET", entity))


def _can_read(entity: DagAccessEntity) -> Any:
    check = requires_access_dag("GET", entity)

    def allowed(request: Request, user: GetUserDep) -> bool:
        try:
            check(request, user)
        except HTTPException:
            return False
        return True

    return Depends(allowed)


RUNS = _require_read(DagAccessEntity.RUN)
TASKS = _require_read(DagAccessEntity.TASK_INSTANCE)
RESULTS = _require_read(DagAccessEntity.XCOM)
"""results need this permission because the mean is an XCom, too"""
CAN_READ_TASKS = _can_read(DagAccessEntity.TASK_INSTANCE)
CAN_READ_XCOMS = _can_read(DagAccessEntity.XCOM)
"""the reason of a failure is an XCom"""

DagId = Annotated[str, Query(alias="dag_id", min_length=1, max_length=250, pattern="[^~]")]
"""`~` alone would ask Airflow for the permission to read any DAG"""
DagPath = Annotated[str, Path(alias="dag_id", min_length=1, max_length=250, pattern="[^~]")]
RunName = Annotated[str, Query(alias="run", min_length=1, max_length=250)]
RunPath = Annotated[str, Path(min_length=1, max_length=250)]
Partitions = Annotated[list[Annotated[int, Query(ge=0)]], Query(alias="partition", max_length=views.MAX_PARTITIONS)]

app = FastAPI(
    title="meanface", docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(requires_authenticated())]
)


class Headers:
    """Middleware that adds `HEADERS`: what a page may load, and which pages may frame it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the headers that the response does not set itself."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers)


app.add_middleware(Headers)


@app.get("/")
def all_runs_page(request: Request) -> Response:
    """The page of all runs; the browser fills it."""
    return ASSETS["runs.html"].response(request)


@app.get("/run")
def run_page(request: Request) -> Response:
    """The page of one run; the browser fills it."""
    return ASSETS["run.html"].response(request)


@app.get("/static/{name}")
@app.get("/static/{version}/{name}")
def asset(name: str, request: Request, version: str = "") -> Response:
    """A script, style sheet or picture."""
    if name not in ASSETS:
        raise HTTPException(404)
    return ASSETS[name].response(request, version)


@app.get("/api/runs", dependencies=[RUNS])
def all_runs(
    dag: DagId,
    user: GetUserDep,
    can_read_tasks: Annotated[bool, CAN_READ_TASKS],
    can_read_xcoms: Annotated[bool, CAN_READ_XCOMS],
) -> Response:
    """The latest runs with their progress, which tasks failed if the reader may read tasks, and why if XComs."""
    if not runs.is_ours(dag):
        raise HTTPException(404, f"{dag} is no DAG of meanface.")
    latest = runs.latest(dag, views.MAX_RUNS)
    names = [run.run for run in latest if run.state == "failed"]
    failed = runs.failures(dag, names, with_reasons=can_read_xcoms) if can_read_tasks else {}
    body = overview(latest)
    body["runs"] = [run | views.failed(failed.get(run["run"], ())) for run in body["runs"]]
    return _json(body | {"dags": [one for one in runs.dags() if _may_read_runs(one, user)]})


@app.get("/api/run", dependencies=[RUNS, TASKS])
def one_run(dag: DagId, run: RunName, can_read_xcoms: Annotated[bool, CAN_READ_XCOMS]) -> Response:
    """One run and its partitions, and why tasks failed if the reader may read XComs."""
    found = _find(dag, run)
    failed = runs.failures(dag, [run], with_reasons=can_read_xcoms)
    return _json(views.one_run(source, found, runs.tasks(dag, run), failed.get(run, ())))


@app.get("/api/failures", dependencies=[RUNS, TASKS])
def failures(dag: DagId, run: RunName, partitions: Partitions) -> Response:
    """Photos that failed in some of a run's partitions."""
    found = _find(dag, run)
    try:
        return _json(views.failures(source, found.name, partitions))
    except RedisUnavailable as unavailable:
        raise HTTPException(503, str(unavailable)) from None


@app.get("/api/result", dependencies=[RUNS, RESULTS])
def result(dag: DagId, run: RunName) -> Response:
    """A run's result."""
    found = _result(dag, run)
    body = found.model_dump(exclude={"schema_version"}) | {"norm": math.hypot(*found.mean)}
    served = list(files.servable(found, settings().storage))
    return _json(body | {"files": served, "withheld": None if served else files.why_not_servable(found)})


@app.get("/files/{dag_id}/{run:path}/{name}", dependencies=[RUNS, TASKS, RESULTS])
def run_file(dag: DagPath, run: RunPath, name: str) -> Response:
    """A file of a run's result.

    All files have one folder, as on disk, so that the report's relative links work. The report can
    neither run scripts nor load anything. Files that a browser does not display are downloads.
    """
    found = files.servable(_result(dag, run), settings().storage)
    if name not in found:
        raise HTTPException(404, f"The API server has no file {name!r} of this run's result.")
    if name in files.DOWNLOADS:
        return FileResponse(found[name], media_type=files.DOWNLOADS[name], filename=name)
    headers = {"Content-Security-Policy": REPORT_POLICY} if name == files.REPORT else {}
    return FileResponse(found[name], media_type=files.DISPLAYED[name], headers=headers)


def _may_read_runs(dag: str, user: BaseUser) -> bool:
    details = DagDetails(id=dag, team_name=DagModel.get_team_name(dag))
    return get_auth_manager().is_authorized_dag(
        method="GET", access_entity=DagAccessEntity.RUN, details=details, user=user
    )


def _find(dag: str, run: str) -> runs.Run:
    """A run of a DAG that computes a mean face; others are not found, even if Redis has records."""
    found = runs.find(dag, run)
    if found is None:
        raise HTTPException(404, f"{dag} is no DAG of meanface, or has no run of this name.")
    return found


def _result(dag: str, run: str) -> Result:
    name = _find(dag, run).name
    try:
        found = views.result(source, name)
    except RedisUnavailable as unavailable:
        raise HTTPException(503, str(unavailable)) from None
    if found is None:
        raise HTTPException(404, "Redis has no readable result of this run: it is not written yet, or it has expired.")
    return found


def _json(body: dict[str, Any]) -> Response:
    """A JSON response without FastAPI's encoder, which takes 0.1 s for a thousand partitions."""
    text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(text.encode(errors="replace"), media_type="application/json")
