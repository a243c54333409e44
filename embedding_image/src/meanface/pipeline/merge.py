"""All partitions' commits together, each held against its ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any

from meanface.errors import DamagedRecord, IncompleteRun
from meanface.ledger.chip_sums import READ_AT_ONCE, KeptChips
from meanface.ledger.commit import Commit
from meanface.ledger.manifest import Manifest
from meanface.ledger.reader import chunks
from meanface.outcome import Outcome
from meanface.pipeline.run import Run
from meanface.results.report import Throughput
from meanface.results.result import OrientationCounts
from meanface.stats.exact_sum import ExactSum
from meanface.stats.moments import Moments
from meanface.storage.files import Storage


@dataclass
class Merged:
    """All partitions' commits together."""

    moments: Moments = field(default_factory=Moments.zero)
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    """by the names in `meanface.ledger.commit.COUNTS`"""
    seconds: float = 0.0
    failing: list[int] = field(default_factory=list)
    """partitions with failed photos"""
    reused: int = 0
    """partitions whose whole ledger was taken from earlier runs"""
    photos_reused: int = 0
    """photos whose ledger rows were"""
    throughput: list[Throughput] = field(default_factory=list)
    chips: list[KeptChips] = field(default_factory=list)
    """of the partitions, where pixels are kept"""

    detectors: Counter[str] = field(default_factory=Counter)
    """who found faces -> in how many photos it looked"""

    def detector(self) -> str:
        """Who found the faces, for people.

        >>> Merged(detectors=Counter({"native-avx512": 700, "native-avx2": 1500})).detector()
        'native-avx2 (1,500 photos), native-avx512 (700 photos)'
        """
        if len(self.detectors) == 1:
            return next(iter(self.detectors))
        return ", ".join(f"{name} ({photos:,} photos)" for name, photos in sorted(self.detectors.items()))

    def account(self) -> dict[str, Any]:
        """The fields of `Result` about faces that were found and photos that were turned.

        >>> Merged(counts=Counter(faces_found=3, left_out_policy=1)).account()["faces_left_out"]
        {'policy': 1, 'min_face': 0, 'min_score': 0}
        """
        counts = self.counts
        return {
            "faces_found": counts["faces_found"],
            "faces_left_out": {reason: counts[f"left_out_{reason}"] for reason in ("policy", "min_face", "min_score")},
            "orientation": OrientationCounts(
                turned=counts["turned"], turned_without_face=counts["turned_without_face"]
            ),
        }

    def add(self, commit: Commit) -> None:
        """Add a partition's."""
        head = commit.head
        self.moments += commit.moments
        self.outcomes.update(head.outcomes)
        self.counts.update(head.counts)
        self.detectors.update(head.detectors)
        self.seconds += head.seconds
        photos, taken = sum(head.outcomes.values()), sum(head.reused.values())
        self.reused += taken == photos
        self.photos_reused += taken
        self.throughput.append(Throughput(head.partition, photos, photos - taken - head.photos_resumed, head.seconds))
        if any(outcome.failed for outcome in head.outcomes):
            self.failing.append(head.partition)
        if head.chips is not None:
            self.chips.append(KeptChips(head.partition, head.chips, commit.moments.count))


def merge(run: Run, manifest: Manifest) -> Merged:
    """The commits of all partitions.

    Raises
    ------
    IncompleteRun
        naming the partitions that are not committed
    DamagedRecord
        naming the commit that is not what it should be, or the partitions whose ledger is not what they have committed
    """
    everything = range(len(manifest.partitions))
    missing = sorted(set(everything) - run.state.committed())
    if missing:
        raise IncompleteRun(
            f"run {run.name}: {len(missing)} of {len(everything)} partitions are not committed: {ranges(missing)}"
        )
    total, others, files = Merged(), list[int](), run.plan_files(manifest)
    commits = _commits(run, manifest)
    with ThreadPoolExecutor(READ_AT_ONCE, thread_name_prefix="ledger") as threads:
        while batch := list(islice(commits, READ_AT_ONCE)):
            agreeing = threads.map(partial(_agrees, files, manifest), batch)
            for commit, agrees in zip(batch, agreeing, strict=True):
                total.add(commit)
                others += [] if agrees else [commit.head.partition]
    if others:
        raise DamagedRecord(
            f"run {run.name}: the ledger in {files.url}/ledger is not what is committed, of {len(others)} of "
            f"{len(everything)} partitions: embed partition {ranges(others)} again, which makes it anew"
        )
    return total


def _commits(run: Run, manifest: Manifest) -> Iterator[Commit]:
    for partition, record in run.state.records(range(len(manifest.partitions))):
        commit = Commit.from_bytes(record)
        if commit.head.partition != partition:
            raise DamagedRecord(f"commit of partition {partition} says it is of partition {commit.head.partition}")
        commit.check(manifest)
        yield commit


def _agrees(files: Storage, manifest: Manifest, commit: Commit) -> bool:
    """Whether a partition's ledger is what it has committed; one that is damaged is named by those who need it."""
    outcomes, faces = Counter[Outcome](), ExactSum.zero()
    try:
        for chunk in chunks(files, manifest.partitions[commit.head.partition]):
            outcomes += chunk.outcomes()
            faces += ExactSum.of(chunk.embeddings())
    except DamagedRecord:
        return True
    return commit.agrees(outcomes, faces)


def ranges(numbers: Iterable[int]) -> str:
    """Numbers as people list them.

    >>> ranges([0, 1, 2, 5])
    '0-2, 5'
    """
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts)
