"""The flags table and its numbers, from the rows in use, the frozen features and the answers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from dermlab.data.classes import Classes
from dermlab.data.embeddings import Embeddings
from dermlab.data.folds import patients_per_class, people_of
from dermlab.data.not_copies import NOTHING_SAID
from dermlab.data.questionnaire import Questionnaire
from dermlab.data.shares import matrix
from dermlab.data.tables import ISSUES
from dermlab.flag.duplicates import check_leaks, conflicts, copies, differ, find_copies, known_labels, shared_between_splits
from dermlab.flag.from_file import read_probabilities
from dermlab.flag.neighbours import nearest, outlier_score, votes
from dermlab.flag.noise import Noise
from dermlab.flag.not_skin import not_skin_score
from dermlab.flag.params import PROBS, FlagParams
from dermlab.flag.probabilities import OutOfFoldProbabilities, in_sample, out_of_fold_probabilities, power_normalised
from dermlab.flag.triage import garbage_probability, issues, review_ranks
from dermlab.flag.verdict import confident_learning, posterior
from dermlab.model.questionnaire import encode
from dermlab.run.errors import ContractError
from dermlab.scores.rare import rarest_third, rows_per_class

CONFUSIONS = 20  # given -> suggested pairs kept in the numbers
SHOWN = 3  # neighbours named in the flags, for a person to look at


def build_flags(
    catalog: pd.DataFrame,
    embeddings: Embeddings,
    classes: Classes,
    questions: Questionnaire,
    params: FlagParams,
    not_skin: Callable[[np.ndarray], np.ndarray] = not_skin_score,
    not_copies: pd.DataFrame = NOTHING_SAID,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """(the flags table, one row a training image, sorted by image_id; the numbers of metrics/flag.json).

    catalog: as `rows.read_rows`. Copies are looked for over all splits, everything else among the training rows; patients who share
    a copy lie in one fold and are no neighbours of each other, or a copy would vouch for its copy. `not_skin`: features [N, D] to
    scores [N] in 0..1, by distance unless another is given (dermlab.flag.garbage chooses). `not_copies`: pairs that a person told
    apart, as `read_not_copies`. Raises ContractError without training rows,
    or where more of them than `params.max_leak` are copies of val or test photos.
    """
    catalog = catalog.sort_values("image_id", ignore_index=True)
    train = (catalog["split"] == "train").to_numpy()
    rows = catalog[train].reset_index(drop=True)
    if not len(rows):
        raise ContractError("The catalog has no training rows. Check the source's `split` column.")
    every_feature = embeddings.of(catalog["image_id"])
    features = every_feature[train]
    labels = classes.encode(rows["label"], "data/catalog.parquet, column label")
    ids = rows["image_id"].to_numpy(dtype=object)

    group, pairs = find_copies(catalog, every_feature, not_copies, params.phash_bits)
    copied = copies(catalog, group)
    check_leaks(copied, len(rows), params.max_leak)  # before any time is spent on folds
    copied = copied[train].reset_index(drop=True)
    people = people_of(rows["patient_id"], group[train])

    looks = _probabilities(features, rows, labels, people, classes, questions, params)
    near, similarity = nearest(features, params.neighbours, people)
    cast = votes(near, labels, len(classes.names))
    held = patients_per_class(labels, people, len(classes.names))
    if params.method == "posterior":
        known = (held >= params.folds)[labels]  # a class of fewer patients is unknown to some fits: their doubt is no evidence
        cases = rows["case_id"].to_numpy(dtype=str)
        verdict = posterior(labels, looks, cast, cases, known, params.precision, params.known_noise, _opinions(rows, classes))
    else:
        verdict = confident_learning(labels, looks)
    probs = looks.refitted

    not_skin_scores = not_skin(features)
    shuffled = np.random.default_rng(params.seed).permutation(labels)
    garbage = garbage_probability(not_skin_scores, cast, votes(near, shuffled, len(classes.names)), params.neighbours)
    contradicted = probs.mean(axis=0).argmax(axis=1) != labels
    issue = issues(
        leak=copied["leak"],
        conflict=copied["conflict"],
        garbage=garbage >= 0.5,
        duplicate=copied["duplicate_of"].notna(),
        mislabeled=verdict.label_issue,
        hard=contradicted,
    )
    names, every = np.array(classes.names, dtype=object), np.arange(len(labels))
    suggested, suggested_prob = verdict.suggested.copy(), verdict.suggested_prob.copy()
    conflict = copied["conflict"].to_numpy()  # between two labels there is no third to suggest
    suggested[conflict] = classes.encode(copied.loc[conflict, "other_label"])
    given_prob, other_prob = (probs.mean(axis=0)[every, of] + 1e-9 for of in (labels, suggested))
    suggested_prob[conflict] = (other_prob / (given_prob + other_prob))[conflict]
    flags = pd.DataFrame(
        {
            "image_id": ids,
            "given": rows["label"],
            "suggested": names[suggested],
            "suggested_prob": suggested_prob,
            "quality": verdict.quality,
            "spread": probs[:, every, labels].std(axis=0),
            "agreement": cast[every, labels],
            "issue": issue,
            "label_issue": verdict.label_issue,
            "neighbours": [tuple(ids[k] for k in of if k >= 0) for of in near[:, :SHOWN]],
            "duplicate_of": copied["duplicate_of"],
            "outlier_score": outlier_score(near, similarity),
            "not_skin_score": not_skin_scores,
            "leak": copied["leak"],
            "protected": np.isin(labels, rarest_third(rows_per_class(labels, classes.other))),
            "review_rank": review_ranks(issue, labels, np.maximum(1 - verdict.quality, garbage), ids),
        }
    )
    numbers = {
        "method": params.method,
        "probs": params.probs.partition("@")[0],
        "l2": looks.l2,
        "log_loss": float(-np.log(np.clip(looks.of_labels.mean(axis=0)[every, labels], 1e-7, 1)).mean()),
        "accuracy": float((looks.of_labels.mean(axis=0).argmax(axis=1) == labels).mean()),
        "noise": _noise(verdict.noise),
        "expected_precision": verdict.expected_precision,
        "small_classes": {name: int(n) for name, n in zip(classes.names, held, strict=True) if 0 < n < params.folds},
        "near_duplicate_pairs": len(pairs),
        "copies_between": shared_between_splits(catalog, group),
        **({"conflicts": found} if (found := conflicts(catalog, group)) else {}),
        **summary(flags, classes),
    }
    within = pairs[train[pairs].all(axis=1)]
    if len(within):  # copies should bear one label; false duplicates do not
        numbers["near_duplicates_agree"] = float(1 - differ(known_labels(catalog), within).mean())
    return flags, numbers


def _probabilities(
    features: np.ndarray, rows: pd.DataFrame, labels: np.ndarray, people: np.ndarray, classes: Classes, questions: Questionnaire,
    params: FlagParams,
) -> OutOfFoldProbabilities:  # fmt: skip
    """As `params.probs` says."""
    if params.probs not in PROBS:
        return read_probabilities(params.probs, rows, classes)
    inputs = np.concatenate([power_normalised(features), encode(rows, questions)], axis=1)
    count = len(classes.names)
    if params.probs == "in_sample":
        return in_sample(inputs, labels, people, count, params.known_l2, params.folds, params.seed)
    refit = params.method == "posterior"
    return out_of_fold_probabilities(inputs, labels, people, count, params.known_l2, params.folds, params.repeats, params.seed, refit)


def _opinions(rows: pd.DataFrame, classes: Classes) -> np.ndarray | None:
    """float64 [N, K+1]: how many raters gave each label; of a row whose number of them nobody says, the shares. None where each row has one
    label, given once or by nobody knows how many."""
    if "labels" not in rows or (rows["labels"].isna().all() and not (rows["votes"] > 1).any()):
        return None
    shares = matrix(rows["label"], rows["labels"], classes, "data/catalog.parquet, column labels")
    return shares * rows["votes"].fillna(1.0).to_numpy(np.float64)[:, None]


def _noise(noise: Noise | None) -> dict[str, float | None] | None:
    """The share of wrong labels that was reckoned with, and the one that the labels show by themselves: none where the rate was given."""
    return noise and {"rate": noise.rate, "at_least": noise.at_least}


def summary(flags: pd.DataFrame, classes: Classes) -> dict[str, Any]:
    """Counts and rates of the flags table; no ids of patients or images."""
    flagged = flags["label_issue"]
    by_class = flagged.groupby(flags["given"]).mean()
    pairs = flags[flagged].groupby(["given", "suggested"]).size().sort_values(ascending=False, kind="stable")
    return {
        "rows": len(flags),
        "flagged": int(flagged.sum()),
        "flagged_rate": float(flagged.mean()),
        "flagged_rate_per_class": {name: float(by_class[name]) for name in classes.names if name in by_class},
        "confusions": [
            {"given": given, "suggested": suggested, "rows": int(n)} for (given, suggested), n in pairs.head(CONFUSIONS).items()
        ],
        "issues": {name: int((flags["issue"] == name).sum()) for name in ISSUES},
        "to_review": int(flags["review_rank"].notna().sum()),
        "duplicates": int(flags["duplicate_of"].notna().sum()),
        "leaks": int(flags["leak"].sum()),
        "protected": int(flags["protected"].sum()),
    }
