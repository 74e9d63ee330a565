"""evaluate: the trained model on the frozen test split, and on the fold of the training rows that it was not shown, if there is one.

Reads   models/model/, data/catalog.parquet, data/images.parquet, data/manifest.parquet, data/shards/
Writes  data/predictions.parquet, data/held-out.parquet (without rows, unless manifest.held_out names a fold), metrics/headline.json,
        metrics/f1.json, metrics/evaluate.json, metrics/evaluate/ (plots)
Run     dvc repro evaluate        (with mirrored images: dvc exp run -S evaluate.tta=flip, ten views: crops; on every GPU there is, or on
        machine.gpus of them)
"""

import numpy as np

from dermlab.data import paths
from dermlab.data.command import run_command
from dermlab.data.files import write_json
from dermlab.data.machine import read_machine
from dermlab.data.params import read_params
from dermlab.data.progress import say
from dermlab.data.rows import read_rows
from dermlab.data.shards import Shards
from dermlab.data.tables import MANIFEST, PREDICTIONS, read_table, write_table
from dermlab.evaluate.build import curve, evaluate, frozen_test_rows, held_out_rows, predictions_table, rare_and_sink, write_plots
from dermlab.evaluate.params import Params
from dermlab.evaluate.photo_alone import photo_alone
from dermlab.evaluate.subgroups import subgroups
from dermlab.evaluate.tiers import tiers_on_test, unfamiliar_on_test
from dermlab.model.predict import predict_all, predict_logits, probabilities
from dermlab.model.runtime import processes
from dermlab.model.saved import load_model
from dermlab.scores.adjustment import adjusted


def main() -> None:
    params, machine, state = read_params(Params).evaluate, read_machine(), processes()
    known = read_rows()
    manifest = read_table(paths.MANIFEST, MANIFEST)
    rows, held_out = frozen_test_rows(known, manifest), held_out_rows(known, manifest)
    model = load_model(paths.MODEL)
    how = (Shards(), machine.batch_size, machine.loaders, params.tta)
    predicted = predict_all(model, rows, *how)
    logits = predict_logits(model, held_out, *how) if len(held_out) else np.zeros((0, len(model.classes.names)))
    if not state.is_main_process:
        return
    tau = model.tau if params.adjust == "validation" else 0.0
    plain = probabilities(predicted.logits, model.temperature)
    probs = adjusted(plain, model.prior, tau, model.temperature)
    alone = adjusted(probabilities(predicted.hidden, model.temperature), model.prior, tau, model.temperature)
    train_labels = known.loc[known["split"] == "train", "label"]
    result = evaluate(rows["label"], probs, train_labels, model.classes, params.ece_bins)
    answers = photo_alone(rows, probs, alone, model.classes, *rare_and_sink(train_labels, model.classes)) if model.questions else {}
    write_table(paths.PREDICTIONS, predictions_table(rows, probs, model.classes), PREDICTIONS)
    not_seen = probabilities(logits, model.temperature)  # never adjusted: they are to say how labels come out
    write_table(paths.HELD_OUT, predictions_table(held_out, not_seen, model.classes), PREDICTIONS)
    write_json(paths.HEADLINE, result.headline)
    write_json(paths.F1, result.f1)
    adjustment = {"tau": tau, "chosen": model.tau, "prior": model.prior.tolist(), "curve": curve(rows["label"], plain, model)}
    settings = {"temperature": model.temperature, "tta": params.tta, "adjustment": adjustment, "photo_alone": answers}
    settings["selective"] = tiers_on_test(rows, plain, model.tiers, model.classes)
    settings["unfamiliar"] = unfamiliar_on_test(rows, plain, predicted.similarity, model.familiarity, model.classes)
    settings["subgroups"] = subgroups(rows, probs, model.classes)
    write_json(paths.metrics_of("evaluate"), {**settings, **result.details})
    write_plots(result.details, paths.METRICS / "evaluate")
    say("evaluate: " + ", ".join(f"{name} {value:.4f}" for name, value in result.headline.items()))
    if tau:
        say(f"      logits adjusted by tau {tau} times the log prior, as validation chose")
    if answers:
        say(f"      a photo alone, every answer hidden: top1 {answers['top1']['without']:.4f}")


if __name__ == "__main__":
    run_command(main, shared=True)
