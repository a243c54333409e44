"""Read model cards and their networks: from a folder, a bucket or by http(s)."""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from meanface.dataset.address import is_web, local_path, refuse_unchecked
from meanface.dataset.network_policy import NetworkPolicy
from meanface.dataset.photos import AddressRefused, PhotoTooLarge, PhotoUnreadable
from meanface.dataset.refs import UNKNOWN_SIZE, PhotoRef
from meanface.dataset.url_photos import UrlPhotos, public_name
from meanface.embedder.model_cache import cache_path, put
from meanface.errors import InfrastructureError, SettingsError
from meanface.storage.files import Storage, without_credentials

MOST_CARD_BYTES = 1 << 20
MOST_NETWORK_BYTES = 1 << 30


def read_card(address: str, network_policy: NetworkPolicy) -> bytes:
    """Read the bytes of a card; `SettingsError` if there is none."""
    if without_credentials(address) != address:
        raise SettingsError(
            f"embedder={without_credentials(address)!r}: a card's address has no user and password, as settings are "
            "shown to many"
        )
    return _read(address, MOST_CARD_BYTES, network_policy, f"model card {address}")


def network_file(card: str, file: str, sha256: str, key: str, cache: str | None, network_policy: NetworkPolicy) -> Path:
    """The path of a card's network on this machine, whose bytes have this SHA-256.

    A file of a bucket or behind http(s) is copied to the cache, where it has its SHA-256 as its name.
    `SettingsError`, which names `key`, if there is no file or if it is another one.
    """
    address = beside(card, file)
    where = local_path(address)
    if where is not None:
        if local_path(card) is None:
            raise SettingsError(f"model card {card}: {key}={file!r} is a path of this machine: name a file beside it")
        verified(Path(where), sha256, f"model card {card}: {key}")
        return Path(where)
    name = f"{sha256}.onnx"
    for folder in (cache, f"{tempfile.gettempdir()}/meanface-{os.getuid()}"):  # the image's is read-only
        path = cache_path(name, folder)
        with suppress(SettingsError):
            verified(path, sha256, "")
            return path
        data = _read(address, MOST_NETWORK_BYTES, network_policy, f"model card {card}: {key}: {address}")
        _check(hashlib.sha256(data).hexdigest(), sha256, f"model card {card}: {key}: {address}")
        with suppress(InfrastructureError):
            if put(path, data):
                return path
    raise SettingsError(f"model card {card}: {key}: no room for {address} in the cache: set MEANFACE_CACHE to a folder")


def beside(card: str, file: str) -> str:
    """The address of a file that a card names.

    >>> beside("/models/sface.toml", "sface.onnx"), beside("s3://models/a.toml", "https://models.example/a.onnx")
    ('/models/sface.onnx', 'https://models.example/a.onnx')
    """
    if "://" in file or file.startswith("/"):
        return file
    return f"{card.rpartition('/')[0]}/{file}"


def verified(path: Path, sha256: str, what: str) -> None:
    """Raise `SettingsError` unless a file of this machine has this SHA-256."""
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as failure:
        raise SettingsError(f"{what}: {path} cannot be read ({failure.strerror or failure})") from None
    _check(found, sha256, f"{what}: {path}")


def _check(found: str, expected: str, what: str) -> None:
    if found != expected:
        raise SettingsError(
            f"{what} has SHA-256 {found}, and the card expects {expected}: get the right file, or write its digest "
            "into the card"
        )


def _read(address: str, most: int, network_policy: NetworkPolicy, what: str) -> bytes:
    try:
        if is_web(address):
            with UrlPhotos(network_policy.for_dataset(address)) as files:
                return files.read(PhotoRef(address, UNKNOWN_SIZE), most)
        refuse_unchecked(address, network_policy, "embedder")
        folder, _, name = (local_path(address) or address).rpartition("/")
        data = Storage(folder or "/").read_range(name, 0, most + 1)
    except FileNotFoundError:
        raise SettingsError(f"{what} does not exist") from None
    except AddressRefused as refused:
        raise SettingsError(f"{what}: {refused}") from None
    except PhotoUnreadable as unreadable:
        raise SettingsError(f"{what} cannot be read from {public_name(address)}: {unreadable}") from None
    except PhotoTooLarge:
        data = bytes(most + 1)
    if len(data) > most:
        raise SettingsError(f"{what} has more than {most:,} bytes")
    return data
