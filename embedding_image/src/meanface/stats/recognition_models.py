"""How well templates recognise people, and labels to check: a part of `statistics` in `result.json`."""

from __future__ import annotations

from typing import NamedTuple

from meanface.storage.record import Record


class Rate(Record):
    """A fraction of some faces, with its 95 % interval, labels independent."""

    value: float
    low: float
    high: float
    faces: int
    """that the fraction is of"""


class FaceAt(NamedTuple):
    """Identity of a face in a run."""

    position: int
    """of its photo among all photos of the run"""
    face: int
    """index in the detector's order"""


class CurvePoint(NamedTuple):
    """Rates at one threshold of the distance."""

    threshold: float
    false_accepts: float
    """of comparisons of a face with another label's template"""
    true_accepts: float
    """of comparisons of a face with its own label's template"""
    strangers_named: float
    """of faces whose own template is taken away, those that get another label's name"""
    named: float
    """of faces with a template, those that get their own name"""


class Verification(Record):
    """Is this face of that label? Each face is compared with each template, one pair at a time."""

    equal_error_rate: float
    """where false accepts and false rejections are equally frequent"""
    equal_error_threshold: float
    false_accept_rate: float
    """the largest one, of at most 1 in 1,000, that a threshold has"""
    accept_threshold: float
    """has this false accept rate"""
    true_accept_rate: Rate
    """at this threshold"""
    genuine: int
    """comparisons of a face with its own label's template"""
    impostor: int
    """comparisons with other labels' templates"""


class Method(Record):
    """Recognition by one kind of template."""

    rank_1: Rate
    """faces whose own label is nearer than every other"""
    rank_5: Rate | None
    """faces whose own label is among the nearest five; null for single photos"""
    verification: Verification | None
    """null for single photos"""
    better: Rate | None = None
    """difference of `rank_1` to that of means, on the same faces; null for means"""


class AtThreshold(Record):
    """`meanface identify` with one threshold."""

    threshold: float
    named: Rate
    """of faces of people with a template, those that get their own name"""
    misnamed: Rate
    """of the same faces, those that get another name"""
    strangers_named: Rate
    """of faces of people without a template, those that get a name"""


class Recognition(Record):
    """Leave-one-out recognition; see `meanface.stats.recognition`."""

    labels: int
    """templates that each face is compared with"""
    labels_with_one_face: int
    """they are templates for all other faces, and their faces are strangers only"""
    faces: int
    """with a template of their own label"""
    sample_step: int
    """one random face of each this many consecutive ones was compared; 1 if all were"""
    photo_faces: int
    """of `faces`, those compared with single photos"""
    mean: Method
    trimmed: Method
    photo: Method | None
    """nearest single photo"""
    suggested: AtThreshold | None
    """where strangers get a name as often as people with a template do not get theirs; null if there is none"""
    customary: AtThreshold | None
    """null for models without a customary threshold"""
    curve: list[CurvePoint]
    """of means"""


class WrongLabel(Record):
    """A face that is nearer to another label's template than to its own without it."""

    position: int
    photo: str
    face: int
    label: str
    distance: float
    """to the mean of its label's other faces"""
    other: str
    other_distance: float

    @property
    def at(self) -> FaceAt:
        """Identity of the face."""
        return FaceAt(self.position, self.face)


class AlikeLabels(Record):
    """Two labels whose templates are as near as two of one person."""

    labels: tuple[str, str]
    photos: tuple[str, str]
    """the first one of each"""
    faces: tuple[int, int]
    distance: float
    expected: float
    """typical distance of two means of one person, of as many faces"""


class SharedPhoto(Record):
    """One photograph under two labels."""

    photos: tuple[str, str]
    labels: tuple[str, str]
    distance: float
    """of its faces; 0 for equal bytes"""


class LabelChecks(Record):
    """Labels that may be wrong: how many were found, and the first ones; `label_checks.csv` has more."""

    faces: int
    """compared with all templates, of labels with two faces or more"""
    complete: bool
    """whether these are all such faces; else they are those farthest from their label"""
    wrong: int
    wrong_labels: list[WrongLabel]
    alike: int | None
    """null if there are too many labels to compare all pairs"""
    alike_labels: list[AlikeLabels]
    shared: int
    shared_photos: list[SharedPhoto]
