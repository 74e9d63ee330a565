"""A run's report as one HTML page and as Markdown."""

from dermlab.report.contents import Report
from dermlab.report.render import render
from dermlab.report.sentences import CAUTION

MEANING = {
    "top1": "share of test images whose likeliest class is right",
    "top3": "share whose class is among the three likeliest",
    "macro_f1": "mean F1 of the classes, each counting the same",
    "balanced_accuracy": "mean recall of the classes, each counting the same",
    "rare_recall": "mean recall of the rarest third of the classes",
    "sink_ratio": "how often the commonest class is predicted for each time it occurs; 1 is right",
    "ece": "mean gap between confidence and being right; lower is better",
}


def as_html(report: Report) -> str:
    """Self-contained: inline style and figures, thumbnails as data URIs, nothing fetched from outside."""
    return render("report.html.j2", report=report, caution=CAUTION, meaning=MEANING)


def as_markdown(report: Report) -> str:
    """The same without figures and photos."""
    return render("report.md.j2", report=report, caution=CAUTION, meaning=MEANING)
