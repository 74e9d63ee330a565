"""Reading an experiment's predictions out of DVC, without checking it out; and all seeds of a recipe by the name of one."""

import hashlib
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from dermlab.data.classes import OTHER, read_classes
from dermlab.data.json_files import read_json
from dermlab.data.predictions import read_predictions
from dermlab.data.questionnaire import PREFIX as QUESTION
from dermlab.data.tables import CASE, CATALOG, FLAGS, IMAGES, MANIFEST, NOTE_PREFIX, PREDICTIONS, PROB_PREFIX, read_table
from dermlab.model.folder import CALIBRATION
from dermlab.run import paths
from dermlab.run.errors import ContractError, DermlabError, ParamsError
from dermlab.run.files import sha256_file
from dermlab.run.git import git, objects
from dermlab.run.params import parsed
from dermlab.scores.cases import Pooling
from dermlab.scores.groups import Group
from dermlab.scores.predictions import target_names
from dermlab.verdict.committed import LOCK, SCORED_STAGES, other_params
from dermlab.verdict.tested import Run, recipe_of

WORKSPACE = "workspace"
FILES = (paths.PARAMS, LOCK, paths.PREDICTIONS, paths.CATALOG, paths.IMAGES, paths.MANIFEST, paths.FLAGS)
EVALUATED = paths.metrics_of("evaluate")  # which says how photos of a case are put together; read where it lies
TRAINED = paths.metrics_of("train")  # which says what validation chose of training; likewise
CALIBRATED = paths.MODEL / CALIBRATION  # which says from where on a photo is called of a group of classes; likewise
UNFINISHED = "-unfinished"  # the end of the name of an experiment that a study has not yet proved
TESTED = (paths.CATALOG, paths.IMAGES)  # which say what was tested
MADE = ("data/", "models/", "metrics/")  # what a stage made, or what is told by what it made
SAID = (str(paths.NOT_COPIES),)  # by a person, and it decides what is trained on; the ledger is told by `_settings`
MOST_OTHERS = 40  # runs that are read to learn how far runs lie apart
SCORED = ("image_id", "patient_id", "diagnosis", "label")  # of the predictions, beside the probabilities


@dataclass(frozen=True)
class Ref:
    """An experiment as git has it."""

    name: str
    commit: str
    params: dict
    code: dict[str, str]
    recipe: str


def load_runs(names: Sequence[str], repo: Path | str = ".") -> tuple[list[Run], list[Run]]:
    """The runs of the named recipes, each with all its seeds wherever their experiments started from: same params, code and data. And the
    other runs of this source and backbone that have several seeds and lie in the cache: they tell how far runs of one recipe lie apart,
    whatever is named, so that two recipes differ by the same whoever stands beside them. Raises as `load_run`, for what is named."""
    named = _told_apart([load_run(name, repo) for name in names], names)
    known = list(_refs(repo)) if any(run.code for run in named) else []  # predictions of elsewhere have no experiments
    runs: list[Run] = []
    for run in named:
        runs.append(run)
        seeds = {run.params.get("seed")} | {r.params.get("seed") for r in named if r.recipe == run.recipe}
        for ref in known if run.code else ():
            if ref.params.get("seed") not in seeds and ref.recipe == run.recipe:
                seeds.add(ref.params.get("seed"))
                try:
                    runs.append(load_run(ref.commit, repo, ref.name))
                except DermlabError as error:  # nobody named it
                    print(f"{ref.name} is left out, though it is a seed of {run.name}: {error}", file=sys.stderr)
    first = named[0]
    return runs, list(_others(first, {run.recipe for run in runs}, known, Path(repo))) if first.code else []


def _told_apart(runs: Sequence[Run], names: Sequence[str]) -> list[Run]:
    """Files of one name in two folders bear their paths."""
    twice = {run.name for run in runs if sum(other.name == run.name for other in runs) > 1}
    return [replace(run, name=name) if run.name in twice else run for run, name in zip(runs, names, strict=True)]


