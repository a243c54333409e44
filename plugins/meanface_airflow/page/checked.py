"""A run's records in Redis, as the page reads them.

Pods write them, and names of photos are anybody's: each record is checked before it is used, its texts are made
printable and cut to a length that can be shown, and one that is not what it should be counts as not there.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, NonNegativeInt, ValidationError

SHOWN = 200
"""Characters of a text that are passed on."""
REASON = 1_000
"""Characters of the reason of a failure."""
DIGITS = 9
"""of a partition's index at most"""


def shown(text: str) -> str:
    r"""A text in which everything that is not printable (controls, marks of direction) is shown as its code.

    >>> shown("Zoë\u202egpj")
    'Zoë\\u202egpj'
    """
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def shortened(text: str, most: int = SHOWN) -> str:
    """A text that can be shown; its middle goes first, for the ends of a name tell more.

    >>> shortened("a" * 1000 + ".jpg")[-8:], len(shortened("a" * 1000 + ".jpg"))
    ('aaaa.jpg', 200)
    """
    if len(text) > 2 * most:
        text = text[:most] + text[-most:]
    text = shown(text)
    if len(text) <= most:
        return text
    end = most // 3
    return f"{text[: most - end - 1]}…{text[-end:]}"


def reason(text: object) -> str | None:
    """The reason of a failure, a sentence that may name files; None for anything else than a text."""
    return shortened(text, REASON) if isinstance(text, str) and text else None


Text = Annotated[str, AfterValidator(shortened)]
Reason = Annotated[str, AfterValidator(partial(shortened, most=REASON))]
Counts = dict[Text, NonNegativeInt]
Number = NonNegativeInt | FiniteFloat


class Record(BaseModel):
    """What all records share; fields that the page does not read are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: Literal[1] = Field(alias="schema")


class Slice(BaseModel):
    """One partition of the plan."""

    index: NonNegativeInt
    photos: NonNegativeInt


class Origin(BaseModel):
    """Where the photos come from."""

    url: Text


class Plan(Record):
    """`manifest`: what the run is to do."""

    photos: NonNegativeInt
    source: Origin
    partitions: list[Slice]
    fingerprint: Text


class Progress(Record):
    """A value of `progress`: how far a partition is; times in seconds since 1970.

    Stages of an earlier version say neither how fast they are of late, nor how many failed photos `failures` speaks of.
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
    """A value of `failures`: a partition's first failed photos as (photo, outcome, detail), and how many more."""

    failures: list[tuple[Text, Text, Text]]
    more: NonNegativeInt = 0


class Result(Record):
    """`result`, without what the page does not show."""

    dataset: Text
    photos: NonNegativeInt
    outcomes: Counts
    photos_with_face: NonNegativeInt
    faces: NonNegativeInt
    mean: list[FiniteFloat] = Field(min_length=1, max_length=4096)
    standard_error: list[FiniteFloat] | None
    fingerprint: Text
    settings: dict[Text, str | bool | Number | None]
    versions: dict[Text, Text]
    artifacts: dict[Text, Text]
    location: str
    warnings: list[Text]
    account: list[Reason] = []
    timings: dict[Text, FiniteFloat]


Kind = TypeVar("Kind", bound=Record)


def checked(kind: type[Kind], text: bytes | None) -> Kind | None:
    """A record, or None where there is none that can be used."""
    if text is None:
        return None
    try:
        return kind.model_validate_json(text)
    except ValidationError:
        return None


def indices(fields: Iterable[bytes]) -> set[int]:
    """Partitions that a hash has fields for; a field that can be no partition's is passed over."""
    return {int(field) for field in fields if field.isdigit() and len(field) <= DIGITS}


def key(run: str, name: str) -> str:
    """Key of one of a run's records; the braces keep a run's keys on one node of a cluster."""
    return f"meanface:{{{run}}}:{name}"
