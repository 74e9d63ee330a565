"""The params and results that lie in the workspace: those of an experiment, or those that are committed. Code, words and ledger are the
user's, and no command here touches them."""

from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from dermlab.run import paths
from dermlab.run.errors import DermlabError
from dermlab.run.files import write_text
from dermlab.run.git import git, objects
from dermlab.run.params import changed_params
from dermlab.run.progress import say
from dermlab.study.dvc import dvc
from dermlab.study.own_files import put_back, set_aside
from dermlab.study.workspace import (
    LOCK,
    RESULTS,
    SIMULATED,
    alone,
    bring_back_what_dvc_stashed,
    exact_text,
    mend,
    plain_ends,
    reattach,
)
from dermlab.verdict.committed import look
from dermlab.verdict.runs import commit_of, no_such_run

EXEC_HEAD = "refs/exps/exec/EXEC_HEAD"  # the commit from which a plain `dvc exp run` started
UNDONE = Path(".dvc/tmp/params-before-reset.yaml")
KEEP = {
    str(paths.PARAMS): f"Commit it, keep it (`git stash push {paths.PARAMS}`), or undo it (`dermlab reset`)",
    str(LOCK): "Keep what ran: `dvc exp save --name NAME`; or go back to what is committed: `dermlab reset`",
}


def apply(name: str) -> None:
    """Params and results of an experiment, or of a revision, become those of the workspace. Raises DermlabError where the workspace's own
    are in no commit and no experiment, and so would be lost."""
    with alone():
        mend()
        commit = commit_of(name) or git("rev-parse", "-q", "--verify", f"{name}^{{commit}}", check=False)
        if not commit:
            raise no_such_run(name)
        _refuse_to_lose(name)
        bring(commit, RESULTS)
        _bring_simulated_review(commit)
    for notice in look().notices:
        say(notice)


def reset() -> None:
    """The workspace as it was committed: params, HEAD on its branch, results as dvc.lock names them. All other files stay as they are."""
    with alone():
        mend(is_reset=True)
        if not git("symbolic-ref", "-q", "HEAD", check=False) and (stopped := git("rev-parse", "-q", "--verify", EXEC_HEAD, check=False)):
            branches = git("for-each-ref", "--format=%(refname)", "--points-at", stopped, "refs/heads").split()
            if len(branches) == 1:
                reattach(branches[0], stopped)
                bring_back_what_dvc_stashed()
            else:
                say("HEAD is detached, by a run that was killed: `git switch` to the branch you were on")
        if (now := exact_text(paths.PARAMS)) and _is_nobodys(str(paths.PARAMS), now):
            write_text(UNDONE, now)
            say(f"params.yaml had {_edits(now)}; as it was it lies in {UNDONE}")
        for path in RESULTS:
            if git("ls-tree", "HEAD", path):
                git("checkout", "-q", "HEAD", "--", path)
        _check_out()
    changed = [line[3:] for line in git("status", "--porcelain").splitlines() if line[3:] not in RESULTS]
    done = (
        "params.yaml and results are as committed"
        if git("ls-tree", "HEAD", str(LOCK))
        else ("params.yaml is as committed; no results are, so they are those of the last run")
    )
    say(done + (f"; left as they are: {', '.join(changed[:5])}" if changed else ""))


def bring(commit: str, files: tuple[str, ...]) -> None:
    """`files` of RESULTS as the commit has them, and the outs that its dvc.lock names. Raises DermlabError where it has none."""
    texts = objects([f"{commit}:{path}" for path in RESULTS])
    if len(texts) < len(RESULTS):
        raise DermlabError(f"{commit[:7]} holds no results: there is no {LOCK} in it. `dermlab runs` lists the experiments.")
    for path in files:
        write_text(path, texts[f"{commit}:{path}"])
    _check_out()


def _bring_simulated_review(commit: str) -> None:
    """Its params name one that its commit alone holds."""
    ledger = YAML(typ="safe").load(paths.PARAMS.read_text(encoding="utf-8")).get("manifest", {}).get("ledger", "")
    text = objects([f"{commit}:{ledger}"]).get(f"{commit}:{ledger}")
    if text and Path(ledger).parent == SIMULATED and not Path(ledger).exists():
        write_text(ledger, text)


def _refuse_to_lose(name: str) -> None:
    """A file that a commit or an experiment holds comes back from there; one that differs from them all is somebody's work."""
    for path in RESULTS:
        if (now := exact_text(path)) and _is_nobodys(path, now):
            what = f" ({_edits(now)})" if path == str(paths.PARAMS) else ""
            raise DermlabError(f"{path} is not as committed{what}, and no experiment has it so: {name} would overwrite it. {KEEP[path]}.")


def _is_nobodys(path: str, text: str) -> bool:
    """Neither HEAD nor an experiment has it so, whatever its line ends: lost here, it would be lost."""
    revisions = ["HEAD", *git("for-each-ref", "--format=%(objectname)", "refs/exps/").split()]
    there = objects([f"{revision}:{path}" for revision in revisions]).values()
    return plain_ends(text) not in map(plain_ends, there)


def _edits(params: str) -> str:
    """How a params.yaml differs from the committed one."""
    try:
        values, committed = (YAML(typ="safe").load(text) or {} for text in (params, git("show", f"HEAD:{paths.PARAMS}", check=False)))
        changed = changed_params(committed, values)
    except (YAMLError, AttributeError):
        return "what is not valid YAML"
    return ", ".join(f"{key}={now}, not {then}" for key, (then, now) in changed.items()) or "other comments, or another `report`"


def _check_out() -> None:
    """The outs that dvc.lock names. data/source is no result: it is left as it is, unless it is not there."""
    set_aside()
    try:
        pin = [] if paths.SOURCE.exists() else [f"{paths.SOURCE}.dvc"]
        dvc("checkout", "--force", "--quiet", "--allow-missing", "dvc.yaml", *pin)
    finally:
        put_back()
    locked = YAML(typ="safe").load(LOCK.read_text(encoding="utf-8")) or {} if LOCK.exists() else {}
    outs = [out["path"] for stage in locked.get("stages", {}).values() for out in stage.get("outs", [])]
    if absent := [out for out in outs if not Path(out).exists()]:
        say(f"not in DVC's cache: {', '.join(absent[:5])}{' …' if len(absent) > 5 else ''}. `dvc pull` fetches, `dvc repro` makes them.")