def _others(first: Run, recipes: set[str], known: Sequence["Ref"], repo: Path) -> Iterator[Run]:
    by_recipe: dict[str, dict[int, Ref]] = {}
    for ref in known:
        alike = ref.params.get("backbone") == first.params.get("backbone") and _test_of(ref.code) == _test_of(first.code)
        if alike and ref.recipe not in recipes:
            by_recipe.setdefault(ref.recipe, {}).setdefault(ref.params.get("seed"), ref)
    refs = [ref for seeds in by_recipe.values() if len(seeds) > 1 for ref in seeds.values()]
    for ref in refs[:MOST_OTHERS]:
        with suppress(DermlabError):  # not in the cache, and not worth a download
            yield load_run(ref.commit, repo, ref.name, remote=False)


def load_run(rev: str, repo: Path | str = ".", name: str = "", remote: bool = True) -> Run:
    """`rev`: an experiment's name, any git revision, `workspace` for the files as they are now, or a predictions table, FILE.parquet.
    `name`: what it is called, `rev` unless told; `remote`: whether what the cache lacks is fetched.

    Raises DermlabError for an unknown name, with those that exist; ContractError where the run's files are not to be had, or
    where its params.yaml is not what its results were made with.
    """
    if not rev.strip():
        raise DermlabError("An experiment's name is empty. `dermlab runs` lists those that there are.")
    if rev == WORKSPACE:
        return _read(rev, Path(repo))
    if rev.endswith(".parquet"):
        return load_predictions(Path(rev), Path(repo))
    with tempfile.TemporaryDirectory() as folder:
        fetch(rev, Path(repo), Path(folder), (*FILES, TRAINED, EVALUATED, CALIBRATED), remote)
        return _read(name or rev, Path(folder))


def commit_of(name: str, repo: Path | str = ".") -> str:
    """Of an experiment by its name, where several commits have one so called: HEAD's own, else the newest. Empty: there is none."""
    head = git("-C", str(repo), "rev-parse", "-q", "--verify", "HEAD", check=False)
    told = git("-C", str(repo), "for-each-ref", "--format=%(refname)%09%(objectname)", "--sort=-committerdate", "refs/exps/", check=False)
    found = [line.split("\t") for line in told.splitlines() if line.split("\t")[0].split("/", 4)[-1] == name]
    own = [commit for ref, commit in found if ref == f"refs/exps/{head[:2]}/{head[2:]}/{name}"]
    return next(iter([*own, *(commit for _, commit in found)]), "")


def _refs(repo: Path | str) -> Iterator[Ref]:
    """Every experiment of this repository whose params and lock can be read, the newest first."""
    form = "%(refname)%09%(objectname)"
    told = git("-C", str(repo), "for-each-ref", f"--format={form}", "--sort=-committerdate", "refs/exps/", check=False)
    listed = [line.split("\t") for line in told.splitlines()]
    refs = [(ref.split("/", 4)[-1], commit) for ref, commit in listed if re.fullmatch(r"refs/exps/[0-9a-f]{2}/[0-9a-f]{38}/.+", ref)]
    texts = objects([f"{commit}:{path}" for _, commit in refs for path in (paths.PARAMS, LOCK)], repo)
    for name, commit in refs:
        params, lock = (texts.get(f"{commit}:{path}") for path in (paths.PARAMS, LOCK))
        if params and lock and not name.endswith(UNFINISHED):
            with suppress(DermlabError, YAMLError, AttributeError, KeyError, TypeError, ValueError):  # of another version, or cut off
                read, locked = YAML(typ="safe").load(params), _lock_of(lock)
                code = code_of(locked)
                yield Ref(name, commit, read, code, recipe_of(_settings(read, locked), code))


def _lock_of(text: str) -> dict:
    return _yaml(text, LOCK)


def _yaml(text: str, path: Path) -> dict[str, Any]:
    """Empty where nothing is there. Raises ContractError for what was cut off."""
    try:
        return parsed(text, path) if text else {}
    except ParamsError as error:
        raise ContractError(f"{str(error).removesuffix('.')}. Put it back: `dermlab reset`, or `git checkout COMMIT -- {path}`.") from error


