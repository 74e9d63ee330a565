"""What a study finds in the workspace and leaves there. While `dvc exp run` works, HEAD is detached and params.yaml is another; where it
is killed it stays so, and the next command would take those params for the user's. So a study writes down how things were, and whoever
comes next puts them back.
"""

import fcntl
import json
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import psutil
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from dermlab.run import paths
from dermlab.run.errors import DermlabError
from dermlab.run.files import write_text
from dermlab.run.git import git
from dermlab.run.params import rewritten
from dermlab.run.progress import say
from dermlab.study.dvc import experiments, ref_of
from dermlab.study.half_written import LOCK, SOURCE, TEMPORARY, forget_index, mend_locks, mend_source, remove_locks_of_git
from dermlab.study.own_files import put_back, set_aside
from dermlab.verdict.runs import UNFINISHED

JOURNAL, RUNNING = TEMPORARY / "study.json", TEMPORARY / "study.lock"
SIMULATED = Path("data/simulated")
# Where DVC keeps what was not committed while an experiment runs: first before HEAD is detached, then until it is done.
STASHES = ("refs/exps/stash", "refs/exps/exec/EXEC_MERGE")
RESULTS = (str(paths.PARAMS), str(LOCK))


@dataclass(frozen=True)
class Before:
    branch: str  # such as refs/heads/main, empty where HEAD was detached already
    head: str
    params: str  # the text of params.yaml, its line ends as they are, with what the user has changed in it since
    index: str = ""  # git's tree of what was staged, empty where git could make none
    ours: tuple[str, ...] = ()  # what the study wrote into params.yaml last and before that: killed in between, either may stand there
    source: str = ""  # the text of data/source.dvc
    group: int = 0  # the process group of the dvc that runs, 0 where it has ended well


class Workspace:
    """How things were, kept up to date while a study changes them."""

    def __init__(self, before: Before) -> None:
        self.before = before
        self._note()

    def set_params(self, text: str) -> None:
        """For the next run. What the user has changed since the last time comes back at the end."""
        self._note(params=_as_the_user_has_it(self.before), ours=(*self.before.ours[-1:], text))
        write_text(paths.PARAMS, _with_ends_of(self.before.params, text))

    def started(self, group: int) -> None:
        self._note(group=group)

    def _note(self, **changed: Any) -> None:
        self.before = replace(self.before, **changed)
        write_text(JOURNAL, json.dumps(asdict(self.before)))


