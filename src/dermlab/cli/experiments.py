"""Verbs of experiments: plan them, run them, list them, put the workspace back."""

from pathlib import Path
from typing import Annotated

import typer

from dermlab.cli.app import verbs_of
from dermlab.cli.options import Recipe, Seeds, above_zero, from_zero, leave_out, said
from dermlab.run import paths
from dermlab.run.errors import ContractError
from dermlab.run.progress import console, say

RECIPES = Path("recipes")
verb = verbs_of("Experiments")


@verb()
def check(
    staged: Annotated[bool, typer.Option("--staged", help="look at what the next commit would hold, as .githooks/pre-commit does")] = False,
) -> None:
    """Say whether params.yaml is valid and the results are of it.

    Exit code 1: it is not, or the results that are committed were made with other params. Other code is told, and no mistake."""
    from dermlab.run.errors import DermlabError
    from dermlab.run.machine import check_machine, read_machine
    from dermlab.run.params import check_params, check_params_text
    from dermlab.verdict.committed import look, staged_params

    if staged:
        params = check_params_text(staged_params())
        check_machine(params)
    else:
        params = check_params()
        read_machine()
    found = look(staged)
    say("params.yaml is valid: " + " ".join(f"{key}={params[key]}" for key in ("variant", "loss", "backbone", "seed")))
    for notice in found.notices:
        say(notice)
    if found.mistake:
        raise DermlabError(found.mistake)


UNSAID = " \t\n,|&;<>()[]{}$`\\\"'*?!#~"  # characters of a value that do not come through `dvc exp run $(...)` as they are


@verb()
def recipe(name: Recipe) -> None:
    """Print a recipe's first experiment as `-S` options.

    To run it: dvc exp run $(dermlab recipe medsiglip-h100)"""
    from dermlab.run.params import read_text
    from dermlab.study.recipe import checked_params, read_recipe

    planned = read_recipe(_recipe_file(name))
    checked_params(planned, read_text(paths.PARAMS))
    first, *_ = planned
    if odd := [key for key, value in first.overrides.items() if set(str(value)) & set(UNSAID)]:
        raise ContractError(f"{name}: a shell or DVC would take {' and '.join(odd)} apart. `dermlab study {name}` runs it as it stands.")
    print(" ".join(f"-S {key}={value}" for key, value in first.overrides.items()))


@verb("new-recipe")
def new_recipe(
    name: Annotated[str, typer.Argument(help="of the recipe: the file is recipes/NAME.yaml")],
    experiments: Annotated[list[str], typer.Argument(help="the baseline, then the others; each a NAME or NAME:key=value,key=value")],
    settings: Annotated[
        list[str] | None, typer.Option("-S", metavar="KEY=VALUE", help="a param of every experiment; may be repeated")
    ] = None,
    seeds: Annotated[str, typer.Option("--seeds", help="run each experiment with these seeds: 17,18,19 or 17-24")] = "",
    replace: Annotated[bool, typer.Option("--replace", help="write over a recipe of this name")] = False,
) -> None:
    """Write a recipe: the baseline, and what is set against it.

    What an experiment does not name is as params.yaml is committed. Such as:
    dermlab new-recipe losses base focal:loss=focal,train.focal_gamma=3 --seeds 17-21"""
    from dermlab.study.new_recipe import write_recipe
    from dermlab.study.recipe import read_seeds

    planned = write_recipe(RECIPES, name, experiments, settings or (), read_seeds(seeds) if seeds else (), replace)
    say(f"{RECIPES / name}.yaml: {planned[0].name} is the baseline; runs: {len(planned)}")
    say(f"Next: dermlab preflight {name}    # can it run here, and what will it cost?")
    say(f"      dermlab study {name}")


