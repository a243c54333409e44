"""Small objects that are stored as JSON, in Redis or in files."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from meanface.errors import DamagedRecord


class Record(BaseModel):
    """A frozen model that refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def parsed(cls, text: str | bytes, what: str) -> Self:
        """Parse JSON; `DamagedRecord` names `what` for another schema version or invalid text."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as invalid:
            raise DamagedRecord(f"not {what}: {first_error(invalid)}") from None


def first_error(invalid: ValidationError) -> str:
    """Describe the first error of a validation: its field and the reason."""
    first = invalid.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'text'}: {first['msg']}"
