"""What a study finds in the workspace and leaves there. While `dvc exp run` works, HEAD is detached and params.yaml is another; where it
is killed it stays so, and the next command would take those params for the user's. So a study writes down how things were, and whoever
comes next puts them back.
"""

import fcntl
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from dermlab.run import paths
from dermlab.run.errors import DermlabError
from dermlab.run.files import write_text
from dermlab.run.git import git
from dermlab.run.progress import say
from dermlab.study.dvc import dvc, experiments, ref_of
from dermlab.verdict.runs import UNFINISHED, commit_of

TEMPORARY = Path(".dvc/tmp")
JOURNAL, RUNNING = TEMPORARY / "study.json", TEMPORARY / "study.lock"
LOCK = Path("dvc.lock")
SIMULATED = Path("data/simulated")
# Where DVC keeps what was not committed while an experiment runs: first before HEAD is detached, then until it is done.
STASHES = ("refs/exps/stash", "refs/exps/exec/EXEC_MERGE")
EXEC_HEAD = "refs/exps/exec/EXEC_HEAD"  # the commit from which a plain `dvc exp run` started
RESULTS = (str(paths.PARAMS), str(LOCK))


@dataclass(frozen=True)
class Before:
    branch: str  # such as refs/heads/main, empty where HEAD was detached already
    head: str
    params: str  # the text of params.yaml
    group: int = 0  # the process group of the dvc that runs, 0 for none


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


def remember() -> Before:
    """Writes down how the workspace is, before anything changes it."""
    before = Before(git("symbolic-ref", "-q", "HEAD", check=False), git("rev-parse", "HEAD"), paths.PARAMS.read_text(encoding="utf-8"))
    write_before(before)
    return before


def write_before(before: Before) -> None:
    write_text(JOURNAL, json.dumps(asdict(before)))


def mend() -> None:
    """Puts back what a study changed, finished or killed, and says what a kill had left. What the user changed is left as it is."""
    before = Before(**json.loads(JOURNAL.read_text(encoding="utf-8"))) if JOURNAL.exists() else None
    if before:
        _stop(before.group)
    _mend_locks()
    if before is None:
        return
    _reattach(before.branch, before.head)
    _bring_back_what_dvc_stashed()
    for name in experiments():
        if name.endswith(UNFINISHED):
            git("update-ref", "-d", ref_of(name))
    _remove_simulated()
    if git("rev-parse", "HEAD") == before.head and paths.PARAMS.read_text(encoding="utf-8") != before.params:
        write_text(paths.PARAMS, before.params)
    JOURNAL.unlink()


def reset() -> None:
    """The workspace as it was committed: params, HEAD on its branch, results as dvc.lock names them. Code and ledger stay as they are."""
    with alone():
        mend()
        if not git("symbolic-ref", "-q", "HEAD", check=False) and (stopped := git("rev-parse", "-q", "--verify", EXEC_HEAD, check=False)):
            branches = git("for-each-ref", "--format=%(refname)", "--points-at", stopped, "refs/heads").split()
            if len(branches) == 1:
                _reattach(branches[0], stopped)
                _bring_back_what_dvc_stashed()
            else:
                say("HEAD is detached, by a run that was killed: `git switch` to the branch you were on")
        for path in RESULTS:
            if git("ls-tree", "HEAD", path):
                git("checkout", "-q", "HEAD", "--", path)
        dvc("checkout", "--force", "--quiet", "--allow-missing")
    changed = [line[3:] for line in git("status", "--porcelain").splitlines() if line[3:] not in RESULTS]
    done = (
        "params.yaml and results are as committed"
        if git("ls-tree", "HEAD", str(LOCK))
        else ("params.yaml is as committed; no results are, so they are those of the last run")
    )
    say(done + (f"; left as they are: {', '.join(changed[:5])}" if changed else ""))


