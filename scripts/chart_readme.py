"""Write the table of values in the chart's README from the comments in its values.yaml.

    python scripts/chart_readme.py [--check]

A value's description is the comment before it that begins with `# --`. With `--check` nothing is
written, and the exit code is 1 if the table is out of date.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

CHART = Path(__file__).parents[1] / "charts/meanface"
BEGIN, END = "<!-- values: written by scripts/chart_readme.py -->\n", "<!-- end of values -->\n"
WHOLE = {"resources"}
"""Mappings that are one value although they have no description."""


def description(lines: list[str], line: int) -> str:
    """The comment right before a line, from its `# --` on; empty if there is none."""
    comment: list[str] = []
    while line > 0 and (text := lines[line - 1].strip()).startswith("#"):
        line -= 1
        comment.insert(0, text.lstrip("# "))
        if text.startswith("# --"):
            return " ".join(comment).removeprefix("-- ")
    return ""


def values(node: yaml.MappingNode, lines: list[str], above: str = "") -> Iterator[tuple[str, str, str]]:
    """Name, default and description of every value; a mapping with a description is one value."""
    for key, value in node.value:
        name = f"{above}{key.value}"
        text = description(lines, key.start_mark.line)
        if isinstance(value, yaml.MappingNode) and not (text or value.flow_style or key.value in WHOLE):
            yield from values(value, lines, f"{name}.")
        else:
            yield name, json.dumps(yaml.safe_load(yaml.serialize(value))), text


def table(text: str) -> str:
    r"""Make the table of a values.yaml.

    >>> print(table("# -- how many\nworkers: 2\n"), end="")
    | value | default | meaning |
    |---|---|---|
    | `workers` | `2` | how many |
    """
    root = yaml.compose(text)
    rows = [f"| `{name}` | `{default}` | {meaning} |\n" for name, default, meaning in values(root, text.splitlines())]
    return "".join(["| value | default | meaning |\n", "|---|---|---|\n", *rows])


def with_table(readme: str, text: str) -> str:
    """Replace the table in a README by that of a values.yaml."""
    before, _, rest = readme.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n{table(text)}\n{END}{after}"


def main(arguments: list[str]) -> int:
    """Write or check the README; the exit code."""
    path = CHART / "README.md"
    readme = path.read_text()
    current = with_table(readme, (CHART / "values.yaml").read_text())
    if "--check" in arguments:
        if current != readme:
            print(f"{path} is out of date: run scripts/chart_readme.py to write it again", file=sys.stderr)
        return int(current != readme)
    path.write_text(current)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
