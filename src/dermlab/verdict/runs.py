"""Reading an experiment's predictions out of DVC, without checking it out."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
from ruamel.yaml import YAML

from dermlab.data.classes import OTHER
from dermlab.data.tables import CATALOG, FLAGS, IMAGES, MANIFEST, PREDICTIONS, PROB_PREFIX, read_table
from dermlab.run import paths
from dermlab.run.errors import ContractError, DermlabError
from dermlab.verdict.paired import Run, flat

WORKSPACE = "workspace"
LOCK = Path("dvc.lock")
FILES = (paths.PARAMS, LOCK, paths.PREDICTIONS, paths.CATALOG, paths.IMAGES, paths.MANIFEST, paths.FLAGS)
SCORED = ("image_id", "patient_id", "diagnosis", "label")  # of the predictions, beside the probabilities
SCORED_STAGES = ("catalog", "pull", "embed", "flag", "manifest", "train", "calibrate", "evaluate")


def load_run(rev: str, repo: Path | str = ".") -> Run:
    """`rev`: an experiment's name, any git revision, `workspace` for the files as they are now, or a predictions table, FILE.parquet.

    Raises DermlabError for an unknown name, with those that exist; ContractError where the run's files are not to be had, or
    where its params.yaml is not what its results were made with.
    """
    if rev == WORKSPACE:
        return _read(rev, Path(repo))
    if rev.endswith(".parquet"):
        return load_predictions(Path(rev), Path(repo))
    with tempfile.TemporaryDirectory() as folder:
        fetch(rev, Path(repo), Path(folder), FILES)
        return _read(rev, Path(folder))


def load_predictions(path: Path, repo: Path | str = ".") -> Run:
    """Any model's probabilities of the test split, in the contract of `tables.PREDICTIONS`. Which classes are rare, the catalog of `repo`
    says; without one the test rows do. Raises ContractError."""
    predictions = read_table(path, PREDICTIONS)
    catalog, images = Path(repo) / paths.CATALOG, Path(repo) / paths.IMAGES
    labels = predictions["label"]
    if catalog.exists() and images.exists():
        labels = train_labels(catalog, images)
    counts = {label: int(count) for label, count in labels.value_counts().items() if label != OTHER}
    return Run(path.stem, predictions, {"predictions": path.name}, counts)


def _read(name: str, folder: Path) -> Run:
    try:
        params = read_yaml(folder / paths.PARAMS)
        lock = read_yaml(folder / LOCK) if (folder / LOCK).exists() else {}
        check_params_were_run(params, lock)
        if "relabeled" in str(params.get("variant", "")).split("+") and params["manifest"]["ledger"] == str(paths.RELABELS):
            params["ledger"] = _ledger_digest(lock)  # two reviews are two recipes, though their params are the same
        # Only what is used, and no schema: it is today's, and a run of an older version was checked when it was written.
        names = [name for name in pq.read_schema(folder / paths.PREDICTIONS).names if name in SCORED or name.startswith(PROB_PREFIX)]
        predictions = read_table(folder / paths.PREDICTIONS, PREDICTIONS, names)
        manifest = read_table(folder / paths.MANIFEST, MANIFEST, ["split", "label"])
        flags = read_table(folder / paths.FLAGS, FLAGS, ["given", "label_issue"])
        counts = train_labels(folder / paths.CATALOG, folder / paths.IMAGES).value_counts()
    except (ContractError, OSError) as error:
        said = str(error).replace(f"{folder}/", "")
        raise ContractError(f"{name}: {said}") from error
    trained = manifest.loc[manifest["split"] == "train", "label"].value_counts()
    flagged = flags.groupby("given")["label_issue"].mean()
    known, used = ({label: int(count) for label, count in of.items() if label != OTHER} for of in (counts, trained))
    return Run(name, predictions, params, known, used, {label: float(share) for label, share in flagged.items() if label != OTHER})


def train_labels(catalog: Path, images: Path) -> pd.Series:
    """The catalog's labels of the training images that were pulled. Raises ContractError."""
    who = read_table(catalog, CATALOG, ["image_id", "label", "split"])
    pulled = read_table(images, IMAGES, ["image_id"])["image_id"]
    return who.loc[(who["split"] == "train") & who["image_id"].isin(pulled), "label"]


def read_yaml(path: Path) -> dict[str, Any]:
    return YAML(typ="safe").load(path.read_text(encoding="utf-8")) or {}


def check_params_were_run(params: dict, lock: dict) -> None:
    """A commit can hold a params.yaml that nobody ran; its results would then be credited to the wrong recipe."""
    now = flat(params)
    for stage in SCORED_STAGES:
        then = flat(lock.get("stages", {}).get(stage, {}).get("params", {}).get(str(paths.PARAMS), {}))
        for key, value in then.items():
            if key in now and now[key] != value:
                raise ContractError(
                    f"params.yaml says {key}={now[key]}, but its results were made with {key}={value}. Run it first: `dvc exp run`."
                )


def _ledger_digest(lock: dict) -> str:
    deps = lock.get("stages", {}).get("manifest", {}).get("deps", [])
    return next((dep["md5"][:8] for dep in deps if dep["path"] == str(paths.RELABELS)), "unknown")


def fetch(rev: str, repo: Path, folder: Path, files: Sequence[Path]) -> None:
    """Copies the run's `files` from git and the DVC cache (from the remote where the cache lacks them) into `folder`. Raises DermlabError
    for an unknown name, ContractError for a file that is not to be had."""
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.scm import SCMError, resolve_rev

    try:
        with Repo(str(repo)) as opened:
            resolve_rev(opened.scm, rev)
    except (DvcException, SCMError) as error:
        raise DermlabError(
            f"There is no experiment or revision {rev!r} ({_short(error)}). Experiments: {', '.join(_experiments(repo)) or 'none'}. For "
            f"the files as they are now say `{WORKSPACE}`."
        ) from error
    there = DVCFileSystem(str(repo), rev=rev)
    for path in files:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            if path != LOCK or there.exists(str(path)):
                there.get_file(str(path), str(target))
        except Exception as error:  # whatever the remote's own library raises: no network, no credentials, no such object
            raise ContractError(
                f"{rev}: {path} is neither in the DVC cache nor to be had from the remote ({_short(error)}). Fetch it: `dvc exp pull` and "
                f"`dvc fetch`, or run it again: `dvc exp run`."
            ) from error


def _experiments(repo: Path) -> list[str]:
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        opened = Repo(str(repo))
    except DvcException:  # not in a DVC repository at all
        return []
    with opened:
        return sorted({entry[0] for group in opened.experiments.ls(all_commits=True).values() for entry in group if entry[0]})


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
