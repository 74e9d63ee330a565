"""Figures as inline SVG: no drawing library to load, text stays text, and colours follow the page's light or dark theme.

Colours are classes of the page's style sheet (`hit`, `miss`, `better`, `worse`, `apart`, `axis`, `grid`).
"""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup, escape

CELL = 24  # pixels of a confusion matrix's cell
CHARACTER, LINE = 6.3, 12  # pixels, of 11 px text


def confusion(classes: Sequence[str], counts: Sequence[Sequence[int]], marked: Sequence[str] = ()) -> Markup:
    """Row-normalised confusion matrix: rows true, columns predicted, per cent written where it is 5 or more. `counts`:
    [K, K]; `marked`: classes whose names carry a star."""
    counts = np.asarray(counts, float)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    lines = [textwrap.wrap(name, 32, max_lines=2, placeholder=" …") for name in classes]
    lines = [[*of_name[:-1], f"{of_name[-1]} *"] if name in marked else of_name for name, of_name in zip(classes, lines, strict=True)]
    margin = 30 + CHARACTER * max(len(line) for of_name in lines for line in of_name)
    # Column names stand at 55 degrees: they rise by sin 55 of their length and run out to the right by cos 55.
    above, beyond = 34 + margin * 0.78, margin * 0.5
    side = CELL * len(classes)
    out = [_open(margin + side + beyond, above + side + 8, "Confusion matrix, rows sum to 100 %", least=0.62)]
    out.append(f'<text class="axis" x="{margin - 8:.0f}" y="{above - 10:.0f}" text-anchor="end">true ↓  predicted →</text>')
    for i, (name, of_name) in enumerate(zip(classes, lines, strict=True)):
        shift = LINE * (len(of_name) - 1) / 2
        middle, x = above + CELL * (i + 0.5) + 4 - shift, margin + CELL * (i + 0.5) + 4 - shift
        out.append(f'<text y="{middle:.0f}" text-anchor="end">{_in_lines(name, of_name, margin - 8)}</text>')
        out.append(f'<text transform="translate({x:.0f} {above - 8:.0f}) rotate(-55)">{_in_lines(name, of_name, 0)}</text>')
    out.append(f'<rect class="frame" x="{margin:.0f}" y="{above:.0f}" width="{side}" height="{side}"/>')
    for i, j in np.ndindex(shares.shape):
        if not counts[i, j]:
            continue
        value, x, y = shares[i, j], margin + CELL * j, above + CELL * i
        told = f"{classes[i]} predicted as {classes[j]}: {counts[i, j]:.0f} of {counts[i].sum():.0f} ({100 * value:.0f} %)"
        kind = "hit" if i == j else "miss"
        shade = 0.06 + 0.94 * value**0.7  # small shares must still be seen
        out.append(
            f'<rect class="{kind}" x="{x:.0f}" y="{y:.0f}" width="{CELL - 1}" height="{CELL - 1}" fill-opacity="{shade:.2f}">'
            f"<title>{escape(told)}</title></rect>"
        )
        if value >= 0.05:
            ink = "on" if shade > 0.55 else "cell"
            at = f'x="{x + CELL / 2 - 0.5:.0f}" y="{y + CELL / 2 + 3:.0f}"'
            out.append(f'<text class="{ink}" {at} text-anchor="middle">{100 * value:.0f}</text>')
    return _close(out)


def _in_lines(name: str, lines: Sequence[str], x: float) -> str:
    """A name in as many lines, below each other from x on; the whole of it where the pointer rests."""
    spans = (f'<tspan x="{x:.0f}" dy="{LINE if place else 0}">{escape(line)}</tspan>' for place, line in enumerate(lines))
    return f"<title>{escape(name)}</title>{''.join(spans)}"


