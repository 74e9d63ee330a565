"""Whom to ask what next: how many answers it takes until labels are as good as the majority of three readers makes them.

    python benchmarks/readers.py                                                     the phantom clinic, drawn anew for each seed
    python benchmarks/readers.py --source /data/cifar10h-lt --truth /data/truth.csv --name cifar10h-worst --pixels 32 --input 96

Five simulated readers, who err on 10 to 25 % of the photos. `alike`: a photo that is hard for one is hard for all, and six in ten wrong
answers name its look-alike, which is what the flags take it for where they err; `apart`: each errs by himself, to any class. Photos that
are no skin are left out.

Asked is about the first fifth of the queue. The measure is the share of three answers a photo at which the concluded labels are as often
right as the majority of three for every photo has them, and stay so. Ours: `next_to_ask`, and what `review.rule: model` concludes. Peers:
ActiveLab with CROWDLAB (cleanlab), and a third reader only where two differ (its accuracy is a hair below, as it is by chance who the
third is). 1.0: not reached. Goal: at most 0.7 of the answers with each kind of readers at each seed. And of all training rows: wrong labels
found with single answers for a tenth of the rows, over what as many answers find in random order, at least 5 times. The constants of
`posterior` were looked at on seed 17 of the phantom; from 2 to 25 look-alikes little changes.
"""

import contextlib
import io
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from cleanlab.multiannotator import get_active_learning_scores, get_label_quality_multiannotator
from flags import GARBAGE, Source, judged, options_of, sources
from harness import record

from dermlab.data.classes import Classes
from dermlab.flag.triage import review_ranks
from dermlab.review.ask import next_to_ask
from dermlab.review.conclude import UNDECIDED, model
from dermlab.review.opinions import probabilities_of_flags

ERRORS = (0.1, 0.15, 0.15, 0.2, 0.25)  # of the five readers, on average over photos
ALIKE = 0.6  # share of the wrong answers that name the look-alike
HARD = 2.0  # how much likelier an error is on a photo that was drawn to look unlike its class
MOST = 0.9  # of an error's chance on one photo
STEPS = 60  # batches of answers in which three a photo are spent
BUDGET = 0.1  # of the rows, of part two
GOAL, FOUND_GOAL = 0.7, 5.0


class Study:
    """One seed: what the flags say, what is true, and what each reader would answer. N photos, M readers."""

    def __init__(self, source: Source, rows: pd.DataFrame, quick: bool) -> None:
        self.classes: Classes = source.pin.classes
        labels, _, _, judge = judged(source, rows, quick)
        verdict = judge(None)
        names = np.array(self.classes.names, dtype=object)
        flags = rows.assign(given=rows["label"], suggested=names[verdict.suggested], suggested_prob=verdict.suggested_prob)
        flags["quality"] = verdict.quality
        issue = np.where(verdict.label_issue, "mislabeled", "hard").astype(object)
        rank = review_ranks(issue, labels, 1 - verdict.quality.astype(float), rows["image_id"].to_numpy(str)).to_numpy(int)
        order = np.argsort(rank)
        order = order[~rows["kind"].isin(GARBAGE).to_numpy()[order]]
        self.flags = flags.iloc[order].reset_index(drop=True)  # in the order of the queue
        self.given, self.true, self.suggested = (self.classes.encode(self.flags[column]) for column in ("given", "true_label", "suggested"))
        self.images = self.flags["image_id"].tolist()
        self.probs = probabilities_of_flags(self.flags, pd.Index(self.images), self.classes)

    def readers(self, kind: str, seed: int) -> np.ndarray:
        """int [N, M]: the class that each reader would name."""
        rng, n, k = np.random.default_rng(seed), len(self.true), len(self.classes.names)
        hard = np.where(self.flags["kind"] == "hard", HARD, 1)
        difficulty = rng.gamma(1.0, 1.0, n) * hard if kind == "alike" else np.ones(n)
        other = (self.true + rng.integers(1, k, n)) % k
        look_alike = np.select([self.suggested != self.true, self.given != self.true], [self.suggested, self.given], other)
        answers = []
        for error in ERRORS:
            wrong = (self.true + rng.integers(1, k, n)) % k
            if kind == "alike":
                wrong = np.where(rng.random(n) < ALIKE, look_alike, wrong)
            answers.append(np.where(rng.random(n) < np.minimum(error * difficulty, MOST), wrong, self.true))
        return np.stack(answers, axis=1)


