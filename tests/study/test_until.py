"""Seeds in blocks until the question is answered, with trainings that take no time."""

from dataclasses import replace

import pytest
from made_runs import PARAMS, run

from dermlab.run.errors import DermlabError
from dermlab.study.until import Budget, until_decided
from dermlab.verdict.judge import judge
from dermlab.verdict.question import Question

RECIPE = """\
experiments:
  base: {}
  same: {loss: focal}
  better: {loss: bce}
"""
SKILL = {"base": 1.5, "same": 1.5, "better": 3.5}


class Lab:
    """Runs are made where a study would train them."""

    def __init__(self, folder, text: str = RECIPE) -> None:
        self.path = folder / "small.yaml"
        self.path.write_text(text)
        self.runs, self.blocks = {}, []

    def run(self, block) -> int:
        self.blocks.append([each.name for each in block if each.name not in self.runs])
        for each in block:
            recipe, seed = each.name.split("-s")[0], each.overrides["seed"]
            assert each.overrides["report.looks"] == "2,3,5,8"
            made = run(each.name, SKILL[recipe], 10 * seed + len(recipe), rows=1200, seed=seed, loss=each.overrides.get("loss", "ce"))
            self.runs.setdefault(each.name, replace(made, params={**made.params, "report": {"looks": "2,3,5,8"}}))
        return len(self.blocks[-1])

    def judged(self, names):
        order = sorted(self.runs.values(), key=lambda run: names.index(run.name.split("-s")[0]))
        return judge(order, Question())


def test_it_stops_where_all_is_answered_and_a_recipe_that_is_decided_trains_no_more(tmp_path, capsys):
    lab = Lab(tmp_path)
    done = until_decided(lab.path, lab.run, lab.judged, Budget(None, None, 0))
    assert lab.blocks[0] == ["base", "same", "better", "base-s18", "same-s18", "better-s18"]
    assert sum(name.startswith("better") for name in lab.runs) == 3  # answered at the second look
    assert sum(name.startswith("same") for name in lab.runs) == sum(name.startswith("base") for name in lab.runs) == 5
    assert [each.name for each in done] == list(lab.runs)
    said = capsys.readouterr().out
    assert "better: take it." in said
    assert f"until decided: {len(done)} runs; 8 seeds of each recipe would have been 24, {24 - len(done)} more" in said


def test_the_same_verdict_is_found_by_whoever_compares_the_runs_later(tmp_path):
    lab = Lab(tmp_path)
    until_decided(lab.path, lab.run, lab.judged, Budget(None, None, 0))
    found = lab.judged(["base", "same", "better"])
    better = next(recipe for recipe in found.judged if recipe.name == "better")
    assert better.alpha < 0.05
    assert any("each look is paid for" in note for note in found.notes)


def test_a_budget_ends_it_before_a_block_that_would_be_beyond(tmp_path, capsys, monkeypatch):
    lab, clock = Lab(tmp_path, "experiments:\n  base: {}\n  same: {loss: focal}\n"), [0.0]
    monkeypatch.setattr("dermlab.study.until.time.monotonic", lambda: clock[0])

    def run_for_an_hour(block) -> int:
        clock[0] += 3600 * sum(each.name not in lab.runs for each in block)
        return lab.run(block)

    until_decided(lab.path, run_for_an_hour, lab.judged, Budget(None, 20.0, 4.0))  # 4 runs are 16 dollars, 2 more would be 24
    assert len(lab.blocks) == 1
    assert "the budget ends here: 4.0 hours for 4 runs, and 2 more would be needed" in capsys.readouterr().out


def test_what_ran_before_costs_nothing_and_does_not_make_the_next_block_seem_cheap(tmp_path, monkeypatch):
    lab, clock = Lab(tmp_path, "experiments:\n  base: {}\n  same: {loss: focal}\n"), [0.0]
    monkeypatch.setattr("dermlab.study.until.time.monotonic", lambda: clock[0])

    def run_for_an_hour(block) -> int:
        clock[0] += 3600 * sum(each.name not in lab.runs for each in block)
        return lab.run(block)

    until_decided(lab.path, run_for_an_hour, lab.judged, Budget(4.0, None, 0))
    until_decided(lab.path, run_for_an_hour, lab.judged, Budget(3.0, None, 0))
    assert [len(block) for block in lab.blocks] == [4, 0, 2]  # 2 hours; 4 more would be 6


def test_a_score_of_too_few_patients_is_given_up_at_the_first_look(tmp_path):
    lab = Lab(tmp_path, "experiments:\n  base: {}\n  same: {loss: focal}\n")

    def judged(names):
        found = lab.judged(names)
        few = replace(found.judged[0], chance=0.0)
        return replace(found, recipes=(found.baseline, few))

    assert len(until_decided(lab.path, lab.run, judged, Budget(None, None, 0))) == 4


def test_a_recipe_without_anything_to_compare_is_refused(tmp_path):
    lab = Lab(tmp_path, "experiments:\n  base: {}\n")
    with pytest.raises(DermlabError, match="has nothing to compare"):
        until_decided(lab.path, lab.run, lab.judged, Budget(None, None, 0))


def test_the_seeds_of_the_recipe_come_first(tmp_path):
    lab = Lab(tmp_path, "seeds: [40, 41]\nexperiments:\n  base: {}\n  same: {loss: focal}\n")
    until_decided(lab.path, lab.run, lab.judged, Budget(None, None, 0))
    seeds = list(dict.fromkeys(run.params["seed"] for run in lab.runs.values()))
    assert seeds[:3] == [40, 41, 17]
    assert PARAMS["seed"] == 17
