"""How a task fails: with one sentence, without a traceback.

The sentence is the last line of the task's log and its XCom `error`. Airflow logs exceptions with
their tracebacks, which do not help anyone whose dataset is missing. For a `SystemExit` it logs only
`Task exited` with `exit_code`, and asks the task's retry policy whether to retry.
"""

from __future__ import annotations

import re
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from airflow.sdk import RetryDecision, RetryPolicy
from airflow.sdk.exceptions import AirflowNotFoundException

from meanface_airflow.connection import CONNECTION_ID, redis_url

if TYPE_CHECKING:
    from airflow.sdk import Context

ERROR_KEY = "error"
"""key of the XCom with the reason of a failure; Airflow clears it before the next try"""

REFUSAL_CODES = frozenset({2, 3})
"""exit codes that a retry cannot change: wrong usage or configuration, refused data"""

SIGNAL_HINTS = {
    signal.SIGKILL: "probably because memory ran out: lower MEANFACE_WORKERS or the param max_pixels",
}

_ERROR_LINE = re.compile(r"(?:meanface|Error): (?P<text>(?:[A-Z]\w+: )?(?P<sentence>.*))", re.DOTALL)


class StageFailed(SystemExit):
    """The task failed this time; it is retried."""


class StageRefused(StageFailed):
    """The task refused its request or its data; a retry cannot help."""


class RetryUnlessRefused(RetryPolicy):
    """Retry as the task is configured, but never after a `StageRefused`."""

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,  # noqa: ARG002  Airflow's signature
        max_tries: int,  # noqa: ARG002  Airflow's signature
        context: Context | None = None,  # noqa: ARG002  Airflow's signature
    ) -> RetryDecision:
        """Fail for `StageRefused`; a reason would be logged after the task's last line."""
        return RetryDecision.fail() if isinstance(exception, StageRefused) else RetryDecision.default()


RETRY_POLICY = RetryUnlessRefused()
"""of all tasks by default"""


def is_error_line(line: str) -> bool:
    """Whether a line of a stage's output is its last one, which has the reason of its failure.

    >>> is_error_line("meanface: NoFaceFound: no face in any of 20 photos")
    True
    >>> is_error_line("level=info event=embedding")
    False
    """
    return _ERROR_LINE.fullmatch(line) is not None


def fail_task(failure: StageFailed, context: Context | None, reason: str = "") -> NoReturn:
    """Fail the task, and store the reason (or else the failure's text) for the progress page.

    Raises
    ------
    StageFailed
        the given failure, always
    """
    if context is not None:
        with suppress(Exception):  # the task's log has the reason even if the XCom cannot be written
            context["ti"].xcom_push(ERROR_KEY, reason or str(failure))
    raise failure from None


def fail_stage(stage: str, code: int | None, last: str, context: Context | None) -> NoReturn:
    """Fail the task whose stage ended with an exit code other than 0.

    Parameters
    ----------
    code
        the exit code; minus the signal's number if a signal killed the process; None if unknown
    last
        the stage's last line

    Raises
    ------
    StageRefused
        for exit codes 2 and 3
    StageFailed
        for all others
    """
    if code is not None and code < 0:
        number = signal.Signals(-code)
        reason = ", ".join(filter(None, (f"killed by {number.name}", SIGNAL_HINTS.get(number, ""))))
        fail_task(StageFailed(f"meanface {stage}: {reason}"), context, reason)
    found = _ERROR_LINE.fullmatch(last)
    text, sentence = (found["text"], found["sentence"]) if found else (last, last)
    kind = StageRefused if code in REFUSAL_CODES else StageFailed
    fail_task(kind(f"meanface {stage}: exit code {code}: {text}"), context, sentence)


def redis_url_or_fail(context: Context) -> str:
    """URL of Redis.

    Raises
    ------
    StageRefused
        if Airflow has no connection to it
    """
    try:
        return redis_url()
    except AirflowNotFoundException:
        fail_task(StageRefused(f"Airflow has no connection {CONNECTION_ID}: add it, then clear this task"), context)
