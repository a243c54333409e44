"""What tests of archives share."""

import pytest


@pytest.fixture
def archive(tmp_path):
    """Write bytes under a name; the path."""

    def write(data: bytes, name: str = "photos.tar"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write
