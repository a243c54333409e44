"""Retry commands during an outage of Redis; report every other error at once."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from typing import TypeVar

import structlog
from redis import exceptions as redis_errors

from meanface.errors import MeanfaceError, RedisUnavailable, SettingsError
from meanface.retry import Backoff
from meanface.state.url import RedisUrl
from meanface.tally import TALLY

Answer = TypeVar("Answer")

_WAITS = Backoff(first=0.05, factor=2.0, longest=2.0, spread=(0.5, 1.0))

_LOGIN = (
    redis_errors.AuthenticationError,
    redis_errors.AuthenticationWrongNumberOfArgsError,
    redis_errors.AuthorizationError,
)
_TRANSIENT = (
    redis_errors.ConnectionError,  # refused, reset, too many clients, loading its data
    redis_errors.TimeoutError,
    redis_errors.ReadOnlyError,  # a failover: the name will resolve to the new primary
    redis_errors.ClusterDownError,  # or a replica without its primary
    redis_errors.TryAgainError,
)
_TRANSIENT_CODES = ("MISCONF", "NOREPLICAS", "BUSY ")  # the disk is full, replicas are missing, a script is running
_FORBIDDEN_IN_SCRIPT = ("ACL failure in script", "can't run this command", "can't access")  # Valkey's words; Redis'

_log = structlog.get_logger()


class RedisRetry:
    """Repeat a command until Redis answers, for `seconds` and the client's timeout at most.

    Repeating is safe even if only the reply was lost: a commit that was executed answers
    "duplicate" the second time.
    """

    def __init__(self, url: RedisUrl, seconds: float) -> None:
        self._url = url
        self._seconds = seconds

    def ask(self, purpose: str, command: Callable[[], Answer], reset: Callable[[], None]) -> Answer:
        """Return the answer to a command, one attempt at which may raise `redis.RedisError`.

        `purpose` completes "cannot ..." in errors. `reset` drops connections, so that the next
        attempt resolves the name and connects anew. Raises `SettingsError` if Redis refuses the
        user, or the server is not Redis; `RedisUnavailable` if Redis does not answer, or refuses
        the command.
        """
        started = time.monotonic()
        failures = 0
        while True:
            try:
                answer = command()
            except redis_errors.RedisError as error:
                refusal = _refusal(error, self._url, purpose)
                reason = self._url.without_password(str(error))
                transient = refusal is None or _is_not_redis(error)
            else:
                if failures:
                    outage = round(time.monotonic() - started, 1)
                    _log.info("redis is available again", address=self._url.place, outage_seconds=outage)
                return answer
            # Outside of `except`: the context would have the client's error, which may quote it.
            waited = time.monotonic() - started
            if not transient or waited >= self._seconds:
                raise refusal or RedisUnavailable(
                    f"cannot {purpose}: Redis at {self._url} did not answer for {waited:.0f} s ({reason}); no commit is"
                    " lost: run the same command again when Redis is available"
                )
            if not failures:
                _log.warning(
                    "redis is unavailable",
                    address=self._url.place,
                    reason=str(refusal or reason),
                    waiting_at_most_seconds=self._seconds,
                )
            reset()
            failures += 1
            with TALLY.waiting("redis"):
                time.sleep(min(_WAITS.after(failures), self._seconds - waited))


def _refusal(error: redis_errors.RedisError, url: RedisUrl, purpose: str) -> MeanfaceError | None:
    """Return the error to raise; None for an outage."""
    reason = url.without_password(str(error))
    advice = _setting_advice(error, reason)
    if advice:
        return SettingsError(f"cannot {purpose}: Redis at {url}: {reason}; {advice}")
    if isinstance(error, redis_errors.OutOfMemoryError):
        # Waiting does not help: old runs must expire, or an administrator must act.
        return RedisUnavailable(
            f"cannot {purpose}: the memory of Redis at {url} is full; raise its maxmemory or delete the keys of old"
            " runs, then run the same command again"
        )
    if isinstance(error, _TRANSIENT) or reason.startswith(_TRANSIENT_CODES):
        return None
    return RedisUnavailable(f"cannot {purpose}: Redis at {url} refuses it: {reason}")


def _setting_advice(error: redis_errors.RedisError, reason: str) -> str | None:
    """Return what to do if a setting is wrong."""
    if isinstance(error, _LOGIN):
        return "check user and password"
    if isinstance(error, redis_errors.NoPermissionError) or any(words in reason for words in _FORBIDDEN_IN_SCRIPT):
        return "give the user this permission"
    if isinstance(_cause(error), ssl.SSLCertVerificationError) or _speaks_no_tls(error):
        return "check scheme, host name and certificates"
    if isinstance(error, redis_errors.InvalidResponse):
        return "the server there is not Redis"
    return None


def _is_not_redis(error: redis_errors.RedisError) -> bool:
    """Tell whether another server answered.

    The URL may be wrong; but during an outage, a cluster's proxy or a new owner of the IP address
    may answer in place of Redis, too.
    """
    return isinstance(error, redis_errors.InvalidResponse) or _speaks_no_tls(error)


def _speaks_no_tls(error: BaseException) -> bool:
    """Tell whether the answer to TLS was not TLS; a connection closed in mid-handshake is none."""
    cause = _cause(error)
    return isinstance(cause, ssl.SSLError) and cause.reason == "WRONG_VERSION_NUMBER"


def _cause(error: BaseException) -> BaseException | None:
    return error.__cause__ or error.__context__
