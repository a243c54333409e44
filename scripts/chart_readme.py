"""Write the table of values in the chart's README from the comments of its values.yaml.

    python scripts/chart_readme.py [--check]

A value's meaning is the comment before it that begins with `# --`. With `--check` nothing is written, and a stale table
is the exit code 1.
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
"""Mappings that are one value although nothing is said of them."""


def meaning(lines: list[str], line: int) -> str:
    """The comment right before a line, from its `# --` on; empty where there is none."""
    comment: list[str] = []
    while line > 0 and (text := lines[line - 1].strip()).startswith("#"):
        line -= 1
        comment.insert(0, text.lstrip("# "))
        if text.startswith("# --"):
            return " ".join(comment).removeprefix("-- ")
    return ""


def values(node: yaml.MappingNode, lines: list[str], above: str = "") -> Iterator[tuple[str, str, str]]:
    """Name, default and meaning of every value; a mapping that has a meaning is one value."""
    for key, value in node.value:
        name = f"{above}{key.value}"
        said = meaning(lines, key.start_mark.line)
        if isinstance(value, yaml.MappingNode) and not (said or value.flow_style or key.value in WHOLE):
            yield from values(value, lines, f"{name}.")
        else:
            yield name, json.dumps(yaml.safe_load(yaml.serialize(value))), said


def table(text: str) -> str:
    r"""The table of a values.yaml.

    >>> print(table("# -- how many\nworkers: 2\n"), end="")
    | value | default | meaning |
    |---|---|---|
    | `workers` | `2` | how many |
    """
    root = yaml.compose(text)
    rows = [f"| `{name}` | `{default}` | {said} |\n" for name, default, said in values(root, text.splitlines())]
    return "".join(["| value | default | meaning |\n", "|---|---|---|\n", *rows])


def written(readme: str, text: str) -> str:
    """A README with the table of a values.yaml in its place."""
    before, _, rest = readme.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n{table(text)}\n{END}{after}"


def main(arguments: list[str]) -> int:
    """Exit code of the command."""
    path = CHART / "README.md"
    readme = path.read_text()
    fresh = written(readme, (CHART / "values.yaml").read_text())
    if "--check" in arguments:
        if fresh != readme:
            print(f"{path} is stale: python scripts/chart_readme.py", file=sys.stderr)
        return int(fresh != readme)
    path.write_text(fresh)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
