"""How many of LFW's photos are tried: all 2,000, or the first `--photos` of them."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

WHOLE = Path(__file__).parents[3] / "shared" / "lfw-2000.tgz"
ALL = 2000


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--photos", type=int, default=ALL, help="How many of LFW's 2,000 photos are tried.")


@pytest.fixture(scope="session")
def count(request: pytest.FixtureRequest) -> int:
    """Photos in the archive."""
    if not WHOLE.exists():
        pytest.skip("shared/lfw-2000.tgz is not beside the checkout")
    return int(request.config.getoption("--photos", ALL))


@pytest.fixture(scope="session")
def all_photos(count: int) -> None:
    """For tests that take minutes: they are skipped if only some photos are tried."""
    if count < ALL:
        pytest.skip("takes minutes: only with all photos")


@pytest.fixture(scope="session")
def archive(count: int, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive, or one of its first photos."""
    if count == ALL:
        return WHOLE
    path = tmp_path_factory.mktemp("archive") / f"lfw-{count}.tgz"
    with tarfile.open(WHOLE) as whole, tarfile.open(path, "w:gz", compresslevel=1) as part:
        photos = [member for member in whole if member.isfile()][:count]
        assert len(photos) == count
        for photo in photos:
            part.addfile(photo, whole.extractfile(photo))
    return path
