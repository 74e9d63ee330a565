"""Files of the user's in a folder that DVC takes for an out: it would remove them wherever it puts the folder back. They are set aside, and
put back in their place."""

import itertools
import shutil
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from dermlab.data.pin import PINNED_FILES
from dermlab.data.validation import Validation
from dermlab.run import paths
from dermlab.run.progress import say

ASIDE = Path(".dvc/tmp/own")
KEPT = Path(".dvc/tmp/kept")  # what found its place taken
# What a stage writes there, by name; anything else is the user's.
WRITTEN = {
    paths.SOURCE: (*PINNED_FILES, "source.json"),
    paths.SHARDS: ("shard-*.arrow",),
    paths.EMBEDDINGS: ("info.json", "features.npy", "image_ids.npy"),
    paths.VALIDATION: tuple(f"{name}.npy" for name in Validation.__dataclass_fields__),
}


def set_aside() -> None:
    for path in _own_files():
        _move(path, ASIDE / path)


def put_back() -> None:
    """What was set aside; nothing where nothing was."""
    for path in sorted(ASIDE.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            continue
        target = path.relative_to(ASIDE)
        if target.exists() or target.is_symlink():
            say(f"{target} was made anew meanwhile; what stood there before is {_move(path, KEPT / target)}")
        else:
            _move(path, target)
    for folder in sorted((path for path in ASIDE.rglob("*") if path.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()


def _own_files() -> Iterator[Path]:
    for folder, names in WRITTEN.items():
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            inside = str(path.relative_to(folder))
            if (path.is_symlink() or not path.is_dir()) and not any(fnmatch(inside, name) for name in names):
                yield path


def _move(path: Path, target: Path) -> Path:
    """Where it is then: under another name where something of this name stands there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    names = (target.with_name(f"{target.name}.{number}" if number else target.name) for number in itertools.count())
    free = next(name for name in names if not (name.exists() or name.is_symlink()))
    shutil.move(path, free)
    return free
