"""How a task fails: with one sentence, which is its log's last line and its XCom `error`, and without a traceback.

Airflow logs an exception with its traceback, which tells nothing about a dataset that is not there. Of a `SystemExit`
it logs the code only, `Task exited` with `exit_code`, and asks the task's retry policy whether there is another try.
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

ERROR = "error"
"""Key of the XCom with the reason of a task's failure. Airflow clears it when the task is tried again."""

REFUSALS = frozenset({2, 3})
"""Exit codes that a retry cannot change: wrong usage or configuration, data refused."""

HINTS = {signal.SIGKILL: "as the system does where memory is short: lower MEANFACE_WORKERS or the param max_pixels"}

_ERROR_LINE = re.compile(r"(?:meanface|Error): (?P<text>(?:[A-Z]\w+: )?(?P<sentence>.*))", re.DOTALL)


class StageFailed(SystemExit):
    """The task could not do its work this time; it is retried."""


class StageRefused(StageFailed):
    """The task refused its request or its data; retrying cannot help."""


class RefusalsStay(RetryPolicy):
    """Retry as the task says, but never what was refused."""

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,  # noqa: ARG002  Airflow's signature
        max_tries: int,  # noqa: ARG002
        context: Context | None = None,  # noqa: ARG002
    ) -> RetryDecision:
        """Fail for `StageRefused`; without a reason, which Airflow would log behind the last line."""
        return RetryDecision.fail() if isinstance(exception, StageRefused) else RetryDecision.default()


def is_error(line: str) -> bool:
    """Whether a line of a stage's output is its last one, which has the reason of its failure.

    >>> is_error("meanface: NoFaceFound: no face in any of 20 photos"), is_error("level=info event=embedding")
    (True, False)
    """
    return _ERROR_LINE.fullmatch(line) is not None


def end(failure: StageFailed, context: Context | None, reason: str = "") -> NoReturn:
    """End the task, and leave the reason (or the failure's whole text) where the progress page finds it.

    Raises
    ------
    StageFailed
        the failure, in any case
    """
    if context is not None:
        with suppress(Exception):  # the reason is in the task's log, whatever becomes of the XCom
            context["ti"].xcom_push(ERROR, reason or str(failure))
    raise failure from None


def fail(stage: str, code: int | None, last: str, context: Context | None) -> NoReturn:
    """End the task whose stage ended with another exit code than 0.

    Parameters
    ----------
    code
        the exit code, minus the signal's number for a killed process, None where it is not known
    last
        the stage's last line

    Raises
    ------
    StageRefused
        for exit codes 2 and 3
    StageFailed
        for any other
    """
    if code is not None and code < 0:
        number = signal.Signals(-code)
        reason = ", ".join(filter(None, (f"killed by {number.name}", HINTS.get(number, ""))))
        end(StageFailed(f"meanface {stage}: {reason}"), context, reason)
    found = _ERROR_LINE.fullmatch(last)
    text, sentence = (found["text"], found["sentence"]) if found else (last, last)
    kind = StageRefused if code in REFUSALS else StageFailed
    end(kind(f"meanface {stage}: exit code {code}: {text}"), context, sentence)


def redis_url_or_end(context: Context) -> str:
    """Address of Redis.

    Raises
    ------
    StageRefused
        where Airflow has no connection to it
    """
    try:
        return redis_url()
    except AirflowNotFoundException:
        end(StageRefused(f"Airflow has no connection {CONNECTION_ID}: add it, then clear the task"), context)
