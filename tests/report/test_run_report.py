"""A run's report: what it says is what the files hold, and what must not leave them does not."""

import base64
import io
import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import average_precision_score, roc_auc_score

from dermlab.data.json_files import read_json, write_json
from dermlab.data.tables import FLAGS, MANIFEST, PREDICTIONS, TRUTH, read_table, write_table
from dermlab.report.card import card
from dermlab.report.contents import contents, settings
from dermlab.report.examples import thumbnail
from dermlab.report.inputs import read_inputs
from dermlab.report.params import Params
from dermlab.report.render import markdown_table, points, render
from dermlab.run import paths
from dermlab.run.errors import ContractError
from dermlab.run.params import read_params

STAGES = Path(__file__).parents[2] / "stages"


def report():
    return contents(read_inputs(read_params(Params)))


def as_html(found) -> str:
    page = render("report.html.j2", report=found)
    assert "`" not in page  # Markdown's sign for code
    return page


def as_markdown(found) -> str:
    return render("report.md.j2", report=found)


def test_the_stage_writes_page_markdown_and_numbers_and_the_same_again(world, monkeypatch):
    monkeypatch.syspath_prepend(str(STAGES))
    monkeypatch.delitem(sys.modules, "report", raising=False)
    import report as stage

    outs = (paths.REPORT_HTML, paths.REPORT_MD, paths.metrics_of("report"))
    stage.main()
    first = [path.read_bytes() for path in outs]
    stage.main()
    assert first == [path.read_bytes() for path in outs]
    numbers = json.loads(first[2])
    assert set(numbers["intervals"]) == {"top1", "top3", "macro_f1", "balanced_accuracy", "rare_recall", "sink_ratio", "brier", "nll"}
    headline = read_json(paths.HEADLINE)
    for name, bounds in numbers["intervals"].items():
        assert bounds["low"] <= headline[name] <= bounds["high"], name


def test_the_page_fetches_nothing_and_names_no_patient_no_place_and_no_camera(world):
    found = report()
    page, markdown = as_html(found), as_markdown(found)
    text = re.sub(r"base64,[A-Za-z0-9+/=]+", "", page)
    assert not re.search(r"https?:|//[a-z]|<link|<script|@import|url\(", text)
    assert all(source == "data:image/jpeg;" for source in re.findall(r'src="([^"]*)"', text))
    for secret in ("secret-patient", "secret-note", "case1", "GPS", "52.52", "Secret Camera", *world.catalog["image_id"].head(50)):
        assert secret not in text
        assert secret not in markdown


def test_thumbnails_carry_no_metadata(world):
    shown = report().examples
    assert len(shown) == 12
    for example in shown:
        image = Image.open(io.BytesIO(base64.b64decode(example.image.partition(",")[2])))
        assert not image.getexif()
        assert not {"exif", "comment", "icc_profile", "xmp"} & set(image.info)
        assert max(image.size) <= 240