def code_of(lock: Mapping) -> dict[str, str]:
    """What results depend on beside params, file -> digest: the code of the stages, the versions of libraries, the source, which images
    are tested and which are told to be no copies. Empty without a lock."""
    stages = {stage: (lock.get("stages") or {}).get(stage) or {} for stage in SCORED_STAGES}
    found = {}
    for stage in stages.values():
        deps = [dep for dep in stage.get("deps", []) if dep["path"] in SAID or not dep["path"].startswith(MADE)]
        found |= {dep["path"]: dep.get("md5", "") for dep in deps}
        found |= {f"version of {name}": str(version) for name, version in stage.get("params", {}).get("versions.yaml", {}).items()}
    outs = {out["path"]: out.get("md5", "") for stage in stages.values() for out in stage.get("outs", [])}
    return found | {str(path): outs[str(path)] for path in TESTED if str(path) in outs}


def _test_of(code: Mapping[str, str]) -> tuple:
    return tuple(code.get(str(path)) for path in TESTED)


def _settings(params: dict, lock: Mapping) -> dict:
    """Params, and which review was applied: two reviews are two recipes, though their params are the same."""
    if "relabeled" in str(params.get("variant", "")).split("+") and params["manifest"]["ledger"] == str(paths.RELABELS):
        return {**params, "ledger": _ledger_digest(lock)}
    return params


def load_predictions(path: Path, repo: Path | str = ".") -> Run:
    """Any model's probabilities of the test split, in the contract of `tables.PREDICTIONS`. Where `repo` has a catalog, that says which
    photos are tested, their labels and patients, and which classes are rare: a table that says otherwise is refused. Without one the word
    of the table is taken. Raises ContractError."""
    catalog, images, classes = (Path(repo) / file for file in (paths.CATALOG, paths.IMAGES, paths.SOURCE / "classes.json"))
    known = catalog.exists() and images.exists()
    table, _ = read_predictions(path, read_classes(classes).names if known and classes.exists() else ())
    labels = table["label"]
    strange = np.flatnonzero(~labels.isin([*target_names(table), OTHER]))
    if len(strange) or (labels == OTHER).all():
        first = f", row {strange[0]}: label {labels.iat[strange[0]]!r} has no column" if len(strange) else ""
        said = first or ": all labels are `other`"
        raise ContractError(f"{path}{said}. There is nothing to score: each label but `{OTHER}` is a class with a probability.")
    if known:
        _check_is_test_split(table, labels_of("test", catalog, images), path)
        labels = labels_of("train", catalog, images)["label"]
    counts = {label: int(count) for label, count in labels.value_counts().items() if label != OTHER}
    names = sorted((name for name in target_names(table)), key=lambda name: (-counts.get(name, 0), name))
    columns = [*SCORED, *(PROB_PREFIX + name for name in names), *([PROB_PREFIX + OTHER] if PROB_PREFIX + OTHER in table else [])]
    predictions = table[columns].sort_values("image_id", ignore_index=True)
    return Run(path.stem, predictions, {"predictions": path.name, "digest": sha256_file(path)[:12]}, counts)


def _check_is_test_split(table: pd.DataFrame, tested: pd.DataFrame, path: Path) -> None:
    """Its labels are frozen; whoever brings his own is scored against himself. No word names a patient."""
    where, todo = f"{path} is not of the test split of {paths.CATALOG}:", "Predict the photos of this test split."
    ours, theirs = set(tested["image_id"]), set(table["image_id"])
    if strange := sorted(theirs - ours):
        raise ContractError(
            f"{where} {len(strange)} of its {len(theirs)} images are not tested here (first: {strange[0]}). {todo} To score predictions "
            f"of other photos, go to a folder without {paths.CATALOG}."
        )
    if missing := sorted(ours - theirs):
        raise ContractError(f"{where} it lacks {len(missing)} of {len(ours)} images (first: {missing[0]}). {todo}")
    tested = tested.set_index("image_id").loc[table["image_id"]]
    for column, what in (("label", "label"), ("patient_id", "patient")):
        if len(other := np.flatnonzero(table[column].to_numpy() != tested[column].to_numpy())):
            raise ContractError(
                f"{where} {len(other)} of {len(table)} images bear another {what} (first: {table['image_id'].iat[other[0]]}). Take labels "
                f"and patients from {paths.CATALOG}."
            )


