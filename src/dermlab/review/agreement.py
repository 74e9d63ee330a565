"""How far readers agree: with each other, with themselves, and with labels that nobody doubts. Intervals are by patient.

What one card asked is one row, however many photos it showed. `drop` is an answer like any class. `cannot tell` is none: such cards are
counted apart, and neither agree nor differ.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd

from dermlab.data.classes import CANNOT_TELL, DROP, Classes
from dermlab.data.reviews import ADJUDICATION, BLIND, first_answer, last_answers, page_of
from dermlab.review.opinions import encoded, is_flagged, opinions_of, probabilities_of_flags
from dermlab.run.progress import progress
from dermlab.scores.agreement import alpha, alpha_sums
from dermlab.scores.bootstrap import MIN_PATIENTS, drawn_weights, interval

RESAMPLES, OF_CROWDLAB = 2000, 100  # a draw of CROWDLAB costs some 40 ms
SEED = 17
CONFUSIONS = 12  # pairs of answers that the page lists


@dataclass(frozen=True)
class Estimate:
    value: float | None  # None where there is nothing to reckon it from
    interval: tuple[float, float] | None  # 95 %, by patient; None with fewer than ten, or where nothing varies
    rows: int  # cards it rests on


@dataclass(frozen=True)
class Reader:
    number: int
    cards: int
    photos: int
    kappa: Estimate  # with all other readers' answers to the same cards
    quality: Estimate  # CROWDLAB's: how often he is likely right, by the other readers and the flags
    itself: Estimate  # share of the cards that were shown twice and answered alike
    undoubted: Estimate  # share of the blind answers that differ from a label that nobody doubts
    cannot_tell: int  # cards
    seconds: float  # median of a card


@dataclass(frozen=True)
class Pair:
    first: int  # numbers of two readers
    second: int
    kappa: Estimate
    same: float  # share of the cards


@dataclass(frozen=True)
class Confusion:
    one: str
    other: str
    times: int  # pairs of readers of a card who differ so
    of: int  # pairs of readers of a card of whom one says one of the two


@dataclass(frozen=True)
class Agreement:
    cards: int  # on which two readers or more could tell
    alpha: Estimate  # Krippendorff's, nominal, over all readers
    readers: tuple[Reader, ...]
    pairs: tuple[Pair, ...]
    confusions: tuple[Confusion, ...]


def agreement(
    answers: pd.DataFrame, catalog: pd.DataFrame, flags: pd.DataFrame | None, classes: Classes, numbers: dict[str, int]
) -> Agreement:
    """answers: of `Record`; flags: None where none were raised, and then nothing is known of undoubted labels. numbers: by reader."""
    cards = _cards(answers[answers["mode"] != ADJUDICATION], catalog)
    last = cards.drop_duplicates(["image_id", "reviewer"], keep="last")
    told, untold = last[last["vote"] != CANNOT_TELL], last[last["vote"] == CANNOT_TELL]
    names = sorted(last["reviewer"].unique(), key=lambda name: numbers.get(name, 0))
    both = {pair: _both(told, *pair) for pair in combinations(names, 2)}
    with progress("agreement", len(both) + 2 * len(names), "estimates") as meter:
        pairs = tuple(
            Pair(numbers[a], numbers[b], _kappa(rows), float((rows["one"] == rows["other"]).mean()))
            for (a, b), rows in meter.track(both.items())
            if len(rows)
        )
        quality = _qualities(answers, catalog, flags, classes, names) if flags is not None else {}
        meter.advance(len(names))
        readers = tuple(
            Reader(
                numbers[name],
                cards=int((cards["reviewer"] == name).sum()),
                photos=int(cards.loc[cards["reviewer"] == name, "photos"].sum()),
                kappa=_kappa(_with_others(both, name)),
                quality=quality.get(name, NOTHING),
                itself=_itself(cards[cards["reviewer"] == name]),
                undoubted=_undoubted(told[told["reviewer"] == name], catalog, flags),
                cannot_tell=int((untold["reviewer"] == name).sum()),
                seconds=float(cards.loc[cards["reviewer"] == name, "seconds"].median()),
            )
            for name in meter.track(names)
        )
    shared = told[told["image_id"].duplicated(keep=False)]
    return Agreement(shared["image_id"].nunique(), _alpha(shared), readers, pairs, _confusions(list(both.values())))


NOTHING = Estimate(None, None, 0)


def _cards(answers: pd.DataFrame, catalog: pd.DataFrame) -> pd.DataFrame:
    """image_id (the card's first), reviewer, page (what its answers have in common), place, mode, vote, seconds, photos, patient_id: a row
    a card that was answered. Of a card of which some photos were called of no use the vote is what was said of the others."""
    votes = last_answers(answers)
    votes = votes.assign(vote=first_answer(votes["answer"]), useless=votes["answer"] == DROP, page=page_of(votes["page"]))
    votes["order"] = np.arange(len(votes))
    by = ["reviewer", "page", "place"]
    said = votes.sort_values(["useless", "order"], kind="stable").drop_duplicates(by)[[*by, "mode", "vote"]]
    whole = votes.groupby(by, sort=False).agg(
        image_id=("image_id", "min"), seconds=("seconds", "sum"), photos=("image_id", "size"), order=("order", "min")
    )
    patients = catalog.set_index("image_id")["patient_id"]
    cards = whole.reset_index().merge(said, on=by, validate="one_to_one").sort_values("order")
    return cards.assign(patient_id=patients.reindex(cards["image_id"]).to_numpy())


def _both(told: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """image_id, patient_id, one, other: the cards of both readers. told: of each reader's last answers, those that tell."""
    one, other = (told[told["reviewer"] == name][["image_id", "patient_id", "vote"]] for name in (first, second))
    joined = one.merge(other[["image_id", "vote"]], on="image_id", suffixes=("", "_other"))
    return joined.rename(columns={"vote": "one", "vote_other": "other"})


def _with_others(both: dict[tuple[str, str], pd.DataFrame], name: str) -> pd.DataFrame:
    """This reader's answers as `one`, another's to the same card as `other`."""
    turned = {"one": "other", "other": "one"}
    rows = [found if pair[0] == name else found.rename(columns=turned) for pair, found in both.items() if name in pair]
    columns = ["image_id", "patient_id", "one", "other"]
    return pd.concat([found[columns] for found in rows]) if rows else pd.DataFrame(columns=columns)


def _kappa(rows: pd.DataFrame) -> Estimate:
    """Cohen's kappa (1960) of the columns `one` and `other`: scikit-learn's, and of resampled patients from its counts, 1 - d / e, where d
    is how often they differ and e how often they would by chance."""
    from sklearn.metrics import cohen_kappa_score

    if not len(rows):
        return NOTHING
    codes, names = pd.factorize(pd.concat([rows["one"], rows["other"]]))
    one, other = codes[: len(rows)], codes[len(rows) :]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where all is of one class there is no kappa, and it is NaN
        value = float(cohen_kappa_score(one, other))
    identity = np.eye(len(names))
    sums = np.concatenate([identity[one], identity[other], (one != other)[:, None]], axis=1)  # how often each says what, and they differ

    def kappas(sums: np.ndarray) -> np.ndarray:
        of_one, of_other, differ = sums[:, : len(names)], sums[:, len(names) : -1], sums[:, -1]
        total = of_one.sum(axis=1)
        return 1 - differ * total / (total**2 - (of_one * of_other).sum(axis=1))

    return _by_patient(rows, sums, kappas, value)


def _share(rows: pd.DataFrame, column: str) -> Estimate:
    """Where all rows are alike no resample differs: then the interval is Clopper and Pearson's (1934), a trial a patient."""
    if not len(rows):
        return NOTHING
    values = rows[column].to_numpy(float)
    sums = np.stack([values, np.ones(len(values))], axis=1)
    found, people = _by_patient(rows, sums, lambda of: of[:, 0] / of[:, 1], float(values.mean())), rows["patient_id"].nunique()
    if found.value not in (0, 1) or people < MIN_PATIENTS:
        return found
    reach = 1 - 0.025 ** (1 / people)
    return replace(found, interval=(0.0, reach) if found.value == 0 else (1 - reach, 1.0))


def _by_patient(rows: pd.DataFrame, sums: np.ndarray, scores: Callable[[np.ndarray], np.ndarray], value: float) -> Estimate:
    """The score `value` and its interval, none where all resamples have one score: patients are drawn with replacement, each with all their
    rows. sums: [N, S], what each row adds
    to the sums that the score is reckoned from; scores: of the sums [R, S] of R draws, [R]."""
    person, people = pd.factorize(rows["patient_id"])
    if not np.isfinite(value):
        return Estimate(None, None, len(rows))
    of_patient = np.zeros((len(people), sums.shape[1]))
    np.add.at(of_patient, person, sums)
    with np.errstate(divide="ignore", invalid="ignore"):  # a draw without such cards has no score
        samples = np.concatenate([scores(weights @ of_patient) for weights in drawn_weights(len(people), RESAMPLES, SEED)])
    between = interval(samples, len(people), value)
    return Estimate(value, between if between and between[0] < between[1] else None, len(rows))


def _alpha(shared: pd.DataFrame) -> Estimate:
    """Krippendorff's alpha of two readers or more a card. shared: image_id, patient_id, vote, a row an answer."""
    if not len(shared):
        return NOTHING
    counts = pd.crosstab(shared["image_id"], shared["vote"])
    patients = shared.drop_duplicates("image_id").set_index("image_id")["patient_id"].reindex(counts.index)
    sums = alpha_sums(counts.to_numpy(float))
    return _by_patient(patients.to_frame(), sums, alpha, float(alpha(sums.sum(axis=0))))


def _itself(cards: pd.DataFrame) -> Estimate:
    """Of one reader's cards: those that a page showed twice, answered alike."""
    told = cards[cards["vote"] != CANNOT_TELL]
    twice = told[told.duplicated(["page", "image_id"], keep=False)]
    alike = twice.groupby(["page", "image_id"]).agg(patient_id=("patient_id", "first"), votes=("vote", "nunique"), times=("vote", "size"))
    return _share(alike[alike["times"] > 1].assign(same=lambda rows: rows["votes"] == 1), "same")


def _undoubted(told: pd.DataFrame, catalog: pd.DataFrame, flags: pd.DataFrame | None) -> Estimate:
    if flags is None:
        return NOTHING
    sure = flags.loc[(flags["issue"] == "none") & flags["review_rank"].isna(), "image_id"]
    rows = told[told["image_id"].isin(sure) & (told["mode"] == BLIND)]
    labels = catalog.set_index("image_id")["label"].reindex(rows["image_id"]).to_numpy()
    return _share(rows.assign(differs=rows["vote"].to_numpy() != labels), "differs")


def _qualities(
    answers: pd.DataFrame, catalog: pd.DataFrame, flags: pd.DataFrame, classes: Classes, names: list[str]
) -> dict[str, Estimate]:
    """CROWDLAB's quality of each reader (Goh et al. 2022), of the photos that have flags and to which two or more named a
    class."""
    from cleanlab.multiannotator import get_label_quality_multiannotator

    opinions = opinions_of(answers)
    labels = encoded(opinions, classes)
    several = (np.isfinite(labels).sum(axis=1) > 1) & is_flagged(opinions.index, flags)
    if not several.any():
        return {}
    opinions, labels = opinions[several], labels[several]
    probs = probabilities_of_flags(flags, opinions.index, classes)
    person, people = pd.factorize(catalog.set_index("image_id")["patient_id"].reindex(opinions.index))
    known = np.isfinite(labels).any(axis=0)

    def qualities(rows: np.ndarray) -> np.ndarray:
        """Of each reader, NaN where the rows hold nothing of him."""
        found, has = np.full(labels.shape[1], np.nan), np.isfinite(labels[rows]).any(axis=0) & known
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            stats = get_label_quality_multiannotator(labels[rows][:, has], probs[rows], return_detailed_quality=False, verbose=False)
        found[has] = stats["annotator_stats"]["annotator_quality"].sort_index().to_numpy()
        return found

    rng = np.random.default_rng(SEED)
    of_person = [np.flatnonzero(person == one) for one in range(len(people))]
    value = qualities(np.arange(len(labels)))
    resamples = OF_CROWDLAB if len(people) >= MIN_PATIENTS else 0
    drawn = (np.concatenate([of_person[one] for one in rng.integers(len(people), size=len(people))]) for _ in range(resamples))
    samples = np.array([qualities(rows) for rows in drawn]).reshape(-1, len(value))
    return {
        name: Estimate(float(value[at]), interval(samples[:, at], len(people), float(value[at])), int(np.isfinite(labels[:, at]).sum()))
        for name in names
        if name in opinions.columns and np.isfinite(value[at := opinions.columns.get_loc(name)])
    }


def _confusions(both: list[pd.DataFrame]) -> tuple[Confusion, ...]:
    rows = pd.concat([found[["one", "other"]] for found in both]) if both else pd.DataFrame(columns=["one", "other"])
    differ = rows[rows["one"] != rows["other"]]
    found = pd.Series([tuple(sorted(pair)) for pair in differ.itertuples(index=False)], dtype=object).value_counts()
    listed = sorted(found.items(), key=lambda item: (-item[1], item[0]))[:CONFUSIONS]
    return tuple(Confusion(one, other, int(times), int(rows.isin([one, other]).any(axis=1).sum())) for (one, other), times in listed)