def test_a_thumbnail_of_a_photo_with_exif_comment_and_profile_is_bare_pixels():
    photo = Image.new("RGB", (600, 400), "tan")
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    photo.save(buffer, "JPEG", exif=exif, comment=b"at home", icc_profile=b"profile")
    bare = Image.open(io.BytesIO(base64.b64decode(thumbnail(Image.open(buffer)).partition(",")[2])))
    assert bare.size == (240, 160)
    assert set(bare.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_rows_and_rates_are_counted_from_the_tables(world):
    found = report()
    train = world.catalog[world.catalog["split"] == "train"]
    for row in found.classes:
        test = world.predictions[world.predictions["label"] == row.name]
        flagged = world.flags[world.flags["given"] == row.name]
        assert (row.support, row.patients) == (len(test), test["patient_id"].nunique())
        assert row.training.before == (train["label"] == row.name).sum()
        assert row.training.flag_rate == pytest.approx(flagged["label_issue"].mean())
        assert row.training.before - row.training.dropped == row.training.after
        assert row.training.saved + row.training.dropped == flagged["label_issue"].sum()
    assert [row.support for row in found.classes] == sorted((row.support for row in found.classes), reverse=True)
    assert sum(row.rare for row in found.classes) == 2
    assert np.sum(found.confusion[1]) == found.images
    assert found.worst[0]["count"] == max(pair["count"] for pair in found.worst)


def test_the_verdict_says_that_it_is_one_run(world):
    page = as_html(report())
    assert "One run of variant cleaned, loss ce, backbone lite0, seed 17: top-1 0." in page
    assert "is no evidence by itself" in page
    assert "is no evidence by itself" in as_markdown(report())


def test_only_scores_from_0_to_1_are_drawn_on_a_scale_from_0_to_1(world):
    rows = [line for line in as_html(report()).splitlines() if line.startswith("<tr><th>") and 'class="words"' in line]
    drawn = {re.match(r"<tr><th>(.*?)</th>", row)[1] for row in rows if "<svg" in row}
    assert len(rows) == 8
    assert drawn == {"top-1", "top-3", "macro F1", "balanced accuracy", "rare recall"}


def test_a_report_of_photos_whose_patients_nobody_knows_begins_with_that(world):
    predictions = read_table(paths.PREDICTIONS, PREDICTIONS)
    write_table(paths.PREDICTIONS, predictions.assign(patient_id=predictions["image_id"]), PREDICTIONS)
    try:
        assert "Nobody knows which photos are of one patient" in as_html(report())
    finally:
        write_table(paths.PREDICTIONS, predictions, PREDICTIONS)
    assert "Nobody knows which photos" not in as_html(report())


def test_markdown_tables_are_aligned(world):
    blocks = re.findall(r"(?:^\|.*\|\n?)+", as_markdown(report()), re.M)
    assert len(blocks) == 14
    for block in blocks:
        assert len({tuple(i for i, c in enumerate(line) if c == "|") for line in block.splitlines()}) == 1


def test_a_pipe_in_a_cell_does_not_break_the_table():
    assert markdown_table(["a", "b"], [["x|y", 1]]).splitlines()[2] == "| x\\|y |   1 |"


def test_a_zero_difference_has_no_sign():
    assert [points(0.0), points(-0.0001), points(0.012), points(-0.012)] == ["0.0", "0.0", "+1.2", "−1.2"]


def test_a_headline_of_another_run_is_refused(world):
    headline = read_json(paths.HEADLINE)
    write_json(paths.HEADLINE, {**headline, "top1": headline["top1"] - 0.05})
    with pytest.raises(ContractError, match=r"headline.json says top1 .* not of one run. Run `dvc repro evaluate`"):
        report()


def test_a_source_that_does_not_know_the_truth_is_reported_without_it(world):
    write_table(paths.TRUTH, world.truth.head(0), TRUTH)
    found = report()
    assert found.truth == {}
    assert found.numbers["truth"] == {}
    assert "does not know which labels are wrong" in as_html(found)
    assert "does not know which labels are wrong" in as_markdown(found)
    assert all(example.truth == "" for example in found.examples)


def test_what_the_answers_are_worth_is_said_with_its_interval(world):
    said = "top-1 0.620 against 0.700 with the answers (difference −8.0 points, 95 % interval [−10.0, −6.0]), balanced accuracy 0.500"
    assert said in as_markdown(report())


def test_when_to_answer_is_told_with_promise_and_what_became_of_it(world):
    said = as_markdown(report())
    assert "answers where it is at least 80 % sure: the lowest thresholds" in said
    assert "No threshold kept it on validation for: top-3." in said
    row = next(line for line in said.splitlines() if line.startswith("| answers"))
    assert [cell.strip() for cell in row.split("|")[1:-1]] == ["answers", "50", "50.0 %", "92.0 %", "0.850 to 0.970", "90 %"]
    assert "Accuracy when only the most confident are answered" in as_html(report())


def test_a_run_without_flags_duplicates_or_unflagged_numbers_is_reported(world):
    write_table(paths.FLAGS, world.flags.assign(label_issue=False), FLAGS)
    write_json(paths.metrics_of("evaluate"), {})
    write_json(paths.metrics_of("train"), {})
    found = report()
    assert found.examples == []
    assert "precision" not in found.truth["label_errors"]
    assert "0 of" in as_html(found)
    assert as_markdown(found)


def test_of_the_noise_a_bound_is_said_or_what_was_given(world):
    said = "at least 2.0 % of all labels are wrong, garbage included."
    for page in (as_html(report()), as_markdown(report())):
        assert said in page
        assert "Of the flagged ones 81.0 % are expected to be." in page
    write_json(paths.metrics_of("flag"), {"noise": {"rate": 0.1, "at_least": None}, "expected_precision": None})
    page = as_markdown(report())
    assert "As `flag.expected_noise` says, 10.0 % of all labels are wrong" in page
    assert "sampled review" not in page
    write_json(paths.metrics_of("flag"), {"noise": None, "expected_precision": None})  # of cleanlab's method
    assert "of all labels are wrong" not in as_markdown(report())


def test_a_class_name_cannot_write_html(world):
    page = as_html(report())
    assert "<b>boo" not in page
    from dermlab.report.figures import confusion

    assert "&lt;b&gt;boo" in confusion(["<b>boo", "b"], [[1, 0], [0, 1]])


def test_settings_leave_out_the_knobs_of_rules_and_losses_that_were_not_used(world):
    used = settings(read_params(Params))
    assert used["manifest.guard"] == "on"
    assert "manifest.rebalance" not in used
    assert "train.focal_gamma" not in used
    focal = read_params(Params).model_copy(update={"variant": "rebalanced", "loss": "focal"})
    assert "train.focal_gamma" in settings(focal)
    assert "manifest.rebalance" in settings(focal)
    assert "manifest.guard" not in settings(focal)
    softened = settings(focal.model_copy(update={"variant": "softened"}))
    assert (softened["manifest.guard"], softened["manifest.max_drop"], "manifest.min_count" in softened) == ("on", "0.1", False)
    assert ("train.lora_rank" in used, used["flag.expected_noise"]) == (False, "auto")
    adapted = focal.model_copy(update={"train": focal.train.model_copy(update={"adapt": "lora"})})
    assert settings(adapted)["train.lora_rank"] == "8"
    plain = focal.model_copy(update={"flag": focal.flag.model_copy(update={"method": "confident_learning"})})
    assert {"flag.expected_noise", "flag.precision"}.isdisjoint(settings(plain))


def test_a_row_that_a_reviewer_confirmed_was_not_saved_by_the_guard_and_one_that_he_dropped_went_by_no_flag(world):
    """The manifest shows the first as one that was kept, and the second as one that is gone."""
    inputs = read_inputs(read_params(Params).model_copy(update={"variant": "relabeled+cleaned"}))
    saved, dropped = (inputs.metrics["manifest"][of] for of in ("saved_by_guard", "dropped_per_class"))
    before = contents(inputs)
    label = max(set(saved) & set(dropped), key=saved.get)
    saved[label], dropped[label] = saved[label] - 1, dropped[label] - 1
    after = contents(inputs)
    one, other = (next(row.training for row in found.cleaned if row.name == label) for found in (before, after))
    assert (other.saved, other.dropped, other.dropped_by_review) == (one.saved - 1, one.dropped - 1, one.dropped_by_review + 1)
    everywhere = [sum(getattr(row.training, what) for row in after.classes) for what in ("saved", "dropped")]
    assert f"The guard saved {everywhere[0]:,} flagged rows" in after.cleaning_lead
    assert f"Because of a flag this variant dropped {everywhere[1]:,} of" in after.cleaning_lead
    assert "Review dropped 1 row of the target classes." in after.cleaning_lead
    assert "Review dropped" not in before.cleaning_lead
    agreed = contents(replace(inputs, params=inputs.params.model_copy(update={"variant": "agreed"})))
    assert f"The guard saved {everywhere[0]:,} such rows" in agreed.cleaning_lead


def test_what_plain_confident_learning_flags_is_not_called_likely_to_be_wrong(world):
    inputs = read_inputs(read_params(Params))
    inputs.metrics["flag"] = {"noise": None, "expected_precision": None}
    found = contents(inputs)
    assert re.search(r"For review \(`dermlab review`\): [\d,]+ flagged as mislabeled\.", found.issues_lead)
    assert "in the others. A flag is a question" in as_markdown(found)


def test_one_row_is_told_as_one(world):
    inputs = read_inputs(read_params(Params))
    inputs.flags.loc[inputs.flags.index[0], "leak"] = True
    inputs.manifest.loc[inputs.manifest["split"].eq("train").idxmax(), "origin"] = "relabeled: seen"
    said = contents(inputs).cleaning_lead
    assert "1 row carries the label that review gave it. " in said
    assert said.endswith("1 training photo that is also in validation or test was left out, as in every variant.")


def test_relabelled_rows_are_scored_against_their_true_label(world):
    wrong = world.truth[(world.truth["kind"] == "mislabeled") & world.truth["image_id"].isin(world.flags["image_id"])].head(4)
    manifest = read_inputs(read_params(Params)).manifest
    changed = wrong["image_id"].tolist()
    manifest = manifest[~manifest["image_id"].isin(changed)]
    to = ["acne", "acne", "acne", "wart"]
    kept = manifest[(manifest["split"] == "train") & (manifest["origin"] == "kept")].head(4)
    added = kept.assign(image_id=changed, label=to, origin="relabeled: seen twice")
    write_table(paths.MANIFEST, pd.concat([manifest, added]), MANIFEST)
    found = report()
    assert found.truth["relabeled"] == {"rows": 4, "right": 0.75}
    assert "4 rows carry the label that review gave them." in as_html(found)
    added["origin"] = ["relabeled: 2 of 2 readers", "relabeled: 2 of 3 readers", "relabeled: 2 of 2 readers", "relabeled: seen"]
    write_table(paths.MANIFEST, pd.concat([manifest, added]), MANIFEST)
    assert "that review gave them: 1 by 2 of 3 readers; 2 by 2 of 2 readers." in as_html(report())


def test_softened_rows_are_counted_by_class_and_scored_against_their_true_label(world):
    inputs = read_inputs(read_params(Params))
    truth = world.truth.set_index("image_id")
    in_use = inputs.manifest[(inputs.manifest["split"] == "train") & (inputs.manifest["label"] != "acne")].set_index("image_id")
    kinds = truth["kind"].reindex(in_use.index)
    wrong, right = in_use.index[kinds == "mislabeled"][:2], in_use.index[kinds == "clean"][:2]  # the true label of the first is acne
    no_photo = in_use.index[kinds == "document"][:1]
    manifest = inputs.manifest.set_index("image_id")
    softened, share = [*wrong, *right, *no_photo], [0.75, 0.25, 0.125, 0.0625, 0.5]
    away = pd.Series(share, softened)
    manifest["labels"] = pd.Series(
        [(("acne", away[of]), (manifest.loc[of, "label"], 1 - away[of])) if of in away else None for of in manifest.index], manifest.index
    )
    write_table(paths.MANIFEST, manifest.reset_index(), MANIFEST)
    Path("params.yaml").write_text(Path("params.yaml").read_text().replace("variant: cleaned", "variant: softened", 1))
    found = report()
    trained = (manifest["split"] == "train").sum()
    assert (
        f"It trained 5 of {trained:,} training rows towards several labels: towards the one given and the label suggested"
        in found.cleaning_lead
    )
    assert "On average 33.8 % of such a row goes to other labels than the one given; in 1 it is more than half." in found.cleaning_lead
    assert "To suggestions the guard lets no class give away more than 10 % of its rows." in found.cleaning_lead
    assert "changed nothing" not in found.cleaning_lead
    training = {row.name: row.training for row in found.classes}
    assert (training["acne"].shared, training["acne"].given_away, training["acne"].received) == (0, 0.0, 1.6875)
    labels = manifest.loc[softened, "label"]
    for name in world.predictions["label"].unique():
        if name != "other":
            assert training[name].shared == (labels == name).sum()
            assert training[name].given_away == away[labels.index[labels == name]].sum()
    assert {row.name for row in found.shared} == {"acne", *labels} - {"other"}
    believed = (0.25 + 0.75 + 0.875 + 0.9375) / 4
    assert found.truth["shared"] == {"rows": 4, "right": 0.5, "believed": believed, "second_right": 1.0}
    for page in (as_html(found), as_markdown(found)):
        assert (
            "Of the labels given to 4 rows of several labels that are no garbage 50.0 % are right, and 70.3 % of each is believed" in page
        )
        assert "where it is wrong, the next likely is the true one in 100.0 %." in page
        assert "What rows of several labels move between the classes, in rows" in page
    assert ", 5 towards several labels." in render("model-card.md.j2", card=card(found, read_inputs(found.params)))


def test_each_class_is_told_from_the_others_as_scikit_learn_counts_it(world):
    found = report()
    scored = world.predictions[world.predictions["label"] != "other"]
    targets = [row.name for row in found.classes]
    probs = scored[[f"prob_{name}" for name in targets]].to_numpy(float)
    probs = probs / probs.sum(1, keepdims=True)
    page = as_html(found)
    for c, row in enumerate(found.classes):
        own = (scored["label"] == row.name).to_numpy()
        assert row.against_others["auroc"] == pytest.approx(roc_auc_score(own, probs[:, c]), abs=1e-6)
        assert row.against_others["average_precision"] == pytest.approx(average_precision_score(own, probs[:, c]), abs=1e-6)
        assert row.against_others["specificity"] == pytest.approx((probs[~own].argmax(1) != c).mean())
        assert f"{row.against_others['auroc']:.3f}" in page
    assert page.count('<polyline class="hit line"') == len(targets)


def test_the_surest_errors_are_shown_one_a_patient(world):
    found = report().errors
    scored = world.predictions[world.predictions["label"] != "other"]
    columns = [name for name in scored.columns if name.startswith("prob_") and name != "prob_other"]
    probs = scored[columns].to_numpy(float)
    probs = probs / probs.sum(1, keepdims=True)
    said = np.array([name.removeprefix("prob_") for name in columns])[probs.argmax(1)]
    wrong = scored.assign(said=said, sure=probs.max(1))[said != scored["label"]]
    expected = wrong.sort_values("sure", ascending=False).drop_duplicates("patient_id").head(len(found))
    assert [error.confidence for error in found] == pytest.approx(expected["sure"].tolist())
    assert [(error.true, error.predicted) for error in found] == list(zip(expected["label"], expected["said"], strict=True))


def test_groups_of_patients_are_shown_and_a_small_one_without_an_interval(world):
    text = as_markdown(report())
    assert re.search(r"\| sex +\| female +\| +60 \| +41 \| 0\.700 \| +0\.60 to 0\.80 \| 0\.900 \|", text)
    assert re.search(r"\| sex +\| not answered +\| +3 \| +2 \| +– \| +– \| +– \|", text)
    assert "4 test photos (3.1 %) resemble none of those" in text


def test_a_picture_of_the_findings_stands_before_everything_else_and_classes_begin_with_theirs(world):
    found = report()
    page = as_html(found)
    first = page.index('aria-label="At a glance: likeliest is right')
    assert page.index("One run of variant") < first < page.index("is no evidence by itself") < page.index("<h2>Headline")
    assert [name for name, _, _ in found.glance] == ["likeliest is right", "right among three", "rare classes found"]
    assert found.glance[0][1:] == found.headline["top1"]
    known = [row for row in found.classes if row.f1_bounds]
    best, worst = max(known, key=lambda row: row.f1), min(known, key=lambda row: row.f1)
    assert found.classes_lead.startswith(f"Told best is {best.name} (F1 {best.f1:.3f}, 95 % interval ")
    assert f", worst {worst.name} (F1 {worst.f1:.3f}" in found.classes_lead
    assert page.index(f"Told best is {best.name}") < page.index("The commonest class of the test split first")


def test_where_raters_disagree_the_page_says_so_first_and_copies_of_two_labels_in_test_are_named(world):
    assert "The reference is in doubt" not in as_markdown(report())
    said = read_json(paths.metrics_of("evaluate"))
    raters = {"cases": 200, "several": 40, "disputed": 7, "alpha": {"value": 0.81, "interval": [0.77, 0.85]}}
    raters |= {"top1": {"value": 0.6543, "interval": [0.6, 0.7]}, "top3": {"value": 0.8, "interval": None}}
    write_json(paths.metrics_of("evaluate"), {**said, "raters": raters})
    clash = {"splits": ["val", "test"], "labels": ["acne", "eczema"], "images": ["aa11", "bb22"]}
    write_json(paths.metrics_of("flag"), {**read_json(paths.metrics_of("flag")), "conflicts": [clash]})
    found = report()
    for page in (as_html(found), as_markdown(found)):
        assert "40 test cases have several labels, of 200, and in 7 (3.5 %) the label has less than two thirds of the opinions" in page
        assert "0.81 (95 % interval 0.77 to 0.85)" in page
        assert "top-1 0.654 [0.600, 0.700] and top-3 0.800;" in page
        assert page.index("The reference is in doubt") < page.index("Headline")
        assert "one photo is there again under another label" in page
        assert "aa11 (acne, val) and bb22 (eczema, test)" in page
