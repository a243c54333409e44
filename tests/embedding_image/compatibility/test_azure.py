"""docs/compatibility.md, Buckets of Azure: containers, against Azurite."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import fsspec
import pytest

from azurite import KEY, azurite, photos_container, put
from compatibility import Place, Recipes

recipe = Recipes("Buckets of Azure")


class AzurePlace(Place):
    """A place beside a container named `photos`."""

    fs: Any

    def put(self, *names: str) -> None:
        """The portrait under names."""
        for name in names:
            put(self.fs, name, self.jpeg)


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with azurite(tmp_path_factory.mktemp("azurite")) as connection:
        yield connection


@pytest.fixture
def container(place: Place, connection: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[AzurePlace]:
    found = AzurePlace(place.path, place.portrait, place._workers, place._likeness)
    with photos_container(connection, monkeypatch) as found.fs:
        yield found


def test_azure(what: str, container: AzurePlace) -> None:
    recipe.check(what, container)


@recipe("names with spaces, `+`, `=`, `&`, `%`, `#`, `[` or letters beyond ASCII, in Azure", long=True)
def letters(container: AzurePlace) -> str:
    names = ["a b.jpg", "c+d.jpg", "e=f&g.jpg", "50%.jpg", "h%20i.jpg", "#1.jpg", "[x]*.jpg", "Zoë/j.jpg"]
    container.put(*(f"2026/{name}" for name in names))
    return container.run("az://photos/2026/").happened(*names)


@recipe("a blob that is replaced between plan and reading, by one of the same size", long=True)
def replaced(container: AzurePlace) -> str:
    container.put("2026/a.jpg", "2026/b.jpg")
    container.after_plan = lambda: put(container.fs, "2026/b.jpg", bytes(len(container.jpeg)))
    return container.run("az://photos/2026/").happened("b.jpg", detail="changed since the plan")


@recipe("a prefix of a container under which nothing is", long=True)
def nothing(container: AzurePlace) -> str:
    return container.refusal("az://photos/none/", "no photo in it")


@recipe("a wrong key or signature", long=True)
def wrong_key(container: AzurePlace) -> str:
    wrong = {"connection_string": container.fs.connection_string.replace(KEY, "b3RoZXI=")}
    with pytest.MonkeyPatch.context() as monkeypatch:
        for scheme in ("az", "abfs", "abfss"):
            monkeypatch.setitem(fsspec.config.conf, scheme, wrong)
        return container.refusal("az://photos/2026/", "may not be read with the present credentials")
