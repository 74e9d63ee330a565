"""Whether results are of the params and code that stand beside them: in HEAD, in the index, in the working tree.

git takes a params.yaml that nobody ran, and a dvc.lock of another experiment. It is looked at before each commit, so no library is imported
that takes long.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from dermlab.run import paths
from dermlab.run.errors import ContractError, ParamsError
from dermlab.run.git import blobs, git
from dermlab.run.params import flat, parsed

LOCK = Path("dvc.lock")
SCORED_STAGES = ("catalog", "pull", "embed", "flag", "manifest", "train", "calibrate", "evaluate")
HEAD, STAGED, FILES = "HEAD", "staged", "working tree"
MOST = 3  # names in a sentence


@dataclass(frozen=True)
class OtherParam:
    """A param whose value is not the one that a stage ran with."""

    key: str
    now: Any
    then: Any
    stage: str


@dataclass(frozen=True)
class Look:
    notices: list[str]
    mistake: str = ""  # what a commit may not hold


@dataclass(frozen=True)
class _State:
    """params.yaml, dvc.lock and what git has beside them."""

    name: str
    params: str
    lock: str
    others: list[OtherParam] = field(default_factory=list)
    changed: dict[str, list[str]] = field(default_factory=dict)  # what a stage depends on and is no longer as it was -> those stages


def other_params(params: Mapping, lock: Mapping) -> list[OtherParam]:
    """What `lock` records of the stages that make a score, where `params` says otherwise. Of what only one of them has, nobody can tell."""
    now = flat(params)
    return [
        OtherParam(key, now[key], then, stage)
        for stage in SCORED_STAGES
        for key, then in flat(_stage(lock, stage).get("params", {}).get(str(paths.PARAMS), {})).items()
        if key in now and now[key] != then
    ]


def look(staged: bool = False) -> Look:
    """At HEAD, the index and the working tree, or with `staged` at what is about to be committed. A mistake are results that HEAD, or the
    index, has beside other params; what is not committed, and other code, is told. Raises ContractError for a dvc.lock that is cut off."""
    states = [_state(name) for name in ((STAGED,) if staged else (HEAD, STAGED, FILES))]
    first = states[0]
    mistake = f"{_of_other_params(first)} {_how_to_mend()}" if first.others else ""
    notices, told = [], _State("", "", "")
    for state in states:
        if state.others and state is not first and state.others != told.others:
            back = "`dermlab reset` goes back" if first.lock else "`dermlab apply NAME` brings an experiment's params"
            todo = "A commit would hold both." if state.name == STAGED else f"`dvc repro` runs it; {back}."
            notices.append(f"{_of_other_params(state)} {todo}")
        if state.changed and state.changed != told.changed:
            notices.append(_of_other_files(state))
        told = state
    return Look(notices, mistake)


def staged_params() -> str:
    """params.yaml as it is about to be committed. Raises ParamsError."""
    text = _texts(STAGED, [str(paths.PARAMS)]).get(str(paths.PARAMS))
    if text is None:
        raise ParamsError(
            f"The index holds no {paths.PARAMS}. Run from the repository's root, or restore it: `git checkout HEAD params.yaml`."
        )
    return text.decode("utf-8", "replace")


def _of_other_params(state: _State) -> str:
    now = dict.fromkeys(f"{other.key}={other.now}" for other in state.others)
    stages: dict[str, list[str]] = {}
    for other in state.others:
        stages.setdefault(f"{other.key}={other.then}", []).append(other.stage)
    then = [f"{value} ({_some(of)})" for value, of in stages.items()]
    return f"{state.name}: {paths.PARAMS} says {_some(now)}, but the results in {LOCK} were made with {_some(then)}."


def _how_to_mend() -> str:
    both = f"`git add {paths.PARAMS} {LOCK}`"
    with suppress(ContractError):  # whatever half a file lies there, it is not what was asked about
        files = _state(FILES)
        if files.lock and not files.others:
            return f"In the working tree they agree: {both}, and commit both."
    return (
        f"Run it (`dvc repro`), or bring back an experiment that ran with these params (`dermlab apply NAME`; `dermlab runs` lists them), "
        f"or put params.yaml back to what ran; then {both}, and commit both."
    )


def _of_other_files(state: _State) -> str:
    stages = [stage for stage in SCORED_STAGES if any(stage in of for of in state.changed.values())]
    return (
        f"{state.name}: the results of {_some(stages)} were made with other versions of {_some(state.changed)}. `dvc repro` makes them "
        f"anew; commit {LOCK} then."
    )


def _some(names: Sequence[str] | Mapping[str, Any]) -> str:
    shown = list(names)[:MOST]
    if len(names) > MOST:
        return f"{', '.join(shown)} and {len(names) - MOST} more"
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))


def _state(name: str) -> _State:
    texts = {path: text.decode("utf-8", "replace") for path, text in _texts(name, [str(paths.PARAMS), str(LOCK)]).items()}
    params, lock = texts.get(str(paths.PARAMS), ""), texts.get(str(LOCK), "")
    if not params or not lock:  # nothing has run, as in a fresh clone
        return _State(name, params, lock)
    try:
        ran = _parsed(lock)
        return _State(name, params, lock, other_params(_parsed(params), ran), _changed(name, ran))
    except (ParamsError, AttributeError, KeyError, TypeError) as error:
        raise ContractError(
            f"{name}: {paths.PARAMS} or {LOCK} cannot be read ({' '.join(str(error).split())[:160]}). Put it back: `dermlab reset`, or "
            f"`git checkout COMMIT -- {LOCK}`."
        ) from error


@cache  # of three states that are mostly alike; a lock takes a tenth of a second
def _parsed(text: str) -> dict[str, Any]:
    return parsed(text, "it")


def _stage(lock: Mapping, stage: str) -> Mapping:
    return lock.get("stages", {}).get(stage, {})


def _changed(name: str, lock: Mapping) -> dict[str, list[str]]:
    """Files, folders and libraries that are not as they were when a stage ran -> those stages. What no git tracks is not looked at: stages
    made it of the rest."""
    ran: dict[tuple[str, str], list[str]] = {}
    libraries: dict[tuple[str, str, str], list[str]] = {}
    for stage in SCORED_STAGES:
        for dep in _stage(lock, stage).get("deps", []):
            if dep.get("hash") == "md5":  # an older DVC's digest is of the text without line ends
                ran.setdefault((dep["path"], dep["md5"]), []).append(stage)
        for file, versions in _stage(lock, stage).get("params", {}).items():
            for library, version in versions.items() if file != str(paths.PARAMS) else ():
                libraries.setdefault((file, library, version), []).append(stage)
    now = _digests(name, {path for path, _ in ran})
    found: dict[str, list[str]] = {}
    for (path, digest), stages in ran.items():
        if now.get(path, digest) != digest:
            found.setdefault(path, []).extend(stages)
    pins = {file: _parsed(text.decode()) for file, text in _texts(name, sorted({file for file, *_ in libraries})).items()}
    for (file, library, version), stages in libraries.items():
        if file in pins and pins[file].get(library, version) != version:
            found.setdefault(library, []).extend(stages)
    return found


def _digests(name: str, deps: set[str]) -> dict[str, str]:
    """The digest that DVC would give each that git tracks, itself or by its .dvc file."""
    texts = _texts(name, _tracked(name, sorted({*deps, *(f"{dep}.dvc" for dep in deps)})))
    digests: dict[str, str] = {}
    for dep in deps:
        inside = {path.removeprefix(f"{dep}/"): text for path, text in texts.items() if path.startswith(f"{dep}/")}
        if dep in texts:
            digests[dep] = _md5(texts[dep])
        elif inside:
            listed = [{"md5": _md5(inside[path]), "relpath": path} for path in sorted(inside)]
            digests[dep] = _md5(json.dumps(listed).encode()) + ".dir"
        elif f"{dep}.dvc" in texts:
            digests[dep] = _parsed(texts[f"{dep}.dvc"].decode())["outs"][0]["md5"]
    return digests


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _tracked(name: str, where: Sequence[str]) -> list[str]:
    if not where:
        return []
    listing = {
        HEAD: ("ls-tree", "-r", "-z", "--name-only", "HEAD"),
        STAGED: ("ls-files", "-z"),
        FILES: ("ls-files", "-z", "--cached", "--others", "--exclude-standard"),  # DVC counts a new file before git does
    }[name]
    return sorted(set(filter(None, git(*listing, "--", *where, check=False).split("\0"))))


def _texts(name: str, files: Sequence[str]) -> dict[str, bytes]:
    if name == FILES:
        return {path: Path(path).read_bytes() for path in files if Path(path).is_file()}
    prefix = "HEAD:" if name == HEAD else ":"
    return {path.removeprefix(prefix): content for path, content in blobs([f"{prefix}{path}" for path in files]).items()}
