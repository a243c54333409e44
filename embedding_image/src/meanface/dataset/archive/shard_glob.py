"""Photos in tar shards that match a pattern and are read in place."""

from __future__ import annotations

import builtins
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import NamedTuple

from meanface.dataset.address import ARCHIVE_SUFFIXES, expand_braces, has_suffix, wildcards_of
from meanface.dataset.archive.members import Damage, EndsEarly, checked_name, content
from meanface.dataset.archive.raw import RawFile
from meanface.dataset.archive.tar import NoArchive, TarMembers, TarStream
from meanface.dataset.bucket import file_system, listing
from meanface.dataset.kinds import FOLDERS_AS_SHARDS, RESULTS, passed_over
from meanface.dataset.label_spool import LabelSpool
from meanface.dataset.matching import cut, paths_matching
from meanface.dataset.passed_over import Account
from meanface.dataset.photo_pattern import PhotoPattern
from meanface.dataset.photos import printable
from meanface.dataset.refs import PhotoRef, Source
from meanface.dataset.result_folders import ResultFolders, shard_in_results
from meanface.dataset.sidecars import Sidecars
from meanface.dataset.spool import RefSpool
from meanface.dataset.table.columns import NO_COLUMNS, ColumnNames
from meanface.errors import DatasetNotFound, SettingsError
from meanface.storage.files import without_credentials
from meanface.storage.version import of_file

SCANNERS = 8
MOST_WARNINGS = 20
READ_AHEAD = 1 << 20
"""bytes of one request, which hold many headers if photos are small"""


class _Scanned(NamedTuple):
    """Everything found in a shard beside photos."""

    passed_over: Account
    notice: str = ""
    exists: bool = True
    results: ResultFolders = ResultFolders()


class ShardDataset:
    """Every photo in the uncompressed tar archives that match a pattern (`/data/shard-*.tar`).

    Only headers are read, several shards at a time. A photo's name is its shard's, then its own.
    Ranges such as `{0..9}` name every shard: a missing one counts as a photo that failed.
    """

    def __init__(self, pattern: str, wanted: ColumnNames = NO_COLUMNS) -> None:
        self._wanted = wanted
        self._url = printable(without_credentials(pattern))[0]
        if has_suffix(pattern, tuple(suffix for suffix in ARCHIVE_SUFFIXES if suffix != ".tar")):
            raise SettingsError(
                f"dataset {self._url!r} names compressed archives: several archives must be uncompressed .tar files, "
                "as they are read in place; a single one may be compressed"
            )
        folder, self._below = cut(pattern)
        self._fs, self._root = file_system(folder)
        self._wildcards = wildcards_of(pattern)
        self._named = set(self._wildcards).isdisjoint(self._below)
        self._account, self._results = Account(), ResultFolders()
        self._notices: list[str] = []
        self._stopped = threading.Event()

    @property
    def source(self) -> Source:
        """Where the photos come from."""
        more = len(self._notices) - MOST_WARNINGS
        rest = (f"and {more:,} more like these",) if more > 0 else ()
        return Source(
            url=self._url,
            kind="shards",
            root=self._fs.unstrip_protocol(self._root or "/"),
            passed_over=self._account.records(),
            warnings=(*self._notices[:MOST_WARNINGS], *rest),
        )

    def list(self) -> Iterator[PhotoRef]:
        """Every photo, each shard's in the shard's order."""
        self._account, self._notices, self._results = Account(), [], ResultFolders()
        exists = False
        with RefSpool() as spool, LabelSpool() as labels:
            sidecars = Sidecars(labels, self._wanted)
            with listing(self._url), ThreadPoolExecutor(SCANNERS, thread_name_prefix="shards") as pool:
                paths = iter(self._paths())
                running = deque(pool.submit(self._scan, path, spool, sidecars) for path in islice(paths, 2 * SCANNERS))
                try:
                    while running:
                        scanned = running.popleft().result()
                        exists |= scanned.exists
                        self._account.merge(scanned.passed_over)
                        self._results.merge(scanned.results)
                        if scanned.notice:
                            self._notices.append(scanned.notice)
                        running.extend(pool.submit(self._scan, path, spool, sidecars) for path in islice(paths, 1))
                except BaseException:
                    self._stopped.set()
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise
            if not exists:
                raise DatasetNotFound(f"dataset {self._url!r}: no file matches; expected tar shards")
            for ref in spool.last_members():
                if kind := self._results.kind(ref.name):  # the folder's marker came later
                    self._account.add(kind, ref.name)
                else:
                    yield sidecars.labelled(ref)

    def _paths(self) -> builtins.list[str]:
        if self._named:
            return sorted({f"{self._root}/{below}" for below in expand_braces(self._below)})
        return sorted(self._matching())

    def _matching(self) -> Iterator[str]:
        """Paths that match, without the shards of our own results."""
        in_results = shard_in_results(self._fs, self._root)
        for path in paths_matching(self._fs, self._root or "/", PhotoPattern(self._below, self._wildcards)):
            if in_results(path):
                self._account.add(RESULTS, path[len(self._root) :].lstrip("/"))
            else:
                yield path

    def _scan(self, path: str, spool: RefSpool, sidecars: Sidecars) -> _Scanned:
        """Add one shard's photos to the spool."""
        account, results = Account(), ResultFolders()
        shard = path[len(self._root) :].lstrip("/")
        shard_name, refusal = printable(shard)
        try:
            found = self._fs.info(path)
        except FileNotFoundError:
            found = {"type": "missing"}
        if found["type"] == "directory" and not self._named:
            account.add(FOLDERS_AS_SHARDS, shard_name)
            return _Scanned(account)
        if found["type"] != "file":
            exists = found["type"] != "missing"
            problem = "is no file" if exists else "does not exist"
            spool.add(PhotoRef(shard_name, 0, source=shard_name, refusal=f"the shard {problem}"))
            return _Scanned(account, f"the shard {shard_name!r} {problem}", exists)
        version = of_file(self._fs, path, found)
        with self._fs.open(path, "rb", block_size=READ_AHEAD, cache_type="readahead") as file:
            members = TarMembers(TarStream(RawFile(file, shard_name), int(found["size"])))
            last, counted = "", False
            try:
                for member in members:
                    if self._stopped.is_set():
                        break
                    last, problem = checked_name(member.name)
                    problem = refusal or problem or member.refusal
                    name = f"{shard_name}/{last}"
                    results.look(name, member.size, partial(content, member))
                    sidecars.look(name, member.size, partial(content, member))
                    if kind := results.kind(name) or passed_over(last):
                        account.add(kind, name)
                        continue
                    where = (shard_name, -1, problem, "") if problem else (shard, member.offset, "", version)
                    spool.add(PhotoRef(name, member.size, *where))
                    counted = problem == EndsEarly().inside_photo()
            except (NoArchive, Damage) as error:
                notice = (
                    error.behind(last) if isinstance(error, Damage) else f"is no uncompressed tar archive but {error}"
                )
                if not counted:
                    spool.add(PhotoRef(shard_name, 0, source=shard_name, refusal=f"the shard {notice}"))
            else:
                notice = members.notice
        return _Scanned(account, notice and f"the shard {shard_name!r} {notice}", results=results)
