"""How a photo can end: every photo of a run has exactly one outcome."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """One word for what became of a photo."""

    OK = "ok"
    """at least one of its faces counts"""
    NO_FACE = "no_face"
    """decoded, and the detector found nothing: an answer, not a failure"""
    SEVERAL_FACES = "several_faces"
    """decoded, and not the single face that the policy `single` asks for: an answer, too"""
    UNDECODABLE = "undecodable"
    """its bytes are no complete image of a known format"""
    TOO_LARGE = "too_large"
    """more pixels or bytes than the settings allow; never decoded"""
    UNREADABLE = "unreadable"
    """its bytes could not be had: gone, changed since the plan, refused by the server, damaged in its archive"""
    CRASHED = "crashed"
    """twice in a row, its worker process died over it or gave no answer in time; or it took too much memory"""

    @property
    def failed(self) -> bool:
        """Whether it says nothing about the photo's faces; what `max_failed_fraction` counts."""
        return self in _FAILURES

    @property
    def passing(self) -> bool:
        """Whether the same photo may end otherwise another time: what happened is not in its bytes."""
        return self in _PASSING

    @property
    def meaning(self) -> str:
        """What people are told beside the word."""
        return _MEANINGS[self]


_FAILURES = frozenset({Outcome.UNDECODABLE, Outcome.TOO_LARGE, Outcome.UNREADABLE, Outcome.CRASHED})
_PASSING = frozenset({Outcome.UNREADABLE, Outcome.CRASHED})
_MEANINGS = {
    Outcome.OK: "has a face that counts",
    Outcome.NO_FACE: "no face was found: an answer, not a failure",
    Outcome.SEVERAL_FACES: "not the single face that the settings ask for",
    Outcome.UNDECODABLE: "its bytes are no complete image",
    Outcome.TOO_LARGE: "more pixels or bytes than allowed",
    Outcome.UNREADABLE: "its bytes could not be had",
    Outcome.CRASHED: "its worker process died over it",
}
