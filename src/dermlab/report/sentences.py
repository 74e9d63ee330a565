"""The report's sentences with numbers in them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dermlab.report.params import Params
from dermlab.report.render import percent, points, points_bounds, score, share
from dermlab.report.training_rows import TrainingCounts
from dermlab.run.progress import some
from dermlab.scores.adjustment import AIM
from dermlab.scores.calibration import expected_calibration_error
from dermlab.scores.cases import LOGMEAN, MAX, MEAN
from dermlab.scores.tiers import ANSWER


def verdict(params: Params, top1: tuple[float, tuple[float, float] | None], images: int, patients: int) -> str:
    value, bounds = top1
    interval = f" (95 % interval {bounds[0]:.3f} to {bounds[1]:.3f})" if bounds else ""
    return (
        f"One run of variant {params.variant}, loss {params.loss}, backbone {params.backbone}, seed {params.seed}: "
        f"top-1 {score(value)}{interval} on {images:,} test images of {patients:,} patients."
    )


CONFLICTS = 10  # that the page lists
CAUTION = (
    "This is one run. Its intervals say how far the scores would move with other patients, not how far they would move with another "
    "training of the same recipe. A difference between this page and another run's is no evidence by itself: "
    "`dermlab compare` gives its interval over both, from all seeds of the two recipes."
)


def raters(said: Mapping) -> str:
    """What metrics/evaluate.json says of raters; empty where each photo has one label."""
    if not said:
        return ""
    agree = ""
    if found := said["alpha"]:
        bounds = f" (95 % interval {found['interval'][0]:.2f} to {found['interval'][1]:.2f})" if found["interval"] else ""
        agree = f" Krippendorff's alpha between raters is {found['value']:.2f}{bounds}: 1 where all agree, 0 where chance alone would."
    expected = ""
    if "top1" in said:
        each = [
            f"{name} {score(said[key]['value'])}"
            + ("" if not said[key]["interval"] else " [{:.3f}, {:.3f}]".format(*said[key]["interval"]))
            for key, name in (("top1", "top-1"), ("top3", "top-3"))
        ]
        expected = (
            f" Scored against all of them, each by its share of the opinions and without `other`, the run has {' and '.join(each)}; the "
            "scores below are against the label that most gave, which is too kind where raters guess as the network does."
        )
    return (
        f"The reference is in doubt: {some(said['several'], 'test case has', 'test cases have')} several labels, of {said['cases']:,}, and "
        f"in {said['disputed']:,} ({share(said['disputed'], said['cases'])}) the label has less than two thirds of the opinions."
        f"{agree}{expected}"
    )


def conflicts(found: Sequence[Mapping]) -> str:
    """Of metrics/flag.json: copies in val or test that bear different labels; empty without any."""
    if not found:
        return ""
    each = [
        " and ".join(f"{image} ({label}, {split})" for image, label, split in zip(of["images"], of["labels"], of["splits"], strict=True))
        for of in found[:CONFLICTS]
    ]
    more = f"; and {len(found) - CONFLICTS:,} more in metrics/flag.json" if len(found) > CONFLICTS else ""
    what = "one photo is" if len(found) == 1 else f"{len(found):,} photos are"
    return (
        f"In val or test {what} there again under another label, so that no network can be right about both: {'; '.join(each)}{more}. "
        "Nothing was changed: labels of val and test are the source's to correct."
    )


def extras(evaluation: Mapping, headline: Mapping, untested: list[str], images: int) -> list[str]:
    """What stands below the headline. `untested`: classes without a test image; `images`: test images of the target classes."""
    said = []
    certain = evaluation.get("unflagged", {})
    if certain.get("rows") and "top1" in certain:
        said.append(
            f"On the {certain['rows']:,} of {images:,} test images whose label the model itself does not doubt, top-1 is "
            f"{score(certain['top1'])} against {score(headline.get('top1'))} on all: at most so much of the error could be the labels'. "
            "It is no better score, since the model chose the rows."
        )
    if alone := evaluation.get("photo_alone"):
        said.append(photo_alone(alone))
    if "other_auroc" in evaluation:
        said.append(f"How well p(other) tells `other` test images from the targets: AUROC {score(evaluation['other_auroc'])}.")
    if untested:
        said.append(f"Without a test image, and left out of every mean: {', '.join(untested)}.")
    return said


def cases(said: Mapping) -> str:
    """What metrics/evaluate.json says of the cases; empty where each is one photo."""
    if not said:
        return ""
    how = {
        LOGMEAN: f"by the mean of their log-probabilities, two of them counting as {2 ** said['independence']:.1f}, as validation says",
        MEAN: "by the mean of their probabilities",
        MAX: "by the highest of their probabilities",
    }[said["pool"]]
    left_out = f" Left out: {said['left_out']:,} whose photos bear several labels." if said["left_out"] else ""
    return (
        f"A case is one problem of one patient, however many photos were sent of it: {said['cases']:,} cases, "
        f"{said['of_several_photos']:,} of several photos, which are put together {how}.{left_out}{_answered(said['tiers'])}"
    )


def _answered(tiers: Sequence[Mapping]) -> str:
    """Of the cases, `other` included, as `tiers_on_test`."""
    answers = next(tier for tier in tiers if tier["tier"] == ANSWER)
    if not answers["rows"]:
        return " By the thresholds of validation's cases the model answers none."
    bounds = f", 95 % interval {percent(answers['interval'][0])} to {percent(answers['interval'][1])}" if answers["interval"] else ""
    return (
        f" By the thresholds of validation's cases the model answers {percent(answers['share'])} of them, and {percent(answers['right'])} "
        f"of those rightly ({percent(answers['promise'], 0)} were promised{bounds})."
    )


def photo_alone(scores: Mapping) -> str:
    """What a model without the answers would score, as `evaluate` measured it."""
    top1, balanced = scores["top1"], scores["balanced_accuracy"]
    interval = f", 95 % interval {points_bounds(top1['interval'])}" if top1["interval"] else ""
    return (
        f"A photo alone, with every answer hidden: top-1 {score(top1['without'])} against {score(top1['with'])} with the answers "
        f"(difference {points(top1['difference'])} points{interval}), balanced accuracy {score(balanced['without'])} against "
        f"{score(balanced['with'])}."
    )


def balance(adjustment: Mapping, points: Sequence[Any]) -> str:
    """points: of the curve, `tau` 0 first."""
    if not points:
        return ""
    plain, chosen = points[0], next(point for point in points if point.tau == adjustment["chosen"])
    used = (
        f"This run's predictions are adjusted with tau {adjustment['tau']:g}." if adjustment["tau"] else "This run uses none of it (tau 0)."
    )
    if not chosen.tau:
        return f"Validation chose tau 0: on {AIM}, taking out any of the prior gains nothing. {used}"
    advised = (
        "On validation patients that did not choose it, it was better too: `-S calibrate.adjust=validation` applies it, and trains nothing."
        if adjustment.get("holds")
        else "On validation patients that did not choose it, it was not told apart from none, so it is no advice."
    )
    return (
        f"Validation chose tau {chosen.tau:g}, for {AIM}. On the test split that is top-1 {score(chosen.top1)} and balanced accuracy "
        f"{score(chosen.balanced)}, against {score(plain.top1)} and {score(plain.balanced)} without it. {used} {advised}"
    )


def selective(found: Mapping) -> str:
    """found: `selective` of metrics/evaluate.json."""
    if not found:
        return ""
    answer, top3, _ = found["tiers"]
    set_ones = [
        f"answers where it is at least {percent(answer['threshold'], 0)} sure" if answer["threshold"] is not None else "",
        f"names three where these have at least {percent(top3['threshold'], 0)} together" if top3["threshold"] is not None else "",
    ]
    never = [row["tier"] for row in (answer, top3) if row["threshold"] is None]
    said = " and ".join(part for part in set_ones if part)
    kept = f"The model {said}: the lowest thresholds that kept the promise on validation." if said else ""
    lost = f" No threshold kept it on validation for: {', '.join(never)}." if never else ""
    return f"{kept}{lost}".strip()


def unfamiliar(found: Mapping) -> str:
    """found: `unfamiliar` of metrics/evaluate.json."""
    if not found:
        return ""
    right = f"; of these the likeliest class is right for {percent(found['right'])}, of the others for {percent(found['others'])}"
    return (
        f"{found['rows']:,} test photos ({percent(found['share'])}) resemble none of those the model was validated on"
        f"{right if found['rows'] else ''}. "
        "To such a photo `dermlab predict` gives no answer, however sure the model is."
    )


def classes(rows: Sequence[Any]) -> str:
    """rows: as contents.ClassRow. Best and worst of those whose patients allow an interval."""
    known = [row for row in rows if row.f1_bounds]
    if len(known) < 2:
        return f"None of {len(rows)} classes but {len(known)} has test patients enough for an interval." if rows else ""
    best, worst = (choose(known, key=lambda row: row.f1) for choose in (max, min))
    told = (f"{row.name} (F1 {score(row.f1)}, 95 % interval {row.f1_bounds[0]:.2f} to {row.f1_bounds[1]:.2f})" for row in (best, worst))
    few = len(rows) - len(known)
    rest = f" Of {few} more there are too few test patients to say." if few else ""
    return f"Told best is {next(told)}, worst {next(told)}.{rest}"


def sink(name: str, names: list[str], counts: np.ndarray) -> str:
    """counts [K, K]: rows true, columns predicted."""
    errors, at = int(counts.sum() - np.trace(counts)), names.index(name)
    soaked, true, predicted = int(counts[:, at].sum() - counts[at, at]), int(counts[at].sum()), int(counts[:, at].sum())
    ratio = f", {predicted / true:.2f} times as often as it occurs" if true else ""
    return (
        f"{name}, the commonest class in training, is predicted {predicted:,} times{ratio}, and takes {soaked:,} of all {errors:,} errors "
        f"({share(soaked, errors)})."
    )


def calibration(bins: list[dict]) -> str:
    total = sum(row["rows"] for row in bins)
    if not total:
        return ""
    sure, right = (sum(row["rows"] * row[key] for row in bins) / total for key in ("confidence", "accuracy"))
    gap = 100 * (sure - right)
    way = (
        "about as sure as it is right"
        if abs(gap) < 1
        else f"{abs(gap):.1f} points {'surer than it is right' if gap > 0 else 'less sure than it is right'}"
    )
    return (
        f"On average the model is {way} (confidence {percent(sure)}, right {percent(right)}); mean gap of the bins (ECE) "
        f"{score(expected_calibration_error(bins))}, which is above 0 even where a model is well calibrated: the Brier score and the "
        "log-likelihood above are what to compare by."
    )


def cleaning(params: Params, training: Mapping[str, TrainingCounts], rare: list[str], flags: pd.DataFrame, manifest: pd.DataFrame) -> str:
    def total(what: str, names: Iterable[str] = training) -> int:
        return sum(getattr(training[name], what) for name in names)

    dropped, by_review, said = total("dropped"), total("dropped_by_review"), []
    if {"cleaned", "agreed"} & set(params.variants):
        said.append(
            f"Because of a flag this variant dropped {dropped:,} of {total('before'):,} training rows of the target classes "
            f"({share(dropped, total('before'))}); of the rare classes {total('dropped', rare):,} of {total('before', rare):,} "
            f"({share(total('dropped', rare), total('before', rare))})."
        )
    elif {"softened", "distributed"} & set(params.variants):
        said.append("This variant dropped no row because of a flag.")
    else:
        said.append("This variant dropped no row because of a flag; the flags below changed nothing.")
    agreed = "agreed" in params.variants
    if agreed:
        floor = f", down to {params.manifest.min_count:,} rows of a class" if params.manifest.guard else ""
        said.append(f"These are mislabeled and hard rows, whose label the classifier of the flags contradicts{floor}.")
    if agreed or "cleaned" in params.variants:
        of_rare = total("saved", rare)
        what = "such" if agreed else "flagged"
        saved = f"The guard saved {some(total('saved'), f'{what} row', f'{what} rows')}, {of_rare:,} of them of rare classes."
        said.append(saved if params.manifest.guard else "The guard was off.")
    if by_review:
        said.append(f"Review dropped {some(by_review, 'row', 'rows')} of the target classes.")
    if relabeled := int(manifest["origin"].str.startswith("relabeled").sum()):
        carry = some(relabeled, "row carries", "rows carry")
        said.append(f"{carry} the label that review gave {'it' if relabeled == 1 else 'them'}{at_which_agreement(manifest)}.")
    if {"softened", "distributed"} & set(params.variants):
        said.append(several_labels(params, manifest))
    if leaks := int(flags["leak"].sum()):
        which = some(leaks, "training photo that is", "training photos that are")
        said.append(f"{which} also in validation or test {'was' if leaks == 1 else 'were'} left out, as in every variant.")
    return " ".join(said)


def at_which_agreement(manifest: pd.DataFrame) -> str:
    """How many of the labels that review changed were concluded from readers, by how many of them had said so; empty where none was."""
    changed = manifest["origin"].str.removeprefix("relabeled: ")
    counts = changed[changed.str.fullmatch(r"\d+ of \d+ readers(, .+)?")].value_counts()
    return ": " + "; ".join(f"{rows:,} by {said}" for said, rows in sorted(counts.items(), reverse=True)) if len(counts) else ""


def noise(flag: Mapping[str, Any]) -> str:
    """How many labels are wrong in all, and how many of the flags, by the numbers of metrics/flag.json; empty where nobody asked."""
    found, said = flag.get("noise"), []
    if not found:
        return ""
    if found["at_least"] is None:
        said.append(f"As `flag.expected_noise` says, {percent(found['rate'])} of all labels are wrong.")
    else:
        said.append(
            f"By where predictions and labels disagree, at least {percent(found['at_least'])} of all labels are wrong, garbage included. "
            "How many more, labels alone cannot tell; a sampled review can (`dermlab review --sample 100`). The flags reckon with "
            f"{percent(found['rate'])}."
        )
    if flag.get("expected_precision"):
        said.append(f"Of the flagged ones {percent(flag['expected_precision'])} are expected to be.")
    return " ".join(said)


def several_labels(params: Params, manifest: pd.DataFrame) -> str:
    """Of `softened` and `distributed`."""
    shared, rows = manifest[manifest["labels"].notna()], int((manifest["split"] == "train").sum())
    if shared.empty:
        return "No training row has a second label: none is likely enough, or raters gave none."
    away = 1 - np.array([dict(labels).get(label, 0.0) for label, labels in zip(shared["label"], shared["labels"], strict=True)])
    towards = ["what their raters said"] * ("distributed" in params.variants)
    towards += ["the label suggested in the proportion of its probability"] * ("softened" in params.variants)
    said = (
        f"It trained {len(shared):,} of {rows:,} training rows towards several labels: towards the one given and {' and '.join(towards)}. "
        f"On average {percent(away.mean())} of such a row goes to other labels than the one given; in {int((away > 0.5).sum()):,} it is "
        "more than half."
    )
    if "softened" not in params.variants:
        return said
    bound = f"lets no class give away more than {percent(params.manifest.max_drop, 0)} of its rows" if params.manifest.guard else "was off"
    return f"{said} To suggestions the guard {bound}."


ISSUE_WORDS = {
    "conflict": "one photo with two labels",
    "garbage": "probably garbage: unlike what the source shows",
    "mislabeled": "flagged as mislabeled",
    "hard": "hard, without evidence enough against the label",
}


def issues(flags: pd.DataFrame) -> str:
    """What a person would be asked, by kind of question."""
    counts = flags.loc[flags["review_rank"].notna(), "issue"].value_counts()
    said = [f"{counts[name]:,} {words}" for name, words in ISSUE_WORDS.items() if counts.get(name, 0)]
    return f"For review (`dermlab review`): {'; '.join(said)}." if said else ""
