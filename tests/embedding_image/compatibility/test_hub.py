"""docs/compatibility.md, The Hugging Face Hub, against a server that speaks its protocol."""

from __future__ import annotations

import io
from collections.abc import Iterator

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from compatibility import Place, Recipes, encoded
from hub import LARGE, Hub, Repository, hub
from meanface.errors import SettingsError

recipe = Recipes("The Hugging Face Hub")
FACES = "hf://datasets/ada/faces"


class HubPlace(Place):
    """A place beside a dataset `ada/faces`."""

    repository: Repository


@pytest.fixture(scope="module")
def server() -> Iterator[Hub]:
    with hub() as running:
        yield running


@pytest.fixture
def faces(place: Place, server: Hub, monkeypatch: pytest.MonkeyPatch) -> HubPlace:
    monkeypatch.setitem(fsspec.config.conf, "hf", {"endpoint": server.url, "token": False})
    found = HubPlace(place.path, place.portrait, place._workers, place._likeness)
    found.repository = server.repositories["ada/faces"] = Repository()
    return found


def test_hub(what: str, faces: HubPlace) -> None:
    recipe.check(what, faces)


@recipe("names with spaces, `+`, `=`, `&`, `%`, `#`, `?`, `@`, `[` or letters beyond ASCII, on the Hub")
def letters(faces: HubPlace) -> str:
    names = ["a b.jpg", "c+d.jpg", "e=f&g.jpg", "50%.jpg", "h%20i.jpg", "#1.jpg", "k?.jpg", "l@v1.jpg", "[x]*.jpg"]
    names.append("Zoë/j.jpg")
    faces.repository.main.update({f"2026/{name}": faces.jpeg for name in names})
    return faces.run(f"{FACES}/2026/").happened(*names)


@recipe("a folder of photos, small ones in git and large ones in git LFS", long=True)
def folder(faces: HubPlace) -> str:
    small = encoded(faces.portrait.resize((192, 192)), quality=60)
    assert len(small) < LARGE <= len(faces.jpeg)
    faces.repository.main.update({"data/a.jpg": faces.jpeg, "data/b.jpg": small, "README.md": b"text"})
    account = faces.run(FACES)
    assert account.passed_over == {"sidecar and text files": 1}
    return account.happened()


@recipe("a glob of Parquet tables, a WebDataset shard", long=True)
def tables_and_shards(faces: HubPlace) -> str:
    table = io.BytesIO()
    pq.write_table(pa.table({"image": [{"bytes": faces.jpeg, "path": "a.jpg"}]}), table)
    shard = faces.tar("x.tar", ("a.jpg", faces.jpeg), ("a.cls", b"ada")).read_bytes()
    faces.repository.main.update({"data/train-0.parquet": table.getvalue(), "data/x-000.tar": shard})
    one = faces.run(f"{FACES}/data/*.parquet", "tables").happened()
    other = faces.run(f"{FACES}/data/x-*.tar", "shards", labels="column")
    assert [photo.label for photo in other.rows] == ["ada"]
    assert one == other.happened()
    return one


@recipe("a photo of another revision: `NAME@v1`, `NAME@refs/convert/parquet`", long=True)
def revision(faces: HubPlace) -> str:
    faces.repository.main["a.jpg"] = b"no photo"
    faces.repository.revisions |= {"v1": {"a.jpg": faces.jpeg}, "refs/convert/parquet": {"b.jpg": faces.jpeg}}
    one = faces.run(f"{FACES}@v1", "v1").happened("a.jpg")
    assert one == faces.run(f"{FACES}@refs/convert/parquet", "converted").happened("b.jpg")
    return one


@recipe("a file that is replaced by one of the same size", long=True)
def replaced(faces: HubPlace) -> str:
    faces.repository.main.update({"a.jpg": faces.jpeg, "b.jpg": faces.jpeg})
    faces.after_plan = lambda: faces.repository.main.update({"b.jpg": bytes(len(faces.jpeg))})
    return faces.run(FACES).happened("b.jpg", detail="changed since the plan")


@recipe("a repository that is not there, or private", long=True)
def private(faces: HubPlace) -> str:
    faces.repository.private = True
    return faces.refusal(FACES, "there is no dataset ada/faces, or it is private: set HF_TOKEN")


@recipe("a gated repository without access", long=True)
def gated(faces: HubPlace) -> str:
    faces.repository.gated = True
    faces.repository.main["a.jpg"] = faces.jpeg
    return faces.refusal(FACES, "the dataset ada/faces is gated: ask for access on its page, and set HF_TOKEN")


@recipe("a folder that is not there", long=True)
def nothing(faces: HubPlace) -> str:
    return faces.refusal(f"{FACES}/none", "there is no 'none' in the dataset ada/faces")


@recipe("results at `hf://`")
def results(faces: HubPlace) -> str:
    from meanface.pipeline.local import run_locally
    from meanface.settings import Settings
    from meanface.storage.files import Storage

    faces.write("photos/a.jpg")
    with pytest.raises(SettingsError, match="is only read: choose a folder or a bucket") as refused:
        run_locally(Settings.of(dataset=str(faces.path / "photos")), Storage(f"{FACES}/out"), workers=1)
    return f"refused, exit code {refused.value.exit_code}"
