"""No user's file is touched: every file in an output folder, whenever it was put there, is unchanged afterwards.

Runs are whole ones, but for the embedder (`faults.embedder`) and the report, which is a line.
"""

from __future__ import annotations

import io
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import fsspec
import pytest
from hypothesis import HealthCheck, Phase, example, given
from hypothesis import settings as testing
from hypothesis import strategies as st

import faults.embedder
from laws import examples
from meanface.dataset.network_policy import NetworkPolicy
from meanface.errors import Conflict, DamagedRecord, MeanfaceError, OutputNotEmpty, TooManyFailures
from meanface.pipeline import embed, plan, reduce
from meanface.pipeline.local import run_locally
from meanface.pipeline.run import Run
from meanface.results import report
from meanface.settings import Settings
from meanface.state import MemoryState
from meanface.storage.files import Storage
from meanface.storage.layout import RESULT_FILES, files_of
from meanface.storage.marker import InSeries
from meanface.workers import process
from meanface.workers.pool import Workers

PHOTOS = {f"{place}/{number}.jpg": f"face {place} {number}".encode() for place in "ab" for number in range(2)}
PHOTOS |= {"nobody.jpg": b"nobody", "broken.jpg": b"refuse"}

ANYWHERE = NetworkPolicy.of("allow")
FOREIGN_MARKER = b'{"theme": "dark"}'

NAMES = st.sampled_from(
    [
        *RESULT_FILES,
        *("manifest.json", ".meanface.json", ".meanface/notes", "notes.txt", "a.jpg", ".hidden", "empty/"),
        *(
            "chips/wafer1.tif",
            "chips/0123456789abcdef/mine",
            "chips/00000.tif",
            "ledger/notes.txt",
            "ledger/0123456789abcdef/00000/rows.parquet",
        ),
        *(
            "ledger/mine/00000.parquet",
            "manifest/notes",
            "manifest/manifest.parquet",
            "shards/mine.tar",
            "shards/0.tar",
        ),
        *("ledger/0123456789abcdef/00000/00000.parquet", "manifest/0123456789abcdef/notes", "series/s/mean.npy"),
        *("runs/run/report.html", "partitions/ab/mine.json", "report.html/index.html", "mean.npy/", "ledger.txt"),
    ]
)
CONTENTS = st.sampled_from([b"mine", b"", b"PAR1mine", FOREIGN_MARKER, b'{"schema": 1, "run": "local"}', b"\x93NUMPY"])
TREES = st.dictionaries(NAMES, CONTENTS, max_size=4)
"""name -> content of a file; a name with / at its end is an empty folder"""
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "face_pixels": st.booleans(),
        "labels": st.just("parent_folder"),
        "max_failed_fraction": st.just(0.0),
        "faces": st.just("all"),
    },
)


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "COMMAND", (sys.executable, "-S", "-E", faults.embedder.__file__))
        patch.setattr(report, "html", lambda material: f"<p>{len(material.thumbnails)}</p>")
        yield


