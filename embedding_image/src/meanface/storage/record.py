"""A record: a small object that is kept as JSON, in the store or in storage, and read back whole or refused."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from meanface.errors import DamagedRecord


class Record(BaseModel):
    """Frozen, and with the fields of its schema only."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def parsed(cls, text: str | bytes, what: str) -> Self:
        """Read a record back.

        Parameters
        ----------
        text
            its JSON
        what
            how people call it, for the error

        Raises
        ------
        DamagedRecord
            for another schema version, or anything else than such a record
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as invalid:
            first = invalid.errors()[0]
            where = ".".join(map(str, first["loc"])) or "text"
            raise DamagedRecord(f"not {what}: {where}: {first['msg']}") from None
