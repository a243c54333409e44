"""The records of runs as the exporter reads them.

They are those of any stage that runs at the moment, perhaps of another version. So unknown fields are ignored, and an
invalid record counts as missing.
"""

from __future__ import annotations

from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, ValidationError

from meanface.ledger import codec
from meanface.ledger.commit import SCHEMA as COMMIT_SCHEMA
from meanface.outcome import Outcome
from meanface.pipeline.attempts import End, Stage
from meanface.storage.record import Record
from meanface.tally import Wait

LENIENT = ConfigDict(frozen=True, extra="ignore")


class PlannedPartition(BaseModel):
    """One partition of the plan."""

    index: NonNegativeInt


class PassedOverFiles(BaseModel):
    """Files of one kind that are not read as photos."""

    kind: str = Field(max_length=100)
    files: NonNegativeInt


class Dataset(BaseModel):
    """The dataset of the plan."""

    passed_over: tuple[PassedOverFiles, ...] = ()


class Plan(BaseModel):
    """The record `manifest`."""

    model_config = LENIENT
    schema_version: Literal[1] = Field(alias="schema")
    partitions: tuple[PlannedPartition, ...]
    source: Dataset


class Progress(BaseModel):
    """A value of the record `progress`."""

    model_config = LENIENT
    schema_version: Literal[1] = Field(alias="schema")
    state: Literal["embedding", "committed", "failed"]
    recent_photos_per_second: NonNegativeFloat = 0.0
    updated_at: float


class AttemptSeen(BaseModel):
    """A value of the record `attempts`."""

    model_config = LENIENT
    schema_version: Literal[1] = Field(alias="schema")
    stage: Stage
    partition: NonNegativeInt | None = None
    state: End
    updated_at: float
    seconds: NonNegativeFloat = 0.0
    bytes_read: NonNegativeInt = 0
    wait_seconds: dict[Wait, NonNegativeFloat] = Field(default_factory=dict)
    worker_deaths: NonNegativeInt = 0
    series: str | None = Field(default=None, max_length=250)


class CommitSeen(Record):
    """The header of a commit."""

    model_config = LENIENT
    schema_version: Literal[3] = Field(alias="schema")
    outcomes: dict[Outcome, NonNegativeInt]
    reused: dict[str, NonNegativeInt] = Field(default_factory=dict)


Kind = TypeVar("Kind", bound=BaseModel)


def parse(kind: type[Kind], text: bytes | None) -> Kind | None:
    """Parse a record; None if it is missing or invalid."""
    if text is None:
        return None
    try:
        return kind.model_validate_json(text)
    except ValidationError:
        return None


def commit_sums(record: bytes) -> dict[str, int]:
    """Photos by outcome, faces, and reused photos of a commit; `DamagedRecord` if it is none."""
    head, moments = codec.decode(record, CommitSeen, "a commit record", COMMIT_SCHEMA)
    photos = {f"photos/{outcome}": count for outcome, count in head.outcomes.items()}
    return {**photos, "faces": moments.count, "photos_reused": sum(head.reused.values())}
