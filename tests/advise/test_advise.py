"""Which recipes are named, of which data, and that each rests on a table that is there."""

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from defaults import DEFAULTS

from dermlab.advise.advise import advise, caution, command_of, known, study_of
from dermlab.advise.facts import Facts, Noise, read_facts
from dermlab.advise.rules import LEAVE, TRY
from dermlab.cli import app
from dermlab.data.classes import Classes
from dermlab.data.json_files import write_json
from dermlab.data.ledger import HEADER
from dermlab.data.tables import CATALOG, SOURCE_MANIFEST, write_table
from dermlab.review.sample import sample_of
from dermlab.run import paths
from dermlab.run.params import check_params_text, flat
from dermlab.study.recipe import Experiment, checked_params, params_of

ROOT = Path(__file__).parents[2]
RULES = {rule.name: rule for rule in (*TRY, *LEAVE)}
PARAMS = flat(check_params_text(DEFAULTS.read_text()))
FACTS = Facts(PARAMS, Noise(), {"eczema": 400, "acne": 90, "wart": 20}, 300, 120, False, False, None, {})


def named(noise: float | None = None, rows=FACTS.rows, several_labels: bool = False, of_several: int = 120, **params) -> set[str]:
    params = PARAMS | {key.replace("__", "."): value for key, value in params.items()}
    facts = replace(FACTS, params=params, noise=Noise(noise), rows=rows, several_labels=several_labels, of_several=of_several)
    found = advise(facts)
    assert found.silent == len(RULES) - len(found.first) - len(found.later)
    return {rule.name for rule in (*found.first, *found.later)}


FROZEN = {"train__finetune_epochs": 0}


@pytest.mark.parametrize(
    ("name", "where", "not_where"),
    [
        ("by-case", {}, {"of_several": 0}),
        ("prior", {}, {"calibrate__adjust": "validation"}),
        ("prior", {}, {"rows": {"eczema": 90, "acne": 10}}),
        ("prior", {"rows": {"eczema": 100, "acne": 10}}, {"rows": {}}),
        ("how-many-wrong", {}, {"noise": 0.05}),
        ("rebalanced", {}, {"variant": "cleaned+rebalanced"}),
        ("rebalanced", {"variant": "cleaned"}, {"rows": {"eczema": 30, "acne": 20}}),
        ("adjusted-half", FROZEN, {}),
        ("finetuned", FROZEN, {**FROZEN, "backbone": "medsiglip"}),
        ("finetuned", FROZEN, {}),
        ("reviewed", {**FROZEN, "noise": 0.1}, {**FROZEN, "noise": 0.09}),
        ("reviewed", {**FROZEN, "noise": 0.1}, {"noise": 0.1}),
        ("softened", {**FROZEN, "noise": 0.1}, {**FROZEN, "noise": 0.11}),
        ("softened", {**FROZEN, "noise": 0.02}, FROZEN),
        ("cleaned", {"noise": 0.05}, {"noise": 0.06}),
        ("cleaned", {"noise": 0.05}, {**FROZEN, "noise": 0.05}),
        ("agreed", {"noise": 0.19}, {"noise": 0.2}),
        ("briefly", {"noise": 0.2}, {**FROZEN, "noise": 0.2}),
        ("gce", {"noise": 0.2}, {"noise": 0.19}),
        ("naive-tuned", {"noise": 0.2}, {"noise": 0.19}),
        ("naive-drop", {**FROZEN, "noise": 0.2}, {"noise": 0.2}),
        ("agreed-tuned", {"noise": 0.2, "variant": "agreed"}, {**FROZEN, "noise": 0.2}),
        ("softened-tuned", {"noise": 0.2, "train__adapt": "lora"}, {**FROZEN, "noise": 0.2}),
        ("distributed", {"several_labels": True}, {}),
        ("balanced-softmax", FROZEN, {}),
    ],
)
def test_a_rule_speaks_where_it_holds_and_is_silent_elsewhere(name, where, not_where):
    assert name in named(**where)
    assert name not in named(**not_where)


