"""A throwaway repository with two branches whose results differ, and one that brings none."""

import html
import re
import subprocess
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from one_stage import DVC, PARAMS, start_repository

from dermlab.comment import body
from dermlab.comment.body import MARKER, comment_body
from dermlab.run.errors import DermlabError

MAKE = """
import json
from pathlib import Path
import numpy as np
import pandas as pd
from dermlab.data.tables import CATALOG, FLAGS, IMAGES, MANIFEST, PREDICTIONS, write_table
better = "loss: focal" in Path("params.yaml").read_text()
random, n = np.random.default_rng(0), 300
labels = np.where(np.arange(n) % 3 == 0, "wart", "eczema")
right = random.random(n) < 0.6
right |= better & (random.random(n) < 0.5)
of_wart = np.where((labels == "wart") == right, 0.8, 0.1)
ids = [f"i{k:03d}" for k in range(n)]
predictions = pd.DataFrame({"image_id": ids, "patient_id": [f"p{k // 2}" for k in range(n)], "diagnosis": labels, "label": labels})
write_table(Path("data/predictions.parquet"), predictions.assign(prob_wart=of_wart, prob_eczema=0.9 - of_wart, prob_other=0.1), PREDICTIONS)
write_table(Path("data/catalog.parquet"), pd.DataFrame({
    "image_id": ids, "patient_id": ids, "case_id": ids, "diagnosis": labels, "label": labels, "split": "train"}), CATALOG)
write_table(Path("data/images.parquet"), pd.DataFrame({
    "image_id": ids, "width": 1, "height": 1, "sha256": "", "phash": pd.Series([0] * n, dtype="uint64"), "shard": 0, "row": 0}), IMAGES)
write_table(Path("data/manifest.parquet"), pd.DataFrame({
    "image_id": ids, "label": labels, "split": "train", "weight": 1.0, "origin": "kept",
    "labels": None}), MANIFEST)
write_table(Path("data/flags.parquet"), pd.DataFrame({
    "image_id": ids, "given": labels, "suggested": "wart", "suggested_prob": 0.5, "quality": 0.5, "spread": 0.0, "agreement": 0.5,
    "issue": "none", "label_issue": False, "neighbours": [[]] * n, "duplicate_of": None, "outlier_score": 0.0,
    "not_skin_score": 0.0, "leak": False, "protected": False, "review_rank": None}), FLAGS)
Path("metrics").mkdir(exist_ok=True)
Path("metrics/headline.json").write_text(json.dumps({"top1": float(right.mean())}))
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    run = start_repository(folder, MAKE, "metrics/headline.json")
    run(*DVC, "repro", "-q")
    run("git", "add", "-A")
    run("git", "commit", "-qm", "baseline")
    run("git", "switch", "-qc", "words")
    (folder / "notes.txt").write_text("words\n")
    run("git", "add", "-A")
    run("git", "commit", "-qm", "words")
    run("git", "switch", "-qc", "focal", "main")
    (folder / "params.yaml").write_text(PARAMS.replace("ce", "focal", 1))
    run(*DVC, "repro", "-q")
    run("git", "commit", "-qam", "focal")
    return folder


@pytest.fixture(autouse=True)
def within(repository, monkeypatch):
    monkeypatch.chdir(repository)


def test_it_says_the_verdict_with_intervals_and_what_differs():
    text = comment_body("main")
    assert text.startswith(MARKER)
    assert "**HEAD: take it. Top-1 +" in text
    assert "| main " in text
    assert not re.search(r"[0-9a-f]{40}", text)
    assert "<details><summary>Other scores, and F1 per class</summary>" in text
    assert "loss" in text.split("`dvc params diff`")[1]
    assert "top1" in text.split("`dvc metrics diff`")[1]


def test_a_branch_without_other_results_says_so():
    text = comment_body("main", head="words")
    assert "`dvc.lock` is that of `main`: this branch brings no other results." in text


def test_without_the_data_it_says_why_and_shows_what_git_knows(repository, tmp_path, monkeypatch):
    fork = tmp_path / "fork"
    subprocess.run(["git", "clone", "-q", repository, fork], check=True)
    monkeypatch.chdir(fork)
    text = comment_body("origin/main")
    assert "The results cannot be compared here: origin/main: data/predictions.parquet is neither in the DVC cache nor" in text
    assert "On a fork there are no credentials" in text
    assert "focal" in text.split("`dvc params diff`")[1]


def test_a_revision_that_is_not_there_is_an_error():
    with pytest.raises(DermlabError, match="nowhere"):
        comment_body("nowhere")


def test_a_base_that_never_had_results_is_said_to_have_none(repository):
    tree = subprocess.check_output(["git", "ls-tree", "main"], text=True)
    without = "".join(line for line in tree.splitlines(keepends=True) if not line.rstrip().endswith("dvc.lock"))
    made = subprocess.run(["git", "mktree"], input=without, capture_output=True, text=True, check=True).stdout.strip()
    commit = subprocess.check_output(["git", "commit-tree", "-m", "no results", made], text=True).strip()
    subprocess.run(["git", "branch", "-f", "first", commit], check=True)
    text = comment_body("first", head="focal")
    assert "Nothing to compare yet: no results are committed in `first` (no `dvc.lock`)." in text
    assert "cannot be compared" not in text


NAMES = ("a|b", "@team", "</details>", "<!-- gone", "`code`", "[x](http://evil)", "=HYPERLINK()")


def dvc_table(rows: int = 0) -> str:
    """As `dvc metrics diff --md` writes it: columns as wide as the rule, names as they come."""
    names = [*NAMES, *(f"class {k}" for k in range(rows))]
    cells = [("Path", "Metric", "old"), *(("metrics/f1.json", name, "0.1234") for name in names)]
    widths = [max(len(row[k]) for row in cells) for k in range(3)]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]) + "\n"


def test_names_in_tables_of_dvc_are_text(monkeypatch):
    monkeypatch.setattr(body, "dvc_output", lambda *command: dvc_table())
    text = comment_body("main")
    page = MarkdownIt("gfm-like", {"html": True, "linkify": False}).disable("linkify").render(text)
    rows = [html.unescape(cell).replace("\u200b", "") for cell in re.findall(r"<tr>\s*<td>metrics/f1.json</td>\s*<td>(.*?)</td>", page)]
    assert rows == [*NAMES, *NAMES]
    assert text.count("<details>") == text.count("</details>")
    assert "@team" not in text


def test_what_is_cut_is_closed_at_the_end_of_a_line_and_says_where_the_rest_is(monkeypatch):
    monkeypatch.setattr(body, "dvc_output", lambda *command: dvc_table(1_500))
    text = comment_body("main")
    assert len(text) < 65_536
    assert text.count("<details>") == text.count("</details>")
    assert text.endswith("… cut: `dermlab compare main HEAD --markdown` prints all of it.\n")
    assert all(line.endswith("|") for line in text.splitlines() if line.startswith("| metrics/f1.json"))
