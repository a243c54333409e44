"""Merge the commits of all partitions."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from meanface.errors import DamagedRecord, IncompleteRun
from meanface.ledger.chip_sum_files import KeptChips
from meanface.ledger.commit import Commit
from meanface.ledger.manifest import Manifest
from meanface.outcome import Outcome
from meanface.pipeline.run import Run
from meanface.results.result import OrientationCounts, Throughput
from meanface.results.scan import CommitTotals, ranges
from meanface.stats.moments import Moments


@dataclass
class Merged:
    """All partitions' commits together."""

    moments: Moments = field(default_factory=Moments.zero)
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    """by the names in `meanface.ledger.commit.COUNTS`"""
    seconds: float = 0.0
    totals: list[CommitTotals] = field(default_factory=list)
    """of each partition, for the check of its ledger"""
    reused: int = 0
    """partitions whose complete ledger was copied from earlier runs"""
    photos_reused: int = 0
    """photos whose ledger rows were copied from earlier runs"""
    throughput: list[Throughput] = field(default_factory=list)
    chips: list[KeptChips] = field(default_factory=list)
    """of the partitions, if pixels are kept"""

    detectors: Counter[str] = field(default_factory=Counter)
    """detector -> number of photos that it searched"""

    def detector(self) -> str:
        """The detectors that were used, as text.

        >>> Merged(detectors=Counter({"native-avx512": 700, "native-avx2": 1500})).detector()
        'native-avx2 (1,500 photos), native-avx512 (700 photos)'
        """
        if len(self.detectors) == 1:
            return next(iter(self.detectors))
        return ", ".join(f"{name} ({photos:,} photos)" for name, photos in sorted(self.detectors.items()))

    def account(self) -> dict[str, Any]:
        """The fields of `ResultRecord` about faces that were found and photos that were turned.

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
        """Add a partition's commit."""
        head = commit.head
        self.moments += commit.moments
        self.outcomes.update(head.outcomes)
        self.totals.append(CommitTotals(Counter(head.outcomes), commit.moments.total))
        self.counts.update(head.counts)
        self.detectors.update(head.detectors)
        self.seconds += head.seconds
        photos, taken = sum(head.outcomes.values()), sum(head.reused.values())
        self.reused += taken == photos
        self.photos_reused += taken
        self.throughput.append(Throughput(head.partition, photos, photos - taken - head.photos_resumed, head.seconds))
        if head.chips is not None:
            self.chips.append(KeptChips(head.partition, head.chips, commit.moments.count))


def merge(run: Run, manifest: Manifest) -> Merged:
    """Merge the commits of all partitions.

    Raises
    ------
    IncompleteRun
        naming the partitions that are not committed
    DamagedRecord
        naming a commit that is damaged or belongs to another plan
    """
    everything = range(len(manifest.partitions))
    missing = sorted(set(everything) - run.state.committed())
    if missing:
        raise IncompleteRun(
            f"run {run.name}: {len(missing)} of {len(everything)} partitions are not committed: {ranges(missing)}"
        )
    merged = Merged()
    for partition, record in run.state.records(everything):
        commit = Commit.from_bytes(record)
        if commit.head.partition != partition:
            raise DamagedRecord(f"the commit of partition {partition} names partition {commit.head.partition}")
        commit.check(manifest)
        merged.add(commit)
    return merged