def calibration(bins: Sequence[dict]) -> Markup:
    """Accuracy over confidence, a dot a bin whose area follows its rows; on the diagonal a model is as right as it is sure."""
    left, top, side = 46, 12, 300

    def at(confidence: float, accuracy: float) -> tuple[float, float]:
        return left + side * confidence, top + side * (1 - accuracy)

    out = [_open(left + side + 16, top + side + 44, "Accuracy of the prediction over its confidence", least=0.8)]
    for tick in np.linspace(0, 1, 6):
        (x, _), (_, y) = at(tick, 0), at(0, tick)
        out.append(f'<line class="grid" x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{top + side}"/>')
        out.append(f'<line class="grid" x1="{left}" y1="{y:.1f}" x2="{left + side}" y2="{y:.1f}"/>')
        out.append(f'<text class="axis" x="{x:.1f}" y="{top + side + 16}" text-anchor="middle">{100 * tick:.0f}</text>')
        out.append(f'<text class="axis" x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{100 * tick:.0f}</text>')
    out.append(f'<line class="zero" x1="{left}" y1="{top + side}" x2="{left + side}" y2="{top}"/>')
    most = max((row["rows"] for row in bins), default=1)
    for row in bins:
        (x, y), (_, ideal) = at(row["confidence"], row["accuracy"]), at(0, row["confidence"])
        told = f"{row['rows']} images: confidence {100 * row['confidence']:.0f} %, right {100 * row['accuracy']:.0f} %"
        out.append(f'<line class="stem" x1="{x:.1f}" y1="{ideal:.1f}" x2="{x:.1f}" y2="{y:.1f}"/>')
        radius = 2.5 + 7.5 * (row["rows"] / most) ** 0.5
        out.append(f'<circle class="hit" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"><title>{told}</title></circle>')
    out.append(f'<text class="axis" x="{left + side / 2}" y="{top + side + 36}" text-anchor="middle">confidence, %</text>')
    turned = f"translate(12 {top + side / 2}) rotate(-90)"
    out.append(f'<text class="axis" transform="{turned}" text-anchor="middle">right, %</text>')
    return _close(out)


def precision_recall(line: Sequence[tuple[float, float]], prevalence: float) -> Markup:
    """Precision over recall, both from 0 to 1, for a table's cell; the dashed line is chance."""
    width, height = 96, 48

    def at(recall: float, precision: float) -> str:
        return f"{2 + (width - 4) * recall:.1f},{2 + (height - 4) * (1 - precision):.1f}"

    out = [f'<svg class="strip" viewBox="0 0 {width} {height}" width="{width}" height="{height}" aria-hidden="true">']
    out.append(f'<rect class="frame" x="1" y="1" width="{width - 2}" height="{height - 2}"/>')
    (left, y), (right, _) = (at(x, prevalence).split(",") for x in (0, 1))
    out.append(f'<line class="zero" x1="{left}" y1="{y}" x2="{right}" y2="{y}"/>')
    out.append(f'<polyline class="hit line" points="{" ".join(at(*point) for point in line)}"/>')
    return _close(out)


