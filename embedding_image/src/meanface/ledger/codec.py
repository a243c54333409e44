"""Bytes of commits and contributions: a checksum line, the header as JSON line, exact moments."""

from __future__ import annotations

from typing import TypeVar

from meanface.stats.moments import Moments
from meanface.storage.checksum import seal, unseal
from meanface.storage.record import Record

Header = TypeVar("Header", bound=Record)


def encode(header: Record, moments: Moments) -> bytes:
    """Return the bytes; equal headers and moments give equal bytes."""
    return seal(header.model_dump_json(by_alias=True).encode() + b"\n" + moments.to_bytes())


def decode(data: bytes, kind: type[Header], what: str, schema: int) -> tuple[Header, Moments]:
    """Return header and moments; `DamagedRecord`, which names `what`, for any other bytes."""
    line, _, moments = unseal(data, what).partition(b"\n")
    return kind.parsed(line, f"{what} of schema {schema}"), Moments.from_bytes(moments)
