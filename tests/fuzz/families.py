"""All targets that this environment can run: those of the embedding image, or those of Airflow's plugin."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec

from fuzz.target import Target

FAMILIES = (
    ("photos", "archives", "records", "parquet", "lists", "names", "web", "settings")
    if find_spec("meanface")
    else ("plugin",)
)


@cache
def targets() -> tuple[Target, ...]:
    """Each family's, in order."""
    return tuple(target for family in FAMILIES for target in import_module(f"fuzz.{family}").TARGETS)


def target_named(name: str) -> Target:
    """The target of that name, FAMILY.TARGET; no other family is imported."""
    family = name.partition(".")[0]
    found = import_module(f"fuzz.{family}").TARGETS if family in (*FAMILIES, "planted") else ()
    for target in found:
        if target.name == name:
            return target
    raise SystemExit(f"no target {name!r}; there are: {', '.join(target.name for target in targets())}")
