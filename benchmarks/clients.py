"""Commit from many clients at once; each is a process with its own connection, like a pod."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Sequence

from meanface.ledger.commit import Commit
from meanface.state.redis import RedisState

Share = Sequence[tuple[int, bytes, str]]
"""partitions, their records and digests"""


def time_commits(url: str, run: str, plan: str, commits: Sequence[Commit], clients: int) -> float:
    """Seconds from the start signal to all connected clients until all have committed their share.

    Parameters
    ----------
    plan
        digest of the run's manifest
    """
    records = [(commit.head.partition, commit.to_bytes(), commit.digest()) for commit in commits]
    (ready, set_ready), (begin, set_begin) = os.pipe(), os.pipe()

    def client(share: Share) -> None:
        state = RedisState.connect(url, run)
        state.committed()
        os.write(set_ready, b".")
        os.read(begin, 1)
        for partition, record, digest in share:
            state.commit(partition, record, digest, plan)
        state.close()

    children = [_fork(client, records[number::clients]) for number in range(clients)]
    for _ in children:
        os.read(ready, 1)
    started = time.perf_counter()
    os.write(set_begin, b"." * clients)
    failed = sum(os.waitpid(child, 0)[1] != 0 for child in children)
    seconds = time.perf_counter() - started
    for end in (ready, set_ready, begin, set_begin):
        os.close(end)
    if failed:
        raise RuntimeError(f"{failed} of {clients} clients failed")
    return seconds


def _fork(client: Callable[[Share], None], share: Share) -> int:
    """Run a client in a forked process; its process id."""
    child = os.fork()
    if child:
        return child
    try:
        client(share)
        os._exit(0)
    except Exception:
        traceback.print_exc()
    os._exit(1)
