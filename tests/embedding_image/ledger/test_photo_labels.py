"""Labels from folders: laws, and warnings about problems."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meanface.dataset.refs import PhotoRef
from meanface.errors import SettingsError
from meanface.ledger import photo_labels
from meanface.ledger.label_pattern import with_pattern
from meanface.ledger.photo_labels import label_of, warnings_about, with_level
from meanface.settings import Labels, Settings

part = st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=1, max_size=5)
folders = st.lists(part.filter(lambda name: name not in (".", "..")), max_size=4)
BOTH = (Labels.PARENT_FOLDER, Labels.TOP_FOLDER)


def refs(*names: str) -> list[PhotoRef]:
    return [PhotoRef(name, 1) for name in sorted(names)]


@given(folders, part)
def test_a_label_is_one_of_the_photos_folders_in_nfc(above: list[str], base: str) -> None:
    photo = PhotoRef("/".join((*above, base)), 1)
    normal = [unicodedata.normalize("NFC", folder) for folder in above] or [""]
    assert label_of(photo, Labels.PARENT_FOLDER) == normal[-1]
    assert label_of(photo, Labels.TOP_FOLDER) == normal[0]
    assert label_of(photo, Labels.NONE) is None


@given(folders, part, st.sampled_from(["NFC", "NFD"]), st.sampled_from(BOTH))
def test_unicode_forms_of_one_name_are_one_label(above: list[str], base: str, form: str, labels: Labels) -> None:
    name = "/".join((*above, base))
    assert label_of(PhotoRef(unicodedata.normalize(form, name), 1), labels) == label_of(PhotoRef(name, 1), labels)


@given(folders, part, st.sampled_from(BOTH))
def test_photos_in_a_shard_have_the_labels_of_their_folders_in_it(above: list[str], base: str, labels: Labels) -> None:
    inside = "/".join((*above, base))
    label = label_of(PhotoRef(f"sets/s-0.tar/{inside}", 1, "sets/s-0.tar", 512), labels)
    top = "s-0.tar" if labels is Labels.PARENT_FOLDER else "sets"
    assert label == (label_of(PhotoRef(inside, 1), labels) if above else top)


def test_urls_have_the_folders_of_their_paths() -> None:
    photo = PhotoRef("https://photos.example/people/ann/1.jpg", -1)
    assert [label_of(photo, labels) for labels in BOTH] == ["ann", "people"]
    assert [label_of(PhotoRef("https://photos.example/1.jpg", -1), labels) for labels in BOTH] == ["", ""]


def test_a_label_of_several_folders_is_reported_with_them() -> None:
    photos = refs(
        "anna/2023/1.jpg", "bob/2023/1.jpg", "bob/2024/1.jpg", "carl/2023/1.jpg", "dora/2023/1.jpg", "dora/1.jpg"
    )
    (warning,) = warnings_about(photos, Labels.PARENT_FOLDER)
    assert warning == (
        "labels=parent_folder: photos of several folders have one label: '2023' from 'anna/2023', 'bob/2023', "
        "'carl/2023' and more. Set labels=top_folder if the folders at the top are the labels"
    )
    assert warnings_about(photos, Labels.TOP_FOLDER) == warnings_about(photos, Labels.NONE) == []
    many = refs(*(f"{person}/{year}/1.jpg" for person in "ab" for year in range(2000, 2100)))
    (warning,) = warnings_about(many, Labels.PARENT_FOLDER)
    assert "'2000' from 'a/2000', 'b/2000'" in warning
    assert "; and 97 more." in warning


def test_labels_of_one_folder_are_not_reported() -> None:
    """Unicode forms of one folder, and the parts of one folder in several shards."""
    forms = [unicodedata.normalize(form, "José/1.jpg") for form in ("NFC", "NFD")]
    assert warnings_about(refs(*forms, "ann/1.jpg"), Labels.PARENT_FOLDER) == []
    shards = [PhotoRef(f"{n}.tar/{who}/1.jpg", 1, f"{n}.tar", 512) for n in range(3) for who in ("ann", "bob")]
    assert warnings_about(shards, Labels.PARENT_FOLDER) == []


def test_a_missing_shard_has_its_label() -> None:
    photos = [PhotoRef(f"s-0.tar/{name}", 1, "s-0.tar", 512) for name in ("anna/1.jpg", "anna/2.jpg", "bob/3.jpg")]
    link = PhotoRef("s-0.tar/anna/4.jpg", 0, "s-0.tar", refusal="a link")
    lost = PhotoRef("sets/s-1.tar", 0, "sets/s-1.tar", refusal="the shard does not exist")
    assert {label_of(link, labels) for labels in BOTH} == {"anna"}
    assert {label_of(lost, labels) for labels in BOTH} == {""}
    assert [warnings_about([*photos, link, lost], labels) for labels in BOTH] == [[], []]


def test_a_photo_that_a_list_names_by_its_path_has_its_folders_label() -> None:
    photo = PhotoRef("people/ann/1.jpg", 9, "people/ann/1.jpg")
    assert [label_of(photo, labels) for labels in BOTH] == ["ann", "people"]
    assert [ref.label for ref in with_level([photo], -1)] == ["ann"]


def test_one_label_for_all_is_named() -> None:
    lfw = refs("lfw/Ada/1.jpg", "lfw/Bob/1.jpg")
    assert warnings_about(lfw, Labels.PARENT_FOLDER) == []
    (warning,) = warnings_about(lfw, Labels.TOP_FOLDER)
    assert warning.startswith("labels=top_folder: all photos have the label 'lfw': set labels=parent_folder ")
    for labels in BOTH:
        assert warnings_about(refs("1.jpg", "2.jpg"), labels) == [
            f"labels={labels.value}: no photo has a label, as none is in a folder"
        ]
    one = refs("a/2023/1.jpg", "b/2023/1.jpg")
    (warning,) = warnings_about(one, Labels.PARENT_FOLDER)
    assert "'2023' from 'a/2023', 'b/2023'" in warning


def test_the_number_of_labels_in_memory_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr(photo_labels, "MOST_LABELS", 3)
    read = iter(refs(*(f"{n}/1.jpg" for n in range(1000))))
    assert warnings_about(read, Labels.PARENT_FOLDER) == []
    assert len(list(read)) == 1000 - 4


@given(folders, part, st.integers(1, 5))
def test_a_level_is_a_folder_from_the_top_or_from_the_photo(above: list[str], base: str, level: int) -> None:
    (top,) = with_level([PhotoRef("/".join((*above, base)), 1)], level)
    (near,) = with_level([PhotoRef("/".join((*above[::-1], base)), 1)], -level)
    normal = [unicodedata.normalize("NFC", folder) for folder in above]
    assert top.label == near.label == (normal[level - 1] if level <= len(normal) else "")
    assert label_of(top, Labels.LEVEL) == top.label


@given(folders, part)
def test_the_first_and_the_last_level_are_the_labels_of_folders(above: list[str], base: str) -> None:
    photo = PhotoRef("/".join((*above, base)), 1)
    for level, labels in ((1, Labels.TOP_FOLDER), (-1, Labels.PARENT_FOLDER)):
        assert next(iter(with_level([photo], level))).label == label_of(photo, labels)


def test_a_pattern_finds_labels_in_any_form_of_unicode_and_in_any_number_of_photos() -> None:
    photos = [PhotoRef(f"x/Jose\u0301_{number}.jpg", 1) for number in range(5000)] + [PhotoRef("Zoe.jpg", 1)]
    labels = [photo.label for photo in with_pattern(photos, "(?P<label>[^/_]+)_[0-9]+[.]jpg$")]
    assert labels == ["José"] * 5000 + [""]


@pytest.mark.parametrize("pattern", ["(", "(?P<who>x)", "(?P<label>x)(y)", r"(?P<label>x)\1", "(?P<label>x{9999})"])
def test_a_pattern_without_labels_is_refused_before_a_photo_is_listed(pattern: str) -> None:
    with pytest.raises(SettingsError, match="label_pattern="):
        with_pattern(iter(()), pattern)


def test_a_pattern_takes_no_time_that_grows_with_powers_of_a_name() -> None:
    """Python's own patterns would not end."""
    (photo,) = with_pattern([PhotoRef("a" * 4000 + "!", 1)], "^(?P<label>(?:a+)+)$")
    assert photo.label == ""


