"""Figures for a paper of whom a model serves, and at what harm: drawn of metrics/evaluate.json, in the style of `predict.figures`."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dermlab.report.gaps import worst

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMN = 3.3  # inches: one column of a journal
LEAST = 0.01  # net benefit that a plot has room for
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#666666"  # of Okabe and Ito's colours


def decision(metrics: Mapping[str, Any]) -> "Figure | None":
    """Net benefit over the threshold, a panel a group of classes: the model with its interval, everybody, nobody. None without groups."""
    from matplotlib.figure import Figure

    groups = [group for group in metrics.get("groups", {}).get("photo", []) if group.get("curve")]
    if not groups:
        return None
    figure = Figure(figsize=(COLUMN, 0.3 + 1.7 * len(groups)))
    plots = figure.subplots(len(groups), 1, sharex=True, squeeze=False)[:, 0]
    for plot, group in zip(plots, groups, strict=True):
        curve = group["curve"]
        x = [100 * point["threshold"] for point in curve]
        best = max(point["net_benefit"] for point in curve)
        if all(point["interval"] for point in curve):
            low, high = ([point["interval"][end] for point in curve] for end in (0, 1))
            plot.fill_between(x, low, high, color=BLUE, alpha=0.15, linewidth=0)
            best = max(best, *high)
        best = max(best, LEAST)  # of what is rare and badly told none is above zero
        plot.plot(x, [point["treat_all"] for point in curve], color=GREY, linestyle="--", linewidth=0.8, label="Everybody")
        plot.axhline(0, color=GREY, linewidth=0.8, label="Nobody")
        plot.plot(x, [point["net_benefit"] for point in curve], color=BLUE, label="Model (95 % interval)")
        plot.set(ylabel=f"Net benefit, {group['group']}", xlim=(0, 50), ylim=(-0.15 * best, 1.05 * best))
    plots[0].legend(frameon=False)
    plots[-1].set(xlabel="Threshold, %")
    return figure


def gaps(metrics: Mapping[str, Any]) -> "Figure | None":
    """Of each attribute the group of patients with the widest gap, with its interval. None where no interval tells any."""
    from matplotlib.figure import Figure

    rows = [row for row in worst(metrics.get("gaps", {})) if row["interval"]]
    if not rows:
        return None
    figure = Figure(figsize=(COLUMN, 0.6 + 0.18 * len(rows)))
    plot = figure.subplots()
    plot.axvline(0, color=GREY, linewidth=0.7, linestyle="--")
    for place, row in enumerate(rows):
        ink = ORANGE if row["interval"][0] > 0 else BLUE
        plot.plot([100 * end for end in row["interval"]], [place, place], color=ink, linewidth=0.9)
        plot.plot(100 * row["gap"], place, color=ink, marker="o", markersize=3)
    names = [f"{row['by']}: {row['group']} ({row['patients']})".replace("_", " ") for row in rows]
    plot.set_yticks(range(len(rows)), names, fontsize=5.5)
    plot.set(xlabel="Gap, points of top-1", ylim=(len(rows) - 0.4, -0.6))
    plot.tick_params(axis="y", length=0)
    plot.grid(axis="x", color="#dddddd", linewidth=0.4)
    plot.set_axisbelow(True)
    return figure


HARM_FIGURES: dict[str, Callable[[Mapping[str, Any]], "Figure | None"]] = {"decision": decision, "gaps": gaps}
