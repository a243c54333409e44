"""Bugs that a program like this may have. Each is planted into the processes of stages, and the suite finds it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from meanface.ledger.commit import Commit
from meanface.ledger.partition_ledger import PartitionLedger
from meanface.state.redis import RedisState
from meanface.stats.exact_sum import ExactSum, added
from meanface.storage import files


def commits_early() -> None:
    """The commit is made while the ledger is on its way to storage."""
    keep, commit = PartitionLedger.keep, RedisState.commit
    waiting: list[tuple[Any, ...]] = []

    def keep_later(*chunk: Any, new: bool = False) -> bool:
        waiting.append(chunk)
        return True

    def commit_first(*record: Any) -> Any:
        answer = commit(*record)
        for chunk in waiting:
            keep(*chunk)
        return answer

    PartitionLedger.keep, RedisState.commit = keep_later, commit_first


def adds_twice() -> None:
    """A partition's second commit is added to its first."""
    commit = RedisState.commit

    def add(self: RedisState, partition: int, record: bytes, digest: str, plan: str) -> Any:
        if partition in self.committed():
            (_, before), after = next(self.records([partition])), Commit.from_bytes(record)
            first = Commit.from_bytes(before)
            outcomes = dict(Counter(first.head.outcomes) + Counter(after.head.outcomes))
            both = Commit(first.head.model_copy(update={"outcomes": outcomes}), first.moments + after.moments)
            self._ask("add", "HSET", self._commits, partition, both.to_bytes())
            return "duplicate"
        return commit(self, partition, record, digest, plan)

    RedisState.commit = add


def adds_floats() -> None:
    """Sums are rounded to 53 bits after each addition, as those of floats are."""

    def add(self: ExactSum, other: ExactSum) -> ExactSum:
        exact = added(self.sums, other.sums)
        return ExactSum(self.count + other.count, tuple(int(float(one)) for one in exact))

    def of(embeddings: Any) -> ExactSum:
        total = ExactSum.zero()
        for row in range(len(embeddings)):
            total += ExactSum.by_group(embeddings[row : row + 1], [0])[0]
        return total

    ExactSum.__add__, ExactSum.of = add, staticmethod(of)


def never_syncs_folders() -> None:
    """A file's name is left to the file system."""
    files._sync_folder = lambda _: None


def trusts_what_is_there() -> None:
    """What an earlier attempt has left in storage is taken as synced."""
    files.Storage.sync = lambda *_: None


BUGS: dict[str, Callable[[], None]] = {
    "commit before the ledger is durable": commits_early,
    "a second commit is added": adds_twice,
    "float sums": adds_floats,
    "names are not synced": never_syncs_folders,
    "names of an earlier attempt are not synced": trusts_what_is_there,
}
