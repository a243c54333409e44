"""A stage as a local process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from meanface_airflow.arguments import StageArguments
from meanface_airflow.errors import (
    RETRY_POLICY,
    StageRefused,
    fail_stage,
    fail_task,
    is_error_line,
    redis_url_or_fail,
)
from meanface_airflow.lineage import StageLineage
from meanface_airflow.process_group import ProcessGroup, follow_parent
from meanface_airflow.settings import Settings, settings
from meanface_airflow.storage_access import storage_environment

if TYPE_CHECKING:
    from airflow.sdk import Context, RetryPolicy

GRACE = 3.0
"""Seconds between SIGTERM and SIGKILL; Airflow kills the task itself 5 s after its SIGTERM."""

INHERITED = frozenset(
    {
        *("PATH", "HOME", "USER", "TMPDIR", "TZ", "LANG", "LD_LIBRARY_PATH"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
        *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
        *("NO_GCE_CHECK", "STORAGE_EMULATOR_HOST"),
    }
)
INHERITED_PREFIXES = ("LC_", "AWS_", "AZURE_", "CLOUDSDK_", "GOOGLE_", "HF_", "FSSPEC_", "OMP_")


def stage_environment(
    environment: Mapping[str, str], chosen: Settings, redis: str, bucket: Mapping[str, str] | None = None
) -> dict[str, str]:
    """A stage's complete environment: allowed variables of this process, and meanface's own.

    Only listed variables are inherited, because Airflow's variables contain its secrets. Those of
    the connection to a bucket take the place of inherited ones, which would mix two accounts.
    """
    inherited = {
        name: value for name, value in environment.items() if name in INHERITED or name.startswith(INHERITED_PREFIXES)
    } | dict(bucket or {})
    kept = {name: value for name, value in inherited.items() if value or name not in (bucket or {})}
    cache = {"MEANFACE_CACHE": chosen.cache} if chosen.cache else {}
    return kept | chosen.shared_environment() | cache | {"MEANFACE_REDIS_URL": redis}


class ProcessStageOperator(StageLineage, BaseOperator):
    """Runs a stage as a child process of the task.

    The stage's output becomes the task's log, and its exit code the task's state.

    Parameters
    ----------
    stage
        `plan`, `embed` or `reduce`
    partition
        index of the partition, for `embed`
    storage_connection
        Airflow connection with the bucket's credentials; by default that of the settings
    """

    template_fields = ("arguments",)
    ui_color = "#d8ecf3"

    def __init__(
        self,
        *,
        stage: str,
        partition: int | None = None,
        storage_connection: str | None = None,
        retry_policy: RetryPolicy | None = RETRY_POLICY,  # a parameter: a mapped task takes the default from here
        **kwargs: Any,
    ) -> None:
        super().__init__(retry_policy=retry_policy, **kwargs)
        self.stage = stage
        self.partition = partition
        self.storage_connection = storage_connection or settings().storage_connection
        self.arguments: Any = StageArguments(stage, partition, settings().workers)
        self._group: ProcessGroup | None = None
        self._killed = False

    def execute(self, context: Context) -> None:
        """Run the stage to its end.

        Raises
        ------
        StageRefused
            if a retry cannot help: exit codes 2 and 3, no such command, no connection to Redis or to
            the bucket
        StageFailed
            for any other exit code
        """
        chosen = settings()
        bucket = storage_environment(self.storage_connection, context) if self.storage_connection else {}
        environment = stage_environment(os.environ, chosen, redis_url_or_fail(context), bucket)
        follow_parent()
        self._killed = False
        try:
            self._group = ProcessGroup([chosen.executable, *self.arguments], environment, GRACE)
        except (FileNotFoundError, PermissionError) as failure:
            advice = "set MEANFACE_EXECUTABLE to the path of the command `meanface`"
            fail_task(StageRefused(f"cannot run {chosen.executable!r} ({failure}): {advice}"), context)
        last = ""
        with self._group:
            if self._killed:  # while the stage was being started
                self._group.terminate()
            for line in self._group.lines():
                if not is_error_line(line):  # the error is logged once, as the last line
                    self.log.info("%s", line)
                last = line or last
        code = self._group.wait()
        if code != 0:
            fail_stage(self.stage, code, last or "the stage printed nothing", context)

    def on_kill(self) -> None:
        """Stop the stage: the task was cleared, marked or timed out, or Airflow is stopping."""
        self._killed = True
        if self._group is not None:
            self._group.terminate()
