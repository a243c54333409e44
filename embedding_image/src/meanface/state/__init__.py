"""The records of a run (manifest, commits, progress, result), in Redis or in memory.

A state belongs to one run. Of everything that determines the result, the first value stays: the
same digest again is reported as a duplicate, another digest is refused (`Conflict`). The one
exception is a manifest that explicitly replaces the one before, because photos have changed: the
same step deletes all commits, progress and the result, and from then on refuses what was made for
the old manifest. Nothing is ever incremented, so every operation may be repeated without effect.

Keys in Redis; the braces are a hash tag, which keeps the keys of a run on one node of a cluster::

    meanface:{RUN}:manifest         string: the manifest, JSON meanface:{RUN}:manifest-digest
    string: the manifest's digest meanface:{RUN}:commits          hash: partition -> commit record,
    binary meanface:{RUN}:digests          hash: partition -> digest of the commit; it marks the
    partition as committed meanface:{RUN}:progress         hash: partition -> progress, JSON
    meanface:{RUN}:failures         hash: partition -> some of its failed photos, JSON
    meanface:{RUN}:result           string: the result, JSON

Each expires 30 days after the last commit. The stages need these permissions, and +select if the
database is not number 0; the page also reads with +hgetall::

    ACL SETUSER pods on >PASSWORD resetkeys ~meanface:* resetchannels
        -@all +ping +client|setname +eval +get +set +del +hget +hset +hkeys +hmget +expire

`RedisState` is not imported here: a run without Redis starts without its client.
"""

from meanface.state.base import CommitStatus, State
from meanface.state.memory import MemoryState

__all__ = ["CommitStatus", "MemoryState", "State"]