def apply(name: str, keep: list[str]) -> None:
    """Params and results of an experiment in the workspace, with the files `keep` as they are here: `dvc exp apply` alone would also bring
    back the ledger of that day. Raises DermlabError."""
    kept = {Path(path): Path(path).read_bytes() for path in keep if Path(path).is_file()}
    dvc("exp", "apply", commit_of(name) or name, "--quiet")  # a name may stand under several commits
    for path, content in kept.items():
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def tracked_but_results() -> list[str]:
    """Files under git that no run writes."""
    return [path for path in git("ls-files", "-z").split("\0") if path and path not in RESULTS]


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


def _mend_locks() -> None:
    """A dvc that is killed while it writes leaves half a file: its own rwlock, on which every command stops, or dvc.lock."""
    rwlock = TEMPORARY / "rwlock"
    if rwlock.exists():
        try:
            json.loads(rwlock.read_text(encoding="utf-8"))
        except ValueError:
            rwlock.unlink()
            say(f"{rwlock} was half written by a run that was killed; it is removed")
    if LOCK.exists() and not _is_whole_lock(LOCK.read_bytes()):
        LOCK.unlink()
        if git("ls-tree", "HEAD", str(LOCK)):
            git("checkout", "-q", "HEAD", "--", str(LOCK))
        say(f"{LOCK} was half written by a run that was killed; it is as committed, and results come back from the run cache")


def _is_whole_lock(content: bytes) -> bool:
    """Whether DVC takes it, and no value in it is cut off. One that ends after some line and is taken has fewer stages, deps or outs, which
    DVC then calls changed: that does no harm."""
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from voluptuous import Invalid

    try:
        COMPILED_LOCKFILE_SCHEMA(YAML(typ="safe").load(content.decode()))
    except (Invalid, YAMLError, UnicodeDecodeError):
        return False
    return content.endswith(b"\n")


def _reattach(branch: str, head: str) -> None:
    """Back on the branch, if HEAD is where `dvc exp run` put it: on the commit that the study started from, or on an experiment of it."""
    if not branch or git("symbolic-ref", "-q", "HEAD", check=False):
        return
    here = git("rev-parse", "HEAD")
    if head in (here, git("rev-parse", "-q", "--verify", f"{here}^", check=False)):
        git("symbolic-ref", "HEAD", branch)
        git("reset", "--quiet")  # the index alone: what a killed run had staged
        say(f"a run that was killed had left HEAD detached; it is on {branch.removeprefix('refs/heads/')} again")


def _bring_back_what_dvc_stashed() -> None:
    """For a moment after the start of a run, uncommitted changes and new files are in DVC's stash alone."""
    for stash in STASHES:
        if not git("rev-parse", "-q", "--verify", stash, check=False):
            continue
        changed = git("diff", "--name-only", "-z", "--diff-filter=AM", f"{stash}^1", stash).split("\0")
        lost = [path for path in changed if path and path not in RESULTS and _is_as_in(f"{stash}^1", path)]
        untracked = f"{stash}^3"
        new = git("ls-tree", "-r", "-z", "--name-only", untracked, check=False).split("\0")
        for source, names in ((stash, lost), (untracked, [path for path in new if path and not Path(path).exists()])):
            if names:
                git("restore", f"--source={source}", "--worktree", "--", *names)
                say(f"brought back out of DVC's stash, where a killed run had left them: {', '.join(names)}")
        git("update-ref", "-d", "--no-deref", stash)


def _is_as_in(commit: str, path: str) -> bool:
    there = git("rev-parse", "-q", "--verify", f"{commit}:{path}", check=False)
    return there == (git("hash-object", path) if Path(path).exists() else "")


def _remove_simulated() -> None:
    """A simulated review belongs to its experiment, whose commit holds it."""
    git("rm", "-rfq", "--cached", "--ignore-unmatch", str(SIMULATED))
    for file in SIMULATED.glob("review-*.csv"):
        file.unlink()
    if SIMULATED.exists() and not any(SIMULATED.iterdir()):
        SIMULATED.rmdir()
