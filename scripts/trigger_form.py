"""Write the settings' JSON schema for the DAG's trigger form.

    .venvs/meanface/bin/python scripts/trigger_form.py [--check]

Airflow's plugin does not import meanface, so it reads types, defaults, limits and descriptions from
this file. With `--check` nothing is written, and the exit code is 1 if the file is out of date.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from meanface.settings import Settings
from meanface.storage.layout import NAME

FILE = Path(__file__).parents[1] / "plugins/meanface_airflow/trigger_form.json"


def fields() -> dict[str, dict[str, Any]]:
    """The flat JSON schema of every option of `meanface plan`, by name."""
    schema = Settings.model_json_schema()
    found = {name: flat(field, schema["$defs"]) for name, field in schema["properties"].items()}
    found["series"] = {"default": None, "pattern": f"^{NAME}$", "type": ["null", "string"]}
    return found


def flat(field: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """One field's schema without references and alternatives; titles are left to the form.

    >>> flat({"anyOf": [{"type": "integer", "minimum": 64}, {"type": "null"}], "default": None}, {})
    {'default': None, 'minimum': 64, 'type': ['null', 'integer']}
    >>> flat({"$ref": "#/$defs/Colour", "default": "red"}, {"Colour": {"enum": ["red"], "type": "string"}})
    {'default': 'red', 'enum': ['red'], 'type': 'string'}
    """
    merged: dict[str, Any] = {}
    if reference := field.get("$ref"):
        merged |= definitions[reference.rpartition("/")[2]]
    for alternative in field.get("anyOf", ()):
        if alternative["type"] != "null":
            merged |= alternative | {"type": ["null", alternative["type"]]}
    merged |= field
    return {key: merged[key] for key in sorted(merged) if key not in ("$ref", "anyOf", "title")}


def main(arguments: list[str]) -> int:
    """Write or check the file; the exit code."""
    text = json.dumps(fields(), indent=2) + "\n"
    if "--check" not in arguments:
        FILE.write_text(text)
    elif not FILE.exists() or FILE.read_text() != text:
        print(f"{FILE} is out of date: run scripts/trigger_form.py to write it again", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
