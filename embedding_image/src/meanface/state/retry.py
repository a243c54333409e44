"""Redis away: what passes is waited for, what does not is said at once."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from typing import TypeVar

import structlog
from redis import exceptions as redis_errors

from meanface.errors import MeanfaceError, RedisUnavailable, SettingsError
from meanface.retry import Backoff
from meanface.state.url import Address

Answer = TypeVar("Answer")

_WAITS = Backoff(first=0.05, factor=2.0, longest=2.0, spread=(0.5, 1.0))

_LOGIN = (
    redis_errors.AuthenticationError,
    redis_errors.AuthenticationWrongNumberOfArgsError,
    redis_errors.AuthorizationError,
)
_PASSING = (
    redis_errors.ConnectionError,  # refused, reset, too many clients, loading its data
    redis_errors.TimeoutError,
    redis_errors.ReadOnlyError,  # a failover: the name will point to the new primary
    redis_errors.ClusterDownError,  # or a replica without its primary
    redis_errors.TryAgainError,
)
_PASSING_CODES = ("MISCONF", "NOREPLICAS", "BUSY ")  # the disk is full, replicas are away, a script is running
_FORBIDDEN_IN_SCRIPT = ("ACL failure in script", "can't run this command", "can't access")  # Valkey's words; Redis'

_log = structlog.get_logger()


class RedisRetry:
    """Asks until Redis answers, for a limited time.

    Asking again is safe even where only the reply was lost, as every question of a store may be repeated: a commit
    that was executed answers "duplicate" to its second asking.

    Parameters
    ----------
    address
        where Redis is, for errors and the log
    seconds
        how long an outage may last; a question that hangs is given up by the client's own timeout, which may add to it
    """

    def __init__(self, address: Address, seconds: float) -> None:
        self._address = address
        self._seconds = seconds

    def ask(self, purpose: str, question: Callable[[], Answer], reset: Callable[[], None]) -> Answer:
        """The answer to a question.

        Parameters
        ----------
        purpose
            what the question is for, as in "cannot ..."
        question
            asks once; raises `redis.RedisError`
        reset
            drops connections, so that the next asking resolves the name and connects anew

        Raises
        ------
        SettingsError
            where Redis refuses the user, or what answers goes on not to be Redis
        RedisUnavailable
            where it stays away, or answers that it cannot
        """
        started = time.monotonic()
        failures = 0
        while True:
            try:
                answer = question()
            except redis_errors.RedisError as error:
                refusal = refused(error, self._address, purpose)
                reason = self._address.without_password(str(error))
                passing = refusal is None or _is_a_strangers(error)
            else:
                if failures:
                    _log.info("redis is back", address=self._address.place, away_seconds=_since(started))
                return answer
            # Raised out here, and so without the client's exception in its context: that may quote a command.
            waited = time.monotonic() - started
            if not passing or waited >= self._seconds:
                raise refusal or RedisUnavailable(
                    f"cannot {purpose}: Redis at {self._address} stayed away for {waited:.0f} s ({reason});"
                    " nothing that is committed is lost: start the same command again when Redis is back"
                )
            if not failures:
                told = str(refusal or reason)
                _log.warning(
                    "redis is away", address=self._address.place, reason=told, waiting_at_most_seconds=self._seconds
                )
            reset()
            failures += 1
            time.sleep(min(_WAITS.after(failures), self._seconds - waited))


def refused(error: redis_errors.RedisError, address: Address, purpose: str) -> MeanfaceError | None:
    """What an error means for the command that it ends; None for an outage."""
    reason = address.without_password(str(error))
    advice = _wrong_setting(error, reason)
    if advice:
        return SettingsError(f"cannot {purpose}: Redis at {address}: {reason}; {advice}")
    if isinstance(error, redis_errors.OutOfMemoryError):
        # Memory does not come back by waiting a little: old runs must expire, or somebody must act.
        return RedisUnavailable(
            f"cannot {purpose}: the memory of Redis at {address} is full; raise its maxmemory or delete the keys of old"
            " runs, then start the same command again"
        )
    if isinstance(error, _PASSING) or reason.startswith(_PASSING_CODES):
        return None
    return RedisUnavailable(f"cannot {purpose}: Redis at {address} refuses it: {reason}")


def _wrong_setting(error: redis_errors.RedisError, reason: str) -> str | None:
    """What to do, where somebody must change a setting."""
    if isinstance(error, _LOGIN):
        return "check user and password"
    if isinstance(error, redis_errors.NoPermissionError) or any(words in reason for words in _FORBIDDEN_IN_SCRIPT):
        return "give the user this permission"
    if isinstance(_cause(error), ssl.SSLCertVerificationError) or _speaks_no_tls(error):
        return "check scheme, host name and certificates"
    if isinstance(error, redis_errors.InvalidResponse):
        return "what answers there is not Redis"
    return None


def _is_a_strangers(error: redis_errors.RedisError) -> bool:
    """Whether something answered that is not Redis.

    The address may be wrong. But while Redis is away, others answer in its place, too: a cluster's proxy, or whoever
    was given its IP address.
    """
    return isinstance(error, redis_errors.InvalidResponse) or _speaks_no_tls(error)


def _speaks_no_tls(error: BaseException) -> bool:
    """Whether the answer to TLS was something else; an end of the connection in mid-handshake is no answer."""
    cause = _cause(error)
    return isinstance(cause, ssl.SSLError) and cause.reason == "WRONG_VERSION_NUMBER"


def _cause(error: BaseException) -> BaseException | None:
    return error.__cause__ or error.__context__


def _since(started: float) -> float:
    return round(time.monotonic() - started, 1)