def test_of_data_of_which_nothing_is_known_only_what_needs_no_knowledge_is_said():
    assert named(rows={}, of_several=0) == {"how-many-wrong", "naive-drop"}


def section(where: str) -> str:
    """What stands below a heading, up to the next of its level or above, blanks and line ends as one blank."""
    page, anchor = where.split("#")
    parts = re.split(r"^(#+) (.*)$", (ROOT / page).read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    headings = list(zip(parts[::3], parts[1::3], parts[2::3], strict=True))
    at = next(n for n, (_, title, _) in enumerate(headings) if re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") == anchor)
    last = next((n for n in range(at + 1, len(headings)) if len(headings[n][0]) <= len(headings[at][0])), len(headings))
    return " ".join(" ".join(title + text for _, title, text in headings[at:last]).split())


@pytest.mark.parametrize("name", RULES)
def test_every_figure_of_a_rule_stands_in_the_section_that_it_names(name):
    rule = RULES[name]
    text = section(rule.where)
    with_interval = re.findall(r"[+−]?[\d.]+(?: ± [\d.]+)?(?: points)? \[[^]]*\]|\d+ % \([^)]*\)", rule.measured)
    numbers = re.findall(r"[+−]?\d+(?:[.,]\d+)*", rule.measured)
    assert numbers, "a rule rests on figures"
    assert [figure for figure in with_interval if figure not in text] == []
    assert [number for number in numbers if not re.search(rf"(?<![\d.,+−]){re.escape(number)}(?![\d]|[.,]\d)", text)] == []


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if rule.settings])
def test_the_settings_of_a_rule_are_valid_params(name):
    rule = RULES[name]
    checked_params([Experiment(name, rule.settings_for(FACTS))], DEFAULTS.read_text())
    changed = flat(check_params_text(params_of(Experiment(name, rule.settings), DEFAULTS.read_text())))
    assert rule.is_set(replace(FACTS, params=changed))
    assert not rule.is_set(FACTS)


def test_a_variant_joins_those_that_are_there_and_recipes_become_one_study():
    facts = replace(FACTS, params=PARAMS | {"variant": "softened"})
    assert command_of(RULES["rebalanced"], facts) == "dvc exp run -S variant=softened+rebalanced"
    assert command_of(RULES["how-many-wrong"], facts) == "dermlab review --sample 100 --reader NAME"
    drawn = replace(facts, noise=Noise(waiting=(30, 30)))
    assert command_of(RULES["how-many-wrong"], drawn) == "dermlab review --merge FILE", "a page waits for answers already"
    words = "advised baseline prior:calibrate.adjust=validation rebalanced:variant=softened+rebalanced --seeds 17-21"
    assert study_of(advise(facts).first, facts) == f"dermlab new-recipe {words}"
    assert study_of([RULES["by-case"]], facts) == ""


def test_a_finished_run_tells_what_is_known(world):
    train = world.catalog[(world.catalog["split"] == "train") & (world.catalog["label"] != "other")]
    found = read_facts()
    assert found.rows == train["label"].value_counts().to_dict()
    assert list(found.rows.values()) == sorted(found.rows.values(), reverse=True)
    assert found.uneven == max(found.rows.values()) / min(found.rows.values())
    assert found.small == sum(rows <= 50 for rows in found.rows.values()) > 0
    photos = world.catalog.groupby("case_id")["label"].agg(["size", "nunique"])
    several = ((photos["size"] > 1) & (photos["nunique"] == 1)).sum()
    assert (found.cases, found.of_several) == (len(photos), several)
    assert 0 < several < (photos["size"] > 1).sum(), "where nobody knows cases, photos of a patient may be of several"
    assert dict(known(found))["cases"] == f"{len(photos)}, each all photos of a patient; {several} of several photos that bear one label"
    assert dict(known(FACTS))["cases"] == "300; 120 of several photos that bear one label"
    assert found.noise == Noise(None, None, 0.02)
    assert (found.several_labels, found.alpha, found.frozen, found.variants) == (False, None, False, ("cleaned",))
    assert dict(known(found))["wrong labels"] == "nobody knows how many; at least 2.0%, as the labels show by themselves"


