"""Photos in tar shards that are read in place, named by a glob."""

from __future__ import annotations

import builtins
import posixpath
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

from meanface.dataset.address import ARCHIVE_SUFFIXES, expand_braces, has_suffix
from meanface.dataset.bucket import file_system, listing
from meanface.dataset.members import NO_END_MARKER, Damage, EndsEarly, checked_name
from meanface.dataset.notices import Notices
from meanface.dataset.photos import is_photo, printable
from meanface.dataset.raw import RawFile
from meanface.dataset.spool import Batch, RefSpool
from meanface.dataset.tar import NoArchive, TarMembers, TarStream
from meanface.errors import DatasetNotFound, SettingsError
from meanface.fileversion import of_file
from meanface.manifest import PhotoRef, Source
from meanface.storage import without_credentials

SCANNERS = 8
READ_AHEAD = 1 << 20
"""bytes of one request: with small photos they hold many headers, which is faster than one request each"""


class ShardDataset:
    """Every photo in the uncompressed tar archives that match a pattern such as `/data/shard-*.tar`.

    Only headers are read, several shards at a time. A photo's name is its shard's, then its own.
    """

    def __init__(self, pattern: str) -> None:
        self._url = printable(without_credentials(pattern))[0]
        if has_suffix(pattern, tuple(suffix for suffix in ARCHIVE_SUFFIXES if suffix != ".tar")):
            raise SettingsError(
                f"dataset {self._url!r} names compressed archives: several are read in place, for which they must be "
                "uncompressed .tar files; a single one may be compressed"
            )
        fixed = expand_braces(pattern)
        self._patterns = [file_system(one) for one in fixed]
        # What no wildcard touches is the root: photos behind it are found again under the same names.
        roots = [posixpath.dirname(path.split("*")[0].split("?")[0].split("[")[0]) for _, path in self._patterns]
        self._root = posixpath.commonpath(roots) if roots else ""
        self._ignored = 0
        self._notices = Notices()
        self._stopped = threading.Event()

    @property
    def source(self) -> Source:
        """Where the photos come from."""
        fs = self._patterns[0][0]
        return Source(
            url=self._url,
            kind="shards",
            root=fs.unstrip_protocol(self._root),
            ignored=self._ignored,
            warnings=self._notices.texts(),
        )

    def list(self) -> Iterator[PhotoRef]:
        """Every photo, each shard's in the shard's order."""
        self._ignored, self._notices = 0, Notices()
        with RefSpool() as spool:
            with listing(self._url), ThreadPoolExecutor(SCANNERS, thread_name_prefix="shards") as pool:
                paths = iter(self._paths())
                running = deque(pool.submit(self._scan, path, spool) for path in islice(paths, 2 * SCANNERS))
                try:
                    while running:
                        self._count(*running.popleft().result())
                        running.extend(pool.submit(self._scan, path, spool) for path in islice(paths, 1))
                except BaseException:
                    self._stopped.set()
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise
            yield from spool.refs(keep="last", refusal="replaced by a later member of the same name")

    def _paths(self) -> builtins.list[tuple[Any, str]]:
        found = sorted({path: fs for fs, pattern in self._patterns for path in fs.glob(pattern)}.items())
        if not found:
            raise DatasetNotFound(f"dataset {self._url!r}: no file matches; expected tar shards")
        return [(fs, path) for path, fs in found]

    def _count(self, ignored: int, notice: str) -> None:
        self._ignored += ignored
        if notice:
            self._notices.add(notice)

    def _scan(self, place: tuple[Any, str], spool: RefSpool) -> tuple[int, str]:
        """Put one shard's photos into the spool; how many other files it has, and what is wrong with it."""
        fs, path = place
        found = fs.info(path)
        if found["type"] != "file":
            return 1, ""
        version = of_file(fs, path, found)
        shard = path[len(self._root) :].lstrip("/")
        shown, refusal = printable(shard)
        with fs.open(path, "rb", block_size=READ_AHEAD, cache_type="readahead") as file:
            members = TarMembers(TarStream(RawFile(file, shown), int(found["size"])))
            last, ignored, counted = "", 0, False
            batch = Batch(spool)
            try:
                for member in members:
                    if self._stopped.is_set():
                        break
                    last, wrong = checked_name(member.name)
                    wrong = refusal or wrong or member.refusal
                    if is_photo(last):
                        where = ("", -1, wrong, "") if wrong else (shard, member.offset, "", version)
                        batch.add(PhotoRef(f"{shown}/{last}", member.size, *where))
                        counted = wrong == EndsEarly().inside_photo()
                    else:
                        ignored += 1
            except (NoArchive, Damage) as error:
                notice = error.behind(last) if isinstance(error, Damage) else f"is no uncompressed tar archive: {error}"
                if not counted:
                    batch.add(PhotoRef(shown, 0, refusal=f"the shard {notice}"))
            else:
                notice = "" if members.ended else NO_END_MARKER
            batch.flush()
        return ignored, notice and f"the shard {shown!r} {notice}"
