"""docs/compatibility.md as tests: each row of its tables has a recipe that makes the input and returns the result.

A module of tests has the recipes of one section. The row is found by its first cell; its second cell must be what the
recipe returns: the document is the expectation.
"""

from __future__ import annotations

import io
import re
import tarfile
import threading
import warnings
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from _pytest.mark import ParameterSet
from numpy.typing import NDArray
from PIL import Image

from meanface.dataset.network_policy import NetworkPolicy
from meanface.errors import MeanfaceError
from meanface.ledger.chunk_reader import chunks_of
from meanface.ledger.manifest import Manifest
from meanface.pipeline import embed, local, plan, reduce
from meanface.pipeline.run import Run
from meanface.settings import Settings
from meanface.state import MemoryState
from meanface.storage.files import Storage
from meanface.workers.pool import Workers

DOCUMENT = Path(__file__).parents[1] / "docs" / "compatibility.md"
SAME_FACE = 0.35
"""largest distance of a portrait's embedding in another format; that of two people is about 0.8"""


def sections() -> dict[str, dict[str, str]]:
    """Heading -> first cell -> second cell, of the sections that have a table."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    heading = ""
    for line in DOCUMENT.read_text().splitlines():
        if line.startswith("## "):
            heading = line.removeprefix("## ")
        elif re.match(r"\| (?!What \||---)", line):
            what, happens = re.split(r" (?<!\\)\| ", line.removeprefix("| "))[:2]
            assert what not in found[heading], f"{what} is there twice"
            found[heading][what] = happens
    return dict(found)


Recipe = Callable[["Place"], str]


class Recipes(dict[str, Recipe]):
    """The recipes of a section, by the first cells of its rows."""

    def __init__(self, section: str) -> None:
        super().__init__()
        self.rows = sections().get(section, {})
        self._long: set[str] = set()

    def __call__(self, *rows: str, long: bool = False) -> Callable[[Recipe], Recipe]:
        """Take a function as the recipe of rows; `make test` leaves out those that are `long`."""

        def add(recipe: Recipe) -> Recipe:
            for what in rows:
                assert what not in self, f"two recipes for {what}"
                self[what] = recipe
                self._long |= {what} if long else set()
            return recipe

        return add

    @property
    def each(self) -> list[ParameterSet]:
        """Every row and every recipe: one without the other is a failure."""
        every = dict.fromkeys([*self.rows, *self])
        return [pytest.param(what, marks=[pytest.mark.long] if what in self._long else []) for what in every]

    def check(self, what: str, place: Place) -> None:
        """Follow a recipe, and compare the result with the document."""
        assert what in self.rows, f"docs/compatibility.md has no row {what!r}"
        assert what in self, f"no recipe for the row {what!r}"
        assert self[what](place) == self.rows[what]


class Photo(NamedTuple):
    """The outcome of a photo."""

    name: str
    outcome: str
    detail: str
    label: str | None
    face: NDArray[np.float32] | None
    """the embedding"""


class Account:
    """The outcome of a run over a dataset."""

    def __init__(self, manifest: Manifest, rows: list[Photo], likeness: NDArray[np.float32] | None) -> None:
        self.rows, self.source, self._likeness = rows, manifest.source, likeness
        self.photos = {row.name: row for row in rows}
        self.passed_over = {record.kind: record.files for record in manifest.source.passed_over}

    def happened(self, *names: str, detail: str = "") -> str:
        """The outcome of photos, the same for all of them, in the words of the document."""
        found = {self._in_words(self.photos[name]) for name in names or self.photos}
        assert len(found) == 1, self.photos
        if detail:
            assert all(re.search(detail, self.photos[name].detail) for name in names or self.photos), self.photos
        return found.pop()

    def kind(self, *names: str) -> str:
        """The one kind of all files that are passed over, in the words of the document."""
        (record,) = self.source.passed_over
        assert (record.files, set(record.examples)) == (len(names), set(names))
        return f"passed over: {record.kind}"

    def _in_words(self, photo: Photo) -> str:
        if photo.face is None or self._likeness is None:
            return f"`{photo.outcome}`"
        assert np.linalg.norm(photo.face - self._likeness) < SAME_FACE, "another face"
        return "read"


class Place:
    """A folder for one test, with a portrait and what makes photos, archives and runs."""

    def __init__(
        self, path: Path, portrait: Image.Image, workers: WorkersFor, likeness: NDArray[np.float32] | None = None
    ) -> None:
        self.path, self.portrait, self._workers, self._likeness = path, portrait, workers, likeness
        self.after_plan: Callable[[], object] = lambda: None
        self.jpeg = encoded(portrait, quality=90)
        self.png = encoded(portrait, "PNG")

    def write(self, name: str, data: bytes | None = None) -> Path:
        """A file below the folder; a photo unless its bytes are given."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.jpeg if data is None else data)
        return path

    def tar(self, name: str, *members: tuple[str, bytes] | tarfile.TarInfo, form: int = tarfile.PAX_FORMAT) -> Path:
        """An archive of names with bytes, or headers without."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=form) as archive:
            for member in members:
                info = member if isinstance(member, tarfile.TarInfo) else tarfile.TarInfo(member[0])
                data = b"" if isinstance(member, tarfile.TarInfo) else member[1]
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        return self.write(name, packed.getvalue())

    def zip(self, name: str, *members: tuple[str, bytes], system: int = 3) -> Path:
        """An archive as a system writes it: 0 Windows, 3 Unix."""
        packed = io.BytesIO()
        with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(packed, "w") as archive:  # of names there twice
            for member, data in members:
                info = zipfile.ZipInfo("name")
                info.filename, info.create_system = member, system
                archive.writestr(info, data)
        return self.write(name, packed.getvalue())

    def run(
        self, dataset: object = "photos", output: str = "results", *, whole: bool = False, **settings: object
    ) -> Account:
        """Plan and embed, and reduce if the complete result is requested; dataset paths are relative to the folder."""
        address = str(dataset if "://" in str(dataset) else self.path / str(dataset))
        asked = Settings.of(dataset=address, **settings)
        run = Run(
            local.NAME,
            MemoryState(local.NAME),
            Storage(str(self.path / output)),
            network_policy=NetworkPolicy.of("allow"),
        )
        workers = self._workers(asked)
        manifest = plan(run, asked)
        self.after_plan()
        for partition in manifest.partitions:
            embed(run, partition.index, workers)
        if whole:
            reduce(run)
        rows = []
        for chunk in chunks_of(run.plan_files(manifest), manifest.partitions):
            for row in chunk.table.to_pylist():
                face = None if row["embedding"] is None else np.float32(row["embedding"])
                rows.append(Photo(row["photo"], row["outcome"], row["detail"], row["label"], face))
        return Account(manifest, rows, self._likeness)

    def photo(self, name: str, data: bytes | None = None, *, detail: str = "", **settings: object) -> str:
        """The outcome of a photo that is alone in a folder, in the words of the document."""
        self.write(f"photos/{name}", data)
        return self.run(**settings).happened(name, detail=detail)

    def refusal(self, dataset: object, message: str, output: str = "results", **settings: object) -> str:
        """Check that a run over a dataset is refused with a message; the exit code, in the words of the document."""
        with pytest.raises(MeanfaceError, match=message) as refused:
            self.run(dataset, output, **settings)
        return f"refused, exit code {refused.value.exit_code}"


WorkersFor = Callable[[Settings], Workers]


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    """A picture's file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


class Answer(NamedTuple):
    """What a server answers."""

    data: bytes
    status: int = 200
    headers: Mapping[str, str] = {}


@contextmanager
def serving(answers: Mapping[str, Answer]) -> Iterator[str]:
    """A server on loopback; its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answer = answers.get(self.path, Answer(b"not here", 404))
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.data)))
            self.end_headers()
            self.wfile.write(answer.data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
