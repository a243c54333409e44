"""Photos in one archive, which is verified and rewritten as tar shards in the run's storage."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path

from meanface.dataset.address import base_name, local_path
from meanface.dataset.archive.decompression import decompressed
from meanface.dataset.archive.local_copy import local_file, open_raw, verify
from meanface.dataset.archive.members import Damage, Member, MemberDamage, checked_name, content
from meanface.dataset.archive.raw import RawFile
from meanface.dataset.archive.shards import ShardFolder, ShardWriter
from meanface.dataset.archive.tar import NoArchive, TarMembers, TarStream
from meanface.dataset.archive.zip import ZipMembers, is_zip, open_zip
from meanface.dataset.content import START, Content, identify
from meanface.dataset.kinds import UNKNOWN, Kind, passed_over, passed_over_by_content
from meanface.dataset.label_spool import LabelSpool
from meanface.dataset.network_policy import PUBLIC, NetworkPolicy
from meanface.dataset.passed_over import Account
from meanface.dataset.photos import printable
from meanface.dataset.refs import PhotoRef, Source
from meanface.dataset.result_folders import ResultFolders
from meanface.dataset.scratch import scratch
from meanface.dataset.sidecars import Sidecars
from meanface.dataset.spool import RefSpool
from meanface.dataset.table.columns import NO_COLUMNS, ColumnNames
from meanface.errors import DamagedArchive, DatasetNotFound
from meanface.storage.files import without_credentials

BOMB_RATIO, BOMB_BYTES = 200, 1 << 30
"""Limit of the unpacked size, as a multiple of the archive's own bytes plus a constant; photos stay below it."""
_PACKED = {"gzip data", "bzip2 data", "xz data"}
_ONE_PHOTO = "give its name a photo's suffix, such as .jpg, or name its address in a list of photos (.txt)"
_DATASET_ADVICE = {
    **dict.fromkeys(("a JPEG photo", "a PNG photo", "a GIF photo", "a WebP photo", "a BMP photo"), _ONE_PHOTO),
    **dict.fromkeys(("a TIFF photo", "a HEIC photo", "an AVIF photo"), _ONE_PHOTO),
    "an HTML page": "perhaps a login page or a page about the file: give the address of the file itself",
    "a text": "a list of photos ends in .csv, .tsv, .jsonl or .txt",
    "a Parquet file": "a table of photos has the suffix .parquet",
}
HELD_BYTES = 1 << 24
"""maximum bytes of a member in memory; a larger one goes to a temporary file"""


