"""Which code an out depends on: the files that imports reach, but for this floor, and the versions of the libraries that they import.

`make deps` writes it into dvc.yaml stage by stage; what a killed stage left behind is taken up again where it is the same.
"""

import ast
import hashlib
import sys
from collections.abc import Iterable
from functools import cache
from importlib.metadata import packages_distributions, version
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
APART = Path(__file__).parent  # how work is done, not what comes of it
# Libraries that read params, find the last run or draw bars: another version of them refuses or succeeds, but gives no other numbers.
WITHOUT_NUMBERS = {"dvc", "pydantic", "ruamel.yaml", "rich"}


@cache
def imports_of(path: Path) -> frozenset[str]:
    """Dotted names that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


def imported_files(path: Path) -> set[Path]:
    """Modules of dermlab that a file imports. An `__init__` holds nothing but its docstring and does not count."""
    names = (name.split(".")[1:] for name in imports_of(path) if name.startswith("dermlab."))
    files = {PACKAGE.joinpath(*parts).with_suffix(".py") for parts in names}
    return {file for file in files if file.is_file()}


def reached_files(begin: Iterable[Path]) -> set[Path]:
    """`begin`, and what their imports reach, but for what is APART."""
    reached: set[Path] = set()
    ahead = set(begin)
    while ahead:
        reached |= ahead
        found = set().union(*(imported_files(path) for path in ahead))
        ahead = {path for path in found if not path.is_relative_to(APART)} - reached
    return reached


def libraries_of(files: Iterable[Path]) -> set[str]:
    """Distributions that the files import, but for those WITHOUT_NUMBERS."""
    roots = {name.split(".")[0] for path in files for name in imports_of(path)} - set(sys.stdlib_module_names) - {"dermlab"}
    of_root = _distributions()
    return {name for root in roots for name in of_root.get(root, [])} - WITHOUT_NUMBERS


def code_digest(*begin: Path) -> str:
    """16 hex digits of what the files reach: names and contents of the code, versions of the libraries."""
    digest, files = hashlib.sha256(), reached_files(begin)
    for path in sorted(files):
        digest.update(f"{path.relative_to(PACKAGE)}\0".encode() + path.read_bytes())
    for name in sorted(libraries_of(files)):
        digest.update(f"{name}=={version(name)}\0".encode())
    return digest.hexdigest()[:16]


@cache
def _distributions() -> dict[str, list[str]]:
    return dict(packages_distributions())
