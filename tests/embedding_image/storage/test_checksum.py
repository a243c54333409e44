"""A sealed record: any bit that is another is noticed, and readers of Parquet see a table."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanface.errors import DamagedRecord
from meanface.storage.checksum import check_parquet, seal, seal_parquet, unseal

TABLE = pa.table({"photo": ["a.jpg", "b.jpg"], "faces": [1, 2]})


def parquet() -> bytes:
    output = io.BytesIO()
    pq.write_table(TABLE, output)
    return output.getvalue()


SEALED = seal_parquet(parquet())


@given(st.binary())
def test_content_comes_back(content: bytes) -> None:
    assert unseal(seal(content), "a record") == content


@given(st.binary(max_size=200), st.data())
def test_any_changed_bit_of_a_record_is_refused(content: bytes, data: st.DataObject) -> None:
    record = bytearray(seal(content))
    bit = data.draw(st.integers(0, 8 * len(record) - 1))
    record[bit // 8] ^= 1 << bit % 8
    with pytest.raises(DamagedRecord, match="a record fails its checksum"):
        unseal(bytes(record), "a record")


def test_any_changed_bit_of_a_parquet_file_is_refused() -> None:
    for bit in range(8 * len(SEALED)):
        changed = bytearray(SEALED)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DamagedRecord, match="a list fails its checksum"):
            check_parquet(bytes(changed), "a list")


@pytest.mark.parametrize("size", [*range(12), 40, len(SEALED) - 1, len(SEALED) + 1])
def test_a_file_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(DamagedRecord):
        check_parquet((SEALED + b"1")[:size], "a list")


def test_a_file_without_a_seal_is_refused() -> None:
    with pytest.raises(DamagedRecord, match="damaged, or from another version"):
        check_parquet(parquet(), "a list")


def test_a_sealed_file_is_parquet() -> None:
    check_parquet(SEALED, "a list")
    with pq.ParquetFile(pa.BufferReader(SEALED)) as file:
        assert file.read().equals(TABLE)
