"""A series: runs over photos that come in by intervals, a day at a time say, and the exact mean over all of them.

Each run with an interval adds a *contribution*, its exact moments and counts, as one file; the series' result is merged
from these files alone. Moments are integers, so the result is the one that a single run over all photos would have, to
the last bit, whatever the order of the runs, and however often one of them is repeated: a contribution replaces the one
that was there for its interval. That of a later plan has another name, by the plan's generation, and the highest
counts: a process that still works for an earlier plan, however late, can write over nothing that does.

::

    {storage}/series/{name}/intervals/{interval}.moments                of an interval's first plan
    {storage}/series/{name}/intervals/{interval}.{generation}.moments   of a later one
    {storage}/series/{name}/result.json, mean.npy, moments.npz
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from meanface.errors import Conflict, DamagedRecord, SettingsError
from meanface.ledger.contribution import CHECKSUM_BYTES, Contribution, ContributionHeader
from meanface.outcome import Outcome
from meanface.results.result import Figures, SeriesSummary, figures, mean_npy, moments_npz
from meanface.stats.moments import Moments
from meanface.storage.files import Storage
from meanface.storage.layout import checked_name
from meanface.storage.marker import InSeries, Marker, claim
from meanface.storage.own_files import OwnFiles

NAME = re.compile(r"(?P<interval>[^.]+(?:\.\d{6}Z)?)(?:\.(?P<generation>\d+))?\.moments")
"""of a contribution's file; an interval may have microseconds"""

_ARTIFACTS = {"mean": "mean.npy", "moments": "moments.npz", "result": "result.json"}

log = structlog.get_logger(__name__)


class SeriesResult(Figures):
    """`result.json` of a series: a function of its contributions, and so without clock, attempt or machine."""

    series: str
    recipe: str
    intervals: list[ContributionHeader]
    """what was merged, by interval"""
    artifacts: dict[str, str]
    """name -> file, relative to `location`"""
    location: str

    def summary(self, interval: str) -> SeriesSummary:
        """What the run of an interval says about its series."""
        return SeriesSummary(
            name=self.series,
            interval=interval,
            intervals=len(self.intervals),
            photos=self.photos,
            faces=self.faces,
            mean=self.mean,
            location=self.location,
        )


class _Known(BaseModel):
    """As much of a series' result as tells whether a recipe fits."""

    model_config = ConfigDict(extra="ignore")

    recipe: str
    intervals: list[ContributionHeader]


def in_series(name: str, date: datetime | None) -> InSeries:
    """Which interval of which series a run is; a date without a zone is in UTC.

    Raises
    ------
    SettingsError
        without a date, or for a name that cannot be one

    >>> in_series("faces", datetime.fromisoformat("2026-01-02T01:00:00+01:00")).interval
    '2026-01-02T00:00:00Z'
    """
    checked_name(name, "series")
    if date is None:
        raise SettingsError(f"series={name!r} needs the date of the run's interval: give --date, too")
    moment = date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    return InSeries(name=name, interval=moment.isoformat().replace("+00:00", "Z"))