class ArchiveDataset:
    """The photos of a tar or zip archive; its content decides the format, not its name.

    The archive must have the `checksum` (algorithm:hex), if one is given. Photos go to
    `shards`; one of more than `max_bytes` is listed, but not stored. `name` is the archive's file
    name, by default the one in its address.
    """

    def __init__(  # noqa: PLR0913 - a caller needs four
        self,
        url: str,
        *,
        checksum: str | None,
        max_bytes: int,
        shards: ShardFolder,
        name: str = "",
        network_policy: NetworkPolicy = PUBLIC,
        wanted: ColumnNames = NO_COLUMNS,
    ) -> None:
        self._wanted = wanted
        self._network_policy = network_policy
        self._address, self._expected, self._max_bytes, self._shards = url, checksum, max_bytes, shards
        self._url = printable(without_credentials(url))[0]
        self._name = name or printable(base_name(self._url))[0]
        self._checksum: str | None = None
        self._account, self._results = Account(), ResultFolders()
        self._unpacked = self._most = 0
        self._warnings: tuple[str, ...] = ()
        local = local_path(url)
        if local is not None and not Path(local).is_file():
            raise DatasetNotFound(
                f"dataset {self._url!r} does not exist: expected a folder, a photo, an archive or a list"
                + (". Leave out the quotes and blanks around it" if url != url.strip(" \t\n'\"") else "")
            )

    @property
    def source(self) -> Source:
        """Where the photos come from."""
        return Source(
            url=self._url,
            kind="archive",
            root="",
            checksum=self._checksum,
            passed_over=self._account.records(),
            warnings=self._warnings,
        )

    def list(self) -> Iterator[PhotoRef]:
        """Every photo, in the archive's order, once all of them are in shards."""
        self._account, self._warnings, self._unpacked = Account(), (), 0
        self._results = ResultFolders()
        with RefSpool() as spool, LabelSpool() as labels:
            sidecars = Sidecars(labels, self._wanted)
            with local_file(self._address, self._network_policy) as path, open_raw(path, self._url) as file:
                self._most = BOMB_RATIO * file.seek(0, 2) + BOMB_BYTES
                file.seek(0)
                self._checksum = verify(file, self._expected, self._url)
                with ShardWriter(self._shards) as shards:
                    self._repack(file, shards, spool, sidecars)
            for ref in spool.last_members():
                if kind := self._results.kind(ref.name):  # the folder's marker came later
                    self._account.add(kind, ref.name)
                else:
                    yield sidecars.labelled(ref)

    def _repack(self, file: RawFile, shards: ShardWriter, spool: RefSpool, sidecars: Sidecars) -> None:
        """Write photos to shards, references to the spool; report where the archive breaks off."""
        last, counted = "", False
        members = self._members(file)
        try:
            for member in members:
                name, refusal = checked_name(member.name)
                self._results.look(name, member.size, partial(content, member))
                sidecars.look(name, member.size, partial(content, member))
                kind = self._results.kind(name) or passed_over(name)
                if kind is UNKNOWN and not (refusal or member.refusal):
                    kind, member = _by_content(member)  # noqa: PLW2901 - the same member, partly read
                if kind:
                    self._account.add(kind, name)
                else:
                    try:
                        spool.add(self._stored(member, name, refusal, shards))
                    except Damage as damage:
                        spool.add(PhotoRef(name, member.size, refusal=damage.inside_photo()))
                        counted = True
                        raise
                last = name
        except NoArchive as no_archive:
            raise DamagedArchive(self._no_archive(file, no_archive.content)) from no_archive
        except Damage as damage:
            if not last and not counted:
                raise DamagedArchive(f"nothing can be read from the archive {self._url!r}: {damage}") from damage
            notice = damage.behind(last)
            self._warnings = (f"the archive {self._name!r} {notice}",)
            if not counted:  # so that a run which allows no failures fails
                spool.add(PhotoRef(self._name, 0, refusal=f"the archive {notice}"))
        else:
            if isinstance(members, TarMembers) and members.notice:
                self._warnings = (f"the archive {self._name!r} {members.notice}",)

    def _members(self, file: RawFile) -> TarMembers | ZipMembers:
        if not is_zip(file):
            return TarMembers(TarStream(decompressed(file), count=self._count_unpacked))
        try:
            return ZipMembers(open_zip(file), count=self._count_unpacked)
        except ValueError as damaged:
            raise DamagedArchive(
                f"the directory of the zip archive {self._url!r} cannot be read: {damaged}"
            ) from damaged

    def _no_archive(self, file: RawFile, content: Content) -> str:
        """Describe what the file is, and what to do; `content` is its content after decompression."""
        file.seek(0)
        outside = identify(file.read(START))
        what = Content(outside.name, _DATASET_ADVICE.get(outside.name, outside.advice))
        if outside.name in _PACKED:
            what = Content(f"{outside.name} with {content.name} in it", outside.advice)
        return f"{self._url!r} is neither a tar nor a zip archive but {what}"

    def _count_unpacked(self, size: int) -> None:
        """Count unpacked bytes, stored or not, and refuse a decompression bomb."""
        self._unpacked += size
        if self._unpacked > self._most:
            raise DamagedArchive(
                f"the archive {self._url!r} unpacks to more than {self._most:,} bytes, {BOMB_RATIO} times its own, "
                "as a decompression bomb does: give its photos as a folder or as several archives"
            )

    def _stored(self, member: Member, name: str, refusal: str, shards: ShardWriter) -> PhotoRef:
        refusal = refusal or member.refusal
        if refusal or member.size > self._max_bytes:
            return PhotoRef(name, member.size, refusal=refusal)
        # Unpack all of it before the shard's header declares its size.
        with tempfile.SpooledTemporaryFile(HELD_BYTES) as data:
            try:
                for chunk in member.chunks():
                    with scratch():
                        data.write(chunk)
            except MemberDamage as damage:
                return PhotoRef(name, member.size, refusal=str(damage))
            if data.tell() != member.size:
                refusal = f"{member.size} bytes declared, {data.tell()} in the archive"
                return PhotoRef(name, member.size, refusal=refusal)
            data.seek(0)
            return shards.add(name, member.size, data)


def _by_content(member: Member) -> tuple[Kind | None, Member]:
    """The kind of a member without a known suffix, None for a photo; and the member, unread."""
    chunks = member.chunks()
    try:
        first = next(chunks, b"")
    except MemberDamage:
        return UNKNOWN, member
    return passed_over_by_content(first[:START]), replace(member, chunks=lambda: chain((first,), chunks))
