"""Two recipes of three seeds each on 15,561 test images of 25 target classes and `other`: every headline and per-class score with its
interval over patients and trainings, advice and page included.

Peer: the obvious loop, which draws patients and calls scikit-learn's metrics on the rows of each of 10,000 draws. It is measured on fewer
draws, and scaled. Goal: 20 times as fast, under 30 s and 2 GB.
"""

import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from harness import apart, contestant, median_of, record, seconds
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, top_k_accuracy_score

from dermlab.verdict.judge import judge
from dermlab.verdict.question import Question
from dermlab.verdict.tested import Run
from dermlab.verdict.views import write_html, write_json

DRAWS, PEER_DRAWS, RUNS, MOST_SECONDS, MOST_GB = 10_000, 5, 6, 30, 2.0
ROWS, CLASSES, PATIENTS = 15_561, 25, 9_000


def runs(quick: bool) -> list[Run]:
    """The same images, labels and patients for all; a long tail of 200 : 1."""
    world = np.random.default_rng(17)
    rows, patients = (1_500, 900) if quick else (ROWS, PATIENTS)
    odds = np.append(200 ** -(np.arange(CLASSES) / (CLASSES - 1)), 0.5)
    labels = world.choice(CLASSES + 1, rows, p=odds / odds.sum())
    names = np.array([*(f"class {k:02d}" for k in range(CLASSES)), "other"])
    frame = pd.DataFrame({"image_id": [f"{i:06d}" for i in range(rows)]})
    frame["patient_id"] = [f"p{p}" for p in world.integers(patients, size=rows)]
    frame["diagnosis"] = frame["label"] = names[labels]
    counts = {name: int(20_000 * share) for name, share in zip(names[:-1], odds, strict=False)}
    found = []
    for number in range(RUNS):
        logits = np.random.default_rng(number).normal(0, 1, (rows, CLASSES + 1)).astype(np.float32)
        logits[np.arange(rows), labels] += 2.2 + 0.1 * (number >= RUNS // 2)
        probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        table = pd.concat([frame, pd.DataFrame(probs, columns=[f"prob_{name}" for name in names])], axis=1)
        params = {"variant": "baseline" if number < RUNS // 2 else "cleaned", "seed": number % (RUNS // 2)}
        found.append(Run(f"run {number}", table, params, counts))
    return found


def ours(quick: bool) -> dict:
    compared = runs(quick)

    def work() -> None:
        verdict = judge(compared, Question())
        with tempfile.TemporaryDirectory() as folder:
            write_html(verdict, Path(folder) / "page.html")
            write_json(verdict, Path(folder) / "page.json")

    return {"seconds": seconds(work)}


def scikit_learn(quick: bool) -> dict:
    """Seconds of all draws, from those of a few."""
    compared = runs(quick)
    first = compared[0].predictions
    kept = (first["label"] != "other").to_numpy()
    labels = pd.Categorical(first["label"][kept], [f"class {k:02d}" for k in range(CLASSES)]).codes
    rows_of = list(first[kept].reset_index(drop=True).groupby("patient_id").indices.values())
    probs = [run.predictions.filter(like="prob_")[kept].to_numpy(float)[:, :-1] for run in compared]
    random = np.random.default_rng(17)
    warnings.filterwarnings("ignore", message="y_pred contains classes not in y_true")  # a draw without a rare class

    def draw() -> None:
        at = np.concatenate([rows_of[patient] for patient in random.integers(len(rows_of), size=len(rows_of))])
        for table in probs:
            truth, scores = labels[at], table[at]
            scores = scores / scores.sum(1, keepdims=True)
            predicted = scores.argmax(1)
            accuracy_score(truth, predicted)
            top_k_accuracy_score(truth, scores, k=3, labels=range(CLASSES))
            balanced_accuracy_score(truth, predicted)
            f1_score(truth, predicted, labels=range(CLASSES), average=None, zero_division=0)
            f1_score(truth, predicted, labels=range(CLASSES), average="macro", zero_division=0)

    draws = 1 if quick else PEER_DRAWS
    draw()
    return {"seconds": seconds(lambda: [draw() for _ in range(draws)]) / draws * (200 if quick else DRAWS)}


def main() -> None:
    options = contestant(__doc__, {"ours": ours, "scikit_learn": scikit_learn})
    if options is None:
        return
    results = apart(__file__, ("ours", "scikit_learn"), options)
    mine, peer = (median_of(results[name], "seconds") for name in ("ours", "scikit_learn"))
    peak = {name: median_of(of, "peak_gb") for name, of in results.items()}
    record(
        "compare", mine, {"scikit_learn": peer}, "s", 20, ("numpy", "scikit-learn"), ratio=peer / mine, keep=not options.quick,
        seconds_ok=mine < MOST_SECONDS, peak_gb=peak, memory_ok=peak["ours"] < MOST_GB, peer_draws=PEER_DRAWS,
    )  # fmt: skip


if __name__ == "__main__":
    main()
