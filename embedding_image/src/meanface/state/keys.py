"""Names of the keys in Redis; docs/storage.md lists them."""

from __future__ import annotations

DIGEST = "manifest-digest"
"""the record that a run has for as long as it has any other"""
METRICS = "meanface-metrics"
"""the exporter's own record; the stages' user cannot write it"""
RUNS = "meanface:{*}:" + DIGEST
"""pattern of the keys that tell which runs there are"""


def run_key(run: str, name: str) -> str:
    """Key of a run's record; the braces keep a run's keys on one node of a cluster.

    >>> run_key("monday", DIGEST)
    'meanface:{monday}:manifest-digest'
    """
    return f"meanface:{{{run}}}:{name}"


def run_of(key: str) -> str:
    """The run that has this `manifest-digest`.

    >>> run_of("meanface:{monday}:manifest-digest")
    'monday'
    """
    return key.removeprefix("meanface:{").removesuffix("}:" + DIGEST)
