"""Recipes: which experiments a study runs, and with which params."""

from pathlib import Path

import pytest
from defaults import DEFAULTS
from ruamel.yaml import YAML

from dermlab.run.errors import ParamsError
from dermlab.run.params import check_params
from dermlab.study.recipe import Experiment, checked_params, params_of, read_recipe, read_seeds

ROOT = Path(__file__).parents[2]
COMMITTED = """\
variant: baseline # what is trained on
loss: ce
model:
  prompt: a photo of {}, as a patient would take it at home with a telephone in the light of a lamp, and then send to a doctor
  note: "quoted: with a colon"
"""


@pytest.mark.parametrize("recipe", sorted((ROOT / "recipes").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_holds_valid_params_and_starts_with_a_baseline_or_is_of_folds_alone(recipe, tmp_path):
    planned = read_recipe(recipe)
    assert planned[0].name == "baseline" or all(experiment.holds_out for experiment in planned)
    for experiment in planned:
        (tmp_path / "params.yaml").write_text(params_of(experiment, DEFAULTS.read_text()))
        check_params(tmp_path / "params.yaml")


@pytest.mark.parametrize("recipe", sorted((ROOT / "recipes").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_is_valid_where_what_is_committed_fine_tunes_by_lora(recipe, tmp_path):
    committed = DEFAULTS.read_text().replace("backbone: lite0", "backbone: timm:test_vit").replace("  adapt: full", "  adapt: lora")
    for experiment in read_recipe(recipe):
        (tmp_path / "params.yaml").write_text(params_of(experiment, committed))
        check_params(tmp_path / "params.yaml")


def test_a_recipe_with_seeds_runs_every_experiment_once_a_seed_the_first_seed_under_the_plain_name(tmp_path):
    recipe = tmp_path / "policies.yaml"
    recipe.write_text(
        "seeds: [17, 18]\nset: {catalog.noise_rate: 0.1}\n"
        "experiments:\n  baseline: {variant: baseline}\n  some: {variant: relabeled, review: 0.01}\n"
    )
    planned = {experiment.name: experiment for experiment in read_recipe(recipe)}
    assert list(planned) == ["baseline", "some", "baseline-s18", "some-s18"]
    assert planned["baseline"].overrides == {"catalog.noise_rate": 0.1, "variant": "baseline", "seed": 17}
    assert planned["some-s18"].budget == 0.01
    assert planned["some-s18"].overrides["seed"] == 18


def test_a_simulated_review_has_a_ledger_of_its_own_the_same_for_every_seed(tmp_path):
    recipe = tmp_path / "reviews.yaml"
    recipe.write_text("seeds: [17, 18]\nexperiments:\n  one: {review: 0.01}\n  five: {review: 0.05}\n")
    ledgers = [experiment.overrides["manifest.ledger"] for experiment in read_recipe(recipe)]
    assert ledgers == ["data/simulated/review-0.01.csv", "data/simulated/review-0.05.csv"] * 2


def test_an_unknown_key_of_a_recipe_is_refused(tmp_path):
    recipe = tmp_path / "policies.yaml"
    recipe.write_text("seed: [17]\nexperiments: {baseline: {}}\n")
    with pytest.raises(ParamsError, match="seed is not known. Valid: experiments, set, seeds"):
        read_recipe(recipe)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("experiments:\n  focal: loss=focal\n", "focal holds 'loss=focal', which are no params"),
        ("set: 3\nexperiments:\n  baseline: {}\n", "set holds 3"),
        ("experiments:\n  a: {review: lots}\n", "a: review: 'lots' is not valid"),
        ("experiments: [", "is not valid YAML"),
        ("loss: ce\n", "must hold `experiments:`"),
        ("experiments:\n  a: {review: .nan}\n", "a: review: nan is not valid"),
        ("experiments:\n  a: {review: -0.1}\n", "a: review: -0.1 is not valid"),
        ("experiments:\n  a: {review: true}\n", "a: review: True is not valid"),
        ("experiments:\n  a: [loss]\n", "a holds .'loss'., which are no params"),
        ("experiments:\n  a: {train: {lr: 0.1}}\n", "a: train: .'lr': 0.1. is not valid. Valid: a text, a number"),
        ("experiments:\n  a: {train.lr: 2026-01-01}\n", "a: train.lr: .* is not valid"),
        ("experiments:\n  a: {3: 4}\n", "a: 3 is no param"),
        ('experiments:\n  a: {"\\e[2J": 4}\n', r"a: '\\x1b\[2J' is no param"),
        ('"\\e[2J": 4\nexperiments:\n  a: {}\n', r"'\\x1b\[2J' is not known"),
        ("experiments: [a, b]\n", "must hold `experiments:`"),
        ("experiments:\n  a: {}\n  a: {loss: focal}\n", 'duplicate key "a".*line 3'),
        ("experiments:\n\ta: {}\n", "is not valid YAML: .*line 2"),
        ('!!python/object/apply:os.system ["true"]\n', "is not valid YAML: could not determine a constructor"),
        ("experiments:\n  a: {train.lr: !!bool often}\n", "is not valid YAML"),
        ("experiments:\n  a: {train.lr: 2026-13-45}\n", "is not valid YAML: month must be in 1..12"),
        ("experiments: " + "[" * 200_000, "more than 10,000 lists"),
        ("seeds: 5\nexperiments:\n  a: {}\n", "seeds: 5 is not valid. Valid: a list of different whole numbers"),
        ("seeds: []\nexperiments:\n  a: {}\n", "seeds: .. is not valid"),
        ("seeds: [a]\nexperiments:\n  a: {}\n", "seeds: .'a'. is not valid"),
        ("seeds: [-1]\nexperiments:\n  a: {}\n", "seeds: .-1. is not valid"),
        ("seeds: [true]\nexperiments:\n  a: {}\n", "seeds: .True. is not valid"),
        ("seeds: [17, 17]\nexperiments:\n  a: {}\n", "seeds: .17, 17. is not valid"),
        ("seeds: [17]\nset: {seed: 3}\nexperiments:\n  a: {}\n", "set: seed is said twice"),
        ("seeds: [17, 18]\nexperiments:\n  a: {}\n  a-s18: {}\n", "a-s18: with its seed, .* the name of another"),
        ("experiments:\n  1: {}\n", "the name 1 is no text. Write it in quotes: '1'"),
        ("experiments:\n  null: {}\n", "the name None is no text"),
    ],
)
def test_a_recipe_that_is_none_is_refused_in_words(text, message, tmp_path):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ParamsError, match=message):
        read_recipe(tmp_path / "mine.yaml")


@pytest.mark.parametrize(
    "name",
    [
        "", "a b", "a/b", "../x", "..", "--force", "a\nb", "a;b", "a^", "x.lock", "x.parquet", "X.PARQUET", "HEAD", "Head", "ORIG_HEAD",
        "workspace", "a-unfinished", "\x1b[2J", "\u202egnp", "n" * 201,
    ],
)  # fmt: skip
def test_a_name_that_git_or_another_verb_takes_for_something_else_is_refused_before_anything_runs(name, tmp_path):
    with (tmp_path / "mine.yaml").open("w") as file:
        YAML().dump({"experiments": {"baseline": {}, name: {"loss": "focal"}}}, file)
    with pytest.raises(ParamsError, match="mine.yaml: .* cannot be the name of an experiment"):
        read_recipe(tmp_path / "mine.yaml")


def test_a_recipe_that_is_no_text_is_refused_with_its_line_and_a_byte_order_mark_does_not_matter(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_bytes("experiments:\n  é: {}\n".encode("latin-1"))
    with pytest.raises(ParamsError, match="mine.yaml, line 2: byte 15 is not UTF-8"):
        read_recipe(path)
    path.write_bytes(b"\xef\xbb\xbfexperiments:\n  a: {}\n")
    assert [experiment.name for experiment in read_recipe(path)] == ["a"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("loss: $(touch here)", "a: loss: '.*' is not valid"),
        ("train: 3", "a: train: 3 is not valid"),
        ("manifest.ledger: /etc/passwd", "a: manifest.ledger: '/etc/passwd' is not valid. Valid: a .csv file below data/"),
        ("manifest.ledger: data/../../x.csv", "a: manifest.ledger: .* is not valid"),
        ("loss: ce, train.lr: .inf", "a: train.lr: inf is not valid"),
    ],
)
def test_no_experiment_is_printed_or_reckoned_with_unless_its_params_are_valid(values, message, tmp_path):
    (tmp_path / "mine.yaml").write_text(f"experiments:\n  baseline: {{}}\n  a: {{{values}}}\n")
    with pytest.raises(ParamsError, match=message):
        checked_params(read_recipe(tmp_path / "mine.yaml"), DEFAULTS.read_text())


def test_an_experiment_is_the_committed_params_but_for_its_own():
    text = params_of(Experiment("focal", {"loss": "focal"}), COMMITTED)
    assert text == COMMITTED.replace("loss: ce", "loss: focal")


@pytest.mark.parametrize("value", ["nævus, (blue) and \"quoted\" = 'so'", "a\nb", 1e-4, True, 0, "off", "1e3"])
def test_a_value_may_hold_anything(value):
    text = params_of(Experiment("any", {"model.prompt": value}), COMMITTED)
    assert YAML(typ="safe").load(text)["model"]["prompt"] == value


@pytest.mark.parametrize("key", ["los", "model.prompts", "modell.prompt"])
def test_a_key_that_params_yaml_lacks_is_refused(key):
    with pytest.raises(ParamsError, match=f"any: {key} is not a param"):
        params_of(Experiment("any", {key: 1}), COMMITTED)


def test_a_recipe_is_printed_as_options_of_dvc(monkeypatch):
    from typer.testing import CliRunner

    from dermlab.cli import app

    monkeypatch.chdir(ROOT)
    assert CliRunner().invoke(app, ["recipe", "demo"]).output == "-S variant=baseline -S loss=ce\n"


def test_seeds_of_the_command_line_come_before_the_recipes(tmp_path):
    recipe = tmp_path / "two.yaml"
    recipe.write_text("seeds: [1, 2]\nexperiments:\n  baseline: {}\n  focal: {loss: focal}\n")
    planned = {experiment.name: experiment.overrides["seed"] for experiment in read_recipe(recipe, read_seeds("17,20-21"))}
    assert planned == {"baseline": 17, "focal": 17, "baseline-s20": 20, "focal-s20": 20, "baseline-s21": 21, "focal-s21": 21}


@pytest.mark.parametrize("text", ["", "a", "17-", "-3", "19-17", "17,,18", "17,16-18", "0-99999999999", "1-2000"])
def test_seeds_that_are_none_are_refused(text):
    with pytest.raises(ParamsError, match="--seeds"):
        read_seeds(text)


def test_two_experiments_of_the_same_params_are_refused_before_either_is_trained():
    planned = [Experiment("a", {"loss": "ce"}), Experiment("b", {"loss": "ce"})]
    with pytest.raises(ParamsError, match="a and b have the same params"):
        checked_params(planned, DEFAULTS.read_text())
