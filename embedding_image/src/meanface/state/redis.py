"""The state of a run in Redis, which pods share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import structlog
from redis import ConnectionPool, Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from meanface.errors import SettingsError
from meanface.state.base import CommitStatus, decide_commit, decide_manifest, require_complete, require_plan
from meanface.state.keys import DIGEST, run_key
from meanface.state.retry import RedisRetry
from meanface.state.url import RedisUrl

DAY = 24 * 60 * 60

_SLICE = 16  # records per request, each of up to 100 kB
_TIMEOUT = 10.0  # seconds for a reply, or the patience if that is less
_SHORT_TIMEOUT = 1.0
_HEALTH_CHECK = 30  # seconds idle before a connection is tested again

# The scripts return the digests that were present before; `meanface.state.base` interprets them.
# The digest is written last: a partition with a digest has its record. If memory is full, the first
# write fails, and nothing is left half done.
_COMMIT = """
local plan_key, commits, digests = KEYS[1], KEYS[2], KEYS[3]
local plan, partition, record, digest, ttl = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local planned = redis.call('GET', plan_key)
if planned ~= plan then return {planned, false} end
local present = redis.call('HGET', digests, partition)
if not present then
  redis.call('HSET', commits, partition, record)
  redis.call('HSET', digests, partition, digest)
end
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, ttl) end
return {planned, present}
"""
_PUT_MANIFEST = """
local digest_key, manifest_key = KEYS[1], KEYS[2]
local manifest, digest, replaces, ttl = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local present = redis.call('GET', digest_key)
if not present or present == replaces and present ~= digest then
  redis.call('SET', manifest_key, manifest)
  redis.call('SET', digest_key, digest)
  if present then redis.call('DEL', unpack(KEYS, 3)) end
end
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, ttl) end
return present
"""
_PUT_FIELD = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
  redis.call('EXPIRE', KEYS[2], ARGV[4])
end
"""
_PUT_RESULT = """
local planned = redis.call('GET', KEYS[1])
if planned == ARGV[1] then redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3]) end
return planned
"""

_log = structlog.get_logger()


class RedisState:
    """A `State` in Redis; made by `connect`.

    An outage may last `patience` seconds before a command fails. The run's keys expire `ttl` seconds
    after the last commit.
    """

    def __init__(self, url: RedisUrl, run: str, *, patience: float, ttl: int) -> None:
        self.run = run
        self._ttl = ttl
        self._retry = RedisRetry(url, patience)
        self._url = url
        self._client = _client(url, min(_TIMEOUT, max(_SHORT_TIMEOUT, patience)))
        self._progress_client = _client(url, _SHORT_TIMEOUT)
        self._progress_lost = False
        self._manifest = run_key(run, "manifest")
        self._manifest_digest = run_key(run, DIGEST)
        self._commits = run_key(run, "commits")
        self._digests = run_key(run, "digests")
        self._progress = run_key(run, "progress")
        self._failures = run_key(run, "failures")
        self._attempts = run_key(run, "attempts")
        self._result = run_key(run, "result")
        self._work = (
            *(self._commits, self._digests, self._progress, self._failures),
            *(self._result, self._attempts),
        )

    @classmethod
    def connect(cls, url: str, run: str, *, patience: float = 300, ttl: int = 30 * DAY) -> RedisState:
        """Return the state of a run once Redis has answered; redis://, rediss:// or unix:// URL.

        Raises `SettingsError`, never with the password, for an invalid URL and if Redis refuses the
        user; `RedisUnavailable` if Redis does not answer.
        """
        state = cls(RedisUrl.parse(url), run, patience=patience, ttl=ttl)
        try:
            state._ask("connect", "PING")
        except BaseException:
            state.close()
            raise
        return state

    def put_manifest(self, manifest_json: str, digest: str, replaces: str | None = None) -> None:
        keys = (self._manifest_digest, self._manifest, *self._work)
        script = ("EVAL", _PUT_MANIFEST, len(keys), *keys)
        present = self._ask("store the manifest", *script, manifest_json, digest, replaces or "", self._ttl)
        decide_manifest(self.run, _text(present), digest, replaces)

    def manifest(self) -> str | None:
        return _text(self._ask("read the manifest", "GET", self._manifest))

    def commit(self, partition: int, record: bytes, digest: str, plan: str) -> CommitStatus:
        keys = (self._manifest_digest, *self._work, self._manifest)
        script = ("EVAL", _COMMIT, len(keys), *keys)
        answer = self._ask(f"commit partition {partition}", *script, plan, partition, record, digest, self._ttl)
        planned, present = map(_text, answer)
        require_plan(self.run, planned, plan)
        return decide_commit(self.run, partition, present, digest)

    def committed(self) -> set[int]:
        return {int(partition) for partition in self._ask("list the commits", "HKEYS", self._digests)}

    def records(self, partitions: Iterable[int]) -> Iterator[tuple[int, bytes]]:
        rest = iter(partitions)
        while some := list(islice(rest, _SLICE)):
            found = self._ask("read commit records", "HMGET", self._commits, *some)
            yield from require_complete(self.run, zip(some, found, strict=True))

    def put_progress(self, partition: int, progress_json: str, plan: str) -> None:
        self._put_field(self._progress, partition, progress_json, plan)

    def put_failures(self, partition: int, failures_json: str, plan: str) -> None:
        self._put_field(self._failures, partition, failures_json, plan)

    def put_attempt(self, name: str, attempt_json: str, plan: str) -> None:
        self._put_field(self._attempts, name, attempt_json, plan)

    def put_result(self, result_json: str, plan: str) -> None:
        script = ("EVAL", _PUT_RESULT, 2, self._manifest_digest, self._result)
        planned = self._ask("store the result", *script, plan, result_json, self._ttl)
        require_plan(self.run, _text(planned), plan)

    def result(self) -> str | None:
        return _text(self._ask("read the result", "GET", self._result))

    def close(self) -> None:
        self._client.connection_pool.disconnect()
        self._progress_client.connection_pool.disconnect()

    def _put_field(self, key: str, field: int | str, text: str, plan: str) -> None:
        """Set a field of a hash in one short attempt; log the first failure of an outage."""
        command = ("EVAL", _PUT_FIELD, 2, self._manifest_digest, key, plan, field, text, self._ttl)
        try:
            self._progress_client.execute_command(*command)
        except RedisError as error:
            if not self._progress_lost:
                reason = self._url.without_password(str(error))
                _log.warning("progress is not reported", address=self._url.place, reason=reason)
            self._progress_lost = True
            self._progress_client.connection_pool.disconnect(inuse_connections=False)
        else:
            self._progress_lost = False

    def _ask(self, purpose: str, *command: str | bytes | int) -> Any:
        pool = self._client.connection_pool
        return self._retry.ask(
            purpose,
            lambda: self._client.execute_command(*command),
            reset=lambda: pool.disconnect(inuse_connections=False),
        )


def _client(url: RedisUrl, timeout: float) -> Redis:
    """Return a client that tries once; `RedisRetry` retries. RESP2 needs no more permissions."""
    pool = ConnectionPool(
        **url.options,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        health_check_interval=_HEALTH_CHECK,
        client_name="meanface",
        driver_info=None,
        protocol=2,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        pool.make_connection()  # does not connect yet
    except (TypeError, ValueError, RedisError):
        raise SettingsError("MEANFACE_REDIS_URL has an unknown ssl_... option, or an invalid value of one") from None
    return Redis(connection_pool=pool)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()
