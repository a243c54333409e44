"""A DAG run, from trigger to result."""

from __future__ import annotations

import math
import sys
import time
from contextlib import suppress
from typing import Any, TextIO

import httpx
from redis.exceptions import RedisError

from laptop.api import Airflow, Refused
from laptop.progress import line
from laptop.services import Services
from laptop.waiting import Stopped, pause
from laptop.watch import News
from meanface_airflow.records import RunRecords

PATIENCE = 180.0
"""Seconds for which Airflow or Valkey may not answer while a run is followed."""
PAUSE_LOOKS = 6
"""looks at a run for each at whether the DAG is paused"""
LOOKED_AT = 10
"""failed tasks of which one may have left a reason"""


class Failed(Exception):
    """The run failed."""


def follow(
    services: Services, params: dict[str, Any], date: str | None = None, out: TextIO = sys.stdout
) -> dict[str, Any]:
    """Run the DAG, for a date where it has one, showing how far it is; the result.

    Raises
    ------
    Failed
        with the reason that a failed task has left, or the end of its log
    """
    with services.client() as client:
        client.log_in()
        if client.unpause():
            out.write("the DAG was paused, and no run would begin: it is unpaused now\n")
        run = client.trigger(params, date=date)
        out.write(f"run {run} of {params['dataset']}\n")
        records = RunRecords.at(services.redis_url, run)
        try:
            state = _watch(services, client, run, records, out)
        except Stopped:
            with suppress(Refused, httpx.HTTPError):
                client.fail(run, seconds=10 if services.kept else 2)  # otherwise the next start would take it up again
            raise
        if state != "success":
            raise Failed(_reason(client, run))
        return records.result()


def _watch(services: Services, client: Airflow, run: str, records: RunRecords, out: TextIO) -> str:
    shown, news = _Line(out), News(services.home)
    manifest: dict[str, Any] | None = None
    answered = time.monotonic()
    paused, looks = False, 0
    while True:
        services.check()
        for text in news.lines():
            shown.add(text)
        try:
            state = client.state(run, seconds=5)  # so that the line below is never long in coming
            if manifest is None and records.has_manifest():
                manifest = records.manifest()
            done = state in ("success", "failed")
            if not done and looks % PAUSE_LOOKS == 0:
                paused = client.paused(seconds=5)
            looks += 1
            if paused and not done:
                shown.show("the DAG was paused, and nothing of the run begins: unpause it in the UI")
            elif manifest or not done:
                waiting = "waiting for Airflow to begin" if state == "queued" else "listing the photos"
                shown.show(line(manifest, records.progress(), time.time()) if manifest else waiting, last=done)
            answered = time.monotonic()
        except (Refused, httpx.HTTPError, RedisError):
            if time.monotonic() > answered + PATIENCE:  # long enough for the watch to start again what has ended
                raise
            shown.show("waiting for Airflow and Valkey")
        else:
            if done:
                return state
        pause(0.5)


class _Line:
    """One line that changes in a terminal.

    Elsewhere it is a line when it has changed, at most every 5 seconds, and at least every 8: an answer may be slow.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._text = ""
        self._next = self._latest = 0.0

    def add(self, text: str) -> None:
        """A line of its own."""
        self._out.write(("\r\x1b[K" if self._out.isatty() else "") + f"{text}\n")
        self._out.flush()

    def show(self, text: str, last: bool = False) -> None:
        if self._out.isatty():
            self._out.write(f"\r\x1b[K{text}" + ("\n" if last else ""))
        elif time.monotonic() >= self._latest or (text != self._text and (last or time.monotonic() >= self._next)):
            self._out.write(f"{text}\n")
            now = time.monotonic()
            self._text, self._next, self._latest = text, now + 5, now + 8
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


def told(result: dict[str, Any]) -> str:
    """A result as text."""
    mean = result["mean"]
    outcomes = ", ".join(f"{count:,} {name}" for name, count in sorted(result["outcomes"].items()) if count)
    return "\n".join(
        [
            f"photos      {result['photos']:,}: {outcomes}",
            f"faces       {result['faces']:,} in {result['photos_with_face']:,} photos",
            f"mean        {', '.join(f'{value:.6f}' for value in mean[:4])}, ... ({len(mean)} numbers)",
            f"norm        {math.hypot(*mean):.6f}",
            *(f"account     {sentence}" for sentence in result.get("account", [])),
            *(f"warning     {sentence}" for sentence in result.get("warnings", [])),
        ]
    )
