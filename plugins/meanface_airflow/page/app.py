"""The page's application, mounted by Airflow at `/meanface`.

Nobody gets anything without being logged in to Airflow, and what is told of runs asks for the permissions that Airflow
itself asks for: to read the DAG's runs, their task instances, their XComs. The login is Airflow's cookie, which a
browser sends from Airflow's own frames, or a bearer token. There are only GET routes, and none changes anything.
"""

from __future__ import annotations

import json
import math
from typing import Annotated, Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag, requires_authenticated
from fastapi import Depends, FastAPI, HTTPException, Path, Query, Request, Response
from fastapi.responses import FileResponse
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from meanface_airflow.links import DAG_ID
from meanface_airflow.page import files, runs, views
from meanface_airflow.page.assets import ASSETS
from meanface_airflow.page.checked import Result
from meanface_airflow.page.source import Away, RedisSource
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


def _may_read(entity: DagAccessEntity) -> Any:
    return Depends(requires_access_dag("GET", entity, param_dag_id=DAG_ID))


def _whether_may_read(entity: DagAccessEntity) -> Any:
    check = requires_access_dag("GET", entity, param_dag_id=DAG_ID)

    def allowed(request: Request, user: GetUserDep) -> bool:
        try:
            check(request, user)
        except HTTPException:
            return False
        return True

    return Depends(allowed)


RUNS = _may_read(DagAccessEntity.RUN)
TASKS = _may_read(DagAccessEntity.TASK_INSTANCE)
RESULTS = _may_read(DagAccessEntity.XCOM)
"""Airflow hands the mean on as an XCom."""
TASKS_TOO = _whether_may_read(DagAccessEntity.TASK_INSTANCE)

RunName = Annotated[str, Query(alias="run", min_length=1, max_length=250)]
RunPath = Annotated[str, Path(min_length=1, max_length=250)]
Partitions = Annotated[list[Annotated[int, Query(ge=0)]], Query(alias="partition", max_length=views.SLICE)]

app = FastAPI(
    title="meanface", docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(requires_authenticated())]
)


class Headers:
    """Says with every answer what its page may load, and who may frame it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and the answer back with the headers that it does not have itself."""

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
def all_runs(tasks: Annotated[bool, TASKS_TOO]) -> Response:
    """The latest runs, how far each is, and, for those who may read tasks, why each failed."""
    latest = runs.latest(views.RUNS)
    failed = runs.failures([run.run for run in latest if run.state == "failed"]) if tasks else {}
    told = overview(latest)
    return _json(told | {"runs": [run | views.failed(failed.get(run["run"], ())) for run in told["runs"]]})


@app.get("/api/run", dependencies=[RUNS, TASKS])
def one_run(run: RunName) -> Response:
    """One run and its partitions."""
    return _json(views.one_run(source, _known(run), runs.tasks(run), runs.failures([run]).get(run, ())))


@app.get("/api/failures", dependencies=[RUNS, TASKS])
def failures(run: RunName, partitions: Partitions) -> Response:
    """Photos that failed in some of a run's partitions."""
    _known(run)
    try:
        return _json(views.failures(source, run, partitions))
    except Away as away:
        raise HTTPException(503, str(away)) from None


@app.get("/api/result", dependencies=[RUNS, RESULTS])
def result(run: RunName) -> Response:
    """A run's result."""
    found = _result(run)
    told = found.model_dump(exclude={"schema_version"}) | {"norm": math.hypot(*found.mean)}
    served = list(files.readable(found, settings().storage))
    return _json(told | {"files": served, "withheld": None if served else files.withheld(found)})


@app.get("/files/{run:path}/{name}", dependencies=[RUNS, TASKS, RESULTS])
def run_file(run: RunPath, name: str) -> Response:
    """A file of a run's result: side by side, as on a disk, so that the report's links lead to its companions.

    The report is a page that can neither run a script nor load anything. What is not shown is saved.
    """
    found = files.readable(_result(run), settings().storage)
    if name not in found:
        raise HTTPException(404, "The API server has no such file of this run's result.")
    if name in files.SAVED:
        return FileResponse(found[name], media_type=files.SAVED[name], filename=name)
    headers = {"Content-Security-Policy": REPORT_POLICY} if name == files.REPORT else {}
    return FileResponse(found[name], media_type=files.SHOWN[name], headers=headers)


def _known(run: str) -> runs.Run:
    """A run of the DAG; others are not told of, whatever lies in Redis under their names."""
    found = runs.find(run)
    if found is None:
        raise HTTPException(404, f"The DAG {DAG_ID} has no such run.")
    return found


def _result(run: str) -> Result:
    _known(run)
    try:
        found = views.result(source, run)
    except Away as away:
        raise HTTPException(503, str(away)) from None
    if found is None:
        raise HTTPException(404, "Redis has no result of this run that can be read: there is none yet, or no more.")
    return found


def _json(told: dict[str, Any]) -> Response:
    """JSON without FastAPI's own encoder, which takes a tenth of a second for a thousand partitions."""
    text = json.dumps(told, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(text.encode(errors="replace"), media_type="application/json")
