"""All that `flag` does with features but to find copies: ours against plain cleanlab on scikit-learn's out-of-fold probabilities.

120,000 rows x 1,152 float16 features, 26 classes with a long tail. Ours chooses the penalty, fits three draws of the folds twice, finds
20 neighbours of each row, measures the noise and judges; cleanlab's side is one draw with a given penalty and `find_label_issues`.
Goal: at most 120 s on two cores. Each contestant runs in a process of its own.
"""

import numpy as np
from harness import apart, contestant, median_of, record, seconds
from oof import CLASSES, FOLDS, L2, task

from dermlab.flag.neighbours import nearest, votes
from dermlab.flag.probabilities import out_of_fold_probabilities, power_normalised
from dermlab.flag.verdict import posterior

GOAL_SECONDS = 120


def ours(quick: bool) -> dict:
    features, labels, _ = task(quick)
    people = (np.arange(len(labels)) // 2).astype(str)
    took: dict[str, float] = {}
    made: dict[str, object] = {}

    def timed(name: str, work) -> None:
        took[name] = seconds(lambda: made.update({name: work()}))

    def probabilities() -> object:
        return out_of_fold_probabilities(power_normalised(features), labels, people, CLASSES, None, FOLDS, 3, 17)

    timed("probabilities", probabilities)
    timed("neighbours", lambda: votes(nearest(features, 20, people)[0], labels, CLASSES))
    known = np.ones(len(labels), dtype=bool)
    timed("verdict", lambda: posterior(labels, made["probabilities"], made["neighbours"], people, known, 0.8))
    return {"seconds": sum(took.values()), **{f"{name}_seconds": round(value, 1) for name, value in took.items()}}


def cleanlab(quick: bool) -> dict:
    from cleanlab.filter import find_label_issues
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features, labels, folds = task(quick)
    features = features.astype(np.float32)
    splits = [(np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)) for fold in range(FOLDS)]
    model = make_pipeline(StandardScaler(copy=False), LogisticRegression(C=1 / L2))

    def judge() -> None:
        probs = cross_val_predict(model, features, labels, cv=splits, method="predict_proba")
        find_label_issues(labels, probs, n_jobs=1)

    return {"seconds": seconds(judge)}


def main() -> None:
    options = contestant(__doc__, {"ours": ours, "cleanlab": cleanlab})
    if options is None:
        return
    results = apart(__file__, ["ours", "cleanlab"], options)
    took = {name: median_of(of, "seconds") for name, of in results.items()}
    parts = {name: median_of(results["ours"], name) for name in ("probabilities_seconds", "neighbours_seconds", "verdict_seconds")}
    record(
        "judge", took["ours"], {"cleanlab on scikit-learn": took["cleanlab"]}, "s", 1.0, ("torch", "scikit-learn", "cleanlab"),
        ratio=took["cleanlab"] / took["ours"], keep=not options.quick, goal_seconds=GOAL_SECONDS, **parts,
        peak_gb={name: median_of(of, "peak_gb") for name, of in results.items()},
    )  # fmt: skip


if __name__ == "__main__":
    main()