@verb()
def preflight(
    recipe: Recipe,
    images: Annotated[
        int | None, typer.Option(help="how many training images there are, of data that is not pinned here", min=1, max=10**9)
    ] = None,
    originals_gb: Annotated[float | None, typer.Option(help="their size, in 10^9 bytes", callback=above_zero)] = None,
    disk_gb: Annotated[float | None, typer.Option(help="disk of the machine to be rented, in 10^9 bytes", callback=above_zero)] = None,
    epoch_seconds: Annotated[
        float | None, typer.Option(help="what an epoch of fine-tuning takes there, in seconds", callback=above_zero)
    ] = None,
    usd_per_hour: Annotated[
        float | None, typer.Option(help="price of that machine; without it machine.usd_per_hour", callback=from_zero)
    ] = None,
) -> None:
    """Say whether a recipe can run here and what it will cost.

    Exit code 1: it cannot."""
    from rich.table import Table

    from dermlab.data.pin import read_pin
    from dermlab.preflight.run import is_go
    from dermlab.preflight.run import preflight as look
    from dermlab.run.machine import read_machine
    from dermlab.run.params import read_text
    from dermlab.study.recipe import read_recipe

    machine = read_machine()
    if usd_per_hour is not None:
        machine = machine.model_copy(update={"usd_per_hour": usd_per_hour})
    pin = read_pin() if images is None and (paths.SOURCE / "source.json").exists() else None
    checks = look(read_recipe(_recipe_file(recipe)), read_text(paths.PARAMS), machine, pin, images, originals_gb, disk_gb, epoch_seconds)
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for check in checks:
        table.add_row(check.what, check.result, check.said)
    console(130).print(table)
    say("go" if is_go(checks) else "no-go: what stands at NO comes first")
    if not is_go(checks):
        raise typer.Exit(1)


@verb()
def study(
    recipe: Recipe = "demo",
    replace: Annotated[bool, typer.Option("--replace", help="run an experiment again that has this name but other params")] = False,
    share: Annotated[bool, typer.Option("--share", help="pull what other machines ran, push what this one runs")] = False,
    seeds: Seeds = "",
    at_once: Annotated[int, typer.Option(help="run so many experiments at a time, each on a GPU of its own", min=1)] = 1,
    until_decided: Annotated[
        bool, typer.Option("--until-decided", help="more seeds until the question of params.yaml is answered")
    ] = False,
    max_hours: Annotated[
        float | None,
        typer.Option(help="with --until-decided: no block of seeds beyond these; else machine.max_hours", callback=from_zero),
    ] = None,
    max_usd: Annotated[
        float | None, typer.Option(help="with --until-decided: dollars at most; else machine.max_usd", callback=from_zero)
    ] = None,
) -> None:
    """Run every experiment of a recipe, then compare them.

    Each is a real `dvc exp run`. Of experiments that hold a fold out it joins what they predict. Run it again to go on after a stop."""
    from dermlab.cli.results import compare, judged
    from dermlab.run.machine import read_machine
    from dermlab.study.recipe import read_recipe, read_seeds
    from dermlab.study.run import run_study
    from dermlab.study.until import Budget
    from dermlab.study.until import until_decided as go_on

    if until_decided:
        if seeds:
            raise typer.BadParameter("--until-decided chooses the seeds itself: leave --seeds out")
        machine = read_machine()
        hours = max_hours if max_hours is not None else machine.max_hours or None
        usd = max_usd if max_usd is not None else machine.max_usd or None
        if usd is not None and not machine.usd_per_hour:
            raise typer.BadParameter(f"${usd:g} are no limit while machine.usd_per_hour is 0: say in params.yaml what an hour costs")
        budget = Budget(hours, usd, machine.usd_per_hour)
        planned = go_on(_recipe_file(recipe), lambda block: run_study(list(block), replace, share, at_once), judged, budget)
    else:
        leave_out(said() & {"--max-hours", "--max-usd"}, "a study of so many seeds runs them all; --until-decided has a limit")
        planned = read_recipe(_recipe_file(recipe), read_seeds(seeds) if seeds else ())
        if planned[0].holds_out:
            say(f"study: {len(planned)} trainings, each without a fold; `dermlab preflight {recipe}` reckons the hours and dollars")
        run_study(planned, replace, share, at_once)
        if planned[0].holds_out:
            out_of_fold(recipe, seeds)
            return
    baseline, *others = [experiment.name for experiment in planned]
    compare(baseline, others)


