"""A series: runs over photos that arrive by intervals, such as days, and the exact mean over all.

The run of an interval adds a *contribution*, its exact moments and counts, as one file. The result
of the series is merged from these files alone. Moments are integers, so the result is bit for bit
that of a single run over all photos, whatever the order of the runs, and however often a run is
repeated: a contribution replaces the one of its interval. The contribution of a later plan has
another name, with the plan's generation, and the highest generation counts: a process that still
works for an earlier plan cannot overwrite it. `meanface.storage.layout` has the paths.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from meanface.errors import Conflict, DamagedRecord, SettingsError
from meanface.ledger.contribution import Contribution, ContributionHeader
from meanface.outcome import Outcome
from meanface.results.result import Figures, SeriesSummary, figures, mean_npy, moments_npz
from meanface.stats.moments import Moments
from meanface.storage import layout
from meanface.storage.checksum import HEX
from meanface.storage.files import Storage
from meanface.storage.marker import InSeries, Marker, claim
from meanface.storage.own_files import OwnFiles

_ARTIFACTS = {"mean": layout.MEAN, "moments": layout.MOMENTS, "result": layout.RESULT, "intervals": layout.INTERVALS}

log = structlog.get_logger(__name__)


class SeriesResult(Figures):
    """`result.json` of a series; a function of its contributions, not of time or machine."""

    series: str
    recipe: str
    intervals: list[ContributionHeader]
    """the merged contributions, by interval"""
    artifacts: dict[str, str]
    """name -> file, relative to `location`"""
    location: str

    def summary(self, interval: str) -> SeriesSummary:
        """Return the part that goes into the result of an interval's run."""
        shared = self.model_dump(include={"photos", "faces", "mean", "location"})
        return SeriesSummary(name=self.series, interval=interval, intervals=len(self.intervals), **shared)


class _MergedRecipe(BaseModel):
    """The fields of a series' result that are needed to check a recipe."""

    model_config = ConfigDict(extra="ignore")

    recipe: str
    intervals: list[ContributionHeader]


def in_series(name: str, date: datetime | None) -> InSeries:
    """Return the series and interval of a run; a date without a time zone is in UTC.

    Raises `SettingsError` without a date, and for an invalid name.

    >>> in_series("faces", datetime.fromisoformat("2026-01-02T01:00:00+01:00")).interval
    '2026-01-02T00:00:00Z'
    """
    layout.checked_name(name, "series")
    if date is None:
        raise SettingsError(f"series={name!r} needs the date of the run's interval: give --date, too")
    moment = date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    return InSeries(name=name, interval=moment.isoformat().replace("+00:00", "Z"))


