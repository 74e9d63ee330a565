"""Experiments between machines: refs through the Git remote `origin`, outs and the run cache through DVC's remote."""

from collections.abc import Callable, Sequence

from dermlab.run.errors import DermlabError
from dermlab.run.git import git
from dermlab.run.progress import say
from dermlab.study.dvc import dvc, ref_of

ORIGIN = "origin"


def pull_experiments(names: Sequence[str]) -> None:
    """Those of `names` that another machine has pushed for this commit. Raises DermlabError where there is no origin."""
    if ORIGIN not in git("remote").split():
        raise DermlabError(
            f"There is no Git remote `{ORIGIN}` to share experiments through. Clone the repository from a server, or add it."
        )
    prefix = ref_of("")
    there = {line.split()[1].removeprefix(prefix) for line in git("ls-remote", ORIGIN, f"{prefix}*").splitlines()}
    wanted = [name for name in names if name in there]
    if wanted:
        dvc("exp", "pull", ORIGIN, *wanted, "--quiet")
        say(f"      pulled, as another machine ran them: {', '.join(wanted)}")


def push_experiment(name: str, started: Callable[[int], None]) -> None:
    """With its outs and the run cache. That it fails costs no hours: it is said, and the next push brings what this one could not."""
    try:
        dvc("exp", "push", "--run-cache", "--force", "--quiet", ORIGIN, name, started=started)
        say(f"      {name} is pushed")
    except DermlabError as error:
        say(f"      {name} could not be pushed; it is kept here, and pushed by: dvc exp push --run-cache {ORIGIN} {name}. {error}")
