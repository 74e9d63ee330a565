"""What a stage left behind the last time it ran, out of DVC's cache: a source that grew by 2 % costs 2 %.

DVC removes a stage's outs before it runs the stage, but dvc.lock still names them then, and the cache still has them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class LastRun:
    """`files`: deps and outs of that run, path -> file in the cache; of a folder each file by its own path. Read-only."""

    files: dict[str, Path]

    def file(self, path: Path | str) -> Path | None:
        return self.files.get(str(path))


def last_run(stage: str, but: Path | tuple[Path, ...]) -> LastRun | None:
    """None where there is none: outside a DVC repository, where the stage never ran, or where any dependency but `but` (code, params,
    versions) has changed since, so that the same input might give another result."""
    apart = {str(path) for path in (but if isinstance(but, tuple) else (but,))}
    return _last_run(stage, lambda deps: not any(dep.status() for dep in deps if dep.def_path not in apart), apart)


def left_behind(stage: str) -> LastRun | None:
    """The outs of the last run, whatever has changed since: for a file that says by itself what made it. None where there is none."""
    return _last_run(stage, lambda _: True, set())


def _last_run(stage: str, holds: Callable[[list], bool], apart: set[str]) -> LastRun | None:
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo() as repo:
            node = repo.stage.load_one(name=stage)
            if not holds(node.deps):
                return None
            files: dict[str, Path] = {}
            for entry in [*node.outs, *(dep for dep in node.deps if dep.def_path in apart)]:
                files |= _cached(entry)
    except DvcException:
        return None
    return LastRun(files)


def _cached(entry) -> dict[str, Path]:
    """Path in the workspace -> file in the cache; empty where the cache lacks it."""
    odb, hash_info = entry.cache, entry.hash_info
    if not hash_info or not hash_info.value:
        return {}
    if not hash_info.isdir:
        path = Path(odb.oid_to_path(hash_info.value))
        return {entry.def_path: path} if path.exists() else {}
    tree = entry.get_obj()
    if tree is None:
        return {}
    inside = {f"{entry.def_path}/{'/'.join(key)}": Path(odb.oid_to_path(info.value)) for key, (_, info) in tree.iteritems()}
    return inside if all(path.exists() for path in inside.values()) else {}
