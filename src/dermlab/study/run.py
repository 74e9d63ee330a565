"""A study: a plain loop of `dvc exp run` in the workspace, one named experiment after another, or several beside each other.

Not `dvc queue`: it can hang, lose failed runs and rerun finished ones. Going on after a stop needs no state of our own:
stages that have already run come back from DVC's run cache in seconds.
"""

import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from ruamel.yaml import YAML

from dermlab.run import paths
from dermlab.run.errors import DermlabError
from dermlab.run.git import git
from dermlab.run.params import changed_params
from dermlab.run.progress import say
from dermlab.study.at_once import SLOTS, Slots
from dermlab.study.dvc import dvc, experiments, ref_of
from dermlab.study.oracle import write_oracle_ledger
from dermlab.study.recipe import Experiment, checked_params, committed_params
from dermlab.study.results import bring
from dermlab.study.share import pull_experiments, push_experiment
from dermlab.study.workspace import LOCK, RESULTS, Workspace, alone, mend, remember
from dermlab.verdict.looks import looks_of
from dermlab.verdict.runs import UNFINISHED, check_params_were_run


def run_study(planned: Sequence[Experiment], replace_others: bool = False, share: bool = False, at_once: int = 1) -> int:
    """Each experiment with every param as committed but for its own; afterwards params.yaml and ledger are as they were and the results of
    the first experiment are in the workspace. Nothing runs before all params are checked, and nothing that has run on this commit.

    `replace_others`: also experiments of these names that have other params, which somebody may have run by hand. `share`: experiments
    of this commit that another machine has pushed are pulled first, and each is pushed when it is done. `at_once`: so many at a time, each
    beside the workspace on a GPU of its own, once what they share has been made on all of them. Returns how many ran. Raises ParamsError,
    DermlabError where one fails; those before it, and those beside it, are kept.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: a pod that is taken away leaves a workspace fit to go on
    with alone():
        mend()
        committed = committed_params()
        texts = checked_params(planned, committed)
        if share:
            pull_experiments(list(texts))
        if not replace_others:
            _refuse_others(texts)
        workspace = remember()
        _say_what_is_not_committed(workspace.before.params, committed)
        try:
            places = {experiment.name: f"[{position}/{len(planned)}] {experiment.name}" for position, experiment in enumerate(planned, 1)}
            missing = [experiment for experiment in planned if not _is_done(experiment, texts[experiment.name])]
            for experiment in planned:
                if experiment not in missing:
                    say(f"{places[experiment.name]}: done before")
            failed: list[str] = []
            if at_once > 1 and len(missing) > 1:
                _make_what_they_share(texts[missing[0].name], workspace, share)
                ran = _beside_each_other(missing, at_once, failed)
            else:
                ran = _one_by_one(missing, places, texts, workspace, share)
            with closing(ran):  # by an interrupt too that comes here, while some run: they end before the workspace is mended
                for experiment in ran:
                    if share:
                        push_experiment(experiment.name, workspace.started)
            if planned[0].name not in failed:
                bring(git("rev-parse", ref_of(planned[0].name)), (str(LOCK),))
            if failed:
                raise DermlabError(
                    f"Failed: {', '.join(failed)}; what each said stands above and in {SLOTS}. The others were kept: mend the cause and "
                    "run the study again: it goes on from there."
                )
            return len(missing)
        finally:
            mend()


def _one_by_one(
    experiments: Sequence[Experiment],
    places: Mapping[str, str],
    texts: Mapping[str, str],
    workspace: Workspace,
    share: bool,
) -> Iterator[Experiment]:
    """Each when it is done."""
    for experiment in experiments:
        started, place = time.perf_counter(), places[experiment.name]
        said = " ".join(f"{key}={value}" for key, value in experiment.overrides.items())
        say(f"{place}: {said or 'as params.yaml is committed'}")
        _run(experiment, texts[experiment.name], workspace, share)
        say(f"{place}: done in {time.perf_counter() - started:.0f} s")
        yield experiment


def _make_what_they_share(params: str, workspace: Workspace, pull: bool) -> None:
    """Photos, embeddings and flags, into the cache: what all have in common unless they differ in just that."""
    workspace.set_params(params)
    say("first what they share: photos, embeddings, flags")
    dvc("repro", "flag", *(["--pull"] if pull else []), started=workspace.started)


def _beside_each_other(experiments: Sequence[Experiment], at_once: int, failed: list[str]) -> Iterator[Experiment]:
    with Slots(at_once) as slots:
        yield from slots.run(experiments)
        failed += slots.failed


def _is_done(experiment: Experiment, params: str) -> bool:
    """It ran on this very commit, with these params. With anything but results changed since, who knows: it runs, and what did not change
    comes out of the run cache."""
    if experiment.name not in experiments():
        return False
    ran, wanted = _params_in(ref_of(experiment.name)), _values(params)
    if differences(ran, wanted) or (looks_of(wanted) and looks_of(ran) != looks_of(wanted)):
        return False  # looks cost no training, and say what a verdict may claim; once paid for they stay
    changed = git("status", "--porcelain", "--untracked-files=no", "-z").split("\0")
    return all(line[3:] in RESULTS for line in changed if line)


def _run(experiment: Experiment, params: str, workspace: Workspace, pull: bool) -> None:
    """Under a name of its own until it is done and proved: an older result of that name stands until then. Where params.yaml is edited
    while it runs it may have read the edit, and runs once more: stages that had not come out of the run cache."""
    unfinished, wanted = experiment.name + UNFINISHED, _values(params)
    for _ in range(2):
        workspace.set_params(params)
        if experiment.budget is not None:
            dvc("repro", "flag", "--quiet", started=workspace.started)  # the queue is that of the experiment's own flags
            lines = write_oracle_ledger(experiment.budget, experiment.ledger)
            git("add", "--force", str(experiment.ledger))  # so that the experiment's commit holds it
            say(f"      a simulated reviewer answered the first {lines} questions, {experiment.budget:.0%} of the training rows")
        dvc("exp", "run", "--name", unfinished, *(["--pull"] if pull else []), started=workspace.started)
        if not (wrong := differences(_params_in(ref_of(unfinished)), wanted)):
            break
        git("update-ref", "-d", ref_of(unfinished))
    else:
        raise DermlabError(
            f"{experiment.name} ran with other params than its recipe's: {wrong}. Was params.yaml edited meanwhile? Run the study again."
        )
    check_params_were_run(wanted, _values(git("show", f"{ref_of(unfinished)}:{LOCK}")))
    git("update-ref", ref_of(experiment.name), ref_of(unfinished))  # as `dvc exp rename` does, a second sooner
    git("update-ref", "-d", ref_of(unfinished))


def _refuse_others(texts: Mapping[str, str]) -> None:
    for name in set(experiments()) & set(texts):
        if wrong := differences(_params_in(ref_of(name)), _values(texts[name])):
            raise DermlabError(
                f"There is an experiment {name} already, with other params than this recipe's ({wrong}). Keep it under another name "
                f"(`dvc exp rename {name} NAME`), remove it (`dvc exp remove {name}`), or say --replace."
            )


def _say_what_is_not_committed(params: str, committed: str) -> None:
    if changed := differences(_values(params), _values(committed)):
        say(f"      params.yaml is not as committed ({changed}); a study runs with what is committed. `dermlab reset` undoes the change.")


def differences(these: Mapping[str, Any], those: Mapping[str, Any]) -> str:
    """The first params that differ, as `key=this, not that`; empty where none does."""
    changed = changed_params(those, these)
    return "; ".join(f"{key}={this}, not {that}" for key, (that, this) in list(changed.items())[:3])


def _params_in(ref: str) -> dict[str, Any]:
    return _values(git("show", f"{ref}:{paths.PARAMS}"))


def _values(text: str) -> dict[str, Any]:
    return YAML(typ="safe").load(text) or {}