Policy = Callable[[Study, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def ours(study: Study, rows: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(the rows in the order in which they are asked, the class of each that is concluded now, by `review.rule: model` of one reader or
    more; of what it decides nothing of, the label given)."""
    names = np.append(np.array(study.classes.names, dtype=object), np.nan)
    said = names[np.where(np.isfinite(labels), labels, len(names) - 1).astype(int)]
    read = np.isfinite(labels).any(axis=1)
    opinions = pd.DataFrame(said[read], index=[study.images[row] for row in rows[read]])
    place, concluded = {study.images[row]: at for at, row in enumerate(rows)}, study.given[rows].copy()
    decided = model(opinions, opinions, study.flags, study.classes)
    decided = decided[decided != UNDECIDED]
    concluded[[place[image] for image in decided.index]] = study.classes.encode(decided)
    order = next_to_ask(list(place), opinions, study.flags, study.classes)
    return np.array([place[image] for image in order]), concluded


def activelab_and_crowdlab(study: Study, rows: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As `ours`. Of a photo that nobody read the label given is concluded, and while none has two answers, the one there is."""
    read, probs = np.isfinite(labels).any(axis=1), study.probs[rows]
    concluded, scores = study.given[rows].copy(), probs.max(axis=1)
    if read.any():
        known = labels[read][:, np.isfinite(labels).any(axis=0)]
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            again, unread = get_active_learning_scores(known, probs[read], probs[~read] if not read.all() else None)
            if (np.isfinite(known).sum(axis=1) > 1).any():
                table = get_label_quality_multiannotator(known, probs[read], return_annotator_stats=False, verbose=False)["label_quality"]
                concluded[read] = table["consensus_label"].to_numpy(int)
            else:
                concluded[read] = np.nanmax(known, axis=1)
        scores[read], scores[~read] = again, unread
    return np.argsort(scores, kind="stable"), concluded


def until_as_good(study: Study, rows: np.ndarray, said: np.ndarray, policy: Policy, as_good: float, seed: int) -> tuple[float, float]:
    """(the share of three answers a row after which the accuracy stays at `as_good` or above, the accuracy when all are spent)."""
    rng, labels = np.random.default_rng(seed), np.full((len(rows), said.shape[1]), np.nan)
    batch, curve = max(1, 3 * len(rows) // STEPS), []
    while True:
        order, concluded = policy(study, rows, labels)
        spent = int(np.isfinite(labels).sum())
        curve.append((spent / (3 * len(rows)), float((concluded == study.true[rows]).mean())))
        if spent >= 3 * len(rows):
            break
        open_to = order[~np.isfinite(labels[order]).all(axis=1)]
        for at in open_to[:batch]:
            reader = rng.choice(np.flatnonzero(np.isnan(labels[at])))
            labels[at, reader] = said[rows[at], reader]
    below = [place for place, (_, accuracy) in enumerate(curve) if accuracy < as_good]
    reached = curve[below[-1] + 1][0] if below and below[-1] + 1 < len(curve) else (1.0 if below else 0.0)
    return reached, curve[-1][1]


def of_three(said: np.ndarray, classes: int, seed: int) -> tuple[np.ndarray, float]:
    """(the majority of three readers drawn for each row, the first of them where all differ; the share of their answers that are needed
    where the third is asked only if two differ)."""
    rng = np.random.default_rng(seed)
    three = np.stack([row[rng.permutation(len(row))[:3]] for row in said])
    counts = (three[:, :, None] == np.arange(classes)).sum(axis=1)
    majority = np.where(counts.max(axis=1) > 1, counts.argmax(axis=1), three[:, 0])
    return majority, float(np.where(three[:, 0] == three[:, 1], 2, 3).mean() / 3)


def found(study: Study, said: np.ndarray, seed: int) -> tuple[float, float]:
    """(wrong labels that single answers for the first rows of the queue replace by the true one, over those of as many rows drawn at
    random; the share of all wrong labels they are)."""
    rng, count = np.random.default_rng(seed), round(BUDGET * len(study.true))
    answer = said[np.arange(len(said)), rng.integers(said.shape[1], size=len(said))]
    mended = (study.given != study.true) & (answer == study.true)
    return float(mended[:count].sum() / max(mended.mean() * count, 1e-9)), float(mended[:count].sum() / (study.given != study.true).sum())


def main() -> None:
    options = options_of(__doc__)
    seeds = []
    for seed, (source, rows) in enumerate(sources(options)):
        study = Study(source, rows, options.quick)
        queue = np.arange(len(study.true) // 5)
        for kind in ("alike", "apart"):
            said = study.readers(kind, seed)
            majority, two = of_three(said[queue], len(study.classes.names), seed)
            as_good = float((majority == study.true[queue]).mean())
            reached, end = until_as_good(study, queue, said, ours, as_good, seed)
            peer, peer_end = until_as_good(study, queue, said, activelab_and_crowdlab, as_good, seed)
            times, share = found(study, said, seed)
            seeds.append(
                {"readers": kind, "rows": len(study.true), "wrong": float((study.given != study.true).mean()),
                 "given_right": float((study.given == study.true)[queue].mean()), "majority_of_three": as_good, "reached": reached,
                 "reached_activelab": peer, "reached_two_agree": two, "right_at_the_end": end, "right_at_the_end_activelab": peer_end,
                 "found_over_random": times, "found_of_all": share}
            )  # fmt: skip
    table = pd.DataFrame(seeds)
    print(table.T.round(3).to_string())
    name = options.name or "-".join(filter(None, [options.source.partition(":")[0], options.noise]))
    record(
        "readers" if name == "phantom" else f"readers-{name}", float(table["reached"].mean()),
        {"activelab": float(table["reached_activelab"].mean()), "two_agree": float(table["reached_two_agree"].mean())},
        "share of three answers a photo", 1.0, ("cleanlab", "torch", "scikit-learn"),
        ratio=min(GOAL / max(float(table["reached"].max()), 1e-9), float(table["found_over_random"].min()) / FOUND_GOAL),
        keep=not options.quick, reached_goal=GOAL, found_goal=FOUND_GOAL, seeds=table.round(4).to_dict("records"),
    )  # fmt: skip


if __name__ == "__main__":
    main()