@contextmanager
def alone() -> Iterator[None]:
    """One study at a time in a workspace; the kernel gives the lock back however the process ends. Raises DermlabError."""
    TEMPORARY.mkdir(parents=True, exist_ok=True)
    with RUNNING.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise DermlabError(
                f"Another study runs in this workspace (process {file.read().strip() or 'unknown'}). Wait for it, stop it (Ctrl-C there), "
                "or use another clone."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def remember() -> Workspace:
    """Writes down how the workspace is, before anything changes it."""
    branch, head, index = git("symbolic-ref", "-q", "HEAD", check=False), git("rev-parse", "HEAD"), git("write-tree", check=False)
    source = SOURCE.read_text(encoding="utf-8") if SOURCE.exists() else ""
    workspace = Workspace(Before(branch, head, exact_text(paths.PARAMS), index, source=source))
    set_aside()
    return workspace


def mend(is_reset: bool = False) -> None:
    """Puts back what a study changed, finished or killed, and says what a kill had left. What the user changed is left as it is."""
    before = Before(**json.loads(JOURNAL.read_text(encoding="utf-8"))) if JOURNAL.exists() else None
    if before:
        _stop(before.group)
    mend_locks()
    if before or is_reset:
        remove_locks_of_git()
        if is_reset or before.group:  # nobody knows how a dvc of the user's own ended
            forget_index()
        mend_source(before.source if before else "")
    put_back()
    if before is None:
        return
    reattach(before.branch, before.head)
    bring_back_what_dvc_stashed()
    for name in experiments():
        if name.endswith(UNFINISHED):
            git("update-ref", "-d", ref_of(name))
    _remove_simulated()
    if git("rev-parse", "HEAD") == before.head:
        _stage_again(before.index)
        write_text(paths.PARAMS, _as_the_user_has_it(before, is_quiet=is_reset))  # a reset undoes the edit, and says so
    JOURNAL.unlink()


def _as_the_user_has_it(before: Before, is_quiet: bool = False) -> str:
    """params.yaml as it was, with what was edited since: what is still as the study or DVC has set it is put back, and nothing else."""
    exact = exact_text(paths.PARAMS)
    now, theirs = plain_ends(exact), plain_ends(before.params)
    known = [*map(plain_ends, before.ours), theirs, git("show", f"{before.head}:{paths.PARAMS}", check=False) + "\n"]
    if any(text.startswith(now) for text in known):  # or begins so, where a kill has cut it off
        return before.params
    if not is_quiet:
        say(f"{paths.PARAMS} was edited while a study ran, or after it was killed: the edit is kept")
    try:
        edits = {text: _edited(now, text, theirs) for text in known}
    except YAMLError:
        return exact
    return _with_ends_of(before.params, min(edits.values(), key=lambda edit: edit[0])[1])


def exact_text(path: Path | str) -> str:
    """Its line ends as they are, which may be those of Windows; empty where there is no such file."""
    return Path(path).read_bytes().decode() if Path(path).exists() else ""


def plain_ends(text: str) -> str:
    """As texts are compared: what differs in line ends alone is no edit."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _with_ends_of(other: str, text: str) -> str:
    """With the line ends of Windows where the other text has them."""
    return plain_ends(text).replace("\n", "\r\n") if "\r\n" in other else text


def _edited(now: str, ours: str, theirs: str) -> tuple[int, str]:
    """How many params of `now` are not as in `ours`; and `now` with all others as in `theirs`."""
    yaml = YAML(typ="safe")
    changed = 0

    def put_back(now: Any, ours: Mapping, theirs: Mapping) -> None:
        nonlocal changed
        for key in now:
            if all(isinstance(of.get(key), Mapping) for of in (now, ours, theirs)):
                put_back(now[key], ours[key], theirs[key])
            elif now[key] != ours.get(key):
                changed += 1
            elif key in theirs and now[key] != theirs[key]:
                now[key] = theirs[key]

    text = rewritten(now, lambda values: put_back(values, yaml.load(ours) or {}, yaml.load(theirs) or {}))
    return changed, text


def _stage_again(index: str) -> None:
    """What was staged, where a run has left nothing staged."""
    staged = git("write-tree", check=False)
    if index and staged != index and staged == git("rev-parse", "HEAD^{tree}"):
        git("read-tree", index)


def _stop(group: int) -> None:
    """A dvc whose study was killed works on by itself, and would change the workspace under the next one."""
    here = Path.cwd()
    for process in psutil.process_iter():
        try:
            if group and os.getpgid(process.pid) == group and Path(process.cwd()) == here:
                process.send_signal(signal.SIGKILL)
                process.wait(10)
        except (psutil.Error, OSError):  # ended meanwhile, or somebody else's
            continue


def reattach(branch: str, head: str) -> None:
    """Back on the branch, if HEAD is where `dvc exp run` put it: on the commit that the study started from, or on an experiment of it."""
    if not branch or git("symbolic-ref", "-q", "HEAD", check=False):
        return
    here = git("rev-parse", "HEAD")
    if head in (here, git("rev-parse", "-q", "--verify", f"{here}^", check=False)):
        git("symbolic-ref", "HEAD", branch)
        git("reset", "--quiet")  # the index alone: what a killed run had staged
        say(f"a run that was killed had left HEAD detached; it is on {branch.removeprefix('refs/heads/')} again")


def bring_back_what_dvc_stashed() -> None:
    """For a moment after the start of a run, uncommitted changes and new files are in DVC's stash alone."""
    for stash in STASHES:
        if not git("rev-parse", "-q", "--verify", stash, check=False):
            continue
        changed = git("diff", "--name-only", "-z", "--diff-filter=AM", f"{stash}^1", stash).split("\0")
        lost = [path for path in changed if path and path not in RESULTS and _is_as_in(f"{stash}^1", path)]
        untracked = f"{stash}^3"
        new = git("ls-tree", "-r", "-z", "--name-only", untracked, check=False).split("\0")
        for source, names in ((stash, lost), (untracked, [path for path in new if path and not Path(path).exists()])):
            if names := [name for name in names if not name.startswith(".dvc/")]:  # DVC's own
                git("restore", f"--source={source}", "--worktree", "--", *names)
                say(f"brought back out of DVC's stash, where a killed run had left them: {', '.join(names)}")
        git("update-ref", "-d", "--no-deref", stash)


def _is_as_in(commit: str, path: str) -> bool:
    there = git("rev-parse", "-q", "--verify", f"{commit}:{path}", check=False)
    return there == (git("hash-object", path) if Path(path).exists() else "")


def _remove_simulated() -> None:
    """A simulated review belongs to its experiment, whose commit holds it; one that the branch holds too is the user's."""
    committed = git("ls-tree", "-r", "--name-only", "HEAD", str(SIMULATED)).splitlines()
    for file in SIMULATED.glob("review-*.csv"):
        if str(file) not in committed:
            git("rm", "-fq", "--cached", "--ignore-unmatch", str(file))
            file.unlink()
    if SIMULATED.exists() and not any(SIMULATED.iterdir()):
        SIMULATED.rmdir()
