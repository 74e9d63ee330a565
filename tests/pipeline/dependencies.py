"""What a stage depends on besides data, computed: `make deps` writes it into dvc.yaml and versions.yaml, a test compares.

Code: its script, its own package, and those files of the floors that its imports reach. A whole floor would be a trap: a comment in one
file would rerun every stage. Params: the fields of its model. Versions: of the libraries that this code imports, as requirements.lock
pins them; versions.yaml repeats them in a form that DVC compares key by key.
"""

import ast
import sys
from functools import cache
from importlib import import_module
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
FLOORS = ("data", "scores", "model")
# How the work is done and how a person is told, not what comes of it: no stage depends on these.
APART = {f"src/dermlab/data/{name}.py" for name in ("command", "launch", "machine", "progress", "s3")}
# Libraries that read params, find the last run or draw bars: another version of them refuses or succeeds, but gives no other numbers.
WITHOUT_NUMBERS = {"dvc", "pydantic", "ruamel.yaml", "rich"}
VERSIONS = "versions.yaml"


@cache
def _imports(path: Path) -> set[str]:
    """Dotted names that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def imported_files(path: Path) -> set[Path]:
    """Modules of dermlab that a file imports. An `__init__` holds nothing but its docstring and does not count."""
    files = {ROOT / "src" / Path(*name.split(".")).with_suffix(".py") for name in _imports(path) if name.startswith("dermlab.")}
    return {file for file in files if file.is_file()}


def reached_files(stage: str) -> set[Path]:
    """The script, the package and what their imports reach, but for what is APART."""
    script, package = ROOT / "stages" / f"{stage}.py", ROOT / "src" / "dermlab" / stage
    reached: set[Path] = set()
    ahead = {script, *package.rglob("*.py")}
    while ahead:
        reached |= ahead
        found = set().union(*(imported_files(path) for path in ahead))
        ahead = {path for path in found if path.relative_to(ROOT).as_posix() not in APART} - reached
    return reached


def code_of(stage: str) -> list[str]:
    """The code a stage depends on, as dvc.yaml lists it: script, package, then files of the floors, sorted."""
    floors = {path.relative_to(ROOT).as_posix() for path in reached_files(stage) if path.parent.name in FLOORS}
    return [f"stages/{stage}.py", f"src/dermlab/{stage}", *sorted(floors)]


def params_of(stage: str) -> list[Any]:
    """The fields of its params model, and the versions of its libraries."""
    keys: list[Any] = list(import_module(f"dermlab.{stage}.params").Params.model_fields)
    return [*keys, {VERSIONS: versions_of(stage)}]


def versions_of(stage: str) -> list[str]:
    """Distributions of requirements.lock that its code imports, sorted."""
    roots = {name.split(".")[0] for path in reached_files(stage) for name in _imports(path)} - set(sys.stdlib_module_names) - {"dermlab"}
    of_root = packages_distributions()
    found = {name for root in roots for name in of_root.get(root, [])}
    return sorted((found & set(pinned())) - WITHOUT_NUMBERS, key=str.lower)


@cache
def pinned() -> dict[str, str]:
    """Distribution -> version, of requirements.lock."""
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    return {name.strip(): version.split(";")[0].strip() for name, version in pairs}


def versions(stages: list[str]) -> dict[str, str]:
    """What versions.yaml holds."""
    return {name: pinned()[name] for name in sorted({name for stage in stages for name in versions_of(stage)}, key=str.lower)}


def is_code(dep: str) -> bool:
    return dep.startswith(("stages/", "src/"))


def main() -> None:
    yaml = YAML()
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    path = ROOT / "dvc.yaml"
    dag = yaml.load(path.read_text(encoding="utf-8"))
    for stage, spec in dag["stages"].items():
        spec["deps"] = [*code_of(stage), *(dep for dep in spec["deps"] if not is_code(dep))]
        spec["params"] = params_of(stage)
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(dag, file)
    lines = [f'{name}: "{version}"' for name, version in versions(list(dag["stages"])).items()]
    said = "# The pins of requirements.lock that stages depend on; `make deps` writes it."
    (ROOT / VERSIONS).write_text("\n".join([said, *lines]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
