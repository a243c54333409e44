"""Outcomes: every photo of a run has exactly one."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """The outcome of a photo."""

    OK = "ok"
    """at least one of its faces counts"""
    NO_FACE = "no_face"
    """decoded, and no face was found; not a failure"""
    SEVERAL_FACES = "several_faces"
    """decoded, and not exactly one face, as the policy `single` requires; not a failure"""
    UNDECODABLE = "undecodable"
    """its bytes are not a complete image of a known format"""
    TOO_LARGE = "too_large"
    """more pixels or bytes than the settings allow; not decoded"""
    UNREADABLE = "unreadable"
    """its bytes could not be read: missing, changed, refused by a server, damaged in an archive"""
    CRASHED = "crashed"
    """its worker process died or timed out twice in a row, it took too much memory, or its model failed on it"""

    @property
    def failed(self) -> bool:
        """Whether the photo failed, and counts for `max_failed_fraction`."""
        return self in _FAILURES

    @property
    def passing(self) -> bool:
        """Whether another attempt may end differently, as the cause is not in the photo's bytes."""
        return self in _PASSING

    @property
    def meaning(self) -> str:
        """A short explanation for users."""
        return _MEANINGS[self]


_FAILURES = frozenset({Outcome.UNDECODABLE, Outcome.TOO_LARGE, Outcome.UNREADABLE, Outcome.CRASHED})
_PASSING = frozenset({Outcome.UNREADABLE, Outcome.CRASHED})
_MEANINGS = {
    Outcome.OK: "has a face that counts",
    Outcome.NO_FACE: "no face was found; not a failure",
    Outcome.SEVERAL_FACES: "not exactly one face, as faces=single requires",
    Outcome.UNDECODABLE: "its bytes are not a complete image",
    Outcome.TOO_LARGE: "more pixels or bytes than allowed",
    Outcome.UNREADABLE: "its bytes could not be read",
    Outcome.CRASHED: "its worker process died or timed out",
}
