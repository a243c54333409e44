"""Tell photos from the kinds of files that a listing passes over, by their names. Pure.

One table serves folders, buckets, archives and shards. Names are paths below the dataset, with `/`
between folders.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from meanface.dataset.content import identify

PHOTO_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"),
    *(".heic", ".heif", ".hif", ".heics", ".heifs", ".avif", ".avifs"),
)
"""An MPO file is a JPEG with more pictures behind it; only the first picture of a file is read."""


class Kind(NamedTuple):
    """A kind of file that is passed over."""

    name: str
    """a short noun phrase in the plural"""
    advice: str = ""
    """advice for users; may be empty"""


OTHER_PHOTOS = Kind("JPEG XL and JPEG 2000 photos", "not read: convert them to JPEG or PNG")
RAW = Kind("raw photos", "not read: export them as JPEG")
ICLOUD = Kind(
    "iCloud placeholders",
    "these photos are not on this disk: choose Download Now in Finder, or run `brctl download FOLDER`",
)
UNFINISHED = Kind("unfinished downloads", "finish the downloads")
VIDEOS = Kind("videos", "")
SIDECARS = Kind("sidecar and text files", "")
TABLES = Kind(
    "tables", "a list is a dataset of its own: give its address, or several tables as a glob such as 'FOLDER/*.parquet'"
)
ARCHIVES = Kind(
    "archives inside the dataset",
    "each is a dataset of its own: give its address, or several .tar files as a glob such as 'FOLDER/*.tar'",
)
DRAWINGS = Kind("drawings and documents", "export pictures as JPEG or PNG")
COPIES = Kind("backup copies", "rename them if they are photos of the collection")
SYSTEM = Kind("files of the system", "")
APPLE_DOUBLE = Kind("macOS companion files", "")
HIDDEN = Kind("hidden files", "rename them without the dot if they are photos of the collection")
UNKNOWN = Kind("files without a known suffix", "their contents were not checked: give photos a suffix such as .jpg")
OTHER = Kind("other files", "")
LINKED_FOLDERS = Kind(
    "linked folders", "not entered: set follow_links, or give the folder that the link leads to as the dataset"
)
REPEATED_FOLDERS = Kind("linked folders that are read under another name", "")
REPEATED_ROWS = Kind("rows that repeat a photo", "")
HUB_BLOBS = Kind("files of a Hugging Face cache", "they are read through the links in its folder `snapshots`")
BROKEN_LINKS = Kind("links that cannot be followed", "")
RESULTS = Kind("results of meanface", "")
FOLDERS_AS_SHARDS = Kind("folders among the shards", "")

TRASH = Kind("files in a trash folder", "move photos of the collection out of it")
PREVIEWS = Kind("files in a folder of previews", "")
CHECKPOINTS = Kind("checkpoint copies", "")
SNAPSHOTS = Kind("files in a folder of snapshots", "")
VERSION_CONTROL = Kind("files of version control", "")
HIDDEN_FOLDERS = Kind("files in hidden folders", "give the hidden folder as the dataset if its photos are meant")

_FOLDERS = {
    **dict.fromkeys(("#recycle", "@recycle", "$recycle.bin", ".trash", ".trashes", ".dtrash", "files_trashbin"), TRASH),
    **dict.fromkeys(("@eadir", ".thumbnails", ".thumbs", ".@__thumb", ".picasaoriginals", ".xvpics"), PREVIEWS),
    **dict.fromkeys(("#snapshot", "@snapshot", "@recently-snapshot", ".snapshot", ".snapshots", ".zfs"), SNAPSHOTS),
    **dict.fromkeys((".git", ".svn", ".hg", ".bzr", ".dvc"), VERSION_CONTROL),
    **dict.fromkeys(("lost+found", "system volume information", "@tmp", "#tmp"), SYSTEM),
    **dict.fromkeys(("__macosx", ".appledouble"), APPLE_DOUBLE),
    ".ipynb_checkpoints": CHECKPOINTS,
}
_PHOTO_LIBRARIES = (".photoslibrary", ".photolibrary", ".migratedphotolibrary", ".aplibrary")
_LIBRARY_ORIGINALS = {"originals", "masters"}

_FILES = dict.fromkeys(
    ("thumbs.db", "ehthumbs.db", "desktop.ini", "picasa.ini", ".picasa.ini", ".ds_store", ".nomedia", "icon\r"), SYSTEM
)
_SUFFIXES = {
    OTHER_PHOTOS: ("jxl", "jp2", "j2k", "jpf", "jpx", "j2c", "jpc"),
    RAW: (
        *("3fr", "arw", "cr2", "cr3", "crw", "dcr", "dng", "erf", "gpr", "iiq", "k25", "kdc", "mef", "mos", "mrw"),
        *("nef", "nrw", "orf", "pef", "raf", "raw", "rw2", "rwl", "sr2", "srf", "srw", "x3f"),
    ),
    VIDEOS: (
        *("3g2", "3gp", "avi", "flv", "insv", "lrv", "m2ts", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "mts"),
        *("ogv", "webm", "wmv"),
    ),
    SIDECARS: (
        *("aae", "cls", "dop", "htm", "html", "json", "log", "md", "nfo", "pp3", "pts", "rtf", "thm", "txt", "xml"),
        *("xmp", "yaml", "yml"),
    ),
    TABLES: ("csv", "jsonl", "parquet", "tsv", "xls", "xlsx"),
    ARCHIVES: ("7z", "bz2", "gz", "rar", "tar", "tbz2", "tgz", "txz", "xz", "zip", "zst"),
    DRAWINGS: ("ai", "doc", "docx", "eps", "pdf", "ppt", "pptx", "psb", "psd", "svg", "xcf"),
    UNFINISHED: ("crdownload", "download", "filepart", "opdownload", "part", "partial"),
    COPIES: ("bak", "old", "orig"),
    SYSTEM: ("db", "ini", "lnk", "lrcat", "tmp"),
}
_PHOTOS = {
    *("a JPEG photo", "a PNG photo", "a WebP photo", "a GIF photo", "a BMP photo", "a HEIC photo", "an AVIF photo"),
}
_KIND_OF_CONTENT = {
    "a JPEG XL photo": OTHER_PHOTOS,
    "a JPEG 2000 photo": OTHER_PHOTOS,
    "a raw photo": RAW,
    "a TIFF photo": RAW,
    "a video": VIDEOS,
    "a Parquet file": TABLES,
    **dict.fromkeys(("a zip archive", "a 7z archive", "a RAR archive", "a tar archive"), ARCHIVES),
    **dict.fromkeys(("gzip data", "bzip2 data", "xz data", "Zstandard data"), ARCHIVES),
    **dict.fromkeys(("a PDF document", "a Photoshop document", "an SVG drawing"), DRAWINGS),
    **dict.fromkeys(("an HTML page", "a text"), SIDECARS),
}
_KIND_OF_SUFFIX = {suffix: kind for kind, suffixes in _SUFFIXES.items() for suffix in suffixes}


def passed_over(name: str) -> Kind | None:
    """The kind of a file by its name; None for a photo.

    >>> passed_over("people/Ada.JPG"), passed_over("people/ada.jpg?w=640")
    (None, None)
    >>> for name in "people/._Ada.jpg", "a/@eaDir/a.jpg/SYNOPHOTO.jpg", ".a.jpg.icloud", "DSC_1.NEF", "1f0c":
    ...     print(passed_over(name).name)
    macOS companion files
    files in a folder of previews
    iCloud placeholders
    raw photos
    files without a known suffix
    """
    folder, _, base = name.rpartition("/")
    if folder and (kind := folder_passed_over(folder)):
        return kind
    if not base:
        return OTHER
    base = base.lower()
    if kind := _FILES.get(base):
        return kind
    if base.startswith(".trashed-"):  # Android
        return TRASH
    if base.startswith("."):
        return ICLOUD if base.endswith(".icloud") else APPLE_DOUBLE if base.startswith("._") else HIDDEN
    # wget keeps the query of a URL in the name: photo.jpg?w=640
    return None if base.endswith(PHOTO_SUFFIXES) else _of_suffix(base.partition("?")[0])


def passed_over_by_content(start: bytes) -> Kind | None:
    r"""The kind of a file without a known suffix, by its first bytes; None for a photo.

    TIFF does not count as a photo here: raw photos begin in the same way.

    >>> passed_over_by_content(b"\xff\xd8\xff\xe0") is None, passed_over_by_content(b"#!/bin/sh").name
    (True, 'sidecar and text files')
    """
    name = identify(start).name if start else ""
    return None if name in _PHOTOS else _KIND_OF_CONTENT.get(name, OTHER)


def _of_suffix(base: str) -> Kind | None:
    if base.endswith(PHOTO_SUFFIXES):
        return None
    if base.endswith(("~", "_original")):  # editors and exiftool
        return COPIES
    if base.endswith("_$folder$"):  # Hadoop's objects that stand for folders
        return SYSTEM
    _, dot, suffix = base.rpartition(".")
    return _KIND_OF_SUFFIX.get(suffix, UNKNOWN) if dot else UNKNOWN


def library_name(root: str) -> str:
    """The prefix of names in a dataset that is itself a photo library, for a library's rules.

    >>> library_name("/home/ada/Photos.photoslibrary/"), library_name("/home/ada/photos")
    ('Photos.photoslibrary/', '')
    """
    name = root.rstrip("/").rpartition("/")[2]
    return f"{name}/" if name.lower().endswith(_PHOTO_LIBRARIES) else ""


@lru_cache(4096)
def folder_passed_over(path: str) -> Kind | None:
    """The kind of all files in a folder; None if their own names decide."""
    folders = path.lower().split("/")
    for at, folder in enumerate(folders):
        if kind := _FOLDERS.get(folder):
            return kind
        if folder.endswith(".lrdata"):
            return PREVIEWS
        if folder.startswith(".") and folder not in (".", ".."):
            return TRASH if folder.startswith(".trash-") else HIDDEN_FOLDERS
        if folder.endswith(_PHOTO_LIBRARIES) and folders[at + 1 : at + 2] and folders[at + 1] not in _LIBRARY_ORIGINALS:
            return PREVIEWS
    return None
