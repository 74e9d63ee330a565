"""The figures of a run for a paper, each as PDF and SVG: vectors with their fonts inside, one column wide, told apart without colour vision
too, without a title, for which a paper has the caption. The same predictions give the same bytes.

All are drawn from data/predictions.parquet, and from metrics/evaluate.json: classes, groups, counts and scores alone, no image and no
patient.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dermlab.data.json_files import read_json
from dermlab.data.tables import PREDICTIONS, read_table
from dermlab.predict.harm_figures import HARM_FIGURES
from dermlab.predict.tables import write_tables
from dermlab.report.params import Params
from dermlab.report.scored import ClassScores, Scored, score_predictions
from dermlab.run import paths
from dermlab.run.files import atomic_path
from dermlab.run.params import read_params
from dermlab.scores.calibration import calibration_bins, expected_calibration_error
from dermlab.scores.counts import confusion
from dermlab.scores.one_vs_rest import one_vs_rest, precision_recall
from dermlab.scores.tiers import coverage_curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMN, PAGE = 3.3, 6.9  # inches: one column of a journal, and both
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#666666"  # of Okabe and Ito's colours
SHADES = (0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1)  # of a row: the steps are finer where the confusions of a long tail lie
WRITTEN = 12  # classes up to which the confusion matrix has room for numbers
ACROSS = 5  # small plots in a row
STYLE = {
    "font.family": "DejaVu Sans", "font.size": 7, "axes.labelsize": 7, "xtick.labelsize": 6, "ytick.labelsize": 6, "legend.fontsize": 6,
    "axes.linewidth": 0.5, "xtick.major.width": 0.5, "ytick.major.width": 0.5, "xtick.major.size": 2, "ytick.major.size": 2,
    "lines.linewidth": 1.0, "axes.spines.top": False, "axes.spines.right": False, "figure.constrained_layout.use": True,
    "pdf.fonttype": 42, "svg.fonttype": "path", "svg.hashsalt": "dermlab",
}  # fmt: skip
UNDATED = {"pdf": {"CreationDate": None, "Creator": None, "Producer": None}, "svg": {"Date": None, "Creator": None}}


def write_figures(folder: Path) -> list[Path]:
    """The files written, figures first and then tables, of the run that lies in the working directory. Raises ContractError where there are
    no predictions."""
    import matplotlib

    params = read_params(Params)
    found = score_predictions(read_table(paths.PREDICTIONS, PREDICTIONS), {}, params.evaluate.bootstrap, params.seed)
    evaluated = paths.metrics_of("evaluate")
    metrics = read_json(evaluated) if evaluated.exists() else {}
    written = []
    with matplotlib.rc_context(STYLE):
        drawn = {name: draw(found, params.evaluate.ece_bins) for name, draw in FIGURES.items()}
        drawn |= {name: figure for name, draw in HARM_FIGURES.items() if (figure := draw(metrics))}
        for name, figure in drawn.items():
            for kind, metadata in UNDATED.items():
                path = folder / f"{name}.{kind}"
                with atomic_path(path) as unfinished:
                    figure.savefig(unfinished, format=kind, metadata=metadata)
                written.append(path)
    return written + write_tables(found, metrics, folder)


def confusion_matrix(found: Scored, bins: int) -> "Figure":
    """Rows true, columns predicted, the commonest class first; columns bear the numbers of the rows. The shade is the share of the row."""
    from matplotlib import colormaps
    from matplotlib.colors import BoundaryNorm

    classes = _by_support(found)
    order, names = [place for place, _ in classes], [row.name for _, row in classes]
    counts = confusion(found.labels, found.probs.argmax(axis=1), len(found.classes))[np.ix_(order, order)]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, plot = _figure(COLUMN, 2.9)
    mesh = plot.pcolormesh(shares, cmap=colormaps["Blues"], norm=BoundaryNorm(SHADES, 256), edgecolor="white", linewidth=0.3)
    small = 6 if len(names) <= WRITTEN else 4.5
    numbers = np.arange(1, len(names) + 1)
    plot.set(xlabel="Predicted", ylabel="True")
    plot.invert_yaxis()
    plot.set_xticks(numbers - 0.5, numbers, fontsize=small, rotation=0 if len(names) <= WRITTEN else 90)
    lines = [_in_two_lines(name) if len(names) <= WRITTEN else name for name in names]
    plot.set_yticks(numbers - 0.5, [f"{name}  {number}" for name, number in zip(lines, numbers, strict=True)], fontsize=small)
    plot.tick_params(length=0, pad=1.5)
    plot.spines[:].set_visible(False)
    if len(names) <= WRITTEN:
        for at, share in np.ndenumerate(shares):
            if counts[at]:
                ink = "white" if share > 0.5 else "black"
                plot.text(at[1] + 0.5, at[0] + 0.5, f"{100 * share:.0f}", ha="center", va="center", fontsize=5, color=ink)
    bar = figure.colorbar(mesh, ax=plot, location="bottom", shrink=0.9, aspect=30, pad=0.02, spacing="uniform", ticks=SHADES)
    bar.set_label("Share of the true class, %", size=6)
    bar.ax.set_xticklabels([f"{100 * shade:.0f}" for shade in SHADES], fontsize=5)
    bar.outline.set_linewidth(0.3)
    return figure


def reliability(found: Scored, bins: int) -> "Figure":
    """Accuracy over confidence, and below how many photos have that confidence."""
    rows = calibration_bins(found.labels, found.probs, bins)
    figure, (plot, below) = _figure(COLUMN, 3.4, 2, 1, sharex=True, height_ratios=(3.5, 1))
    plot.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=0.7, label="As right as it is sure")
    ece = expected_calibration_error(rows)
    confidence, accuracy = ([row[name] for row in rows] for name in ("confidence", "accuracy"))
    plot.plot(confidence, accuracy, color=BLUE, marker="o", markersize=3, clip_on=False, label=f"Model (ECE {ece:.3f})")
    plot.set(ylabel="Right, %", xlim=(0, 1), ylim=(0, 1))
    plot.legend(frameon=False)
    heights = [row["rows"] for row in rows]
    below.bar([row["low"] for row in rows], heights, width=1 / bins, align="edge", color=BLUE, edgecolor="white", linewidth=0.3)
    below.set(xlabel="Confidence, %", ylabel="Photos")
    _in_percent(plot.yaxis, below.xaxis)
    return figure


def f1_per_class(found: Scored, bins: int) -> "Figure":
    """F1 with its 95 % interval over patients, hollow where there are too few of them; the commonest class on top, photos in brackets."""
    classes = [row for _, row in _by_support(found)]
    figure, plot = _figure(COLUMN, 0.55 + 0.13 * len(classes))
    for place, row in enumerate(classes):
        if row.f1_bounds:
            plot.plot(row.f1_bounds, [place, place], color=BLUE, linewidth=0.9)
        if row.support:
            known = {} if row.f1_bounds else {"markerfacecolor": "white"}
            plot.plot(row.f1, place, color=BLUE, marker="o", markersize=3, markeredgewidth=0.7, clip_on=False, **known)
    plot.set_yticks(range(len(classes)), [f"{row.name} ({row.support})" for row in classes], fontsize=5.5)
    plot.set(xlabel="F1 (95 % interval)", xlim=(0, 1), ylim=(len(classes) - 0.4, -0.6))
    plot.tick_params(axis="y", length=0)
    plot.grid(axis="x", color="#dddddd", linewidth=0.4)
    plot.set_axisbelow(True)
    return figure


def coverage(found: Scored, bins: int) -> "Figure":
    """Accuracy when only the most confident photos are answered."""
    points = coverage_curve(found.labels, found.probs, 100)
    figure, plot = _figure(COLUMN, 2.3)
    plot.plot([point["coverage"] for point in points], [point["accuracy"] for point in points], color=BLUE)
    plot.set(xlabel="Photos answered, the most confident first, %", ylabel="Of them right, %", xlim=(0, 1))
    plot.grid(color="#dddddd", linewidth=0.4)
    _in_percent(plot.xaxis, plot.yaxis)
    return figure


def precision_recall_per_class(found: Scored, bins: int) -> "Figure":
    """Each class against the others, both columns wide; the dashed line is chance."""
    classes = [(place, row) for place, row in _by_support(found) if 0 < row.support < len(found.labels)]
    against = one_vs_rest(found.labels, found.probs)
    across = min(ACROSS, max(len(classes), 1))
    down = max(-(-len(classes) // across), 1)
    figure, plots = _figure(PAGE, 0.4 + 1.3 * down, down, across, sharex=True, sharey=True, squeeze=False)
    for plot in plots.flat[len(classes) :]:
        plot.set_visible(False)
    for plot, (place, row) in zip(plots.flat, classes, strict=False):
        plot.axhline(against[place]["prevalence"], color=GREY, linestyle="--", linewidth=0.6)
        plot.plot(
            *_corners(precision_recall(found.labels == place, found.probs[:, place], len(found.labels) + 1)), color=BLUE, linewidth=0.9
        )
        plot.set(xlim=(0, 1), ylim=(0, 1.02), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
        plot.set_title(_in_two_lines(row.name), fontsize=6, pad=2)
        plot.text(0.97, 0.95, f"AP {against[place]['average_precision']:.2f}", fontsize=5.5, ha="right", va="top", transform=plot.transAxes)
    figure.supxlabel("Recall", fontsize=7)
    figure.supylabel("Precision", fontsize=7)
    return figure


FIGURES: dict[str, Callable[[Scored, int], "Figure"]] = {
    "confusion": confusion_matrix,
    "calibration": reliability,
    "f1": f1_per_class,
    "coverage": coverage,
    "precision-recall": precision_recall_per_class,
}


def _figure(width: float, height: float, *grid: int, **asked) -> tuple["Figure", "Axes | np.ndarray"]:
    """Without pyplot, which would keep it and ask for a screen."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    return figure, figure.subplots(*grid, **asked)


def _by_support(found: Scored) -> list[tuple[int, ClassScores]]:
    """(label, class), the commonest of the test split first."""
    return sorted(enumerate(found.classes), key=lambda pair: (-pair[1].support, pair[0]))


def _corners(line: list[tuple[float, float]]) -> np.ndarray:
    """float [2, M]: of every recall its first and last point, of a recall of 1 the first alone, where the others say nothing more."""
    recall, precision = np.array(line).T
    steps = np.diff(recall) > 0
    kept = np.append(True, steps) | np.append(steps, False)
    return np.stack([recall[kept], precision[kept]])


def _in_percent(*axes) -> None:
    for axis in axes:
        axis.set_major_formatter(lambda share, _: f"{100 * share:.0f}")


def _in_two_lines(name: str, most: int = 22) -> str:
    if len(name) <= most or " " not in name:
        return name
    spaces = [at for at, letter in enumerate(name) if letter == " "]
    middle = min(spaces, key=lambda at: abs(at - len(name) / 2))
    return f"{name[:middle]}\n{name[middle + 1 :]}"
