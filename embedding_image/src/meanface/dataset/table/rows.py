"""Rows of text lists: CSV and other separated values, JSON Lines, and one address a line."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any, NamedTuple

from meanface.dataset.table.columns import Choose, ColumnNames, Columns, address_column
from meanface.dataset.table.lines import LONGEST_ROW, DamagedList, Lines

DELIMITERS, RARE_DELIMITERS = ",;\t|", "^~\x1f\x01 "
"""The more usual one first. The rare ones are tried where a header has none of the others."""
FIRST_OBJECTS, FIRST_CHARACTERS = 100, 1 << 16
"""The fields of the first lines of JSON are the columns: so many lines, or lines of so many characters."""


_UNCLOSED = ", perhaps after a quotation mark that is not closed: write one that is part of a value twice"


class Row(NamedTuple):
    """One row of a list."""

    address: str
    """of the photo, or its path"""
    name: str = ""
    label: str = ""


def separated_rows(lines: Lines, wanted: ColumnNames, choose: Choose, *, tabs: bool = False) -> Iterator[Row]:
    """Rows of CSV with a header; the delimiter is the one that separates the column of addresses in the header."""
    csv.field_size_limit(LONGEST_ROW)  # captions may exceed Python's 128 KiB; `Lines` bounds rows
    first = _first_line(lines)
    declared = re.match(r"sep=([^\r\n])\s*$", first, re.IGNORECASE)  # Excel's line about the delimiter
    header = next(iter(lines), "") if declared else first
    delimiter = declared[1] if declared else ""
    try:
        delimiter = delimiter or delimiter_of(header, wanted, tabs=tabs)
        reader = csv.reader(chain((header,), lines), delimiter=delimiter, strict=True)
        columns = next(reader, [])
        places = [columns.index(column) if column is not None else -1 for column in choose(columns)]
        lines.end_row()
        for number, row in enumerate(reader, start=2):
            lines.end_row()
            if any(map(str.strip, row[len(columns) :])):
                raise DamagedList(
                    f"row {number} has {len(row)} values, and the header {len(columns)}: put a value in "
                    f'quotation marks that has {delimiter!r} in it, as "Ada, Countess"'
                )
            if row:
                found = Row(*(row[place] if 0 <= place < len(row) else "" for place in places))
                if any("\n" in value or "\r" in value for value in found):
                    raise DamagedList(f"row {number} has a value of several lines{_UNCLOSED}")
                yield found
    except csv.Error as damage:
        raise DamagedList(f"{damage}{_UNCLOSED}") from damage


def _first_line(lines: Lines) -> str:
    """The first line that is not blank; empty if there is none."""
    for line in lines:
        lines.end_row()
        if line.strip():
            return line
    return ""


def delimiter_of(header: str, wanted: ColumnNames, *, tabs: bool = False) -> str:
    r"""The delimiter of a header line; `tabs` prefers tabs.

    >>> delimiter_of("url;name, first\n", ColumnNames()), delimiter_of("id|picture\n", ColumnNames(url="picture"))
    (';', '|')
    >>> delimiter_of("Image Name,Person\n", ColumnNames()), delimiter_of("id url\n", ColumnNames())
    (',', ' ')
    >>> delimiter_of("person\tid\n", ColumnNames())
    '\t'
    """
    rare = "" if any(mark in header for mark in DELIMITERS) else RARE_DELIMITERS
    usual: list[str] = [*(DELIMITERS if not tabs else "\t,;|"), *rare]
    split: dict[str, list[str]] = {mark: next(csv.reader([header], delimiter=mark), []) for mark in usual}
    fitting = [mark for mark in usual if address_column(split[mark], wanted) is not None]
    return fitting[0] if fitting else max(usual, key=lambda mark: len(split[mark]))


def json_rows(lines: Lines, choose: Choose) -> Iterator[Row]:
    """Rows of JSON Lines; the fields of the first ones are the columns."""
    records = _records(lines)
    first, left = list[dict[str, Any]](), FIRST_CHARACTERS
    for record, characters in islice(records, FIRST_OBJECTS):
        first.append(record)
        left -= characters
        if left < 0:
            break
    columns: Columns = choose(list(dict.fromkeys(field for record in first for field in record)))
    for record in chain(first, (record for record, _ in records)):
        yield Row(*(text(record.get(column)) if column is not None else "" for column in columns))


def _records(lines: Lines) -> Iterator[tuple[dict[str, Any], int]]:
    """Each object, with the characters of its line."""
    for number, line in enumerate(lines, start=1):
        lines.end_row()
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as damage:
            raise DamagedList(f"line {number}: {damage}") from damage
        if not isinstance(record, dict):
            raise DamagedList(f'line {number} is no object such as {{"url": "https://..."}}')
        yield record, len(line)


def text(value: object) -> str:
    """A field's value as text: null is empty, and whole numbers have no decimals.

    >>> text(None), text(7), text(7.0), text("ann"), text(["a"])
    ('', '7', '7', 'ann', '["a"]')
    """
    if isinstance(value, str):
        return value
    if value is None or value != value:  # noqa: PLR0124 - a number that is none
        return ""
    return json.dumps(int(value) if isinstance(value, float) and value.is_integer() else value, ensure_ascii=False)


def plain_rows(lines: Lines, choose: Choose) -> Iterator[Row]:
    """One address or path a line; a first line that is the name of a column is none."""
    choose(["url"])
    for number, line in enumerate(lines):
        lines.end_row()
        address = line.strip()
        if address and not (number == 0 and address_column([address], ColumnNames()) is not None):
            yield Row(address)
