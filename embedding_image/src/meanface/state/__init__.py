"""What is done in a run: manifest, commit records, progress and result, in Redis or in memory.

A store belongs to one run. Of everything that decides the result, the first value stays: whoever comes later with the
same digest is told that it is a duplicate, and with another digest is refused (`Conflict`). The one exception is a
manifest that is put expressly in place of the one before, where the photos have changed: in the same step go all
commits, progress and the result, and what was made for the manifest before is refused from then on. Nothing is ever
counted up in the store, so that every operation may be repeated, and a repetition changes nothing.

Keys in Redis; the braces are a hash tag, which keeps a run's keys on one node of a cluster::

    meanface:{RUN}:manifest         string: the manifest's summary, JSON
    meanface:{RUN}:manifest-digest  string: what tells one manifest from another
    meanface:{RUN}:commits          hash: partition -> commit record, binary
    meanface:{RUN}:digests          hash: partition -> digest of the record's content; a partition in it is committed
    meanface:{RUN}:progress         hash: partition -> progress, JSON
    meanface:{RUN}:failures         hash: partition -> some of its failed photos, JSON
    meanface:{RUN}:result           string: the result, JSON

Each expires some time (30 days) after the last commit. All that a user of Redis must be allowed, and +select besides
where the database is not number 0, is::

    ACL SETUSER pods on >PASSWORD resetkeys ~meanface:* resetchannels
        -@all +ping +client|setname +eval +get +set +del +hget +hset +hkeys +hmget +hgetall +expire

`RedisState` stays in its own module, `meanface.state.redis`: a run without Redis starts without its client.
"""

from meanface.state.base import CommitStatus, State
from meanface.state.memory import MemoryState

__all__ = ["CommitStatus", "MemoryState", "State"]