def test_what_a_sampled_review_found_comes_before_what_params_say(world):
    params = paths.PARAMS.read_text()
    paths.PARAMS.write_text(params.replace("expected_noise: auto", "expected_noise: 0.3"))
    assert read_facts().noise == Noise(0.3, None, 0.02)
    Classes(tuple(sorted(set(world.catalog["label"]) - {"other"}))).write(paths.SOURCE / "classes.json")
    sample = sample_of(world.flags, 60)
    paths.RELABELS.write_text(",".join(HEADER) + "\n")
    assert read_facts().noise == Noise(0.3, None, 0.02, (60, 60)), "nobody answered yet"
    assert dict(known(read_facts()))["wrong labels"].endswith("; of 60 rows drawn by chance 60 wait for an answer")
    to = ["drop" if stratum == "mislabeled" else label for stratum, label in zip(sample["stratum"], sample["label"], strict=True)]
    lines = [
        f"{image},{label},{said},why,Ada,2026-03-01" for image, label, said in zip(sample["image_id"], sample["label"], to, strict=True)
    ]
    paths.RELABELS.write_text("\n".join([",".join(HEADER), *lines]) + "\n")
    noise = read_facts().noise
    assert noise.share == pytest.approx(world.flags["label_issue"].mean())
    assert noise.interval[0] < noise.share < noise.interval[1] < 1
    said = dict(known(read_facts()))["wrong labels"]
    assert "as those see it who reviewed rows drawn by chance" in said
    assert said.endswith("; flag.expected_noise says 30.0%, outside of it") == (noise.interval[1] < 0.3)
    assert "known-noise" not in {rule.name for rule in advise(read_facts()).first}, "params.yaml says a rate"
    paths.PARAMS.write_text(params)
    assert {"known-noise"} == {rule.name for rule in advise(read_facts()).first} - {"by-case"}
    assert command_of(RULES["known-noise"], read_facts()) == f"dvc exp run -S flag.expected_noise={noise.share:.3f}"
    paths.RELABELS.write_text("\n".join([",".join(HEADER), *lines[1:]]) + "\n")
    assert read_facts().noise == Noise(None, None, 0.02, (1, 60)), "what is answered so far may be what is doubtful"
    paths.RELABELS.write_text("\n".join([",".join(HEADER), *lines]) + "\n")
    paths.PARAMS.write_text(params.replace("method: posterior", "method: confident_learning"))
    assert "known-noise" not in {rule.name for rule in advise(read_facts()).first}, "this method asks for no rate"


def test_where_the_source_is_not_there_its_sample_tells_nothing_and_this_is_said(world):
    sample_of(world.flags, 60)
    assert not (paths.SOURCE / "classes.json").exists()
    found = read_facts()
    assert (found.noise, found.missing["the source"]) == (Noise(None, None, 0.02), "`dermlab lock SOURCE`")
    Path("data/source.dvc").touch()
    said = dict(known(read_facts()))["the source"]
    assert said == "not known yet: `dvc pull data/source.dvc` where you may read its remote, else `dermlab lock SOURCE`"


def test_labels_that_are_made_wrong_on_purpose_are_told():
    assert "of these" not in dict(known(FACTS))
    noisy = replace(FACTS, params=PARAMS | {"catalog.noise_rate": 0.1})
    assert dict(known(noisy))["of these"] == "10.0% of the training labels are made wrong on purpose, as catalog.noise_rate says"


def test_raters_who_differ_are_told_with_their_agreement(world):
    labels = [(("acne", 0.6), ("wart", 0.4)) if n == 0 else None for n in range(len(world.catalog))]
    catalog = world.catalog[[*CATALOG.names]].assign(labels=labels)
    write_table(paths.CATALOG, catalog, CATALOG)
    write_json(paths.metrics_of("evaluate"), {"raters": {"alpha": {"value": 0.82, "interval": [0.79, 0.85]}}})
    assert dict(known(read_facts()))["raters"] == "differ; of the test cases Krippendorff's alpha is 0.82 [0.79, 0.85]"
    paths.metrics_of("evaluate").unlink()
    said = dict(known(read_facts()))
    assert said["raters"] == "differ"
    assert said["how far raters agree"] == "not known yet: `dvc exp run`"


