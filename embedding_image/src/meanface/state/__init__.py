"""The records of a run (manifest, commits, progress, result), in Redis or in memory.

A state belongs to one run. Of everything that determines the result, the first value stays: the
same digest again is reported as a duplicate, another digest is refused (`Conflict`). The one
exception is a manifest that explicitly replaces the one before, because photos have changed: the
same step deletes all commits, progress and the result, and from then on refuses what was made for
the old manifest. Nothing is ever incremented, so every operation may be repeated without effect.

The keys in Redis are in docs/storage.md. They expire 30 days after the last commit. The stages need
these permissions, and +select if the database is not number 0; the page also reads with +hgetall::

    ACL SETUSER pods on >PASSWORD resetkeys ~meanface:* resetchannels
        -@all +ping +client|setname +eval +get +set +del +hget +hset +hkeys +hmget +expire

`RedisState` is not imported here: a run without Redis starts without its client.
"""

from meanface.state.base import CommitStatus, State
from meanface.state.memory import MemoryState

__all__ = ["CommitStatus", "MemoryState", "State"]
