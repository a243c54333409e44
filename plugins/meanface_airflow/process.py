"""A stage as a local process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from meanface_airflow.arguments import StageArguments
from meanface_airflow.exits import RefusalsStay, StageRefused, end, fail, is_error, redis_url_or_end
from meanface_airflow.group import ProcessGroup, follow_parent
from meanface_airflow.settings import Settings, settings

if TYPE_CHECKING:
    from airflow.sdk import Context

GRACE = 3.0
"""Seconds between SIGTERM and SIGKILL; Airflow kills the task itself 5 s after its SIGTERM."""

PASSED = frozenset(
    {
        *("PATH", "HOME", "USER", "TMPDIR", "TZ", "LANG", "LD_LIBRARY_PATH"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
        *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
        "GOOGLE_APPLICATION_CREDENTIALS",
    }
)
PASSED_PREFIXES = ("LC_", "AWS_", "AZURE_", "FSSPEC_", "OMP_")


def stage_environment(environment: Mapping[str, str], chosen: Settings, redis: str) -> dict[str, str]:
    """A stage's whole environment: what it needs of this process's, and meanface's own variables.

    An allow list: Airflow's variables hold its secrets, and the stage is not Airflow.
    """
    passed = {name: value for name, value in environment.items() if name in PASSED or name.startswith(PASSED_PREFIXES)}
    cache = {"MEANFACE_CACHE": chosen.cache} if chosen.cache else {}
    return passed | chosen.of_stages() | cache | {"MEANFACE_REDIS_URL": redis}


class ProcessStageOperator(BaseOperator):
    """Runs a stage as a child of the task: its lines are the task's log, its exit code the task's state.

    Parameters
    ----------
    stage
        `plan`, `embed` or `reduce`
    partition
        index of the partition, for `embed`
    """

    template_fields = ("arguments",)
    ui_color = "#d8ecf3"

    def __init__(self, *, stage: str, partition: int | None = None, **kwargs: Any) -> None:
        super().__init__(**{"retry_policy": RefusalsStay()} | kwargs)
        self.stage = stage
        self.partition = partition
        self.arguments: Any = StageArguments(stage, partition, settings().workers)
        self._group: ProcessGroup | None = None

    def execute(self, context: Context) -> None:
        """Run the stage to its end.

        Raises
        ------
        StageRefused
            where a retry cannot help: exit codes 2 and 3, no such command, no connection to Redis
        StageFailed
            for any other exit code
        """
        chosen = settings()
        environment = stage_environment(os.environ, chosen, redis_url_or_end(context))
        follow_parent()
        try:
            self._group = ProcessGroup([chosen.executable, *self.arguments], environment, GRACE)
        except (FileNotFoundError, PermissionError) as missing:
            end(StageRefused(f"cannot run {chosen.executable!r} ({missing}); set MEANFACE_EXECUTABLE"), context)
        last = ""
        with self._group:
            for line in self._group.lines():
                if not is_error(line):  # the error is the log's last line, and there once
                    self.log.info("%s", line)
                last = line or last
        code = self._group.wait()
        if code != 0:
            fail(self.stage, code, last or "it wrote nothing", context)

    def on_kill(self) -> None:
        """Stop the stage: cleared or marked in the UI, timed out, or Airflow itself is stopping."""
        if self._group is not None:
            self._group.terminate()
