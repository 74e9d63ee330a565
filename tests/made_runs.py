"""Runs of made-up models on one made-up test split."""

from dataclasses import replace

import numpy as np
import pandas as pd

from dermlab.verdict.judge import Verdict, judge
from dermlab.verdict.question import Question
from dermlab.verdict.tested import Run

TARGETS = ("eczema", "acne", "psoriasis", "tinea", "wart", "post-inflammatory hyperpigmentation")
COUNTS = dict(zip(TARGETS, (90, 50, 40, 30, 20, 10), strict=True))
PARAMS = {"variant": "baseline", "loss": "ce", "seed": 17, "train": {"lr": 0.1}, "report": {"bootstrap": 2000}}


def run(name: str, skill: float, model_seed: int, rows: int = 400, **params) -> Run:
    """The same test images whatever the model: labels and patients come from a seed of their own."""
    world, model = np.random.default_rng(0), np.random.default_rng(model_seed)
    labels = world.choice(len(TARGETS), rows, p=[0.35, 0.2, 0.15, 0.12, 0.1, 0.08])
    patients = world.integers(150, size=rows)
    logits = model.normal(size=(rows, 7))
    logits[np.arange(rows), labels] += skill
    probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    names = [TARGETS[c] for c in labels]
    frame = pd.DataFrame({"image_id": [f"i{i:04d}" for i in range(rows)], "patient_id": [f"p{p}" for p in patients]})
    frame = frame.assign(diagnosis=names, label=names)
    frame[[f"prob_{name}" for name in (*TARGETS, "other")]] = probs.astype(np.float32)
    return Run(name, frame, {**PARAMS, **params}, COUNTS)


def one_hot(run: Run, name: str, right: np.ndarray) -> Run:
    """A model that is right where told, and says `eczema` (or `acne`, of eczema) elsewhere."""
    frame = run.predictions.copy()
    said = np.where(right, frame["label"], np.where(frame["label"] == "eczema", "acne", "eczema"))
    for target in (*TARGETS, "other"):
        frame[f"prob_{target}"] = (said == target).astype(np.float32)
    return replace(run, name=name, predictions=frame)


BASE = run("base", 1.5, 1)


def judged(*runs: Run, **question) -> Verdict:
    """The first is the baseline."""
    return judge(runs, Question(**question))
