"""The two sides of a dataset: one lists its photos while planning, one reads their bytes while embedding."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Protocol, Self

from meanface.dataset.refs import UNKNOWN_SIZE, PhotoRef, Source
from meanface.retry import ATTEMPTS, Transient, with_retries
from meanface.storage.files import network_errors


class PhotoUnreadable(Exception):
    """The photo's bytes cannot be had; the message says why. An outcome of one photo, not the end of a run."""


class AddressRefused(PhotoUnreadable):
    """Its bytes are where this deployment does not go (see `meanface.dataset.network_policy`)."""


class PhotoTooLarge(Exception):
    """The photo has more bytes than are allowed; the message says how many."""


class Dataset(Protocol):
    """Lists photos."""

    def list(self) -> Iterator[PhotoRef]:
        """Every photo, once, in any order; memory does not grow with their number.

        Raises
        ------
        DatasetNotFound, SettingsError, ChecksumMismatch, DamagedArchive, StorageUnavailable
            when the dataset as a whole cannot be listed; what is wrong with one photo is its `refusal`
        """
        ...

    @property
    def source(self) -> Source:
        """Where the photos come from; complete once `list` is exhausted."""
        ...


class PhotoSource(ABC):
    """Reads photos; safe to use from several threads. A context manager, or `close` it."""

    def __init__(self) -> None:
        self._closed = threading.Event()

    def read(self, ref: PhotoRef, max_bytes: int) -> bytes:
        """All bytes of a photo, after some attempts where the trouble may pass.

        Raises
        ------
        PhotoUnreadable
            the photo is gone, has another size than when the run was planned, or does not come
        PhotoTooLarge
            it has more than `max_bytes` bytes; no more than that were held
        """
        if ref.size > max_bytes:
            raise too_large(ref.size, max_bytes)
        try:
            data = with_retries(lambda: self._fetch(ref, max_bytes), self._closed)
        except Transient as given_up:
            raise PhotoUnreadable(f"{given_up} ({ATTEMPTS} attempts)") from given_up
        if ref.size not in (UNKNOWN_SIZE, len(data)):
            raise changed(ref.size, len(data))
        return data

    @abstractmethod
    def _fetch(self, ref: PhotoRef, max_bytes: int) -> bytes:
        """One attempt; raises `Transient` where another may succeed."""

    def close(self) -> None:
        """End waits between attempts, and release connections."""
        self._closed.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def printable(name: str) -> tuple[str, str]:
    r"""The name as valid Unicode, and a refusal where it was not.

    File systems and archives hold bytes; Python shows those that are not UTF-8 as lone surrogates.

    >>> printable("Zo\udceb.jpg")
    ('Zo\\xeb.jpg', 'its name is not valid UTF-8')
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        raw = name.encode("utf-8", "surrogateescape" if _is_escaped(name) else "backslashreplace")
        return raw.decode("utf-8", "backslashreplace"), "its name is not valid UTF-8"
    return name, ""


def _is_escaped(name: str) -> bool:
    return all(not "\ud800" <= letter <= "\udfff" or "\udc80" <= letter <= "\udcff" for letter in name)


def too_large(size: int, max_bytes: int) -> PhotoTooLarge:
    """The refusal of a photo with too many bytes."""
    return PhotoTooLarge(f"{size:,} bytes, more than max_bytes={max_bytes:,}")


def changed(then: int, now: int) -> PhotoUnreadable:
    """The refusal of a photo that is not the planned one."""
    return PhotoUnreadable(f"changed since the plan: {then} bytes then, {now} now")


def replaced() -> PhotoUnreadable:
    """The refusal of a photo that has the planned one's size, and is another."""
    return PhotoUnreadable("changed since the plan: as many bytes, of another version")


def reason(error: Exception) -> str:
    """An error in one line, without the paths and addresses that system errors append."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return " ".join(text.split())


@contextmanager
def reading() -> Iterator[None]:
    """Tells errors that stay (`PhotoUnreadable`) from those that may pass (`Transient`)."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as gone:
        raise PhotoUnreadable("gone since the plan") from gone
    except (PermissionError, IsADirectoryError) as refused:
        raise PhotoUnreadable(f"cannot be read: {reason(refused)}") from refused
    except Exception as error:
        if isinstance(error, network_errors()):
            raise Transient(f"cannot be read: {reason(error)}") from error
        raise
