"""The form of a list, by the suffixes of its name. Pure."""

from __future__ import annotations

from typing import Literal

Form = Literal["CSV", "TSV", "JSON Lines", "text", "Parquet"]

_FORMS: dict[str, Form] = {
    ".csv": "CSV",
    ".tsv": "TSV",
    ".tab": "TSV",
    ".jsonl": "JSON Lines",
    ".ndjson": "JSON Lines",
    ".txt": "text",
    ".parquet": "Parquet",
}
_PACKED = ("", ".gz", ".zst", ".zstd")
LIST_SUFFIXES = tuple(f"{suffix}{packed}" for suffix in _FORMS for packed in _PACKED)


def form_of(name: str) -> Form:
    """The form of a list with this name; CSV if its suffix is another one.

    >>> form_of("people.TSV.gz"), form_of("train-00000.parquet"), form_of("list")
    ('TSV', 'Parquet', 'CSV')
    """
    name = name.lower()
    for packed in _PACKED[1:]:
        name = name.removesuffix(packed)
    return next((form for suffix, form in _FORMS.items() if name.endswith(suffix)), "CSV")