def balance(points: Sequence) -> Markup:
    """Balanced accuracy over top-1 for each tau, as balance.BalancePoint, with the intervals of the two ends and of the one in use."""
    ends = [points[0], next(point for point in points if point.used), points[-1]]
    xs = [point.top1 for point in points] + [x for point in ends for x in point.top1_bounds or ()]
    ys = [point.balanced for point in points] + [y for point in ends for y in point.balanced_bounds or ()]
    plane = _Plane(xs, ys, "top-1, %", "balanced accuracy, %", "Balanced accuracy over top-1 as the prior is taken out")
    plane.line([(point.top1, point.balanced) for point in points])
    for point in points:
        x, y = plane.at(point.top1, point.balanced)
        kind, radius = ("hit", 6) if point.used else ("apart", 3.5)
        if point in ends and point.top1_bounds and point.balanced_bounds:
            (west, _), (east, _) = (plane.at(bound, 0) for bound in point.top1_bounds)
            (_, south), (_, north) = (plane.at(0, bound) for bound in point.balanced_bounds)
            plane.out.append(f'<line class="whisker {kind}" x1="{west:.1f}" y1="{y:.1f}" x2="{east:.1f}" y2="{y:.1f}"/>')
            plane.out.append(f'<line class="whisker {kind}" x1="{x:.1f}" y1="{south:.1f}" x2="{x:.1f}" y2="{north:.1f}"/>')
        told = f"tau {point.tau:g}: top-1 {100 * point.top1:.1f} %, balanced accuracy {100 * point.balanced:.1f} %"
        plane.dot(point.top1, point.balanced, kind, radius, told)
    named: list[tuple[float, float]] = []
    for point in (*ends, *(point for point in points if point.tau == 1)):
        x, y = plane.at(point.top1, point.balanced)
        if all(abs(x - across) > 30 or abs(y - down) > 12 for across, down in named):  # no name over another
            named.append((x, y))
            plane.out.append(f'<text x="{x + 9:.1f}" y="{y - 7:.1f}">τ {point.tau:g}</text>')
    return _close(plane.out)


def coverage(points: Sequence[Mapping[str, float]]) -> Markup:
    """Accuracy over coverage, as `scores.tiers.coverage_curve`."""
    known = [(point["coverage"], point["accuracy"]) for point in points]
    ys = [y for _, y in known]
    plane = _Plane([0, 1], ys, "photos answered, %", "of them right, %", "Accuracy when only the most confident are answered", every=0.1)
    plane.line(known)
    for x, y in known:
        plane.dot(x, y, "apart", 3.5, f"the most confident {100 * x:.0f} %: {100 * y:.1f} % right")
    return _close(plane.out)


def decision(points: Sequence[Mapping]) -> Markup:
    """Net benefit over the threshold, as `scores.decisions.decision_curve`: the model with its interval, everybody dashed, nobody at 0."""
    best = max(max(point["net_benefit"], *(point["interval"] or (0,))) for point in points)
    step = next(step for step in (0.005, 0.01, 0.02, 0.05, 0.1, 0.2) if best <= 7 * step or step == 0.2)
    floor = -step
    plane = _Plane([0, 0.5], [floor, best], "threshold, %", "net benefit, a hundred photos", "Net benefit over the threshold", (0.1, step))

    def line(name: str) -> list[tuple[float, float]]:
        return [(point["threshold"], point[name]) for point in points if point[name] >= floor]

    known = [point for point in points if point["interval"]]
    if known:
        edge = [(p["threshold"], p["interval"][1]) for p in known] + [(p["threshold"], p["interval"][0]) for p in reversed(known)]
        plane.area([(x, max(y, floor)) for x, y in edge])
    plane.line([(0, 0), (0.5, 0)], "curve axis-line")
    plane.line(line("treat_all"), "curve zero")
    plane.line(line("net_benefit"), "curve model")
    return _close(plane.out)


