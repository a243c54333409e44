"""A client of the part of Airflow's REST API that a run needs."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

DAG = "meanface"
TIMEOUT = 30.0
"""seconds for a response"""
ERROR_KEY = "error"
"""key of the XCom with the reason of a task's failure"""


class ApiError(Exception):
    """Airflow responded with an error.

    `status` is that of the response, or 0 if the error is in its content.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Airflow:
    """A client of Airflow's REST API; call `log_in` first.

    Parameters
    ----------
    address
        of the UI, such as `http://127.0.0.1:8080`
    password
        of the user `admin`
    """

    def __init__(self, address: str, password: str) -> None:
        self._password = password
        self._http = httpx.Client(base_url=address, timeout=TIMEOUT, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._http.close()

    def log_in(self) -> None:
        """Request a token, which every other call needs."""
        response = self._http.post("/auth/token", json={"username": "admin", "password": self._password})
        self._http.headers["Authorization"] = f"Bearer {_checked(response).json()['access_token']}"

    def health(self) -> dict[str, str | None]:
        """State of each component, by name."""
        health = _checked(self._http.get("/api/v2/monitor/health")).json()
        return {name: component["status"] for name, component in health.items() if component}

    def has_dag(self) -> bool:
        """Whether the DAG has been parsed.

        Raises
        ------
        ApiError
            with the traceback if the DAG cannot be imported
        """
        if errors := self.get("/api/v2/importErrors")["import_errors"]:
            raise ApiError(f"the DAG cannot be imported:\n{errors[0]['stack_trace']}")
        return self._http.get(f"/api/v2/dags/{DAG}").status_code == httpx.codes.OK

    def unpause(self) -> bool:
        """Unpause the DAG; whether it was paused."""
        if not self.paused():
            return False
        _checked(self._http.patch(f"/api/v2/dags/{DAG}", json={"is_paused": False}))
        return True

    def paused(self, seconds: float = TIMEOUT) -> bool:
        """Whether the DAG is paused; raises `httpx.TimeoutException` after so many seconds."""
        return bool(_checked(self._http.get(f"/api/v2/dags/{DAG}", timeout=seconds)).json()["is_paused"])

    def trigger(self, conf: dict[str, Any], name: str | None = None, date: str | None = None) -> str:
        """Trigger a run with params and a logical date; its name, by default chosen by Airflow.

        Raises
        ------
        ApiError
            if the params are invalid
        """
        response = self._http.post(
            f"/api/v2/dags/{DAG}/dagRuns", json={"logical_date": date, "conf": conf, "dag_run_id": name}
        )
        run: str = _checked(response).json()["dag_run_id"]
        return run

    def runs(self, kind: str) -> dict[str, str]:
        """State of each run of a kind (manual, scheduled, backfill), by name."""
        found = self.get(f"/api/v2/dags/{DAG}/dagRuns?run_type={kind}&limit=100")["dag_runs"]
        return {run["dag_run_id"]: run["state"] for run in found}

    def state(self, run: str, seconds: float = TIMEOUT) -> str:
        """State of a run: queued, running, success or failed.

        Raises
        ------
        httpx.TimeoutException
            after so many seconds
        """
        state: str = _checked(self._http.get(_run(run), timeout=seconds)).json()["state"]
        return state

    def fail(self, run: str, seconds: float = 60) -> None:
        """Mark a run failed, which stops its tasks; give up after so many seconds.

        Airflow marks tasks that have not started as skipped. If the scheduler looks at that moment,
        it marks the run as successful. So this repeats until the run has stayed failed for a
        second.
        """
        deadline = time.monotonic() + seconds
        stable = time.monotonic() + 1
        while time.monotonic() < min(stable, deadline):
            if self.state(run) != "failed":
                _checked(self._http.patch(_run(run), json={"state": "failed"}))
                stable = time.monotonic() + 1
            time.sleep(0.1)

    def fail_task(self, run: str, task: str, map_index: int) -> None:
        """Mark one task instance failed, as its button in the UI does."""
        instance = f"{_run(run)}/taskInstances/{task}/{map_index}"
        _checked(self._http.patch(instance, json={"new_state": "failed"}))

    def xcom(self, run: str, task: str, key: str, map_index: int = -1) -> Any:
        """The value of a task's XCom."""
        entry = f"{_run(run)}/taskInstances/{task}/xcomEntries/{key}"
        return self.get(f"{entry}?deserialize=true&map_index={map_index}")["value"]

    def reason(self, run: str, task: dict[str, Any]) -> str | None:
        """Why a task failed; None if it has no reason."""
        try:
            reason: str = self.xcom(run, task["task_id"], ERROR_KEY, task["map_index"])
        except ApiError:
            return None
        return reason

    def tasks(self, run: str) -> list[dict[str, Any]]:
        """A run's task instances, fetched a hundred at a time."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.get(f"{_run(run)}/taskInstances?limit=100&offset={len(found)}&order_by=id")["task_instances"]
            found += page
            if len(page) < 100:
                return found

    def log(self, run: str, task: dict[str, Any]) -> list[str]:
        """The log lines of a task's last try."""
        instance = f"{_run(run)}/taskInstances/{task['task_id']}/logs/{task['try_number']}"
        content = self.get(f"{instance}?map_index={task['map_index']}&full_content=true")["content"]
        return [line for entry in content for line in _lines(entry)]

    def get(self, path: str) -> dict[str, Any]:
        """The JSON response to a GET request."""
        body: dict[str, Any] = _checked(self._http.get(path)).json()
        return body


def _run(run: str) -> str:
    return f"/api/v2/dags/{DAG}/dagRuns/{quote(run, safe='')}"


def _lines(entry: dict[str, Any] | str) -> list[str]:
    if isinstance(entry, str):
        return [entry]
    errors = [f"{error['exc_type']}: {error['exc_value']}" for error in entry.get("error_detail") or ()]
    ended = [str(entry["exit_code"])] if "exit_code" in entry else []  # the reason of one of meanface's tasks
    return [entry["event"], *ended, *errors]


def _checked(response: httpx.Response) -> httpx.Response:
    if response.is_error:
        request = response.request
        failed = "refused" if response.is_client_error else "failed at"
        message = f"Airflow {failed} {request.method} {request.url.path}: {_detail(response)}"
        raise ApiError(message, response.status_code)
    return response


def _detail(response: httpx.Response) -> str:
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"{response.status_code} {response.text[:500]}"
