"""A store in Redis: the truth about what is done, for pods that share nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import structlog
from redis import ConnectionPool, Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from meanface.errors import SettingsError
from meanface.state.base import CommitStatus, complete, decided_manifest, decided_partition, same_plan
from meanface.state.retry import RedisRetry
from meanface.state.url import Address

DAY = 24 * 60 * 60

_SLICE = 16  # records fetched at a time, each of up to 100 kB
_TIMEOUT = 10.0  # seconds for one reply, or the patience where that is less
_SHORT_TIMEOUT = 1.0
_HEALTH_CHECK = 30  # seconds idle after which a connection is tried before it is used

# The scripts tell the digests that were there before and leave their judgement to Python. The digest is written last: a
# partition with a digest has its record. A full memory fails the first write, so that nothing is left half done.
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
_TELL = """
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
    """A `Store` in Redis; made by `connect`.

    Parameters
    ----------
    address
        where Redis is
    run
        name of the run
    patience
        seconds that an outage may last before a question fails
    ttl
        seconds after the last commit when the run's keys expire
    """

    def __init__(self, address: Address, run: str, *, patience: float, ttl: int) -> None:
        self.run = run
        self._ttl = ttl
        self._patience = RedisRetry(address, patience)
        self._address = address
        self._client = _client(address, min(_TIMEOUT, max(_SHORT_TIMEOUT, patience)))
        self._progress_client = _client(address, _SHORT_TIMEOUT)
        self._progress_lost = False
        key = f"meanface:{{{run}}}:"
        self._manifest = f"{key}manifest"
        self._manifest_digest = f"{key}manifest-digest"
        self._commits = f"{key}commits"
        self._digests = f"{key}digests"
        self._progress = f"{key}progress"
        self._failures = f"{key}failures"
        self._result = f"{key}result"
        self._work = (self._commits, self._digests, self._progress, self._failures, self._result)

    @classmethod
    def connect(cls, url: str, run: str, *, patience: float = 300, ttl: int = 30 * DAY) -> RedisState:
        """The store of a run, after Redis has answered.

        Parameters
        ----------
        url
            redis://, rediss:// or unix:// address, with the password
        run, patience, ttl
            as for the class

        Raises
        ------
        SettingsError
            for another scheme, and where Redis refuses user or password; the text never has the password
        RedisUnavailable
            where Redis stays away for `patience` seconds
        """
        state = cls(Address.parse(url), run, patience=patience, ttl=ttl)
        try:
            state._ask("connect", "PING")
        except BaseException:
            state.close()
            raise
        return state

    def put_manifest(self, manifest_json: str, digest: str, replaces: str | None = None) -> None:
        """Fix what the run does, or raise `Conflict`; what was done for the replaced manifest goes with it."""
        keys = (self._manifest_digest, self._manifest, *self._work)
        script = ("EVAL", _PUT_MANIFEST, len(keys), *keys)
        present = self._ask("keep the manifest", *script, manifest_json, digest, replaces or "", self._ttl)
        decided_manifest(self.run, _text(present), digest, replaces)

    def manifest(self) -> str | None:
        """The manifest, JSON; None before the run is planned."""
        return _text(self._ask("read the manifest", "GET", self._manifest))

    def commit(self, partition: int, record: bytes, digest: str, plan: str) -> CommitStatus:
        """Keep a partition's record unless it has one, or raise `Conflict`."""
        keys = (self._manifest_digest, *self._work, self._manifest)
        script = ("EVAL", _COMMIT, len(keys), *keys)
        answer = self._ask(f"commit partition {partition}", *script, plan, partition, record, digest, self._ttl)
        planned, present = map(_text, answer)
        same_plan(self.run, planned, plan)
        return decided_partition(self.run, partition, present, digest)

    def committed(self) -> set[int]:
        """Partitions that have a record."""
        return {int(partition) for partition in self._ask("list what is committed", "HKEYS", self._digests)}

    def records(self, partitions: Iterable[int]) -> Iterator[tuple[int, bytes]]:
        """Records of partitions, in the order asked for; `IncompleteRun` names those that are missing."""
        rest = iter(partitions)
        while some := list(islice(rest, _SLICE)):
            found = self._ask("read commit records", "HMGET", self._commits, *some)
            yield from complete(self.run, zip(some, found, strict=True))

    def put_progress(self, partition: int, progress_json: str, plan: str) -> None:
        """Say how far a partition is; a failure is logged, once per outage, and the work goes on."""
        self._tell(self._progress, partition, progress_json, plan)

    def progress(self) -> dict[int, str]:
        """Last progress of each partition that reported any, JSON."""
        found = self._ask("read progress", "HGETALL", self._progress)
        return {int(partition): progress.decode() for partition, progress in found.items()}

    def put_failures(self, partition: int, failures_json: str, plan: str) -> None:
        """Name a partition's failed photos; best effort, as with progress."""
        self._tell(self._failures, partition, failures_json, plan)

    def failures(self) -> dict[int, str]:
        """Failed photos of each partition that has any, JSON."""
        found = self._ask("read failures", "HGETALL", self._failures)
        return {int(partition): failures.decode() for partition, failures in found.items()}

    def put_result(self, result_json: str, plan: str) -> None:
        """Keep the run's result in place of one that is there, or raise `Conflict`."""
        script = ("EVAL", _PUT_RESULT, 2, self._manifest_digest, self._result)
        planned = self._ask("keep the result", *script, plan, result_json, self._ttl)
        same_plan(self.run, _text(planned), plan)

    def result(self) -> str | None:
        """The result, JSON; None before the run is reduced."""
        return _text(self._ask("read the result", "GET", self._result))

    def close(self) -> None:
        """Close all connections."""
        self._client.connection_pool.disconnect()
        self._progress_client.connection_pool.disconnect()

    def _tell(self, key: str, partition: int, text: str, plan: str) -> None:
        """Keep what people may want to see, in one short try."""
        question = ("EVAL", _TELL, 2, self._manifest_digest, key, plan, partition, text, self._ttl)
        try:
            self._progress_client.execute_command(*question)
        except RedisError as error:
            if not self._progress_lost:
                reason = self._address.without_password(str(error))
                _log.warning("progress is not reported", address=self._address.place, reason=reason)
            self._progress_lost = True
            self._progress_client.connection_pool.disconnect(inuse_connections=False)
        else:
            self._progress_lost = False

    def _ask(self, purpose: str, *command: str | bytes | int) -> Any:
        pool = self._client.connection_pool
        return self._patience.ask(
            purpose,
            lambda: self._client.execute_command(*command),
            reset=lambda: pool.disconnect(inuse_connections=False),
        )


def _client(address: Address, timeout: float) -> Redis:
    """A client that tries once: `Patience` alone decides about more. RESP2 and no driver info need no permission."""
    pool = ConnectionPool(
        **address.options,
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
        raise SettingsError(
            "MEANFACE_REDIS_URL has an ssl_... option that is not known, or a wrong value of it"
        ) from None
    return Redis(connection_pool=pool)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()