def _read(name: str, folder: Path) -> Run:
    try:
        params = read_yaml(folder / paths.PARAMS)
        lock = _lock_of((folder / LOCK).read_text(encoding="utf-8")) if (folder / LOCK).exists() else {}
        check_params_were_run(params, lock)
        params = _settings(params, lock)
        # Only what is used, and no schema: it is today's, and a run of an older version was checked when it was written.
        names = [name for name in _columns(folder / paths.PREDICTIONS) if name in (*SCORED, CASE, "labels") or name.startswith(PROB_PREFIX)]
        predictions = read_table(folder / paths.PREDICTIONS, PREDICTIONS, names)
        manifest = read_table(folder / paths.MANIFEST, MANIFEST, ["split", "label"])
        flags = read_table(folder / paths.FLAGS, FLAGS, ["given", "label_issue"])
        counts = labels_of("train", folder / paths.CATALOG, folder / paths.IMAGES)["label"].value_counts()
        answers = _answers(folder / paths.CATALOG)
    except (ContractError, OSError) as error:
        said = str(error).replace(f"{folder}/", "")
        raise ContractError(f"{name}: {said}") from error
    trained = manifest.loc[manifest["split"] == "train", "label"].value_counts()
    flagged = flags.groupby("given")["label_issue"].mean()
    known, used = ({label: int(count) for label, count in of.items() if label != OTHER} for of in (counts, trained))
    doubted = {label: float(share) for label, share in flagged.items() if label != OTHER}
    return Run(
        name, predictions, params, known, used, doubted, code_of(lock), _pooling(folder / EVALUATED), _groups(folder / CALIBRATED), answers,
        _best_phase(folder / TRAINED),
    )  # fmt: skip


def _best_phase(path: Path) -> str:
    """Of metrics/train.json. Empty where it is not to be had."""
    return read_json(path).get("best_phase", "") if path.exists() else ""


def _pooling(path: Path) -> Pooling | None:
    """Of metrics/evaluate.json. None where each case is one photo, and of a run of before there were cases."""
    said = read_json(path).get("cases") if path.exists() else None
    return Pooling(said["pool"], said["independence"]) if said else None


def _groups(path: Path) -> tuple[Group, ...]:
    """Of calibration.json. None of a run of before there were groups."""
    said = read_json(path).get("groups", []) if path.exists() else []
    return tuple(Group(**{**group, "classes": tuple(group["classes"])}) for group in said)


def _answers(catalog: Path) -> pd.DataFrame:
    """Of the test images, by image_id; without questions of several answers, which part no patients."""
    kinds = pq.read_schema(catalog)
    several = {name for name in kinds.names if pa.types.is_list(kinds.field(name).type)}
    columns = [name for name in kinds.names if name.startswith((QUESTION, NOTE_PREFIX)) and name not in several]
    table = read_table(catalog, CATALOG, ["image_id", "split", *columns])
    return table[table["split"] == "test"].set_index("image_id")[columns]


def _columns(path: Path) -> list[str]:
    try:
        return pq.read_schema(path).names
    except pa.ArrowInvalid as error:
        raise ContractError(f"{path} cannot be read as Parquet ({_short(error)}). Restore it with `dvc checkout`.") from error


def labels_of(split: str, catalog: Path, images: Path) -> pd.DataFrame:
    """image_id, patient_id and label of the images of a split that were pulled, as the catalog has them. Raises ContractError."""
    who = read_table(catalog, CATALOG, ["image_id", "patient_id", "label", "split"])
    pulled = read_table(images, IMAGES, ["image_id"])["image_id"]
    return who.loc[(who["split"] == split) & who["image_id"].isin(pulled), ["image_id", "patient_id", "label"]]


def read_yaml(path: Path) -> dict[str, Any]:
    """Raises ContractError for what was cut off, OSError where nothing is there."""
    return _yaml(path.read_text(encoding="utf-8"), Path(path.name))


