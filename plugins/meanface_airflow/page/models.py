"""A run's records in Redis, validated for the page.

Records are untrusted: pods write them, and they contain names of photos. Each is validated before
use, and its texts are escaped and shortened. An invalid record counts as missing.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, NonNegativeInt, ValidationError

MAX_TEXT = 200
"""characters of a text"""
MAX_REASON = 1_000
"""characters of the reason of a failure"""
MAX_DIGITS = 9
"""of a partition's index"""


def escaped(text: str) -> str:
    r"""Replace control and bidirectional characters by their escape codes.

    >>> escaped("Zoë\u202egpj")
    'Zoë\\u202egpj'
    """
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def shortened(text: str, most: int = MAX_TEXT) -> str:
    """Escape a text and cut out its middle if it is too long; the ends of a name are more useful.

    >>> shortened("a" * 1000 + ".jpg")[-8:], len(shortened("a" * 1000 + ".jpg"))
    ('aaaa.jpg', 200)
    """
    if len(text) > 2 * most:
        text = text[:most] + text[-most:]
    text = escaped(text)
    if len(text) <= most:
        return text
    end = most // 3
    return f"{text[: most - end - 1]}…{text[-end:]}"


def reason(text: object) -> str | None:
    """The reason of a failure, escaped and shortened; None if it is not a text."""
    return shortened(text, MAX_REASON) if isinstance(text, str) and text else None


Text = Annotated[str, AfterValidator(shortened)]
Reason = Annotated[str, AfterValidator(partial(shortened, most=MAX_REASON))]
Counts = dict[Text, NonNegativeInt]
Number = NonNegativeInt | FiniteFloat


class Record(BaseModel):
    """Base of all records; fields that the page does not read are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: Literal[1] = Field(alias="schema")


class PlannedPartition(BaseModel):
    """One partition of the plan."""

    index: NonNegativeInt
    photos: NonNegativeInt


class Dataset(BaseModel):
    """The dataset of the plan."""

    url: Text


class Plan(Record):
    """The record `manifest`: the run's plan."""

    photos: NonNegativeInt
    source: Dataset
    partitions: list[PlannedPartition]
    fingerprint: Text


class Progress(Record):
    """A value of the record `progress`: one partition's progress; times are in seconds since 1970.

    Stages of an earlier version write neither `recent_photos_per_second` nor `failures_named`.
    """

    partition: NonNegativeInt
    state: Literal["embedding", "committed", "failed"]
    photos: NonNegativeInt
    photos_done: NonNegativeInt
    outcomes: Counts
    photos_per_second: FiniteFloat
    recent_photos_per_second: FiniteFloat | None = None
    eta_seconds: FiniteFloat | None = None
    attempt: NonNegativeInt
    host: Text
    started_at: FiniteFloat
    updated_at: FiniteFloat
    failures_named: NonNegativeInt = 0
    message: Reason | None = None


class Failures(Record):
    """A value of the record `failures`: a partition's first failed photos, and how many more.

    Each failed photo is (photo, outcome, detail).
    """

    failures: list[tuple[Text, Text, Text]]
    more: NonNegativeInt = 0


class Result(Record):
    """The record `result`, without fields that the page does not show."""

    dataset: Text
    photos: NonNegativeInt
    outcomes: Counts
    photos_with_face: NonNegativeInt
    faces: NonNegativeInt
    mean: list[FiniteFloat] = Field(min_length=1, max_length=4096)
    standard_error: list[FiniteFloat] | None
    fingerprint: Text
    settings: dict[Text, str | bool | Number | list[Text] | None]
    versions: dict[Text, Text]
    artifacts: dict[Text, Text]
    location: str
    warnings: list[Text]
    account: list[Reason] = []
    timings: dict[Text, FiniteFloat]


Kind = TypeVar("Kind", bound=Record)


def parse(kind: type[Kind], text: bytes | None) -> Kind | None:
    """Parse a record; None if it is missing or invalid."""
    if text is None:
        return None
    try:
        return kind.model_validate_json(text)
    except ValidationError:
        return None


def partition_indices(fields: Iterable[bytes]) -> set[int]:
    """The partitions among a hash's fields; fields that are not an index are ignored."""
    return {int(field) for field in fields if field.isdigit() and len(field) <= MAX_DIGITS}


def key(run: str, name: str) -> str:
    """Redis key of a run's record; the braces keep a run's keys on one node of a cluster."""
    return f"meanface:{{{run}}}:{name}"
