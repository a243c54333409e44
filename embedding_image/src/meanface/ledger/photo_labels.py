"""Labels of photos, from the names of their folders or from the dataset; pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator

from meanface.dataset.refs import PhotoRef
from meanface.settings import Labels

MOST_LABELS = 100_000
"""with more labels, whose sums take 8 kB each, there are no means by label"""
NAMED = 3
"""labels named in a warning, and folders of each"""
_WITHOUT = {
    **dict.fromkeys((Labels.PARENT_FOLDER, Labels.TOP_FOLDER), "as none is in a folder"),
    Labels.COLUMN: "as none has one in the dataset",
    Labels.LEVEL: "as none is in so many folders",
    Labels.PATTERN: "as label_pattern fits no name",
}
OWN = (Labels.COLUMN, Labels.LEVEL, Labels.PATTERN)
"""sources of labels that are part of the photos' references"""


def label_of(photo: PhotoRef, labels: Labels) -> str | None:
    r"""Return the photo's label in NFC, Unicode's composed form; None without labels.

    A photo outside of folders has the label "". In a shard, the shard's own folders count; a photo
    at the top of a shard has the shard's name. In a URL, the folders of its path count.
    A label from a column, a level or a pattern is part of the reference.

    >>> label_of(PhotoRef("anna/2023/1.jpg", 9), Labels.PARENT_FOLDER)
    '2023'
    >>> label_of(PhotoRef("anna/2023/1.jpg", 9), Labels.TOP_FOLDER), label_of(PhotoRef("1.jpg", 9), Labels.TOP_FOLDER)
    ('anna', '')
    >>> label_of(PhotoRef("Jose\u0301/1.jpg", 9), Labels.PARENT_FOLDER)
    'José'
    >>> label_of(PhotoRef("s-0.tar/anna/2023/1.jpg", 9, "s-0.tar", 512), Labels.TOP_FOLDER)
    'anna'
    """
    if labels in OWN:
        return photo.label
    return None if labels is Labels.NONE else _label(_folder(photo), labels)


def warnings_about(photos: Iterable[PhotoRef], labels: Labels) -> list[str]:
    """Describe problems with the labels of a dataset; memory is bounded."""
    if labels is Labels.NONE:
        return []
    if labels in OWN:
        return _warnings_about_own(photos, labels)
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


def _warnings_about_own(photos: Iterable[PhotoRef], labels: Labels) -> list[str]:
    """Describe labels that all photos share, and photos without one."""
    first, several, without, example, total = "", False, 0, "", 0
    for total, photo in enumerate(photos, start=1):
        first = photo.label if total == 1 else first
        several = several or photo.label != first
        if not photo.label:
            without, example = without + 1, example or photo.name
    if not several:
        return [_one_label(first, labels, deeper=False)]
    if without:
        return [f"labels={labels.value}: {without:,} of {total:,} photos have no label, such as {example!r}"]
    return []


def with_level(photos: Iterable[PhotoRef], level: int) -> Iterator[PhotoRef]:
    """Label photos by a folder of their paths, from the top (1) or from the photo (-1).

    >>> [ref.label for ref in with_level([PhotoRef("a/b/c/1.jpg", 9), PhotoRef("d/1.jpg", 9)], 2)]
    ['b', '']
    >>> [ref.label for ref in with_level([PhotoRef("a/b/c/1.jpg", 9), PhotoRef("d/1.jpg", 9)], -2)]
    ['b', '']
    """
    for photo in photos:
        folders = [folder for folder in _folder(photo).split("/") if folder]
        if level < 0:
            folders.reverse()
        yield photo._replace(label=next(iter(folders[abs(level) - 1 :]), ""))


def _folder(photo: PhotoRef) -> str:
    """Return the photo's folder in the dataset; empty at the top."""
    folder = photo.name.rpartition("/")[0]
    if "://" in folder:  # below the folder of one of several datasets, if it is one
        before, _, address = folder.partition("://")
        folder = f"{before.rpartition('/')[0]}/{address.partition('/')[2]}".strip("/")
    elif photo.refusal and photo.source == photo.name:  # an unreadable shard; a list may name a photo by its path
        folder = ""
    elif photo.source:
        folder = folder.removeprefix(f"{photo.source}/")
    return unicodedata.normalize("NFC", folder)


def _label(folder: str, labels: Labels) -> str:
    return folder.partition("/")[0] if labels is Labels.TOP_FOLDER else folder.rpartition("/")[2]


def _one_label(label: str, labels: Labels, *, deeper: bool) -> str:
    what = f"all photos have the label {label!r}" if label else f"no photo has a label, {_WITHOUT[labels]}"
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