@dataclass
class Place:
    """A folder or bucket prefix in which a user has files, and in which results go."""

    url: str
    mine: dict[str, object] = field(default_factory=dict)
    """what the user has put there -> its content, or the target of a link"""

    def __post_init__(self) -> None:
        self.fs, self.root = fsspec.url_to_fs(self.url)
        self.local = Path(self.root) if "://" not in self.url else None

    def put(self, tree: dict[str, bytes], *, linked: bool) -> None:
        """Put a user's files there, except those that would replace a folder of the others."""
        for name, content in tree.items():
            path = f"{self.root}/{name}"
            if self.local is None:
                above = [path.rsplit("/", depth)[0] for depth in range(1, name.count("/") + 1)]
                if not (name.endswith("/") or self.fs.isdir(path) or any(map(self.fs.isfile, above))):
                    self.fs.pipe_file(path, content)
                    self.mine[name] = content
                continue
            target = Path(path)
            if any(each.is_file() or each.is_symlink() for each in target.parents) or target.is_dir():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            if name.endswith("/"):
                if not target.exists():
                    target.mkdir()
                    self.mine[name] = None
                continue
            target.unlink(missing_ok=True)
            if linked:
                elsewhere = self.local.with_name(f"elsewhere-{uuid4().hex}")
                elsewhere.write_bytes(content)
                target.symlink_to(elsewhere)
                self.mine[name] = (elsewhere, content)
            else:
                target.write_bytes(content)
                self.mine[name] = content

    def check(self) -> None:
        """Check that all files are unchanged."""
        for name, content in self.mine.items():
            path = f"{self.root}/{name}"
            if isinstance(content, tuple):
                assert Path(path).readlink() == content[0], name
                assert content[0].read_bytes() == content[1], name
            elif content is None:
                assert Path(path).is_dir(), name
            else:
                assert self.local is None or not Path(path).is_symlink()
                assert self.fs.cat_file(path) == content, name

    def take_away(self) -> None:
        """Remove the user's files from the folder."""
        for name in self.mine:
            if self.local is None:
                self.fs.rm_file(f"{self.root}/{name}")
                continue
            path = self.local / name
            path.rmdir() if name.endswith("/") else path.unlink()
            for folder in path.relative_to(self.local).parents:
                with suppress(OSError):  # it has files
                    (self.local / folder).rmdir()
        self.mine = {}

    def content(self, name: str) -> bytes | None:
        """Of a file; None where it is not there."""
        try:
            return self.fs.cat_file(f"{self.root}/{name}")
        except FileNotFoundError:
            return None

    def everything(self) -> set[str]:
        """Names of all files."""
        if self.local is None:
            if not self.fs.exists(self.root):
                return set()
            return {path.removeprefix(f"{self.root}/") for path in self.fs.find(self.root)}
        return {str(path.relative_to(self.local)) for path in self.local.rglob("*") if not path.is_dir()}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same photos as a folder and as an archive."""
    folder = tmp_path_factory.mktemp("photos")
    with tarfile.open(folder.with_suffix(".tar"), "w") as tar:
        for name, data in PHOTOS.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(data)
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return {"folder": folder, "archive": folder.with_suffix(".tar")}


def new_place(kind: str, photos: Path) -> Place:
    """A folder is one beside the photos."""
    match kind:
        case "folder":
            return Place(str(Path(tempfile.mkdtemp(dir=photos.parent), "out")))
        case "memory":
            return Place(f"memory://{uuid4().hex}/out")
        case _:
            return Place(f"s3://bucket/{uuid4().hex}")


def attempt(place: Place, photos: Path, options: dict[str, Any]) -> MeanfaceError | None:
    """A run by itself; how it was refused, if it was. What the user has there stays."""
    settings = Settings.of(**({"dataset": str(photos), "partition_size": 2} | options))
    try:
        run_locally(settings, Storage(place.url), workers=1)
    except MeanfaceError as refused:
        return refused
    finally:
        place.check()
    return None


QUICK = {
    "deadline": None,
    "phases": [Phase.explicit, Phase.reuse, Phase.generate],  # to shrink an example takes minutes
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}


@pytest.mark.parametrize("kind", ["folder", "memory"])
@testing(max_examples=examples(25), **QUICK)
@given(tree=TREES, options=OPTIONS, dataset=st.sampled_from(["folder", "archive"]), linked=st.booleans())
@example(
    tree={"chips/wafer1.tif": b"mine", "report.html": b"mine"},
    options={"face_pixels": False},
    dataset="folder",
    linked=False,
)
@example(tree={"shards/00000.tar": b"mine"}, options={}, dataset="archive", linked=False)
@example(tree={"empty/": b""}, options={}, dataset="folder", linked=False)
def test_files_that_exist_before_the_first_run(
    photos: dict[str, Path], kind: str, tree: dict[str, bytes], options: dict[str, Any], dataset: str, linked: bool
) -> None:
    """It refuses the run, which writes nothing."""
    place = new_place(kind, photos["folder"])
    place.put(tree, linked=linked)
    there = place.everything()
    refused = attempt(place, photos[dataset], options)
    if place.mine:
        assert isinstance(refused, OutputNotEmpty)
        assert place.everything() == there
    else:
        assert not isinstance(refused, OutputNotEmpty)


def between(place: Place, photos: Path, trees: list[Any]) -> None:
    """Runs of one folder, between which the user puts files there; and one more when they are gone again."""
    options = trees[0][1]
    for tree, others, linked in trees:
        attempt(place, photos, others)
        place.put(tree, linked=linked)
        place.check()
    attempt(place, photos, options)
    if ".meanface.json" in place.mine:  # it is not this run's any more
        return
    place.take_away()
    assert isinstance(attempt(place, photos, options), TooManyFailures | None)
    undisturbed = new_place("folder", photos)
    attempt(undisturbed, photos, options)
    for name in ("mean.npy", "failures.csv", "mean_face.png", "label_means.parquet"):
        assert place.content(name) == undisturbed.content(name), name


@pytest.mark.long
@pytest.mark.parametrize("kind", ["folder", "memory"])
@testing(max_examples=examples(10), **QUICK)
@given(
    trees=st.lists(st.tuples(TREES, OPTIONS, st.booleans()), min_size=1, max_size=3),
    dataset=st.sampled_from(["folder", "archive"]),
)
def test_files_that_are_added_between_runs(photos: dict[str, Path], kind: str, trees: list[Any], dataset: str) -> None:
    between(new_place(kind, photos["folder"]), photos[dataset], trees)


@pytest.mark.parametrize("dataset", ["folder", "archive"])
def test_the_same_run_again_in_a_folder_of_its_photos(photos: dict[str, Path], tmp_path: Path, dataset: str) -> None:
    """Its own results are no photos; those of another run are none either."""
    place = Place(str(tmp_path / "photos"))
    place.put(PHOTOS, linked=False)
    source = place.local if dataset == "folder" else photos[dataset]
    for output in ("results", "results", "others/of/march", "results"):
        result = run_locally(Settings.of(dataset=str(source)), Storage(f"{place.url}/{output}"), workers=1)
        assert (result.photos, result.faces) == (6, 4)
        place.check()
    (record,) = [each for each in result.passed_over if each.kind == "results of meanface"] or [None]
    assert (record is None) == (dataset == "archive")


def test_the_same_run_again_in_a_prefix_of_its_photos(photos: dict[str, Path]) -> None:
    place = new_place("memory", photos["folder"])
    place.put(PHOTOS, linked=False)
    for _ in range(2):
        assert (
            run_locally(
                Settings.of(dataset=place.url), Storage(f"{place.url}/results"), workers=1, network_policy=ANYWHERE
            ).photos
            == 6
        )
        place.check()


@pytest.mark.parametrize("output", [".", "chips", "a"])
def test_the_photos_folder_itself_is_refused(tmp_path: Path, output: str) -> None:
    place = Place(str(tmp_path / "photos"))
    place.put(PHOTOS | {"chips/bag.png": b"nobody", "report.html": b"mine"}, linked=False)
    there = place.everything()
    with pytest.raises(OutputNotEmpty, match="is not empty"):
        run_locally(Settings.of(dataset=place.url, face_pixels=False), Storage(str(Path(place.url, output))), workers=1)
    place.check()
    assert place.everything() == there


def test_an_edited_report_is_named_and_kept(photos: dict[str, Path]) -> None:
    place = new_place("folder", photos["folder"])
    assert attempt(place, photos["folder"], {}) is None
    place.put({"report.html": b"my notes"}, linked=False)
    there = place.everything()
    refused = attempt(place, photos["folder"], {})
    assert isinstance(refused, Conflict)
    assert "report.html in " in str(refused)
    assert "Move it away" in str(refused)
    assert place.everything() == there


STORED = st.sampled_from(
    [
        *("runs/run/report.html", "runs/run/chips/a.tif", "runs/run/.meanface.json", "runs/other/result.json"),
        *("series/s/mean.npy", "series/s/intervals/2026-01-02T00:00:00Z.moments", "series/s/.meanface.json"),
        *("series/notes", "partitions/ab/mine.json", "notes", "runs/notes", "series/t/result.json"),
    ]
)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["folder", "memory"])
@testing(max_examples=examples(10), **QUICK)
@given(trees=st.lists(st.dictionaries(STORED, CONTENTS, max_size=2), min_size=2, max_size=2), pixels=st.booleans())
@example(trees=[{"series/s/mean.npy": b"mine"}, {}], pixels=True)
@example(trees=[{}, {"series/s/mean.npy": b"mine", "runs/run/report.html": b"mine"}], pixels=False)
@example(trees=[{}, {"series/s/intervals/2026-01-02T00:00:00Z.moments": b"mine"}], pixels=False)
def test_files_in_a_shared_storage(photos: dict[str, Path], kind: str, trees: list[Any], pixels: bool) -> None:
    """Before, between and after the stages of a run in a series, which is run twice."""
    place, state = new_place(kind, photos["folder"]), MemoryState("run")
    shared = Storage(place.url)
    run = Run("run", state, files_of(shared, "run"), shared=shared)
    settings = Settings.of(dataset=str(photos["folder"]), partition_size=2, face_pixels=pixels)

    def stages() -> Iterator[None]:
        manifest = plan(run, settings, InSeries(name="s", interval="2026-01-02T00:00:00Z"))
        yield
        with Workers(1, settings) as workers:
            for partition in manifest.partitions:
                embed(run, partition.index, workers)
            yield
            reduce(run)

    for tree in trees:
        place.put(tree, linked=False)
        for name in ("partitions/ab/mine.json", "notes"):
            place.put({name: b"mine"}, linked=False)
        with suppress(OutputNotEmpty, Conflict, DamagedRecord):
            for _ in stages():
                place.check()
        place.check()


def test_foreign_files_in_the_place_of_cache_entries_stay(photos: dict[str, Path], tmp_path: Path) -> None:
    shared = Storage(str(tmp_path / "storage"))
    settings = Settings.of(dataset=str(photos["folder"]))

    def embedded(name: str) -> None:
        run = Run(name, MemoryState(name), files_of(shared, name), shared=shared)
        with Workers(1, settings) as workers:
            for partition in plan(run, settings).partitions:
                embed(run, partition.index, workers)
            reduce(run)

    embedded("first")
    entries = [*(tmp_path / "storage/partitions").rglob("*.json"), *(tmp_path / "storage/datasets").glob("*.json")]
    assert len(entries) == 2
    for entry in entries:
        entry.write_text("mine")
    embedded("second")
    assert {entry.read_text() for entry in entries} == {"mine"}


@pytest.mark.long
@pytest.mark.parametrize("dataset", ["folder", pytest.param("archive", marks=pytest.mark.long)])
@pytest.mark.usefixtures("bucket")
def test_files_in_a_real_bucket(photos: dict[str, Path], dataset: str) -> None:
    """The same laws, by a few examples."""
    place = new_place("bucket", photos["folder"])
    place.put({"chips/wafer1.tif": b"mine", "report.html": b"mine"}, linked=False)
    assert isinstance(attempt(place, photos[dataset], {"face_pixels": False}), OutputNotEmpty)
    assert place.everything() == {"chips/wafer1.tif", "report.html"}
    trees = [{"chips/a.tif": b"mine", "ledger/00000/a.parquet": b"mine"}, {"report.html": b"mine"}, {"mean.npy": b""}]
    options = [{}, {"face_pixels": False}, {"max_failed_fraction": 0.0}]
    rounds = [(*one, False) for one in zip(trees, options, strict=True)]
    between(new_place("bucket", photos["folder"]), photos[dataset], rounds)