class Series:
    """The contributions and the result of one series.

    Parameters
    ----------
    shared
        the storage that runs share; what has been written there, whoever lists a folder afterwards sees
    name
        of the series
    """

    def __init__(self, shared: Storage, name: str) -> None:
        self._name, self._files = name, shared.child(f"series/{name}")
        self._own = OwnFiles(self._files)

    def expect(self, recipe: str, interval: str) -> None:
        """See that embeddings of a recipe fit the series as it is, before they are computed or added.

        Raises
        ------
        OutputNotEmpty
            if the series' folder holds files that are not ours
        Conflict
            if the series' other intervals have another recipe
        """
        claim(self._files, Marker(kind="series", name=self._name), self._of_an_earlier_release)
        self._own.check(_ARTIFACTS.values())
        try:
            known = _Known.model_validate_json(self._files.read("result.json"))
        except (FileNotFoundError, ValidationError):  # not there yet, or to be written anew: `add` looks at everything
            return
        others = [head for head in known.intervals if head.interval != interval]
        if others and known.recipe != recipe:
            raise self._conflict(others[0], recipe, f"interval {interval}")

    def _of_an_earlier_release(self) -> bool:
        """Whether a contribution to this series is there, though the folder has no marker."""
        for path in self._paths():
            with suppress(DamagedRecord):
                return Contribution.from_bytes(self._files.read(path)).head.series == self._name
        return False

    def generation(self, interval: str) -> int:
        """That of the contribution of an interval; -1 if it has none."""
        return max((number for number, _ in self._of(interval)), default=-1)

    def add(self, contribution: Contribution) -> SeriesResult | None:
        """Put a contribution in the place of its interval's, and merge; None if the series has no face yet.

        Any number of runs may do this at once: when the last of them has returned, the result covers all contributions.
        *Proof.* Consider the last of all writes of one of the result's files, and let P be who did it. P had read every
        contribution before it wrote, looked at all of them again afterwards, and found what it had read, or it would
        have written once more. Let Q be whose contribution, as it is in the end, P had not read. It was not written
        before P looked again, as P would have seen it; so it was written after that. But Q merges after it has written,
        and so writes the file later than P: a contradiction. Equal contributions make equal files, so that it does not
        matter whether the last writes of two files are of one process. A process that is killed in between leaves its
        contribution, which its repetition or the next run of the series merges.

        A contribution of an earlier generation than one that is there does not count, and its write goes beside.

        Raises
        ------
        Conflict
            if there are contributions of two recipes, or of a later plan
        DamagedRecord
            naming the contribution that cannot be read, which stays as it is
        """
        head = contribution.head
        self.expect(head.recipe, head.interval)
        with suppress(FileNotFoundError):
            self._read(_path(head))  # whatever is none stays
        self._files.write(_path(head), contribution.to_bytes())
        self._files.sync("intervals")
        for number, path in self._of(head.interval):
            if number > head.generation:
                self._files.remove(_path(head))
                raise Conflict(
                    f"series {self._name}: interval {head.interval} has what a later plan came to than this one of run "
                    f"{head.run}, and keeps it: to replace it, clear the run from plan on"
                )
            if number < head.generation:
                self._remove_replaced(path)
        while True:
            read: list[bytes] = []
            result = self._merge(read)
            if list(self._checksums()) == read:
                return result

    def _merge(self, read: list[bytes]) -> SeriesResult | None:
        """Write the result of the contributions that are there; their checksums are added to `read`."""
        moments, outcomes, heads = Moments.zero(), Counter[Outcome](), list[ContributionHeader]()
        for checksum, contribution in self._contributions():
            read.append(checksum)
            head = contribution.head
            if heads and head.recipe != heads[0].recipe:
                raise self._conflict(heads[0], head.recipe, f"interval {head.interval} (run {head.run})")
            moments += contribution.moments
            outcomes.update(head.outcomes)
            heads.append(head)
        if not moments.count:
            for file in _ARTIFACTS.values():
                self._own.remove(file)
            return None
        result = SeriesResult(
            series=self._name,
            recipe=heads[0].recipe,
            intervals=heads,
            artifacts=_ARTIFACTS | {"intervals": "intervals"},
            location=self._files.url,
            **figures(outcomes, moments),
        )
        self._own.write("mean.npy", mean_npy(moments))
        self._own.write("moments.npz", moments_npz(moments))
        self._own.write("result.json", result.to_json().encode())
        log.info("series merged", series=self._name, intervals=len(heads), photos=result.photos, faces=result.faces)
        return result

    def _remove_replaced(self, path: str) -> None:
        """Remove a contribution of an earlier generation; anything else that has its name stays."""
        with suppress(DamagedRecord, FileNotFoundError):
            if Contribution.from_bytes(self._files.read(path)).head.series == self._name:
                self._files.remove(path)

    def _named(self) -> Iterator[tuple[str, int, str]]:
        """Interval, generation and path of every contribution."""
        for name in self._files.list("intervals"):
            if match := NAME.fullmatch(name):
                yield match["interval"], int(match["generation"] or 0), f"intervals/{name}"

    def _of(self, interval: str) -> list[tuple[int, str]]:
        """Generations and paths of an interval's contributions."""
        return [(number, path) for of, number, path in self._named() if of == interval]

    def _paths(self) -> list[str]:
        """Of the contributions that count, in the order of intervals: the last generation of each."""
        last = {of: path for of, _, path in sorted(self._named())}
        return [last[of] for of in sorted(last)]

    def _checksums(self) -> Iterator[bytes]:
        """What tells the contributions that are there from others; they name their intervals."""
        for path in self._paths():
            with suppress(FileNotFoundError):  # removed by hand since it was listed
                yield self._files.read_range(path, 0, CHECKSUM_BYTES)

    def _contributions(self) -> Iterator[tuple[bytes, Contribution]]:
        """Each with its checksum, in the order of intervals."""
        for path in self._paths():
            with suppress(FileNotFoundError):
                yield self._read(path)

    def _read(self, path: str) -> tuple[bytes, Contribution]:
        """A contribution with its checksum; `DamagedRecord` where the file is none, or another's."""
        data = self._files.read(path)
        try:
            contribution = Contribution.from_bytes(data)
        except DamagedRecord as damage:
            raise DamagedRecord(
                f"{self._files.url}/{path}: {damage}; move it away, and clear the run of its interval"
            ) from None
        head = contribution.head
        if (head.series, _path(head)) != (self._name, path):
            raise DamagedRecord(f"{self._files.url}/{path} is of series {head.series}, interval {head.interval}")
        return data[:CHECKSUM_BYTES], contribution

    def _conflict(self, other: ContributionHeader, recipe: str, whose: str) -> Conflict:
        return Conflict(
            f"series {self._name}: interval {other.interval} (run {other.run}) has recipe {other.recipe[:12]}, {whose} "
            f"has {recipe[:12]}: embeddings of other settings or versions do not mix. Take the settings and the image "
            f"of the series, or begin another; to leave an interval out, remove its file in {self._files.url}/intervals"
        )


def _path(head: ContributionHeader) -> str:
    generation = f".{head.generation}" if head.generation else ""
    return f"intervals/{head.interval}{generation}.moments"
