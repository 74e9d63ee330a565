"""`dermlab runs`: every experiment of this repository, whatever commit it started from, and which of them may be compared."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.table import Table
from ruamel.yaml import YAML

from dermlab.data.json_files import read_json
from dermlab.run import paths
from dermlab.run.errors import ContractError
from dermlab.run.git import git
from dermlab.study.workspace import LOCK
from dermlab.verdict.runs import UNFINISHED, check_is_whole

ROOT = "refs/exps/"


@dataclass(frozen=True)
class Listed:
    """An experiment."""

    name: str
    base: str  # the commit it started from, in short
    made: str  # when it was committed, as git tells it in short
    variant: str
    loss: str
    backbone: str
    seed: int
    test: str  # digests of what was tested, the same for those that may be compared, empty where it was never evaluated
    top1: float | None  # None where the cache lacks it


def list_runs() -> list[Listed]:
    """The newest first. Reads nothing from a remote."""
    from dvc.repo import Repo

    form = "%(refname)%09%(objectname)%09%(committerdate:format:%Y-%m-%d %H:%M)"
    listed = [line.split("\t") for line in git("for-each-ref", f"--format={form}", "--sort=-committerdate", ROOT).splitlines()]
    runs = []
    with Repo() as repo:
        for ref, commit, made in listed:
            parts = ref.removeprefix(ROOT).split("/", 2)
            if len(parts) == 3 and len(parts[0]) == 2 and not parts[2].endswith(UNFINISHED):
                runs.append(_listed(parts[2], (parts[0] + parts[1])[:7], made, commit, repo.cache.local.oid_to_path))
    return runs


def _listed(name: str, base: str, made: str, commit: str, cached: Callable[[str], str]) -> Listed:
    """`cached`: where the cache has the file of a digest."""
    params, lock = (YAML(typ="safe").load(git("show", f"{commit}:{path}", check=False)) or {} for path in (paths.PARAMS, LOCK))
    digests = {out["path"]: out["md5"] for stage in lock.get("stages", {}).values() for out in stage.get("outs", [])}
    evaluated = str(paths.PREDICTIONS) in digests
    test = "".join(digests.get(str(path), "") for path in (paths.CATALOG, paths.IMAGES)) if evaluated else ""
    digest = digests.get(str(paths.HEADLINE)) if evaluated else None
    top1 = _top1(name, Path(cached(digest)), digest) if digest else None
    said = [params.get(key, "") for key in ("variant", "loss", "backbone", "seed")]
    return Listed(name, base, made, *said, test, top1)


def _top1(name: str, headline: Path, digest: str) -> float | None:
    if not headline.exists():
        return None
    try:
        check_is_whole(headline, digest, f"{name}: {paths.HEADLINE}")
        return read_json(headline).get("top1")
    except ContractError as error:  # one of many, of which the others are whole
        print(error, file=sys.stderr)
        return None


def as_table(runs: list[Listed]) -> Table:
    """A letter for each set of test images."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for name in ("experiment", "made", "from", "tested", "variant", "loss", "backbone", "seed", "top-1"):
        table.add_column(name, justify="right" if name in ("seed", "top-1") else "left", overflow="fold")
    letters: dict[str, str] = {}
    for run in runs:
        letter = letters.setdefault(run.test, _letter(len(letters))) if run.test else "–"
        top1 = "–" if run.top1 is None else f"{run.top1:.3f}"
        table.add_row(run.name, run.made, run.base, letter, *map(str, (run.variant, run.loss, run.backbone, run.seed)), top1)
    return table


def _letter(number: int) -> str:
    return chr(ord("a") + number) if number < 26 else _letter(number // 26 - 1) + _letter(number % 26)
