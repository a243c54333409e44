"""docs/compatibility.md, Files beside photos: files that a listing passes over, and their account."""

from __future__ import annotations

from compatibility import Place, Recipes, encoded
from heic import heic

recipe = Recipes("Files beside photos")


def test_files_beside_photos(what: str, place: Place) -> None:
    recipe.check(what, place)


def beside(place: Place, *names: str) -> str:
    """The kind of files, each of which could be a photo by its bytes; `people/a.jpg` is one beside them."""
    place.write("photos/people/a.jpg")
    for name in names:
        place.write(f"photos/{name}")
    found = place.run()
    assert found.happened("people/a.jpg") == "read"
    assert set(found.photos) == {"people/a.jpg"}
    return found.kind(*names)


def row(what: str, *names: str) -> None:
    recipe(what)(lambda place: beside(place, *names))


row("`.jxl`, `.jp2`", "a.jxl", "b.jp2")
row("`.dng`, `.cr2`, `.nef`, `.arw` and other raw photos", "a.DNG", "b.CR2", "c.nef")
row("`.mov`, `.mp4` and other videos", "IMG_1.MOV", "b.mp4")
row("`.json`, `.xmp`, `.aae`, `.txt`", "a.jpg.json", "a.xmp", "IMG_1.AAE")
row("`.csv`, `.parquet`, `.xlsx`", "a.csv", "b.parquet", "c.xlsx")
row("`.zip`, `.tar`, `.7z` among the photos", "takeout-001.zip", "b.tar", "c.7z")
row("`.pdf`, `.svg`, `.psd`", "a.pdf", "b.svg", "c.psd")
row("`.part`, `.crdownload`: downloads that are not done", "a.jpg.part", "b.jpg.crdownload")
row("`photo.jpg~`, `photo.jpg_original`: copies of editors", "a.jpg~", "b.jpg_original")
row("`.photo.jpg.icloud`", ".a.jpg.icloud")
row("`._photo.jpg`, `__MACOSX/`", "._a.jpg", "__MACOSX/._b.jpg")
row("names that begin with a dot", ".a.jpg", ".syncthing.b.jpg.tmp", ".c.jpg.Xa3fQ1")
row("`Thumbs.db`, `.DS_Store`, `~syncthing~photo.jpg.tmp`", "Thumbs.db", ".DS_Store", "~syncthing~a.jpg.tmp")
row("`@eaDir/`, `.thumbnails/`", "@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg", ".thumbnails/a.jpg")
row("`#recycle/`, `$RECYCLE.BIN/`, `.Trash-1000/`", "#recycle/a.jpg", "$RECYCLE.BIN/b.jpg", ".Trash-1000/files/c.jpg")
row("`#snapshot/`, `.zfs/`", "#snapshot/2026/a.jpg", ".zfs/a.jpg")
row("`.ipynb_checkpoints/`", "people/.ipynb_checkpoints/a-checkpoint.jpg")
row("`.git/`, `.dvc/`: also the objects of git-annex", ".git/annex/objects/a.jpg/a.jpg", ".dvc/cache/b.jpg")
row("other folders that begin with a dot", ".stversions/a.jpg", ".cache/files/b.jpg")


@recipe("`photo.jpg?w=640`, as `wget` saves it")
def query(place: Place) -> str:
    return place.photo("a.jpg?w=640")


@recipe("a photo without a suffix, or with an unknown one")
def no_suffix(place: Place) -> str:
    place.write("photos/1f0c")
    place.write("photos/a.jpg.1", place.png)
    place.write("photos/b", encoded(place.portrait, "BMP"))
    place.write("photos/c", heic(place.portrait))
    place.write("photos/d", encoded(place.portrait, "AVIF"))
    return place.run().happened("1f0c", "a.jpg.1", "b", "c", "d")


@recipe("a JPEG named `.heic`, as Google Photos exports some")
def jpeg_named_heic(place: Place) -> str:
    return place.photo("IMG_2020.HEIC")


@recipe("`.heic`, `.heif`, `.hif`, `.avif`")
def heic_and_avif(place: Place) -> str:
    for name in ("IMG_1.HEIC", "IMG_2.heif", "DSC_3.HIF"):
        place.write(f"photos/{name}", heic(place.portrait))
    place.write("photos/a.avif", encoded(place.portrait, "AVIF"))
    return place.run().happened()
