"""Airflow's REST API, as far as a run needs it."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

DAG = "meanface"
ANSWER_SECONDS = 30.0
"""for an answer, after which it is given up"""
ERROR = "error"
"""key of the XCom with the reason of a task's failure"""


class Refused(Exception):
    """Airflow answered, and said no."""


class Airflow:
    """A client that is logged in.

    Parameters
    ----------
    address
        of the UI, such as `http://127.0.0.1:8080`
    password
        of the user `admin`
    """

    def __init__(self, address: str, password: str) -> None:
        self._password = password
        self._http = httpx.Client(base_url=address, timeout=ANSWER_SECONDS, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._http.close()

    def log_in(self) -> None:
        """Take a token; every other call needs it."""
        answer = self._http.post("/auth/token", json={"username": "admin", "password": self._password})
        self._http.headers["Authorization"] = f"Bearer {_checked(answer).json()['access_token']}"

    def health(self) -> dict[str, str | None]:
        """State of each component, by name."""
        answer = _checked(self._http.get("/api/v2/monitor/health")).json()
        return {name: component["status"] for name, component in answer.items() if component}

    def knows_dag(self) -> bool:
        """Whether the DAG has been parsed.

        Raises
        ------
        Refused
            with the reason, where it cannot be imported
        """
        if errors := self.get("/api/v2/importErrors")["import_errors"]:
            raise Refused(f"the DAG cannot be imported:\n{errors[0]['stack_trace']}")
        return self._http.get(f"/api/v2/dags/{DAG}").status_code == httpx.codes.OK

    def unpause(self) -> bool:
        """Let the DAG's runs begin; whether it was paused."""
        if not self.paused():
            return False
        _checked(self._http.patch(f"/api/v2/dags/{DAG}", json={"is_paused": False}))
        return True

    def paused(self, seconds: float = ANSWER_SECONDS) -> bool:
        """Whether nothing of the DAG's runs begins; `httpx.TimeoutException` after so many seconds."""
        return bool(_checked(self._http.get(f"/api/v2/dags/{DAG}", timeout=seconds)).json()["is_paused"])

    def trigger(self, conf: dict[str, Any], name: str | None = None, date: str | None = None) -> str:
        """Start a run with these params, for a date; its name, which Airflow chooses where none is given.

        Raises
        ------
        Refused
            where the params are not what the DAG takes
        """
        answer = self._http.post(
            f"/api/v2/dags/{DAG}/dagRuns", json={"logical_date": date, "conf": conf, "dag_run_id": name}
        )
        run: str = _checked(answer).json()["dag_run_id"]
        return run

    def runs(self, kind: str) -> dict[str, str]:
        """State of each run of a kind (manual, scheduled, backfill), by name."""
        found = self.get(f"/api/v2/dags/{DAG}/dagRuns?run_type={kind}&limit=100")["dag_runs"]
        return {run["dag_run_id"]: run["state"] for run in found}

    def state(self, run: str, seconds: float = ANSWER_SECONDS) -> str:
        """State of a run: queued, running, success, failed; `httpx.TimeoutException` after so many seconds."""
        state: str = _checked(self._http.get(_run(run), timeout=seconds)).json()["state"]
        return state

    def fail(self, run: str, seconds: float = 60) -> None:
        """Mark a run failed, which stops its tasks; give up after so many seconds.

        Airflow marks what has not begun as skipped, and a scheduler that looks at just that moment takes a run whose
        end is skipped for a success. So it is marked again until it has stayed failed for a second.
        """
        deadline = time.monotonic() + seconds
        settled = time.monotonic() + 1
        while time.monotonic() < min(settled, deadline):
            if self.state(run) != "failed":
                _checked(self._http.patch(_run(run), json={"state": "failed"}))
                settled = time.monotonic() + 1
            time.sleep(0.1)

    def fail_task(self, run: str, task: str, map_index: int) -> None:
        """Mark one task instance failed, as its button in the UI does."""
        instance = f"{_run(run)}/taskInstances/{task}/{map_index}"
        _checked(self._http.patch(instance, json={"new_state": "failed"}))

    def xcom(self, run: str, task: str, key: str, map_index: int = -1) -> Any:
        """A value that a task has pushed."""
        entry = f"{_run(run)}/taskInstances/{task}/xcomEntries/{key}"
        return self.get(f"{entry}?deserialize=true&map_index={map_index}")["value"]

    def reason(self, run: str, task: dict[str, Any]) -> str | None:
        """Why a task failed; None where it has left no reason."""
        try:
            reason: str = self.xcom(run, task["task_id"], ERROR, task["map_index"])
        except Refused:
            return None
        return reason

    def tasks(self, run: str) -> list[dict[str, Any]]:
        """A run's task instances, of which Airflow tells a hundred at a time."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.get(f"{_run(run)}/taskInstances?limit=100&offset={len(found)}&order_by=id")["task_instances"]
            found += page
            if len(page) < 100:
                return found

    def log(self, run: str, task: dict[str, Any]) -> list[str]:
        """Lines of a task's last try."""
        instance = f"{_run(run)}/taskInstances/{task['task_id']}/logs/{task['try_number']}"
        content = self.get(f"{instance}?map_index={task['map_index']}&full_content=true")["content"]
        return [line for entry in content for line in _lines(entry)]

    def get(self, path: str) -> dict[str, Any]:
        """What Airflow has at a path of its address."""
        answer: dict[str, Any] = _checked(self._http.get(path)).json()
        return answer


def _run(run: str) -> str:
    return f"/api/v2/dags/{DAG}/dagRuns/{quote(run, safe='')}"


def _lines(entry: dict[str, Any] | str) -> list[str]:
    if isinstance(entry, str):
        return [entry]
    errors = [f"{error['exc_type']}: {error['exc_value']}" for error in entry.get("error_detail") or ()]
    ended = [str(entry["exit_code"])] if "exit_code" in entry else []  # of a task of ours: its reason
    return [entry["event"], *ended, *errors]


def _checked(answer: httpx.Response) -> httpx.Response:
    if answer.is_error:
        raise Refused(f"Airflow refused {answer.request.method} {answer.request.url.path}: {_detail(answer)}")
    return answer


def _detail(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} {answer.text[:500]}"
