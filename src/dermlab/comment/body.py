"""The comment's text: the verdict where both sides have results that can be had, and always what Git and DVC know."""

from dermlab.run import paths
from dermlab.run.errors import DermlabError
from dermlab.run.git import git
from dermlab.study.dvc import dvc_output
from dermlab.verdict.judge import judge
from dermlab.verdict.question import asked
from dermlab.verdict.runs import load_runs
from dermlab.verdict.views import as_markdown

MARKER = "<!-- dermlab: results of this branch -->"  # by which the comment of this repository is found again, whoever wrote since
SHOWN = 60_000  # characters; GitHub takes 65,536


def comment_body(base: str, head: str = "HEAD") -> str:
    """Markdown. `base`, `head`: Git revisions. Raises DermlabError for a revision that is not there."""
    old, new = (git("rev-parse", "--verify", f"{rev}^{{commit}}") for rev in (base, head))
    parts = [MARKER, f"## Results against `{base}`", _verdict(base, head, old, new)]
    for title, command in (("Metrics", ("metrics", "diff")), ("Params", ("params", "diff"))):
        table = dvc_output(*command, old, new, "--md").strip().replace(old, base).replace(new, head)
        parts.append(_folded(f"{title}: `dvc {' '.join(command)}`", table or "No difference."))
    parts.append(f"The page, with intervals drawn: `dermlab compare {base} {head}`. Made by `dermlab comment`.")
    text = "\n\n".join(parts) + "\n"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}\n\n… cut: `dermlab compare {base} {head} --markdown` prints all of it.\n"


def _verdict(base: str, head: str, old: str, new: str) -> str:
    locks = {git("rev-parse", "-q", "--verify", f"{commit}:dvc.lock", check=False) for commit in (old, new)}
    if len(locks) == 1:
        return f"`dvc.lock` is that of `{base}`: this branch brings no other results."
    try:
        runs, others = load_runs([old, new])
        verdict = judge(runs, asked(git("show", f"{old}:{paths.PARAMS}", check=False)), others)  # as it was asked where this is to go
        if not verdict.judged:
            return f"This branch and `{base}` have one recipe: they differ in nothing but the seed."
    except DermlabError as error:
        said = str(error).replace(old, base).replace(new, head)
        return (
            f"The results cannot be compared here: {said}\n\nOn a fork there are no credentials of the remote; whoever has them runs "
            f"`dermlab comment {base}`. What Git knows stands below."
        )
    return as_markdown(verdict).replace(old, base).replace(new, head)


def _folded(title: str, text: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"