def epochs(rows: Sequence[Mapping[str, float]], names: tuple[str, str]) -> Markup:
    """Two shares over the epochs, as `memorised.by_epoch`: `doubted`, called names[0], and `others`, names[1]. A line stands before the
    first epoch of a phase that is not the first."""
    xs = [number / 100 for number in range(1, len(rows) + 1)]  # the plane writes hundredths
    step = 0.01 * -(-len(rows) // 20)
    plane = _Plane([0, *xs], [0, 1], "epoch", "answered with their label, %", "Answered with their label, by epoch", (step, 0.1))
    for x, before, row in zip(xs[1:], rows, rows[1:], strict=False):
        if row["phase"] != before["phase"]:
            (across, top), (_, bottom) = plane.at(x - 0.005, 1), plane.at(x, 0)
            plane.out.append(f'<line class="zero" x1="{across:.1f}" y1="{top:.1f}" x2="{across:.1f}" y2="{bottom:.1f}"/>')
    for part, name, kind in (("doubted", names[0], "miss"), ("others", names[1], "hit")):
        plane.line([(x, row[part]) for x, row in zip(xs, rows, strict=True)])
        for x, row in zip(xs, rows, strict=True):
            plane.dot(x, row[part], kind, 4, f"{name}, epoch {row['epoch']} of phase {row['phase']}: {100 * row[part]:.1f} %")
        across, down = plane.at(xs[-1], rows[-1][part])
        plane.out.append(f'<text x="{across - 8:.1f}" y="{down - 9:.1f}" text-anchor="end">{escape(name)}</text>')
    return _close(plane.out)


class _Plane:
    """Two axes of shares, in per cent, with a grid; `out` is the SVG so far."""

    left, top, width, height = 52, 12, 420, 300

    def __init__(
        self, xs: Sequence[float], ys: Sequence[float], x_name: str, y_name: str, title: str, every: float | tuple[float, float] = 0.05
    ) -> None:
        """`every`: between grid lines, of both axes or of each."""
        steps = every if isinstance(every, tuple) else (every, every)
        (self.low_x, high_x), (self.low_y, high_y) = (
            (np.floor(min(values) / step + 1e-9) * step, np.ceil(max(values) / step - 1e-9) * step)
            for values, step in zip((xs, ys), steps, strict=True)
        )
        self.span_x, self.span_y = max(high_x - self.low_x, steps[0]), max(high_y - self.low_y, steps[1])
        left, top, width, height = self.left, self.top, self.width, self.height
        self.out = [_open(left + width + 16, top + height + 44, title, least=0.7)]  # all of it on a phone
        for x in np.arange(self.low_x, high_x + steps[0] / 5, steps[0]):
            across = self.at(x, 0)[0]
            self.out.append(f'<line class="grid" x1="{across:.1f}" y1="{top}" x2="{across:.1f}" y2="{top + height}"/>')
            self.out.append(f'<text class="axis" x="{across:.1f}" y="{top + height + 16}" text-anchor="middle">{_percent(x)}</text>')
        for y in np.arange(self.low_y, high_y + steps[1] / 5, steps[1]):
            down = self.at(0, y)[1]
            self.out.append(f'<line class="grid" x1="{left}" y1="{down:.1f}" x2="{left + width}" y2="{down:.1f}"/>')
            self.out.append(f'<text class="axis" x="{left - 6}" y="{down + 4:.1f}" text-anchor="end">{_percent(y)}</text>')
        self.out.append(f'<text class="axis" x="{left + width / 2}" y="{top + height + 36}" text-anchor="middle">{x_name}</text>')
        turned = f"translate(12 {top + height / 2}) rotate(-90)"
        self.out.append(f'<text class="axis" transform="{turned}" text-anchor="middle">{y_name}</text>')

    def at(self, x: float, y: float) -> tuple[float, float]:
        across = self.left + self.width * (x - self.low_x) / self.span_x
        return across, self.top + self.height * (1 - (y - self.low_y) / self.span_y)

    def line(self, points: Sequence[tuple[float, float]], kind: str = "curve") -> None:
        self.out.append(f'<polyline class="{kind}" points="{self._joined(points)}"/>')

    def area(self, corners: Sequence[tuple[float, float]]) -> None:
        self.out.append(f'<polygon class="band" points="{self._joined(corners)}"/>')

    def _joined(self, points: Sequence[tuple[float, float]]) -> str:
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in (self.at(*point) for point in points))

    def dot(self, x: float, y: float, kind: str, radius: float, told: str) -> None:
        across, down = self.at(x, y)
        self.out.append(f'<circle class="{kind}" cx="{across:.1f}" cy="{down:.1f}" r="{radius}"><title>{told}</title></circle>')


