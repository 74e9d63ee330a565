"""Which files of ours a stage depends on, computed from its imports: `make deps` writes them into dvc.yaml, a test compares.

A stage depends on its script, its own package, and those files of the floors that its imports reach. A whole floor would be a trap:
a comment in one file would rerun every stage.
"""

import ast
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
FLOORS = ("data", "scores", "model")
# How a person is told, not what comes of the work: no stage depends on these.
APART = {"src/dermlab/data/progress.py", "src/dermlab/data/stage.py"}


def imported_files(path: Path) -> set[Path]:
    """Modules of dermlab that a file imports, anywhere in it. An `__init__` holds nothing but its docstring and does not count."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    files = {ROOT / "src" / Path(*name.split(".")).with_suffix(".py") for name in names if name.startswith("dermlab.")}
    return {file for file in files if file.is_file()}


def code_of(stage: str) -> list[str]:
    """The code a stage depends on, as dvc.yaml lists it: script, package, then files of the floors, sorted."""
    script, package = ROOT / "stages" / f"{stage}.py", ROOT / "src" / "dermlab" / stage
    reached: set[Path] = set()
    ahead = {script, *package.rglob("*.py")}
    while ahead:
        reached |= ahead
        ahead = set().union(*(imported_files(path) for path in ahead)) - reached
    floors = {path.relative_to(ROOT).as_posix() for path in reached if path.parent.name in FLOORS}
    return [f"stages/{stage}.py", f"src/dermlab/{stage}", *sorted(floors - APART)]


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
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(dag, file)


if __name__ == "__main__":
    main()
