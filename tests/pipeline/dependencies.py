"""What a stage depends on besides data, computed: `make deps` writes it into dvc.yaml and versions.yaml, a test compares.

Code: its script, its own package, and those files of the floors that its imports reach. A whole floor would be a trap: a comment in one
file would rerun every stage. Params: the fields of its model. Versions: of the libraries that this code imports, as requirements.lock
pins them; versions.yaml repeats them in a form that DVC compares key by key.
"""

import re
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

from dermlab.run.code import libraries_of, reached_files

ROOT = Path(__file__).parents[2]
FLOORS = ("data", "scores", "model")
VERSIONS = "versions.yaml"
LOCK, TESTS, CUDA = "requirements.lock", "requirements-test.lock", "requirements-cuda.lock"


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
    return sorted((name for name in libraries_of(files_of(stage)) if canonicalize_name(name) in pinned()), key=str.lower)


@cache
def pinned(lock: str = LOCK) -> dict[str, str]:
    """Distribution, its name in lower case with hyphens, -> version."""
    found = (pin.split(";")[0].split("==") for pin, _ in pins((ROOT / lock).read_text(encoding="utf-8")))
    return {canonicalize_name(name): version.strip() for name, version in found}


def pins(text: str) -> list[tuple[str, str]]:
    """`name==version ; marker` of each line that pins, and the lines with hashes that go on from it."""
    lines = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", "").splitlines()
    return [(pin.strip(), mark + hashes) for pin, mark, hashes in (line.partition("--hash=") for line in lines if "==" in line)]


def versions(stages: list[str]) -> dict[str, str]:
    """What versions.yaml holds."""
    names = sorted({name for stage in stages for name in versions_of(stage)}, key=str.lower)
    return {name: pinned()[canonicalize_name(name)] for name in names}


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