def check_params_were_run(params: dict, lock: dict) -> None:
    """A commit can hold a params.yaml that nobody ran; its results would then be credited to the wrong recipe."""
    for it in other_params(params, lock):
        raise ContractError(
            f"params.yaml says {it.key}={it.now}, but its results were made with {it.key}={it.then}. Run it first: `dvc exp run`."
        )


def _ledger_digest(lock: Mapping) -> str:
    deps = lock.get("stages", {}).get("manifest", {}).get("deps", [])
    return next((dep["md5"][:8] for dep in deps if dep["path"] == str(paths.RELABELS)), "unknown")


def fetch(rev: str, repo: Path, folder: Path, files: Sequence[Path], remote: bool = True) -> None:
    """Brings the run's `files` from git and the DVC cache (from the remote where the cache lacks them, and `remote` allows) into `folder`.
    Raises DermlabError for an unknown name, ContractError for a file that is not to be had."""
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.scm import SCMError, resolve_rev

    try:
        with Repo(str(repo)) as opened:
            commit = commit_of(rev, repo) or resolve_rev(opened.scm, rev)
            cached = opened.cache.local.oid_to_path
    except (DvcException, SCMError) as error:
        raise no_such_run(rev, repo, _short(error)) from error
    texts = {Path(name.partition(":")[2]): text for name, text in objects([f"{commit}:{path}" for path in files], repo).items()}
    lock = _lock_of(texts.get(LOCK, ""))
    outs = {Path(out["path"]): out["md5"] for stage in lock.get("stages", {}).values() for out in stage.get("outs", [])}
    there = None
    for path in files:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if path in texts:
            target.write_text(texts[path], encoding="utf-8")
        elif path in outs and (source := Path(cached(outs[path]))).exists():
            check_is_whole(source, outs[path], f"{rev}: {path}")
            target.symlink_to(source.resolve())
        elif path not in (LOCK, TRAINED, EVALUATED, CALIBRATED):
            try:
                if not remote:
                    raise FileNotFoundError(path)
                there = there or DVCFileSystem(str(repo), rev=commit)  # not the name, which a branch may have too
                there.get_file(str(path), str(target))
            except Exception as error:  # whatever the remote's own library raises: no network, no credentials, no such object
                raise ContractError(
                    f"{rev}: {path} is neither in the DVC cache nor to be had from the remote ({_short(error)}). Fetch it: `dvc exp pull` "
                    f"and `dvc fetch`, or run it again: `dvc exp run`."
                ) from error


def check_is_whole(source: Path, digest: str, what: str) -> None:
    """DVC takes what lies in its cache for what was put there. `what`: an experiment and its file. Raises ContractError."""
    state = source.stat()
    if _md5(source, state.st_size, state.st_mtime_ns) != digest:
        raise ContractError(
            f"{what} is damaged in the DVC cache, which holds other bytes than were put there. Remove them and fetch it again: "
            f"`rm -f {_from_here(source)}`, then `dvc exp pull origin {what.partition(':')[0]}`; or run it again: `dvc exp run`."
        )


def _from_here(path: Path) -> Path:
    """Where it lies in the repository, since what is said may stand in a pull request; elsewhere in full, for whoever has to remove it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


@cache  # most experiments share most of what is read of them
def _md5(source: Path, size: int, changed: int) -> str:
    with source.open("rb") as file:
        return hashlib.file_digest(file, partial(hashlib.md5, usedforsecurity=False)).hexdigest()


def no_such_run(rev: str, repo: Path | str = ".", why: str = "") -> DermlabError:
    known = _experiments(repo)
    near = f" (did you mean {close[0]}?)" if (close := get_close_matches(rev, known, n=1)) else f" ({why})" if why else ""
    return DermlabError(
        f"There is no experiment or revision {rev!r}{near}. Experiments: {', '.join(known) or 'none'}. For the files as they are now say "
        f"`{WORKSPACE}`."
    )


def _experiments(repo: Path | str) -> list[str]:
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
