"""What a stage depends on besides data, computed: `make deps` writes it into dvc.yaml and versions.yaml, a test compares.

Code: its script, its own package, and those files of the floors that its imports reach. A whole floor would be a trap: a comment in one
file would rerun every stage. Params: the fields of its model. Versions: of the libraries that this code imports, as requirements.lock
pins them; versions.yaml repeats them in a form that DVC compares key by key.
"""

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from dermlab.run.code import libraries_of, reached_files

ROOT = Path(__file__).parents[2]
FLOORS = ("data", "scores", "model")
VERSIONS = "versions.yaml"


def files_of(stage: str) -> set[Path]:
    """The script, the package and what their imports reach."""
    return reached_files([ROOT / "stages" / f"{stage}.py", *(ROOT / "src" / "dermlab" / stage).rglob("*.py")])


def code_of(stage: str) -> list[str]:
    """The code a stage depends on, as dvc.yaml lists it: script, package, then files of the floors, sorted."""
    floors = {path.relative_to(ROOT).as_posix() for path in files_of(stage) if path.parent.name in FLOORS}
    return [f"stages/{stage}.py", f"src/dermlab/{stage}", *sorted(floors)]


def params_of(stage: str) -> list[Any]:
    """The fields of its params model, and the versions of its libraries."""
    keys: list[Any] = list(import_module(f"dermlab.{stage}.params").Params.model_fields)
    return [*keys, {VERSIONS: versions_of(stage)}]


def versions_of(stage: str) -> list[str]:
    """Distributions of requirements.lock that its code imports, sorted."""
    return sorted(libraries_of(files_of(stage)) & set(pinned()), key=str.lower)


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
