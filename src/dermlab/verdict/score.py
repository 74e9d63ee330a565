"""What `dermlab score` says of any model's predictions, as far as they alone can tell."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.table import Table

from dermlab.report.render import SCORE_LABELS, SCORE_MEANINGS, bounds, score
from dermlab.report.scored import Scored, score_predictions
from dermlab.scores.calibration import calibration_bins
from dermlab.scores.counts import confusion
from dermlab.scores.one_vs_rest import one_vs_rest
from dermlab.scores.predictions import UNKNOWN_PATIENTS, knows_patients
from dermlab.verdict.runs import load_predictions

SEED = 17


def score_file(path: Path, bootstrap: int) -> Scored:
    """path: a table as `tables.PREDICTIONS`, whoever made it. Raises ContractError."""
    run = load_predictions(path)
    return score_predictions(run.predictions, run.train_counts, bootstrap, SEED)


def as_tables(found: Scored) -> list[Table]:
    """Headline, and classes by test images; they fit 100 columns."""
    headline = _table("Headline, with 95 % intervals over patients", "score", "value", "95 % interval", "meaning")
    for name, (value, interval) in found.headline.items():
        headline.add_row(SCORE_LABELS[name], score(value), bounds(interval), SCORE_MEANINGS[name])
    classes = _table("Classes", "class", "images", "patients", "precision", "recall", "F1", "95 % interval")
    for row in sorted(found.classes, key=lambda row: (-row.support, row.name)):
        name = f"{row.name} *" if row.rare else row.name
        numbers = [score(row.precision), score(row.recall), score(row.f1), bounds(row.f1_bounds, 2)] if row.support else ["–"] * 4
        classes.add_row(name, f"{row.support:,}", f"{row.patients:,}", *numbers)
    classes.caption = "* rarest third in training"
    return [headline, classes]


def notes(found: Scored) -> list[str]:
    """What has to be said beside the tables."""
    untested = [row.name for row in found.classes if not row.support]
    said = [f"{len(found.rows):,} test images of {found.patients:,} patients; `other` is left out of the ranking."]
    if untested:
        said.append(f"Without a test image, and left out of every mean: {', '.join(untested)}.")
    if not knows_patients(found.rows):
        said.append(UNKNOWN_PATIENTS)
    return said


def as_json(found: Scored, bins: int) -> dict[str, Any]:
    targets = [row.name for row in found.classes]
    against_others = one_vs_rest(found.labels, found.probs)
    said = {
        "images": len(found.rows),
        "patients": found.patients,
        "headline": {name: {"value": value, "interval": interval} for name, (value, interval) in found.headline.items()},
        "classes": {row.name: {**asdict(row), **scores} for row, scores in zip(found.classes, against_others, strict=True)},
        "confusion": {"classes": targets, "matrix": confusion(found.labels, found.probs.argmax(axis=1), len(targets)).tolist()},
        "calibration": calibration_bins(found.labels, found.probs, bins),
    }
    return _with_nulls(said)


def _with_nulls(value: Any) -> Any:
    """Of a class that nobody tested there is no recall: null."""
    if isinstance(value, dict):
        return {key: _with_nulls(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_nulls(item) for item in value]
    return None if isinstance(value, float | np.floating) and not np.isfinite(value) else value


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.title_justify = table.caption_justify = "left"
    for position, name in enumerate(columns):
        table.add_column(name, justify="left" if not position or name == "meaning" else "right", overflow="fold")
    return table
