"""Code that must not be in the sources."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
FOLDERS = ("embedding_image/src", "plugins", "dags", "scripts", "airflow_image", "charts", "benchmarks")
FILES = sorted(file for folder in FOLDERS for file in (CHECKOUT / folder).rglob("*.py"))

SERIALISERS = {
    *("pickle", "_pickle", "cPickle", "pickletools", "copyreg", "marshal", "shelve", "dbm"),
    *("dill", "cloudpickle", "joblib", "jsonpickle", "torch", "pandas", "yaml"),
}
"""Modules that run what they read, or can be made to."""

OBJECTS = {"recv", "send", "Manager", "Pool", "Process", "Queue", "ProcessPoolExecutor", "SharedMemoryManager"}
"""What of `multiprocessing` and `concurrent.futures` pickles what passes through it."""

EXCEPTIONS = {
    "scripts/chart_readme.py": ["yaml"],  # the chart's values, by `yaml.safe_load`
    "scripts/render_chart.py": ["yaml"],
    "benchmarks/loops/multiprocessing_pool.py": ["Pool"],  # what people write; it is measured, and no part of meanface
}


def imported(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Modules, and the names that are taken from them; empty for all."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)


def parsed(file: Path) -> ast.AST:
    return ast.parse(file.read_text(), str(file))


def unsafe(tree: ast.AST) -> list[str]:
    """What in a module reads or writes objects in a form that runs when it is read."""
    modules = list(imported(tree))
    found = [module for module, _ in modules if module.partition(".")[0] in SERIALISERS]
    parallel = any(module.startswith(("multiprocessing", "concurrent.futures")) for module, _ in modules)
    found += [name for module, name in modules if parallel and name in OBJECTS]
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        keywords = {keyword.arg: keyword.value for keyword in node.keywords}
        if isinstance(node.func, ast.Attribute) and parallel and name in OBJECTS:
            found.append(name)
        if name in ("load", "save") and re.match(r"(np|numpy)\.", ast.unparse(node.func)):
            allowed = keywords.get("allow_pickle")
            if not (isinstance(allowed, ast.Constant) and allowed.value is False):
                found.append(f"{ast.unparse(node.func)} without allow_pickle=False")
        if name in ("eval", "exec", "__import__") and isinstance(node.func, ast.Name):
            found.append(name)
        if keywords.get("shell") is not None:
            found.append("shell=")
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(CHECKOUT)))
def test_no_data_is_executed(file: Path) -> None:
    assert unsafe(parsed(file)) == EXCEPTIONS.get(str(file.relative_to(CHECKOUT)), [])


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "import numpy as np; np.load('x.npy')",
        "import numpy; numpy.load('x.npy', allow_pickle=True)",
        "from multiprocessing.connection import Connection; Connection(3).recv()",
        "from concurrent.futures import ProcessPoolExecutor",
        "eval('1')",
        "import subprocess; subprocess.run('x', shell=True)",
    ],
)
def test_the_search_finds_planted_code(source: str) -> None:
    assert unsafe(ast.parse(source))


def test_every_package_is_pinned_with_its_hashes() -> None:
    locks = [*CHECKOUT.glob("requirements*.txt"), *CHECKOUT.glob("*_image/requirements*.txt")]
    locks += CHECKOUT.glob("benchmarks/*.txt")
    assert len(locks) == 6
    for lock in locks:
        text = re.sub(r"\\\n\s*", " ", lock.read_text())
        for line in text.splitlines():
            if line and not line.startswith(("#", " ")):
                assert re.match(r"[A-Za-z0-9._-]+(\[[^]]*\])?==\S+ ", line), f"{lock.name}: {line}"
                assert "--hash=sha256:" in line, f"{lock.name}: {line}"


@pytest.mark.parametrize("lock", ["uv.lock", "embedding_image/uv.lock"])
def test_a_lock_names_the_package_index_and_hashes_alone(lock: str) -> None:
    """No mirror, and no path of the machine that wrote it."""
    packages = tomllib.loads((CHECKOUT / lock).read_text())["package"]
    assert len(packages) > 100
    for package in packages:
        source = package["source"]
        if source in ({"virtual": "."}, {"editable": "."}):
            assert package["name"] in ("meanface-environment", "meanface")
            continue
        assert source == {"registry": "https://pypi.org/simple"}, package["name"]
        files = [*package.get("wheels", ()), *([package["sdist"]] if "sdist" in package else [])]
        assert files, package["name"]
        for file in files:
            assert file["url"].startswith("https://files.pythonhosted.org/packages/"), file["url"]
            assert file["hash"].startswith("sha256:"), file["url"]


def test_only_pinned_packages_are_installed() -> None:
    """By set-up, images and workflows: packages by a lock with hashes or a file, actions by their commit."""
    programs = [*CHECKOUT.glob("scripts/*.py"), *CHECKOUT.glob("scripts/*.sh"), CHECKOUT / "Makefile"]
    text = "\n".join(program.read_text() for program in programs)
    installs = re.findall(r"pip (?:install|sync) .*", text)
    assert len(installs) >= 2
    for line in installs:
        assert "--require-hashes" in line or "./embedding_image" in line, line
    (pip,) = re.findall(r'patiently\("set-up", \*pip, .*', text)
    assert '"--require-hashes"' in pip
    assert re.findall(r'UV, "sync", (\S+)', text) == ['"--locked",']
    tools = re.findall(r"tool run .*", text)
    assert len(tools) == 3
    for line in tools:
        assert re.match(r"tool run (--from )?[a-z-]+==\d[\d.]+ ", line), line
    audit = (CHECKOUT / "scripts/audit.sh").read_text()
    assert "--all-groups" in audit
    assert "benchmarks/*.txt" in audit
    uses = [
        line
        for workflow in (CHECKOUT / ".github/workflows").glob("*.yml")
        for line in re.findall(r"uses: .*", workflow.read_text())
    ]
    assert uses
    pinned = r"uses: (actions/[a-z-]+|sigstore/cosign-installer)@[0-9a-f]{40}  # v\d+\.\d+\.\d+"
    for line in uses:
        assert re.fullmatch(rf"{pinned}|uses: \./\.github/workflows/[a-z]+\.yml", line), line


def test_the_linter_looks_for_insecure_code_and_every_exception_has_a_reason() -> None:
    settings = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert "S" in settings["select"]
    assert not [rule for rule in settings["ignore"] if rule.startswith("S")]
    silenced = [line for file in FILES for line in file.read_text().splitlines() if re.search(r"noqa: S\d", line)]
    assert silenced
    for line in silenced:
        assert re.search(r"noqa: S\d+(, [A-Z]+\d+)*( - |  )\S.{8,}", line), line