def test_before_any_stage_it_says_what_is_missing_and_which_command_makes_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    paths.PARAMS.write_text(DEFAULTS.read_text())
    app(["advise"], standalone_mode=False)
    said = " ".join(capsys.readouterr().out.split())
    assert "the source not known yet: `dermlab lock SOURCE`" in said
    assert "classes, cases and raters not known yet: `dvc repro catalog`" in said
    assert "dermlab review --sample 100 --reader NAME # 100 answers of a reader" in said
    assert f"{len(RULES) - 2} more rules do not hold here, as far as is known, or params.yaml has what they say." in said
    assert "new-recipe" not in said


def test_what_a_study_starts_from_is_said_where_params_are_not_as_committed(world, capsys):
    app(["advise"], standalone_mode=False)
    assert "A study starts from" not in capsys.readouterr().out, "nothing is committed"
    for command in (["init", "-q"], ["add", "params.yaml"], ["-c", "user.name=A", "-c", "user.email=a@b", "commit", "-qm", "params"]):
        subprocess.run(["git", *command], check=True)
    assert read_facts().uncommitted == ()
    changed = paths.PARAMS.read_text().replace("finetune_epochs: 2", "finetune_epochs: 0").replace("margin: 0.01", "margin: 0.02")
    paths.PARAMS.write_text(changed)
    app(["advise"], standalone_mode=False)
    said = " ".join(capsys.readouterr().out.split())
    assert "as committed, which differs in train.finetune_epochs: commit it first, or `dermlab reset`. Next: " in said


def test_what_no_rule_was_measured_with_is_said():
    assert caution(FACTS) == ""
    usual = "Each was measured with backbone lite0, variant baseline, loss ce, but for what it sets, and not with"
    other = replace(FACTS, params=PARAMS | {"backbone": "medsiglip", "loss": "focal"})
    assert caution(other) == f"{usual} backbone medsiglip or loss focal."


def test_a_catalog_of_another_source_tells_nothing_of_this_one(world):
    row = {"key": "a", "size": 1, "etag": "e"}
    manifest = world.catalog[["image_id", "patient_id", "case_id", "diagnosis"]].assign(split=None, **row)
    write_table(paths.SOURCE / "manifest.parquet", manifest, SOURCE_MANIFEST)
    assert read_facts().rows
    write_table(paths.SOURCE / "manifest.parquet", manifest.assign(diagnosis="acne"), SOURCE_MANIFEST)
    found = read_facts()
    assert (found.rows, found.noise) == ({}, Noise())
    assert list(found.missing.values())[-2:] == ["`dvc repro catalog`", "`dvc repro flag`"]


def test_one_class_is_told_without_a_rarest_one():
    assert dict(known(replace(FACTS, rows={"acne": 400})))["classes"] == (
        "1, with 400 training rows (acne); 0 are too small for guarded cleaning to drop a row"
    )
    few = PARAMS | {"manifest.max_drop": 0.002}
    assert replace(FACTS, rows={"acne": 400}, params=few).small == 1, "a share of it that is less than a row"
    assert not {"prior", "rebalanced"} & named(rows={"acne": 400})


def test_each_line_to_copy_stands_whole_with_what_it_costs_and_rests_on(world, capsys):
    paths.PARAMS.write_text(paths.PARAMS.read_text().replace("finetune_epochs: 2", "finetune_epochs: 0"))
    app(["advise"], standalone_mode=False)
    said = capsys.readouterr().out
    line = "  dvc exp run -S train.finetune_epochs=5 -S train.trainable_blocks=0 -S train.lr=0.0003    # a long training a seed\n"
    assert line in said
    assert "0.823 ± 0.006 [+4.3, +9.5]" in " ".join(said.split())
    assert "(docs/results.md#what-fine-tuning-and-the-prior-gain)" in " ".join(said.split())
    assert said.endswith("      dermlab study advised\n")
