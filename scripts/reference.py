"""Write docs/reference/library.md, the reference of `import meanface`, from its docstrings.

    .venvs/meanface/bin/python scripts/reference.py [--check]

With `--check` nothing is written, and the exit code is 1 if the file is out of date.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import meanface

FILE = Path(__file__).parents[1] / "docs/reference/library.md"
HEAD = """# The library

Written by `scripts/reference.py` from the docstrings, which `help(meanface)` shows, too. The
examples are run by a test.
"""
SETTINGS = "[Settings](../settings.md) describes each field."


def page() -> str:
    """The whole page."""
    errors = [name for name in meanface.__all__ if inspect.isclass(found := public(name)) and is_error(found)]
    names = [name for name in meanface.__all__ if name not in errors]
    parts = [HEAD, body(meanface), *(entry(name) for name in names), tree(errors)]
    return "\n".join(part.rstrip() + "\n" for part in parts)


def public(name: str) -> Any:
    """A public name of the package."""
    return getattr(meanface, name)


def is_error(kind: type) -> bool:
    """Whether a class is one of the errors."""
    return issubclass(kind, meanface.MeanfaceError)


def entry(name: str) -> str:
    """The section of a function or a class, with its public members."""
    found = public(name)
    if name == "Settings":
        return f"## meanface.Settings\n\n{body(found)}\n\n{SETTINGS}"
    if not inspect.isclass(found):
        return f"## meanface.{name}\n\n{signature(name, found)}\n\n{body(found)}"
    fields = "\n".join([*attributes(found), *properties(found)])
    parts = [f"## meanface.{name}", body(found), fields]
    for member, value in vars(found).items():
        if member.startswith("_") or not inspect.getdoc(value):
            continue
        function = value.__func__ if isinstance(value, classmethod) else value
        if inspect.isfunction(function) and not isinstance(value, classmethod):
            parts.append(f"### {name}.{member}\n\n{signature(member, function)}\n\n{body(function)}")
    return "\n\n".join(parts)


def attributes(kind: type) -> list[str]:
    """The fields of a class, with the texts behind them."""
    (tree_of,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    found = []
    for field, text in pairwise(getattr(tree_of, "body", [])):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            line = " ".join(str(text.value.value).split())
            found.append(f"- `{ast.unparse(field.target)}`: {line}")
    return [wrapped(line) for line in found]


def properties(kind: type) -> list[str]:
    """The properties of a class, each by its first paragraph."""
    own = {name: value for name, value in vars(kind).items() if isinstance(value, property | cached_property)}
    texts = {name: (inspect.getdoc(value) or "").partition("\n\n")[0] for name, value in own.items()}
    return [wrapped(f"- `{name}`: {' '.join(text.split())}") for name, text in texts.items()]


def signature(name: str, function: Any) -> str:
    """The call, as code."""
    parameters = [one for one in inspect.signature(function).parameters.values() if one.name != "self"]
    words = [str(one).replace("'", "") for one in parameters]  # annotations are texts
    lines = [f"    {name}({', '.join(words)})"]
    if len(lines[0]) > 92:
        star = [position for position, one in enumerate(parameters) if one.kind is one.KEYWORD_ONLY]
        words[star[0] : star[0]] = ["*"] if star else []
        lines = [f"    {name}(", *(f"        {word}," for word in words), "    )"]
    return "\n".join(lines)


def body(found: Any) -> str:
    """A docstring in Markdown: sections of NumPy's form become lists, examples and blocks code.

    >>> print(body(len))
    Return the number of items in a container.
    """
    text = inspect.getdoc(found) or ""
    first, *sections = re.split(r"\n\n(?=[A-Z][a-z]+\n-+\n)", text)
    parts = [prose(first)]
    for section in sections:
        title, _, content = section.split("\n", 2)
        parts.append(f"**{title}**")
        parts.append(textwrap.indent(content, "    ") if title == "Examples" else items(content))
    return "\n\n".join(parts)


def prose(text: str) -> str:
    """Paragraphs; a line that ends in two colons announces code, which is indented already."""
    return re.sub(r"::$", ":", text, flags=re.MULTILINE)


def items(content: str) -> str:
    r"""A list of names with their descriptions.

    >>> print(items("output\n    a folder,\n    or an address"))
    - `output`: a folder, or an address
    """
    entries = re.findall(r"^(\S[^\n]*)\n((?:[ ]+[^\n]*\n?|\n)+)", content, re.MULTILINE)
    lines = [f"- {f'`{name}`' if ' ' not in name else name}: {' '.join(text.split())}" for name, text in entries]
    return "\n".join(map(wrapped, lines))


def wrapped(line: str) -> str:
    """A list's entry in lines of at most 100 characters."""
    return textwrap.fill(line, 100, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def tree(errors: list[str]) -> str:
    """The tree of errors, from the docstring of its module."""
    import meanface.errors

    drawn = (inspect.getdoc(meanface.errors) or "").partition("::\n\n")[2].partition("\n\n")[0]
    names = ", ".join(f"`meanface.{name}`" for name in errors)
    words = textwrap.fill(f"All of them can be imported from `meanface`: {names}.", 100, break_on_hyphens=False)
    exits = "The number is the exit code of the command `meanface` for the same error."
    return f"## Errors\n\n{drawn}\n\n{exits}\n{words}"


def main(arguments: list[str]) -> int:
    """Write or check the file; the exit code."""
    text = page()
    if "--check" not in arguments:
        FILE.parent.mkdir(exist_ok=True)
        FILE.write_text(text)
    elif not FILE.exists() or FILE.read_text() != text:
        print(f"{FILE} is out of date: run scripts/reference.py to write it again", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
