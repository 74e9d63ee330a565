"""evaluate: the trained model on the frozen test split, and on the fold of the training rows that it was not shown, if there is one.

Reads   models/model/, data/catalog.parquet, data/images.parquet, data/manifest.parquet, data/shards/
Writes  data/outputs.safetensors, data/predictions.parquet, data/held-out.parquet (without rows, unless manifest.held_out names a fold),
        metrics/headline.json, metrics/case.json, metrics/f1.json, metrics/evaluate.json, metrics/evaluate/ (plots)
Run     dvc repro evaluate        (with mirrored images: dvc exp run -S evaluate.tta=flip, ten views: crops; on every GPU there is, or on
        machine.gpus of them)
"""

from dermlab.data.json_files import write_json
from dermlab.data.rows import read_rows
from dermlab.data.shards import Shards
from dermlab.data.tables import MANIFEST, PREDICTIONS, read_table, write_table
from dermlab.evaluate.build import curve, evaluate, frozen_test_rows, held_out_fold_rows, predictions_table, rare_and_sink, write_plots
from dermlab.evaluate.cases import by_case, numbers
from dermlab.evaluate.harm import for_whom
from dermlab.evaluate.outputs import made_by, outputs_of, write_outputs
from dermlab.evaluate.params import Params
from dermlab.evaluate.photo_alone import photo_alone
from dermlab.evaluate.raters import by_raters
from dermlab.evaluate.tiers import tiers_on_test
from dermlab.model.runtime import processes
from dermlab.model.saved import load_model
from dermlab.run import paths
from dermlab.run.command import run_command
from dermlab.run.last_run import left_behind
from dermlab.run.machine import read_machine
from dermlab.run.params import read_params
from dermlab.run.progress import say
from dermlab.scores.probabilities import probabilities


def main() -> None:
    params, machine, state = read_params(Params).evaluate, read_machine(), processes()
    known, manifest = read_rows(), read_table(paths.MANIFEST, MANIFEST)
    rows, held_out_fold = frozen_test_rows(known, manifest), held_out_fold_rows(known, manifest)
    model = load_model(paths.MODEL)
    made = made_by(model, rows, held_out_fold, params.tta)
    how = (Shards(), machine.batch_size, machine.loaders, params.tta)
    outputs, reused = outputs_of(model, rows, held_out_fold, *how, made, left_behind("evaluate"))
    if not state.is_main_process:
        return
    write_outputs(outputs, made)
    chosen, classes, bootstrap = model.calibration, model.classes, params.bootstrap
    probs, alone = model.probabilities(outputs.logits), model.probabilities(outputs.hidden)
    plain, not_seen = (probabilities(logits, chosen.temperature) for logits in (outputs.logits, outputs.held_out))  # not adjusted
    train_labels = known.loc[known["split"] == "train", "label"]
    result = evaluate(rows["label"], probs, train_labels, classes, params.ece_bins)
    answers = photo_alone(rows, probs, alone, classes, *rare_and_sink(train_labels, classes)) if model.questions else {}
    predictions = predictions_table(rows, probs, classes)
    case_headline = by_case(predictions, train_labels, classes, chosen.pooling, params.ece_bins)
    write_table(paths.PREDICTIONS, predictions, PREDICTIONS)
    write_table(paths.HELD_OUT, predictions_table(held_out_fold, not_seen, classes), PREDICTIONS)
    write_json(paths.HEADLINE, result.headline)
    write_json(paths.CASE, case_headline)
    write_json(paths.F1, result.f1)
    settings = {"temperature": chosen.temperature, "tta": params.tta, "photo_alone": answers}
    taus = {"tau": chosen.tau, "chosen": chosen.chosen_tau, "holds": chosen.chosen_tau_holds}
    settings["adjustment"] = {**taus, "prior": model.prior.tolist(), "curve": curve(rows["label"], plain, model)}
    settings["selective"] = tiers_on_test(rows, probs, chosen.tiers, classes, bootstrap)
    settings |= for_whom(rows, predictions, probs, outputs.similarity, chosen, train_labels, classes, bootstrap)
    further = {"raters": by_raters(predictions, rows, bootstrap), "cases": numbers(predictions, classes, chosen, bootstrap)}
    settings |= {name: found for name, found in further.items() if found}
    write_json(paths.metrics_of("evaluate"), {**settings, **result.details})
    write_plots(result.details, paths.METRICS / "evaluate")
    say("evaluate: " + ", ".join(f"{name} {value:.4f}" for name, value in result.headline.items()))
    if case_headline:
        say("          by case: " + ", ".join(f"{name.removeprefix('case_')} {value:.4f}" for name, value in case_headline.items()))
    if "top1" in further["raters"]:
        say("          by all raters: " + ", ".join(f"{name} {further['raters'][name]['value']:.4f}" for name in ("top1", "top3")))
    if reused:
        say("      no network ran: what it says of these photos was there from the last run")
    if answers:
        say(f"      a photo alone, every answer hidden: top1 {answers['top1']['without']:.4f}")


if __name__ == "__main__":
    run_command(main, shared=True)
