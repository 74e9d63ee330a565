"""A recipe written from words is the one that a study reads, and holds nothing that a study would refuse."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from defaults import DEFAULTS
from typer.testing import CliRunner

from dermlab.cli import app
from dermlab.run.errors import DermlabError, ParamsError
from dermlab.run.git import git
from dermlab.study.new_recipe import write_recipe
from dermlab.study.recipe import NAME, TAKEN, read_recipe

ROOT = Path(__file__).parents[2]
RECIPES = Path("recipes")


@pytest.fixture(autouse=True)
def repository(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "tester")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "tester")
    git("init", "-q")
    (tmp_path / "params.yaml").write_text(DEFAULTS.read_text())
    git("add", "-A")
    git("commit", "-qm", "params")
    return tmp_path


def written(*experiments: str, settings: tuple[str, ...] = (), seeds: tuple[int, ...] = ()) -> dict[str, dict]:
    planned = write_recipe(RECIPES, "mine", experiments, settings, seeds, replace=False)
    assert read_recipe(RECIPES / "mine.yaml") == planned
    return {experiment.name: dict(experiment.overrides) for experiment in planned}


def test_it_holds_what_was_said_and_the_first_named_is_the_baseline():
    said = ("base", "balsoft:loss=balanced_softmax", "focal:loss=focal,train.focal_gamma=3")
    planned = written(*said, settings=("train.lr=3e-4",), seeds=(17, 18))
    assert list(planned) == ["base", "balsoft", "focal", "base-s18", "balsoft-s18", "focal-s18"]
    assert planned["base"] == {"train.lr": 0.0003, "seed": 17}
    assert planned["focal-s18"] == {"train.lr": 0.0003, "loss": "focal", "train.focal_gamma": 3, "seed": 18}


@pytest.mark.parametrize(
    ("key", "said", "value"),
    [
        ("train.focal_gamma", "3", 3),
        ("train.lr", "1e-4", 0.0001),
        ("manifest.guard", "off", "off"),
        ("flag.skin_prompts", "a, (b) #c: d", "a, (b) #c: d"),
        ("flag.skin_prompts", "'17'", "17"),
        ("flag.skin_prompts", "[a", "[a"),
        ("flag.skin_prompts", "2026-01-01", "2026-01-01"),
        ("flag.skin_prompts", "2026-13-45", "2026-13-45"),
    ],
)
def test_a_value_is_read_as_dvc_reads_it_and_any_text_is_text(key, said, value):
    assert written("base", settings=(f"{key}={said}",)) == {"base": {key: value}}


def test_names_that_yaml_takes_for_something_else_stay_names():
    assert list(written("null", "010:loss=focal", "1e3:loss=bce", "größer:seed=3")) == ["null", "010", "1e3", "größer"]


def test_a_simulated_review_is_written_as_one():
    assert written("base", "r:review=0.02,variant=relabeled")["r"]["manifest.ledger"] == "data/simulated/review-0.02.csv"


@pytest.mark.parametrize(
    ("experiments", "settings", "seeds", "message"),
    [
        (["base", "a:los=ce"], [], [], "a: los is not a param \\(did you mean loss"),
        (["base", "a:loss=focl"], [], [], "a: .*did you mean focal"),
        (["base", "a:train.lr.x=3"], [], [], "a: train.lr.x is not a param"),
        (["base", "a:train=3"], [], [], "a: .*train: 3 is not valid"),
        (["base", "a:seed=3"], ["train.larry=3"], [], "-S: train.larry is not a param"),
        (["base", "a:embed.image_size=448"], [], [], "a: .*pull.image_size=448"),
        (["base", "a:review=2"], [], [], "a: review: 2 is not valid"),
        (["base", "a:loss"], [], [], "a: 'loss' is not key=value"),
        (["base", "a:loss="], [], [], "a: 'loss=' is not key=value"),
        (["base", "a:loss=ce,loss=focal"], [], [], "loss is said twice"),
        (["base", "base:loss=focal"], [], [], "two experiments base"),
        (["base", "same:loss=ce,catalog.noise_rate=0"], [], [], "base and same have the same params"),
        (["base", "base-s18:loss=focal"], [], [17, 18], "name of another"),
        (["base", "a:seed=3"], [], [17, 18], "seed is said twice"),
        (["base", "a,loss=focal"], [], [], "NAME:key=value"),
    ],
)
def test_what_a_study_would_refuse_is_refused_and_nothing_is_written(experiments, settings, seeds, message):
    with pytest.raises(ParamsError, match=message):
        write_recipe(RECIPES, "mine", experiments, settings, seeds, replace=False)
    assert not RECIPES.exists()


@pytest.mark.parametrize(
    "name", ["a/b", "", "-x", "a b", "a..b", "a.", "a.lock", "workspace", "HEAD", "x.parquet", "x-unfinished", "a^", "a@{b"]
)
def test_a_name_that_git_dvc_or_another_verb_would_not_take_is_refused(name):
    with pytest.raises(ParamsError, match="cannot be the name of an experiment"):
        write_recipe(RECIPES, "mine", [name], (), (), replace=False)
    with pytest.raises(ParamsError, match="cannot be the name of a recipe"):
        write_recipe(RECIPES, name, ["base"], (), (), replace=False)


@pytest.mark.parametrize("name", ["a", "a.b", "a+b", "_x", "0.5", "größer", "a-s18", "lock", "a_"])
def test_a_name_that_is_taken_is_one_for_git(name):
    assert NAME.fullmatch(name)
    assert not TAKEN.fullmatch(name)
    assert subprocess.run(["git", "check-ref-format", f"refs/exps/ab/cd/{name}"], check=False).returncode == 0


def test_a_recipe_that_is_there_is_written_over_when_told():
    written("base")
    before = (RECIPES / "mine.yaml").read_text()
    with pytest.raises(ParamsError, match="--replace"):
        write_recipe(RECIPES, "mine", ["other"], (), (), replace=False)
    assert (RECIPES / "mine.yaml").read_text() == before
    assert write_recipe(RECIPES, "mine", ["other"], (), (), replace=True)[0].name == "other"
    assert read_recipe(RECIPES / "mine.yaml")[0].name == "other"


def test_what_is_not_committed_does_not_count_as_in_a_study():
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("loss: ce", "loss: focal"))
    assert list(written("base", "focal:loss=focal")) == ["base", "focal"]


def test_away_from_the_root_it_says_where_to_run(repository, monkeypatch):
    (repository / "docs").mkdir()
    monkeypatch.chdir(repository / "docs")
    with pytest.raises(DermlabError, match="run from the repository's root"):
        write_recipe(RECIPES, "mine", ["base"], (), (), replace=False)


def test_the_example_of_the_page_is_what_its_command_writes():
    page = (ROOT / "docs" / "differences.md").read_text()
    (command,) = re.findall(r"^dermlab (new-recipe .+)$", page, re.MULTILINE)
    (shown,) = re.findall(r"```yaml\n(seeds.+?)```", page, re.DOTALL)
    run = CliRunner().invoke(app, shlex.split(command))
    assert run.exit_code == 0, run.exception
    file, *_ = run.output.split(":")
    written = Path(file).read_text()
    assert "".join(line for line in written.splitlines(keepends=True) if not line.startswith("#")) == shown
    assert "dermlab preflight losses" in run.output
    assert "dermlab study losses" in run.output
    assert [experiment.name for experiment in read_recipe(Path(file))][:3] == ["base", "balsoft", "focal"]
