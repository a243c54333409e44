"""What a stage's exit code means for its task."""

from __future__ import annotations

import signal
from typing import NoReturn

from airflow.sdk.exceptions import AirflowException, AirflowFailException

REFUSALS = {2: "wrong usage or configuration", 3: "data refused"}
"""Exit codes that a retry cannot change."""


class StageFailed(AirflowException):
    """The stage could not do its work this time; the task is retried."""


class StageRefused(AirflowFailException):
    """The stage refused its request or its data; retrying cannot help."""


def fail(stage: str, code: int | None, reason: str) -> NoReturn:
    """End the task whose stage ended with another exit code than 0.

    Parameters
    ----------
    code
        the exit code, minus the signal's number for a killed process, None where it is not known
    reason
        the stage's last words

    Raises
    ------
    StageRefused
        for exit codes 2 and 3
    StageFailed
        for any other
    """
    if code in REFUSALS:
        raise StageRefused(f"meanface {stage}: {REFUSALS[code]} (exit code {code}): {reason}")
    if code is not None and code < 0:
        raise StageFailed(f"meanface {stage}: killed by {signal.Signals(-code).name}: {reason}")
    raise StageFailed(f"meanface {stage}: exit code {code}: {reason}")