@verb()
def power(
    experiments: Annotated[list[str] | None, typer.Argument(help="the baseline first; without names all that start from HEAD")] = None,
) -> None:
    """Say what difference so many patients and seeds tell apart.

    From the experiments that there are; before the first one from the pin, as recipes differed elsewhere."""
    from rich.table import Table

    from dermlab.cli.results import judged
    from dermlab.data.pin import read_pin
    from dermlab.preflight.run import test_patients_of
    from dermlab.report.render import SCORE_LABELS, points
    from dermlab.study.dvc import experiments as of_head
    from dermlab.verdict.power import SEEDS, expected, tables
    from dermlab.verdict.question import asked
    from dermlab.verdict.runs import UNFINISHED

    names = experiments or [name for name in of_head() if not name.endswith(UNFINISHED)]
    verdict = judged(names) if names else None
    if verdict and verdict.judged:
        recipes = sorted(verdict.judged, key=lambda recipe: recipe.plans[asked().primary].error(1, verdict.patients))
        usual = recipes[len(recipes) // 2]
        asked_for = dict.fromkeys((asked().primary, asked().guarded))
        plans = {SCORE_LABELS[score]: usual.plans[score] for score in asked_for if usual.differences[score].bounds}
        for score in (score for score in asked_for if not usual.differences[score].bounds):
            say(f"{SCORE_LABELS[score]} rests on too few test patients for an interval: nothing can be told of it.")
        against = f"{verdict.baseline.name} on {verdict.patients:,} test patients"
        say(f"As {usual.name} differs from {against}; how far runs lie apart: {verdict.noise}.")
    else:
        patients = test_patients_of(read_pin(), paths.PARAMS.read_text(encoding="utf-8"))
        plans = {SCORE_LABELS["top1"]: expected(patients)}
        say(f"Nothing to compare yet: {patients:,} test patients, recipes that differ as on HAM10000, runs that lie apart as in the field.")
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("")
    table.add_column("test patients", justify="right")
    for count in SEEDS:
        table.add_column(f"{count} seed{'s' if count > 1 else ''}", justify="right")
    for label, plan in plans.items():
        for patients, told in tables(plan):
            table.add_row(label, f"{patients:,}", *(points(size).lstrip("+") for size in told))
    console(120).print(table)
    say("In points: the smallest difference that is told apart four times in five, with so many seeds of both recipes.")


@verb("out-of-fold")
def out_of_fold(
    recipe: Recipe = "oof-finetuned",
    seeds: Seeds = "",
) -> None:
    """Join what the folds of a study predict into data/oof.parquet.

    Runs nothing, and says how flags use it."""
    from dermlab.data.tables import PREDICTIONS, write_table
    from dermlab.run.files import named_by_content
    from dermlab.study.out_of_fold import out_of_fold as join
    from dermlab.study.recipe import read_recipe, read_seeds

    planned = read_recipe(_recipe_file(recipe), read_seeds(seeds) if seeds else ())
    joined = join([experiment.name for experiment in planned])
    write_table(paths.OUT_OF_FOLD, joined.table, PREDICTIONS)
    say(
        f"out-of-fold: {paths.OUT_OF_FOLD}, {len(joined.table)} training rows, each by networks that have not seen it: log-loss "
        f"{joined.log_loss:.3f}, accuracy {joined.accuracy:.3f} (of other probabilities: metrics/flag.json)"
    )
    say(f"Next: dvc exp run -S flag.probs={named_by_content(paths.OUT_OF_FOLD)}")


@verb()
def runs() -> None:
    """List every experiment, whatever commit it started from.

    Those of one letter were tested alike and may be compared."""
    from dermlab.study.listing import as_table, list_runs

    console(120).print(as_table(list_runs()))


@verb()
def cost() -> None:
    """Say what training cost, by experiment.

    Hours, images a second, waiting, memory, use of the GPU, dollars."""
    from dermlab.study.cost import as_table, read_costs

    console(130).print(as_table(read_costs()))


@verb()
def apply(experiment: Annotated[str, typer.Argument(help="its name in `dvc exp show`")]) -> None:
    """Bring an experiment's params and results into the workspace.

    No other file is touched: code, ledger and words stay as they are."""
    from dermlab.study.results import apply as apply_experiment

    apply_experiment(experiment)
    say(f"params.yaml and results are those of {experiment}; nothing else was touched")


@verb()
def reset() -> None:
    """Put params.yaml and results back to what is committed.

    Also after a run that was killed. Code and ledger stay as they are."""
    from dermlab.study.results import reset as reset_workspace

    reset_workspace()


def _recipe_file(name: str) -> Path:
    return Path(name) if name.endswith(".yaml") else RECIPES / f"{name}.yaml"
