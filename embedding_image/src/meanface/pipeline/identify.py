"""Identify: find the nearest labels of a result for every face of a dataset."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pyarrow.compute as pc

from meanface.dataset.network_policy import PUBLIC, NetworkPolicy
from meanface.embedder.kernels import KernelChoice
from meanface.embedder.recipe import OUTSIDE_RECIPE, recipe
from meanface.errors import OutputNotEmpty, SettingsError, UsageError
from meanface.ledger.chunk_reader import chunks_of
from meanface.ledger.manifest import Manifest
from meanface.outcome import Outcome
from meanface.pipeline.embed import embed
from meanface.pipeline.plan import plan
from meanface.pipeline.plan_files import note_end, remove_plan
from meanface.pipeline.progress import Progress
from meanface.pipeline.run import Run
from meanface.results.account import sentences
from meanface.results.matches import MARK, MATCHES, Matcher
from meanface.results.reader import Result
from meanface.results.recognition import customary_threshold
from meanface.settings import IDENTIFIED, FacesPolicy, Labels, Settings
from meanface.state import MemoryState
from meanface.storage.files import Storage
from meanface.storage.own_parquet import own_metadata, own_parquet
from meanface.text import escaped_json
from meanface.workers.pool import Workers

NAME = "identify"
LEDGER_SUFFIX = "-ledger"
"""of the folder beside the table, with which an interrupted command continues"""
SHOWN = 1_000
"""rows that are kept in memory, for display"""


@dataclass
class Identified:
    """What became of the photos; the table has every face."""

    threshold: float | None
    """None if the result has no labels"""
    suggested: float | None
    """the threshold that the result's own faces suggest, if it has one"""
    same_recipe: bool
    """whether this program embeds photos as those of the result were embedded; else distances may be off"""
    output: str | None
    """address of the table; None if it was not kept"""
    photos: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    faces: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    """label -> faces that got it"""
    rows: list[dict[str, Any]] = field(default_factory=list)
    """the first `SHOWN` rows of the table"""
    account: list[str] = field(default_factory=list)
    """files passed over, photos turned and faces left out, in sentences"""

    @property
    def known(self) -> int:
        """Faces that got a label."""
        return self.labels.total()

    def to_json(self) -> str:
        """Return JSON."""
        return escaped_json(
            {
                "schema": 1,
                "photos": self.photos,
                "outcomes": {outcome.value: self.outcomes[outcome] for outcome in Outcome},
                "faces": self.faces,
                "known": self.known,
                "unknown": self.faces - self.known,
                "threshold": self.threshold,
                "suggested_threshold": self.suggested,
                "same_recipe": self.same_recipe,
                "labels": dict(sorted(self.labels.items(), key=lambda pair: (-pair[1], pair[0]))),
                "account": self.account,
                "output": self.output,
                "rows": self.rows,
            }
        )


def identify(  # noqa: PLR0913 - a caller needs three
    result: Result,
    photos: Settings,
    output: str | None = None,
    *,
    threshold: float | None = None,
    workers: int,
    cache: str | None = None,
    kernels: KernelChoice = KernelChoice.AUTO,
    network_policy: NetworkPolicy = PUBLIC,
    planned: Callable[[Manifest], None] = lambda _: None,
    listener: Callable[[Progress], None] = lambda _: None,
) -> Identified:
    """Find the nearest labels for every face of a dataset, and write a table of them.

    The photos are planned and embedded as those of a run, into a ledger beside the table. The same
    call continues an interrupted one, and with another threshold or result of the same settings it
    takes all embeddings from there.

    Parameters
    ----------
    result
        of a run, with or without labels
    photos
        the dataset, and the settings in `IDENTIFIED` that choose its photos; all others are those of
        the result, but for `faces`: every face is identified
    output
        absolute path or address of the table, a Parquet file; None to keep nothing
    threshold
        distance beyond which a face is unknown; by default the embedder's customary one, or the one
        that the result's own faces suggest
    workers, cache, kernels, network_policy, planned, listener
        as in `meanface.pipeline.local.run_locally`

    Raises
    ------
    UsageError
        if the result has no settings, as that of a series, or settings of another version, or no threshold
    OutputNotEmpty
        if a file that meanface did not write, or that was edited since, has the table's name
    Conflict
        if the ledger beside the table is of other photos or settings
    """
    settings, same_recipe = _settings(result, photos, network_policy)
    statistics = result.summary.statistics
    recognition = statistics and statistics.recognition
    best = recognition.suggested if recognition else None
    suggested = best.threshold or None if best else None  # earlier results have 0 where there is none
    if threshold is None:
        threshold = _default_threshold(result, settings, suggested)
    matcher = Matcher(result, threshold)
    found = Identified(threshold if result.label_means() is not None else None, suggested, same_recipe, output)
    with _places(output) as (folder, name, ledger):
        run = Run(NAME, MemoryState(NAME), ledger, cache, kernels=kernels, network_policy=network_policy)
        manifest = plan(run, settings)
        _same_dimension(result, manifest)
        planned(manifest)
        with Workers(workers, settings, cache, kernels, network_policy) as processes:
            for partition in manifest.partitions:
                embed(run, partition.index, processes, listener=listener)
        with folder.open_output(name) as stream, own_parquet(stream, MATCHES, {MARK: b"1"}) as writer:
            counts = Counter[str]()
            for chunk in chunks_of(run.plan_files(manifest), manifest.partitions):
                table = matcher.table(chunk)
                writer.write_table(table)
                counts += chunk.counts()
                found.outcomes += chunk.outcomes()
                found.faces += table["face"].length() - table["face"].null_count
                found.labels.update(table.filter(pc.equal(table["known"], True))["label"].to_pylist())
                found.rows += table.slice(0, SHOWN - len(found.rows)).to_pylist()
            _refuse_foreign(folder, name)  # again, as embedding may have taken long
        found.photos = manifest.photos
        found.account = sentences(manifest.source.passed_over, counts, settings)
        for earlier in run.plan_files(manifest).others():
            remove_plan(earlier)
        note_end(run.plan_files(manifest), manifest, found.outcomes)
    return found


