"""A DAG run, from its trigger to its result."""

from __future__ import annotations

import math
import sys
import time
from contextlib import suppress
from typing import Any, TextIO

import httpx
from redis.exceptions import RedisError

from laptop.api import Airflow, ApiError
from laptop.progress import progress_line
from laptop.services import Services
from laptop.waiting import Interrupted, pause
from laptop.watch import WatchLog
from meanface_airflow.records import RunRecords

MAX_OUTAGE = 180.0
"""Seconds for which Airflow or Valkey may not respond while a run is followed."""
PAUSE_CHECK = 6
"""Whether the DAG is paused is checked once in so many polls."""
MAX_REASONS = 10
"""The number of failed tasks that are searched for a reason."""


class RunFailed(Exception):
    """The run failed."""


def follow(
    services: Services, params: dict[str, Any], date: str | None = None, out: TextIO = sys.stdout
) -> dict[str, Any]:
    """Trigger a run and print its progress until it ends; its result.

    Raises
    ------
    RunFailed
        with the reason of a failed task, or the end of its log
    """
    with services.client() as client:
        client.log_in()
        if client.unpause():
            out.write("the DAG was paused; it is unpaused now, so that the run can start\n")
        run = client.trigger(params, date=date)
        out.write(f"run {run} of {params['dataset']}\n")
        records = RunRecords.at(services.redis_url, run)
        try:
            state = _wait_for_end(services, client, run, records, out)
        except Interrupted:
            with suppress(ApiError, httpx.HTTPError):
                client.fail(run, seconds=10 if services.kept else 2)  # otherwise the next start would continue it
            raise
        if state != "success":
            raise RunFailed(_reason(client, run))
        return records.result()


def _wait_for_end(services: Services, client: Airflow, run: str, records: RunRecords, out: TextIO) -> str:
    """Show a run's progress until it ends; its state."""
    status, log = _StatusLine(out), WatchLog(services.home)
    manifest: dict[str, Any] | None = None
    last_response = time.monotonic()
    paused, polls = False, 0
    while True:
        services.check()
        for text in log.new_lines():
            status.add(text)
        try:
            state = client.state(run, seconds=5)  # a short timeout, so that the status below stays current
            if manifest is None and records.has_manifest():
                manifest = records.manifest()
            ended = state in ("success", "failed")
            if not ended and polls % PAUSE_CHECK == 0:
                paused = client.paused(seconds=5)
            polls += 1
            if paused and not ended:
                status.show("the DAG was paused, so the run waits: unpause it in the UI")
            elif manifest:
                status.show(progress_line(manifest, records.progress(), time.time()), last=ended)
            elif not ended:
                status.show("waiting for Airflow to start the run" if state == "queued" else "listing the photos")
            last_response = time.monotonic()
        except (ApiError, httpx.HTTPError, RedisError):
            if time.monotonic() > last_response + MAX_OUTAGE:  # long enough for the watch to restart what has ended
                raise
            status.show("waiting for Airflow and Valkey to respond")
        else:
            if ended:
                return state
        pause(0.5)


class _StatusLine:
    """A status line, which is updated in place in a terminal.

    Elsewhere a line is printed when the status has changed, but at most every 5 seconds; and at
    least every 8 seconds in any case.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._text = ""
        self._next = self._latest = 0.0

    def add(self, text: str) -> None:
        """Print a line above the status."""
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
    """Why a run failed: the reason of a failed task, or else the end of its log."""
    failed = [task for task in client.tasks(run) if task["state"] == "failed"]
    if not failed:
        return f"run {run} failed, but none of its tasks did: look at it in the UI"
    others = f", and {len(failed) - 1:,} more" if len(failed) > 1 else ""
    for task in failed[:MAX_REASONS]:
        if reason := client.reason(run, task):
            return f"{_name(task)} failed{others}: {reason}"
    lines = [line for line in client.log(run, failed[0]) if not line.startswith("::")]  # markers for folding in the UI
    log = "\n".join(f"  {line}" for line in lines[-12:])
    return f"{_name(failed[0])} failed{others}; its log ends with\n{log}"


def _name(task: dict[str, Any]) -> str:
    return f"{task['task_id']} {task['rendered_map_index']}" if task["map_index"] >= 0 else str(task["task_id"])


def summary(result: dict[str, Any]) -> str:
    """Format a result as text."""
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
