"""The comment's text: the verdict where both sides have results that can be had, and always what Git and DVC know."""

from dataclasses import replace

from dermlab.report.render import plain, sentence
from dermlab.run import paths
from dermlab.run.errors import DermlabError
from dermlab.run.git import git
from dermlab.study.dvc import dvc_output
from dermlab.verdict.judge import judge
from dermlab.verdict.question import asked
from dermlab.verdict.runs import LOCK, load_runs
from dermlab.verdict.views import as_markdown

MARKER = "<!-- dermlab: results of this branch -->"  # by which the comment of this repository is found again, whoever wrote since
SHOWN = 60_000  # characters; GitHub takes 65,536
DETAILS = ("<details>", "</details>")
STANDS_FOR_BAR = "\ue000"  # of no alphabet


def comment_body(base: str, head: str = "HEAD") -> str:
    """Markdown. `base`, `head`: Git revisions. Raises DermlabError for a revision that is not there."""
    old, new = (git("rev-parse", "--verify", f"{rev}^{{commit}}") for rev in (base, head))
    parts = [MARKER, f"## Results against {_code(base)}", _verdict(base, head, old, new)]
    for title, command in (("Metrics", ("metrics", "diff")), ("Params", ("params", "diff"))):
        table = "" if old == new else _cells_as_written(dvc_output(*command, old, new, "--md").strip())
        table = table.replace(old, plain(base)).replace(new, plain(head))
        parts.append(_folded(f"{title}: `dvc {' '.join(command)}`", table or "No difference."))
    parts.append(f"The page, with intervals drawn: {_code(f'dermlab compare {base} {head}')}. Made by `dermlab comment`.")
    text = "\n\n".join(parts) + "\n"
    return text if len(text) <= SHOWN else _cut(text, f"… cut: {_code(f'dermlab compare {base} {head} --markdown')} prints all of it.")


def _verdict(base: str, head: str, old: str, new: str) -> str:
    locks = [git("rev-parse", "-q", "--verify", f"{commit}:{LOCK}", check=False) for commit in (old, new)]
    if not all(locks):
        without = " and ".join(_code(rev) for rev, lock in zip((base, head), locks, strict=True) if not lock)
        return f"Nothing to compare yet: no results are committed in {without} (no `{LOCK}`).{_not_committed(head)}"
    if len(set(locks)) == 1:
        return f"`{LOCK}` is that of {_code(base)}: this branch brings no other results.{_not_committed(head)}"
    try:
        runs, others = load_runs([old, new])
        runs = [replace(run, name={old: base, new: head}.get(run.name, run.name)) for run in runs]
        verdict = judge(runs, asked(git("show", f"{old}:{paths.PARAMS}", check=False)), others)  # as it was asked where this is to go
        if not verdict.judged:
            return f"This branch and {_code(base)} have one recipe: they differ in nothing but the seed."
    except DermlabError as error:
        said = sentence(str(error)).replace(old, plain(base)).replace(new, plain(head))
        return (
            f"The results cannot be compared here: {said}\n\nOn a fork there are no credentials of the remote; whoever has them runs "
            f"{_code(f'dermlab comment {base}')}. What Git knows stands below."
        )
    return as_markdown(verdict)


def _not_committed(head: str) -> str:
    here = head == "HEAD" and git("status", "--porcelain", "--", str(LOCK))
    return f" Those of the working tree are not committed: `git add {paths.PARAMS} {LOCK}`, and commit both." if here else ""


def _cells_as_written(table: str) -> str:
    """DVC writes names of classes and values of params as they come. Its columns are as wide as its rule says, so that a `|` elsewhere is
    part of a name."""
    rule = next((line for line in table.splitlines() if set(line) <= set("|-: ")), "")
    lines = []
    for line in table.splitlines():
        if len(line) == len(rule):
            line = "".join(
                STANDS_FOR_BAR if letter == "|" and between != "|" else letter for letter, between in zip(line, rule, strict=True)
            )
        lines.append(line if line == rule else "|".join(map(plain, line.split("|"))).replace(STANDS_FOR_BAR, "\\|"))
    return "\n".join(lines)


def _cut(text: str, said: str) -> str:
    """Whole lines, what they open closed, and where the rest is."""
    kept = text[: text.rindex("\n", 0, SHOWN)]
    still_open = kept.count(DETAILS[0]) - kept.count(DETAILS[1])
    return "\n\n".join([kept, *[DETAILS[1]] * still_open, said]) + "\n"


def _folded(title: str, text: str) -> str:
    return f"{DETAILS[0]}<summary>{title}</summary>\n\n{text}\n\n{DETAILS[1]}"


def _code(words: str) -> str:
    return f"`{words.replace('`', '')}`"