def test_own_labels_that_are_missing_or_the_same_are_reported() -> None:
    photos = [PhotoRef(f"{label}{number}", 1, label=label) for number in range(2) for label in ("ann", "bob", "")]
    assert warnings_about(photos, Labels.COLUMN) == ["labels=column: 2 of 6 photos have no label, such as '0'"]
    assert warnings_about([photo for photo in photos if photo.label], Labels.COLUMN) == []
    assert warnings_about(photos[:1], Labels.COLUMN) == ["labels=column: all photos have the label 'ann'"]
    (warning,) = warnings_about([photos[2]], Labels.PATTERN)
    assert warning == "labels=pattern: no photo has a label, as label_pattern fits no name"


def test_where_labels_come_from_is_said_once() -> None:
    assert Settings.of(dataset="x", label_column="who").labels is Labels.COLUMN
    assert Settings.of(dataset="x", label_level=-2).labels is Labels.LEVEL
    assert Settings.of(dataset="x", label_pattern="(?P<label>x)").labels is Labels.PATTERN
    assert Settings.of(dataset="x", labels="column").label_column is None
    for wrong in (
        {"labels": "level"},
        {"labels": "pattern"},
        {"labels": "top_folder", "label_column": "who"},
        {"labels": "column", "label_level": 1},
        {"label_column": "who", "label_level": 1},
        {"label_level": 0},
        {"label_level": 101},
        {"label_column": ""},
    ):
        with pytest.raises(SettingsError, match="label") as refused:
            Settings.of(dataset="https://user:secret@h/x", **wrong)
        assert "secret" not in str(refused.value)


def test_each_of_several_datasets_is_a_folder() -> None:
    """As the folder of the photos that its list names by address, too."""
    url = "https://photos.example/people/ada/1.jpg"
    photos = [
        PhotoRef("list.csv/" + url, -1, url),
        PhotoRef("list.csv/https://photos.example/2.jpg", -1, "https://photos.example/2.jpg"),
        PhotoRef("set/s-0.tar/eve/3.jpg", 9, "s-0.tar", 512),
        PhotoRef("photos/4.jpg", 9),
    ]
    assert [label_of(photo, Labels.TOP_FOLDER) for photo in photos] == ["list.csv", "list.csv", "set", "photos"]
    assert [label_of(photo, Labels.PARENT_FOLDER) for photo in photos] == ["ada", "list.csv", "eve", "photos"]
