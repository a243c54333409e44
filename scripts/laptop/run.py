"""A DAG run, from trigger to result."""

from __future__ import annotations

import json
import math
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

import httpx

from laptop.api import Airflow, Refused
from laptop.progress import line
from laptop.services import Services
from laptop.waiting import Stopped, pause
from meanface_airflow.records import RunRecords

BUILT_IN = ("sample", "lfw")
LOOKED_AT = 10
"""failed tasks of which one may have left a reason"""


class Failed(Exception):
    """The run failed."""


def conf(dataset: str, params: list[str]) -> dict[str, Any]:
    """The run's params: a dataset, and `key=value` texts whose values are JSON where they can be.

    A path is made absolute, for Airflow works in another folder.

    >>> conf("s3://photos", ["partition_size=100", "faces=all"])
    {'partition_size': 100, 'faces': 'all', 'dataset': 's3://photos'}
    """
    if dataset not in BUILT_IN and "://" not in dataset:
        dataset = str(Path(dataset).expanduser().absolute())
    return dict(_param(text) for text in params) | {"dataset": dataset}


def _param(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not separator:
        raise ValueError(f"--param {text}: expected key=value")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def follow(services: Services, params: dict[str, Any], out: TextIO = sys.stdout) -> dict[str, Any]:
    """Run the DAG, showing how far it is; the result.

    Raises
    ------
    Failed
        with the reason that a failed task has left, or the end of its log
    """
    with services.client() as client:
        client.log_in()
        run = client.trigger(params)
        out.write(f"run {run} of {params['dataset']}\n")
        records = RunRecords.at(services.redis_url, run)
        try:
            state = _watch(services, client, run, records, out)
        except Stopped:
            with suppress(Refused, httpx.HTTPError):
                client.fail(run)  # otherwise the next start would take it up again
            raise
        if state != "success":
            raise Failed(_reason(client, run))
        return records.result()


def _watch(services: Services, client: Airflow, run: str, records: RunRecords, out: TextIO) -> str:
    shown = _Line(out)
    manifest: dict[str, Any] | None = None
    while (state := client.state(run)) not in ("success", "failed"):
        services.check()
        if manifest is None and records.planned():
            manifest = records.manifest()
        shown.show(line(manifest, records.progress(), time.time()) if manifest else "listing the photos")
        pause(0.5)
    if manifest:
        shown.show(line(manifest, records.progress(), time.time()), last=True)
    return state


class _Line:
    """One line that changes in a terminal; elsewhere a line whenever it has changed, at most every 5 seconds."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._text = ""
        self._next = 0.0

    def show(self, text: str, last: bool = False) -> None:
        if self._out.isatty():
            self._out.write(f"\r\x1b[K{text}" + ("\n" if last else ""))
        elif text != self._text and (last or time.monotonic() >= self._next):
            self._out.write(f"{text}\n")
            self._text, self._next = text, time.monotonic() + 5
        self._out.flush()


def _reason(client: Airflow, run: str) -> str:
    """Why a run failed, in a sentence; or the end of a log, where no failed task has left one."""
    failed = [task for task in client.tasks(run) if task["state"] == "failed"]
    if not failed:
        return f"run {run} failed without a failed task"
    others = f", and {len(failed) - 1:,} more" if len(failed) > 1 else ""
    for task in failed[:LOOKED_AT]:
        if reason := client.reason(run, task):
            return f"{_name(task)} failed{others}: {reason}"
    lines = [
        line for line in client.log(run, failed[0]) if not line.startswith("::")
    ]  # marks that fold parts in the UI
    log = "\n".join(f"  {line}" for line in lines[-12:])
    return f"{_name(failed[0])} failed{others}; its log ends with\n{log}"


def _name(task: dict[str, Any]) -> str:
    return f"{task['task_id']} {task['rendered_map_index']}" if task["map_index"] >= 0 else str(task["task_id"])


def told(result: dict[str, Any], services: Services) -> str:
    """A result as text."""
    mean = result["mean"]
    outcomes = ", ".join(f"{count:,} {name}" for name, count in sorted(result["outcomes"].items()) if count)
    return "\n".join(
        [
            f"photos      {result['photos']:,}: {outcomes}",
            f"faces       {result['faces']:,} in {result['photos_with_face']:,} photos",
            f"mean        {', '.join(f'{value:.6f}' for value in mean[:4])}, ... ({len(mean)} numbers)",
            f"norm        {math.hypot(*mean):.6f}",
            f"files       {services.home.storage / 'runs' / result['run']}",
        ]
    )
