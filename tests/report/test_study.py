"""Recipes: which experiments a study runs."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from dermlab.data.errors import ParamsError
from dermlab.data.params import check_params
from dermlab.report.study import BUDGET, read_recipe

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("recipe", sorted((ROOT / "recipes").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_holds_valid_params_and_starts_with_a_baseline(recipe, tmp_path):
    planned = read_recipe(recipe)
    assert next(iter(planned)) == "baseline"
    for overrides in planned.values():
        raw = YAML(typ="safe").load((ROOT / "params.yaml").read_text())
        for key, value in overrides.items():
            block, _, name = key.rpartition(".")
            if key != BUDGET:
                (raw[block] if block else raw)[name] = value
        with (tmp_path / "params.yaml").open("w") as file:
            YAML().dump(raw, file)
        check_params(tmp_path / "params.yaml")


def test_a_recipe_with_seeds_runs_every_experiment_once_a_seed_the_first_seed_under_the_plain_name(tmp_path):
    recipe = tmp_path / "policies.yaml"
    recipe.write_text(
        "seeds: [17, 18]\nset: {catalog.noise_rate: 0.1}\n"
        "experiments:\n  baseline: {variant: baseline}\n  some: {variant: relabeled, review: 0.01}\n"
    )
    planned = read_recipe(recipe)
    assert list(planned) == ["baseline", "some", "baseline-s18", "some-s18"]
    assert planned["some-s18"] == {"catalog.noise_rate": 0.1, "variant": "relabeled", "review": 0.01, "seed": 18}
    assert planned["baseline"]["seed"] == 17


def test_an_unknown_key_of_a_recipe_is_refused(tmp_path):
    recipe = tmp_path / "policies.yaml"
    recipe.write_text("seed: [17]\nexperiments: {baseline: {}}\n")
    with pytest.raises(ParamsError, match="seed is not known. Valid: experiments, set, seeds"):
        read_recipe(recipe)
