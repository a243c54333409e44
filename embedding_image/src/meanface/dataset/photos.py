"""The two sides of a dataset: one lists photos while planning, one reads them while embedding."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, Self

from meanface.dataset.refs import UNKNOWN_SIZE, PhotoRef, Source
from meanface.retry import ATTEMPTS, Transient, with_retries
from meanface.storage.file_errors import os_errors


class PhotoUnreadable(Exception):
    """The photo's bytes cannot be read, which does not end a run; the message says why."""


class AddressRefused(PhotoUnreadable):
    """The network policy does not allow the photo's address."""


class PhotoTooLarge(Exception):
    """The photo has more bytes than `max_bytes`; the message says how many."""


class Dataset(Protocol):
    """Lists photos."""

    def list(self) -> Iterator[PhotoRef]:
        """Every photo, once, in any order; memory does not grow with their number.

        Raises `DatasetNotFound`, `SettingsError`, `ChecksumMismatch`, `DamagedArchive` or
        `StorageUnavailable` if the dataset as a whole cannot be listed; what is wrong with one
        photo is its `refusal`.
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
        """Read all bytes of a photo, in several attempts if need be.

        Raises `PhotoUnreadable` if the photo was refused by the plan, is gone, has changed since,
        or cannot be fetched, and `PhotoTooLarge` if it has more than `max_bytes`, which bounds
        memory too.
        """
        if ref.refusal:
            raise PhotoUnreadable(ref.refusal)
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
        """Make one attempt; raises `Transient` if another may succeed."""

    def close(self) -> None:
        """End waits between attempts, and close idle connections; a request in flight ends by its own time limit."""
        self._closed.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def printable(name: str) -> tuple[str, str]:
    r"""The name as valid Unicode, and a refusal if it was not.

    File systems and archives hold bytes; Python represents those that are not UTF-8 as lone
    surrogates.

    >>> printable("Zo\udceb.jpg")
    ('Zo\\xeb.jpg', 'its name is not valid UTF-8')
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        bytes_only = all(not "\ud800" <= letter <= "\udfff" or "\udc80" <= letter <= "\udcff" for letter in name)
        raw = name.encode("utf-8", "surrogateescape" if bytes_only else "backslashreplace")
        return raw.decode("utf-8", "backslashreplace"), "its name is not valid UTF-8"
    return name, ""


def too_large(size: int, max_bytes: int) -> PhotoTooLarge:
    """The refusal of a photo with too many bytes."""
    return PhotoTooLarge(f"{size:,} bytes, more than max_bytes={max_bytes:,}")


def changed(then: int, now: int) -> PhotoUnreadable:
    """The refusal of a photo that is not the planned one, by the sizes of both in bytes."""
    difference = "as many bytes, of another version" if then == now else f"{then} bytes then, {now} now"
    return PhotoUnreadable(f"changed since the plan: {difference}")


def reason(error: Exception) -> str:
    """An error's message in one line, without the paths that system errors append."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return " ".join(text.split())


@contextmanager
def reading() -> Iterator[None]:
    """Translate lasting errors into `PhotoUnreadable`, and those that may pass into `Transient`."""
    try:
        with os_errors():
            yield
    except (FileNotFoundError, NotADirectoryError) as gone:
        raise PhotoUnreadable("gone since the plan") from gone
    except (PermissionError, IsADirectoryError) as refused:
        raise PhotoUnreadable(f"cannot be read: {reason(refused)}") from refused
    except OSError as error:
        raise Transient(f"cannot be read: {reason(error)}") from error
