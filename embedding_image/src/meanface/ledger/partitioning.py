"""Cut sorted photos by hashes of their names, so that one photo more or less moves few cuts; pure.

Each photo has a *priority*, a hash of its name. A range of at least `most` photos is cut before its
photo of lowest priority, and both sides of that photo are cut in the same way. So the photos that
begin a part are the upper nodes of the list's treap (Seidel and Aragon 1996, Algorithmica 16, 464):
those whose subtree has at least `most` nodes. The rest of a part is a smaller subtree: a part has
at most `most` photos, and about half as many on average.

**One more photo makes at most two new parts.** *Proof.* Only the nodes above the new photo get
other subtrees, and the subtrees of these nodes are nested. Suppose the new photo does not begin a
part. Then no node below it did, so no cut disappears; and the nodes above it have grown by one
photo, which makes at most one of them a new cut, as no two of them have the same size. So at most
one part becomes two. Suppose the new photo begins a part. The subtrees of the nodes above it
contain its own, which has at least `most` photos, and so had at least `most` before: no other cut
appears. The cuts that disappear are nodes that it has displaced; what is left of their subtrees has
fewer than `most` photos and reaches to the new photo, with no remaining cut between. So they lay in
what are now the part that begins with the new photo and the one that ends before it. Removing a
photo is the reverse: at most two of the old parts disappear.

A cut for a larger `most` is also one for a smaller `most`: each partition is a whole number of
chunks, the same chunks in every partitioning.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

MAX_PARTITIONS = 1024
"""Airflow's default `max_map_length`: the most instances of a mapped task"""


def priorities(names: Iterable[str]) -> NDArray[np.uint64]:
    """Return 64 bits of BLAKE2 of each name; equal names in a row get different ones."""
    found, before, repeated = array("Q"), None, 0
    for name in names:
        repeated = repeated + 1 if name == before else 0
        before = name
        text = f"{name}\0{repeated}" if repeated else name
        found.append(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()))
    return np.frombuffer(found, np.uint64)


def parts(photos: NDArray[np.uint64], most: int) -> list[range]:
    """Cut photos, given by priority in the order of names, into parts of at most `most` photos.

    >>> parts(np.array([3, 1, 4, 0, 5, 9, 2], np.uint64), most=3)
    [range(0, 1), range(1, 3), range(3, 6), range(6, 7)]
    """
    return _between(_starts(photos, most, len(photos)), len(photos))


def partitions(photos: NDArray[np.uint64], most: int, max_parts: int = MAX_PARTITIONS) -> list[range]:
    """Cut photos into at most `max_parts` parts, doubling `most` as often as needed.

    So the cuts of a growing collection change only when it has doubled.
    """
    while len(starts := _starts(photos, most, max_parts)) > max_parts:
        most *= 2
    return _between(starts, len(photos))


def _starts(photos: NDArray[np.uint64], most: int, enough: int) -> set[int]:
    """Return the starts of all parts; if there are more than `enough`, of a few more than that."""
    starts, ranges = {0}, [(0, len(photos))]
    while ranges and len(starts) <= enough:
        start, stop = ranges.pop()
        if stop - start >= most:
            cut = start + int(photos[start:stop].argmin())
            starts.add(cut)
            ranges += [(start, cut), (cut + 1, stop)]
    return starts


def _between(starts: set[int], stop: int) -> list[range]:
    return [range(*part) for part in pairwise([*sorted(starts), stop])] if stop else []
