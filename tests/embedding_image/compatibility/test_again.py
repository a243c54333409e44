"""docs/compatibility.md, Running again: the same command over photos that have changed."""

from __future__ import annotations

import os

import numpy as np
from PIL import Image

from compatibility import Answer, Place, Recipes, encoded, serving

recipe = Recipes("Running again")


def test_again(what: str, place: Place) -> None:
    recipe.check(what, place)


def other(place: Place) -> bytes:
    """A photo with another embedding, of as many bytes as `bitmap`."""
    return encoded(place.portrait.transpose(Image.Transpose.FLIP_LEFT_RIGHT), "BMP")


def bitmap(place: Place) -> bytes:
    return encoded(place.portrait, "BMP")


def seen(place: Place, first: bytes, second: bytes, *, same_time: bool) -> str:
    """Which of two photos the second run has seen under one name."""
    path = place.write("photos/a.bmp", first)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    before = place.run().photos["a.bmp"].face
    path.write_bytes(second)
    at = 1_000_000_000 if same_time else 1_000_000_001
    os.utime(path, (at, at))
    after = place.run().photos["a.bmp"].face
    place.write("elsewhere/a.bmp", second)
    fresh = place.run("elsewhere", "fresh").photos["a.bmp"].face
    assert not np.array_equal(before, fresh)
    if np.array_equal(after, fresh):
        return "read"
    assert np.array_equal(after, before)
    return "not noticed"


@recipe("nothing has changed")
def unchanged(place: Place) -> str:
    place.write("photos/a.jpg")
    before = place.run()
    (file,) = (place.path / "results").glob("ledger/*/*/*.parquet")
    written = file.stat().st_mtime_ns
    after = place.run()
    assert np.array_equal(before.photos["a.jpg"].face, after.photos["a.jpg"].face)
    assert file.stat().st_mtime_ns == written
    return "nothing is computed"


@recipe("a photo is replaced by one of the same size, with an older time")
def replaced_same_size(place: Place) -> str:
    return seen(place, bitmap(place), other(place), same_time=False)


@recipe("a photo is replaced by one of the same size and time of modification")
def replaced_same_time(place: Place) -> str:
    return seen(place, bitmap(place), other(place), same_time=True)


@recipe("a photo behind a URL is replaced")
def replaced_behind_url(place: Place) -> str:
    answers = {"/a.bmp": Answer(bitmap(place))}
    with serving(answers) as url:
        place.write("list.csv", f"url\n{url}/a.bmp\n".encode())
        (before,) = place.run("list.csv", whole=True).rows
        answers["/a.bmp"] = Answer(other(place))
        (after,) = place.run("list.csv", whole=True).rows
        (fresh,) = place.run("list.csv", "fresh").rows
    assert not np.array_equal(before.face, fresh.face)
    return "read" if np.array_equal(after.face, fresh.face) else "not noticed"


@recipe("a photo could not be read, and can be now")
def read_at_last(place: Place) -> str:
    answers = dict[str, Answer]()
    with serving(answers) as url:
        place.write("list.csv", f"url\n{url}/a.jpg\n{url}/b.jpg\n".encode())
        answers["/a.jpg"] = Answer(place.jpeg)
        assert {row.outcome for row in place.run("list.csv", whole=True).rows} == {"ok", "unreadable"}
        answers["/b.jpg"] = Answer(place.jpeg)
        return place.run("list.csv", whole=True).happened()


@recipe("a setting has changed")
def setting(place: Place) -> str:
    place.write("photos/a.jpg")
    place.run()
    return place.refusal("photos", "other photos or settings", faces="all")


@recipe("the folder was moved or copied")
def moved(place: Place) -> str:
    place.write("photos/a.jpg")
    place.run()
    (place.path / "photos").rename(place.path / "moved")
    return place.refusal("moved", "holds a run over other photos or settings")