def glance(rows: Sequence[tuple[str, float, Sequence[float] | None]]) -> Markup:
    """Shares with their intervals, a line each, on one scale of 0 to 100 %: (name, value, interval)."""
    left, top, width, line = 18 + 7.2 * max(len(name) for name, _, _ in rows), 8, 270, 26
    height = line * len(rows)
    told = "; ".join(f"{name} {100 * value:.0f} %" for name, value, _ in rows)
    out = [_open(left + width + 70, top + height + 26, f"At a glance: {told}", least=0.55)]
    for tick in np.linspace(0, 1, 5):
        x = left + width * tick
        out.append(f'<line class="grid" x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{top + height}"/>')
        out.append(f'<text class="axis" x="{x:.1f}" y="{top + height + 16}" text-anchor="middle">{100 * tick:.0f} %</text>')
    for place, (name, value, bounds) in enumerate(rows):
        y = top + line * (place + 0.5)
        out.append(f'<text class="name" x="{left - 12:.0f}" y="{y + 4:.1f}" text-anchor="end">{escape(name)}</text>')
        if bounds is not None:
            west, east = (left + width * end for end in bounds)
            out.append(f'<line class="hit whisker" x1="{west:.1f}" y1="{y:.1f}" x2="{east:.1f}" y2="{y:.1f}"/>')
        out.append(f'<circle class="hit" cx="{left + width * value:.1f}" cy="{y:.1f}" r="5"/>')
        out.append(f'<text class="name" x="{left + width + 14:.0f}" y="{y + 4:.1f}">{100 * value:.1f} %</text>')
    return _close(out)


def interval(value: float, bounds: Sequence[float] | None) -> Markup:
    """A score on a scale of 0 to 1 with its interval, for a table's cell."""
    return _strip(0, 1, value, bounds, "hit", (0, 0.5, 1))


def difference(delta: float, bounds: Sequence[float] | None, verdict: str, reach: float, inner: Sequence[float] | None = None) -> Markup:
    """A difference with its interval on a scale of -reach..reach; the zero line stands in the middle of every cell. `inner`: a part of the
    interval, drawn thick."""
    return _strip(-reach, reach, delta, bounds, {"better": "better", "worse": "worse"}.get(verdict, "apart"), (0,), inner)


def _strip(
    low: float,
    high: float,
    value: float,
    bounds: Sequence[float] | None,
    kind: str,
    marks: Sequence[float],
    inner: Sequence[float] | None = None,
) -> Markup:
    def at(x: float) -> float:
        return 4 + 122 * (min(max(x, low), high) - low) / (high - low)

    out = ['<svg class="strip" viewBox="0 0 130 18" width="130" height="18" aria-hidden="true">']
    out += [f'<line class="{"zero" if x == 0 else "grid"}" x1="{at(x):.1f}" y1="0" x2="{at(x):.1f}" y2="18"/>' for x in marks]
    if bounds is not None:
        out.append(f'<line class="{kind} whisker" x1="{at(bounds[0]):.1f}" y1="9" x2="{at(bounds[1]):.1f}" y2="9"/>')
        if inner is not None:
            ends = at(max(inner[0], bounds[0])), at(min(inner[1], bounds[1]))
            out.append(f'<line class="{kind} whisker inner" x1="{ends[0]:.1f}" y1="9" x2="{ends[1]:.1f}" y2="9"/>')
    if np.isfinite(value):
        out.append(f'<circle class="{kind}" cx="{at(value):.1f}" cy="9" r="4"/>')
    return _close(out)


def _percent(share: float) -> str:
    """Without a digit that says nothing, and without the sign of a zero."""
    return f"{round(100 * share, 1) + 0.0:.1f}".removesuffix(".0")


def _open(width: float, height: float, label: str, least: float) -> str:
    """`least`: the smallest share of its natural width a figure may shrink to; below that its box scrolls."""
    style = f"max-width:{width:.0f}px;min-width:{least * width:.0f}px"
    return f'<svg class="figure" viewBox="0 0 {width:.0f} {height:.0f}" style="{style}" role="img" aria-label="{escape(label)}">'


def _close(parts: list[str]) -> Markup:
    return Markup("".join([*parts, "</svg>"]))
