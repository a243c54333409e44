"""Labels of photos from the names of their folders; pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from meanface.dataset.refs import PhotoRef
from meanface.settings import Labels

MOST_LABELS = 100_000
"""with more labels, whose sums take 8 kB each, there are no means by label"""
NAMED = 3
"""labels named in a warning, and folders of each"""


def label_of(photo: PhotoRef, labels: Labels) -> str | None:
    r"""Return the photo's label in NFC, Unicode's composed form; None without labels.

    A photo outside of folders has the label "". In a shard, the shard's own folders count; a photo
    at the top of a shard has the shard's name. In a URL, the folders of its path count.

    >>> label_of(PhotoRef("anna/2023/1.jpg", 9), Labels.PARENT_FOLDER)
    '2023'
    >>> label_of(PhotoRef("anna/2023/1.jpg", 9), Labels.TOP_FOLDER), label_of(PhotoRef("1.jpg", 9), Labels.TOP_FOLDER)
    ('anna', '')
    >>> label_of(PhotoRef("Jose\u0301/1.jpg", 9), Labels.PARENT_FOLDER)
    'José'
    >>> label_of(PhotoRef("s-0.tar/anna/2023/1.jpg", 9, "s-0.tar", 512), Labels.TOP_FOLDER)
    'anna'
    """
    return None if labels is Labels.NONE else _label(_folder(photo), labels)


def warnings_about(photos: Iterable[PhotoRef], labels: Labels) -> list[str]:
    """Describe problems with the labels of a dataset; memory is bounded."""
    if labels is Labels.NONE:
        return []
    folders: dict[str, list[str]] = {}
    deeper, before = False, None
    for photo in photos:
        folder = _folder(photo)
        if folder == before:  # photos are sorted by name
            continue
        before, deeper = folder, deeper or "/" in folder
        known = folders.setdefault(_label(folder, labels), [])
        if len(known) <= NAMED and folder not in known:
            known.append(folder)
        if len(folders) > MOST_LABELS:
            break
    mixed = {label: known for label, known in folders.items() if len(known) > 1}
    if mixed and labels is Labels.PARENT_FOLDER:
        return [_mixed(mixed)]
    return [_one_label(next(iter(folders)), labels, deeper=deeper)] if len(folders) == 1 else []


def _folder(photo: PhotoRef) -> str:
    """Return the photo's folder in the dataset; empty at the top."""
    folder = photo.name.rpartition("/")[0]
    if "://" in folder:
        folder = folder.partition("://")[2].partition("/")[2]
    elif photo.source == photo.name:  # an unreadable shard
        folder = ""
    elif photo.source:
        folder = folder.removeprefix(f"{photo.source}/")
    return unicodedata.normalize("NFC", folder)


def _label(folder: str, labels: Labels) -> str:
    return folder.partition("/")[0] if labels is Labels.TOP_FOLDER else folder.rpartition("/")[2]


def _one_label(label: str, labels: Labels, *, deeper: bool) -> str:
    what = f"all photos have the label {label!r}" if label else "no photo has a label, as none is in a folder"
    apart = ": set labels=parent_folder to tell the folders below it apart"
    return f"labels={labels.value}: {what}{apart if deeper and labels is Labels.TOP_FOLDER else ''}"


def _mixed(mixed: dict[str, list[str]]) -> str:
    named = "; ".join(
        f"{label!r} from {', '.join(map(repr, known[:NAMED]))}{' and more' if len(known) > NAMED else ''}"
        for label, known in list(mixed.items())[:NAMED]
    )
    more = f"; and {len(mixed) - NAMED:,} more" if len(mixed) > NAMED else ""
    return (
        f"labels=parent_folder: photos of several folders have one label: {named}{more}. "
        "Set labels=top_folder if the folders at the top are the labels"
    )