def _settings(result: Result, photos: Settings, network_policy: NetworkPolicy) -> tuple[Settings, bool]:
    """The settings to embed the photos with, and whether this program embeds as that of the result did."""
    if not result.summary.settings:
        raise UsageError(f"{result.files.url} has no settings to embed photos with: name a run of the series")
    try:
        of_result = Settings.of(**result.summary.settings)
    except SettingsError as refused:
        raise UsageError(f"{result.files.url} is from another version of meanface: {refused}") from None
    chosen = {name: getattr(photos, name) for name in IDENTIFIED}
    kept = of_result.model_dump(exclude={*OUTSIDE_RECIPE, "labels", "faces"})
    settings = Settings.of(**kept, **chosen, faces=FacesPolicy.ALL, labels=Labels.NONE, face_pixels=False)
    return settings, recipe(of_result, network_policy) == result.summary.recipe


def _same_dimension(result: Result, manifest: Manifest) -> None:
    """Refuse a model card that has changed so much that nothing can be compared."""
    if manifest.dimensions != result.moments.dimensions:
        raise UsageError(
            f"{result.files.url} has embeddings of {result.moments.dimensions:,} dimensions, and "
            f"{manifest.settings.embedder} has {manifest.dimensions:,} now: use the model card of the result"
        )


def _default_threshold(result: Result, settings: Settings, suggested: float | None) -> float:
    customary = customary_threshold(settings.embedder)
    if customary is None and suggested is None and "label_means" in result.summary.artifacts:
        raise UsageError(
            f"the embedder {settings.embedder} has no customary threshold, and {result.files.url} suggests none: "
            "give one with --threshold"
        )
    return customary if customary is not None else suggested or 0.0


@contextmanager
def _places(output: str | None) -> Iterator[tuple[Storage, str, Storage]]:
    """Folder and name of the table, and the folder of the ledger; all temporary without an output."""
    if output is None:
        with tempfile.TemporaryDirectory(prefix="meanface-") as temporary:
            yield Storage(temporary), "matches.parquet", Storage(f"{temporary}/ledger")
        return
    parent, _, name = output.rpartition("/")
    if not name:
        raise SettingsError(f"the output {output!r} is a folder: name a file, such as {output}matches.parquet")
    folder = Storage(parent or "/")
    _refuse_foreign(folder, name)
    yield folder, name, folder.child(name.removesuffix(".parquet") + LEDGER_SUFFIX)


def _refuse_foreign(folder: Storage, name: str) -> None:
    """Raise `OutputNotEmpty` if something else than a table of matches, as meanface wrote it, has the table's name."""
    if folder.kind(name) and MARK not in own_metadata(folder, name):
        raise OutputNotEmpty(
            f"{folder.url}/{name} is not a table of matches as meanface wrote it: if you edited it, or an earlier "
            "version wrote it, move it away; else name another file"
        )
