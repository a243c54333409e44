"""Cut sorted photos by hashes of their names, so that a photo more or less moves few cuts; pure.

Each photo has a *priority*, a hash of its name. A range of at least `most` photos is cut before its photo of lowest
priority, and what is on either side of that photo is cut in the same way. So the photos that begin a part are the upper
nodes of the list's treap (Seidel and Aragon 1996, Algorithmica 16, 464), those with at least `most` nodes below and
including them, and the rest of a part is a subtree of fewer: a part has `most` photos at most, and on average about
half as many.

**One photo more makes at most two parts that were not there before.** *Proof.* Only nodes above the new photo's place
have other subtrees than before, and these nodes contain each other. Let the new photo not begin a part. Then nothing
that lies below it did, so no cut goes; and the nodes above it have grown by one photo, which makes at most one of them
a new cut, as no two of them are of one size. So at most one part becomes two. Let the new photo begin a part. Then the
nodes above it contain its subtree, which has `most` photos at least, and without it they had so many before: no other
cut comes. Cuts that go are nodes that it has displaced, and what is left of them has fewer than `most` photos and
reaches to the new photo: no cut that stays lies between. So they were in what are now the part that begins with the new
photo and the one that ends with it. One photo less is the same backwards: at most two parts of before are gone.

A cut for a larger `most` is one for a smaller `most`, too: each partition is a whole number of chunks, and of the
chunks that any other partitioning has.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

MAX_PARTITIONS = 1024
"""Airflow's default `max_map_length`: the most tasks that one mapped task may become."""


def priorities(names: Iterable[str]) -> NDArray[np.uint64]:
    """64 bits of BLAKE2 of each name, as its photo's priority; of equal names in a row, each has its own."""
    found, before, repeated = array("Q"), None, 0
    for name in names:
        repeated = repeated + 1 if name == before else 0
        before = name
        text = f"{name}\0{repeated}" if repeated else name
        found.append(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()))
    return np.frombuffer(found, np.uint64)


def parts(photos: NDArray[np.uint64], most: int) -> list[range]:
    """Places of each part's photos, in order.

    Parameters
    ----------
    photos
        their priorities, in the order of names
    most
        photos that a part may have, at least 1

    >>> parts(np.array([3, 1, 4, 0, 5, 9, 2], np.uint64), most=3)
    [range(0, 1), range(1, 3), range(3, 6), range(6, 7)]
    """
    return _between(_starts(photos, most, len(photos)), len(photos))


def partitions(photos: NDArray[np.uint64], most: int, max_parts: int = MAX_PARTITIONS) -> list[range]:
    """Parts of as many photos as wanted at most; of twice as many, and so on, where there would be too many parts.

    So a collection that grows is cut otherwise only when it has doubled.
    """
    while len(starts := _starts(photos, most, max_parts)) > max_parts:
        most *= 2
    return _between(starts, len(photos))


def _starts(photos: NDArray[np.uint64], most: int, enough: int) -> set[int]:
    """First places of all parts; or of a few more than are enough, where there are more."""
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