class Series:
    """The contributions and the result of one series.

    A listing of `shared`, the storage that runs share, must show every write that has returned.
    """

    def __init__(self, shared: Storage, name: str) -> None:
        self._name, self._files = name, layout.series_files(shared, name)
        self._own = OwnFiles(self._files)

    def expect(self, recipe: str, interval: str) -> None:
        """Check, before the work, that embeddings of a recipe fit the series.

        Raises `OutputNotEmpty` if the series' folder has foreign files, and `Conflict`
        if its other intervals have another recipe.
        """
        claim(self._files, Marker(kind="series", name=self._name))
        self._own.check(layout.SERIES_FILES)
        try:
            merged = _MergedRecipe.model_validate_json(self._files.read(layout.RESULT))
        except (FileNotFoundError, ValidationError):  # none yet, or replaced soon: `add` checks every contribution
            return
        others = [header for header in merged.intervals if header.interval != interval]
        if others and merged.recipe != recipe:
            raise self._conflict(others[0], recipe, f"interval {interval}")

    def check_photos(self, interval: str, dataset: str) -> None:
        """Raise `Conflict` if the interval has the photos of another dataset: two would replace each other."""
        for file in self._of(interval):
            with suppress(DamagedRecord, FileNotFoundError):
                other = Contribution.from_bytes(self._files.read(file.path)).head
                if other.dataset != dataset:
                    raise Conflict(
                        f"series {self._name}: interval {interval} has the photos of {other.dataset} (run "
                        f"{other.run}), and those of {dataset} would replace them. Give each dataset a series of its "
                        f"own, or all of them to one run; to replace the interval, remove {self._files.url}/{file.path}"
                    )

    def generation(self, interval: str) -> int:
        """Return the highest generation of an interval's contributions; -1 if it has none."""
        return max((file.generation for file in self._of(interval)), default=-1)

    def add(self, contribution: Contribution) -> SeriesResult | None:
        """Write the contribution of its interval, and merge; None if the series has no face yet.

        Any number of runs may call this at once: when the last call has returned, the result covers
        all contributions. *Proof.* Consider the last write of one of the result's files, and let P
        be its writer. P had read every contribution before it wrote, checked all of them again
        afterwards, and found them unchanged, or it would have written once more. Let Q be the
        writer of a contribution whose final version P had not read. Q did not write it before P's
        check, which would have seen it, so Q wrote it later. But Q merges after it has written, and
        so writes the file later than P: a contradiction. Equal contributions make equal files, so
        it does not matter whether the last writes of two files are by one process. A process that
        is killed in between leaves its contribution, which its repetition or the next run of the
        series merges.

        A contribution of an earlier generation than an existing one is removed again.

        Raises
        ------
        Conflict
            if contributions have two recipes, or one is from a later plan or another dataset
        DamagedRecord
            naming the contribution that cannot be read, which is left as it is
        """
        header = contribution.head
        own = _path(header)
        self.expect(header.recipe, header.interval)
        self.check_photos(header.interval, header.dataset)
        with suppress(FileNotFoundError):
            self._read(own)  # refuses to overwrite anything but a contribution
        self._files.write(own, contribution.to_bytes())
        self._files.sync(layout.INTERVALS)
        for file in self._of(header.interval):
            if file.generation > header.generation:
                self._files.remove(own)
                raise Conflict(
                    f"series {self._name}: interval {header.interval} has the result of a later plan than this one of "
                    f"run {header.run}, and keeps it: to replace it, clear the run from plan on"
                )
            if file.generation < header.generation:
                self._remove_replaced(file.path)
        while True:
            checksums: list[bytes] = []
            result = self._merge(checksums)
            if list(self._checksums()) == checksums:
                return result

    def _merge(self, checksums: list[bytes]) -> SeriesResult | None:
        """Write the result of all contributions, and append their checksums."""
        moments, outcomes, headers = Moments.zero(), Counter[Outcome](), list[ContributionHeader]()
        for checksum, contribution in self._contributions():
            checksums.append(checksum)
            header = contribution.head
            if headers and header.recipe != headers[0].recipe:
                raise self._conflict(headers[0], header.recipe, f"interval {header.interval} (run {header.run})")
            moments += contribution.moments
            outcomes.update(header.outcomes)
            headers.append(header)
        if not moments.count:
            for file in layout.SERIES_FILES:
                self._own.remove(file)
            return None
        result = SeriesResult(
            series=self._name,
            recipe=headers[0].recipe,
            intervals=headers,
            artifacts=_ARTIFACTS,
            location=self._files.url,
            **figures(outcomes, moments),
        )
        self._own.write(layout.MEAN, mean_npy(moments))
        self._own.write(layout.MOMENTS, moments_npz(moments))
        self._own.write(layout.RESULT, result.to_json().encode())
        log.info("series merged", series=self._name, intervals=len(headers), photos=result.photos, faces=result.faces)
        return result

    def _remove_replaced(self, path: str) -> None:
        """Remove a contribution of an earlier generation, unless the file is something else."""
        with suppress(DamagedRecord, FileNotFoundError):
            if Contribution.from_bytes(self._files.read(path)).head.series == self._name:
                self._files.remove(path)

    def _of(self, interval: str) -> list[layout.ContributionFile]:
        return [file for file in layout.contribution_files(self._files) if file.interval == interval]

    def _paths(self) -> list[str]:
        """List the last generation of each interval's contributions, by interval."""
        return list({file.interval: file.path for file in layout.contribution_files(self._files)}.values())

    def _checksums(self) -> Iterator[bytes]:
        for path in self._paths():
            with suppress(FileNotFoundError):  # removed by hand since it was listed
                yield self._files.read_range(path, 0, HEX)

    def _contributions(self) -> Iterator[tuple[bytes, Contribution]]:
        """Read the contributions that count, each with its checksum, by interval."""
        for path in self._paths():
            with suppress(FileNotFoundError):
                yield self._read(path)

    def _read(self, path: str) -> tuple[bytes, Contribution]:
        """Read a contribution with its checksum; `DamagedRecord` for any other file."""
        data = self._files.read(path)
        try:
            contribution = Contribution.from_bytes(data)
        except DamagedRecord as damage:
            raise DamagedRecord(
                f"{self._files.url}/{path}: {damage}; move it away, and clear the run of its interval"
            ) from None
        header = contribution.head
        if (header.series, _path(header)) != (self._name, path):
            raise DamagedRecord(f"{self._files.url}/{path} is of series {header.series}, interval {header.interval}")
        return data[:HEX], contribution

    def _conflict(self, other: ContributionHeader, recipe: str, subject: str) -> Conflict:
        return Conflict(
            f"series {self._name}: interval {other.interval} (run {other.run}) has recipe {other.recipe[:12]}, "
            f"{subject} has {recipe[:12]}: embeddings of other settings or versions do not mix. Use the settings and "
            "the image of the series, or begin another series; to leave an interval out, remove its file in "
            f"{self._files.url}/{layout.INTERVALS}"
        )


def _path(header: ContributionHeader) -> str:
    return layout.contribution_path(header.interval, header.generation)
