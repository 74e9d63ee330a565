"""Files that a dvc or a git which is killed leaves half written, or half removed: neither writes them beside their place first. What is put
back is said."""

import json
import shutil
from pathlib import Path

import psutil
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from dermlab.data.pin import PINNED_FILES
from dermlab.run import paths
from dermlab.run.files import write_text
from dermlab.run.git import captured, git
from dermlab.run.progress import say
from dermlab.study.dvc import DVC

TEMPORARY = Path(".dvc/tmp")
LOCK = Path("dvc.lock")
SOURCE = Path(f"{paths.SOURCE}.dvc")


def mend_locks() -> None:
    """DVC's own rwlock, on which every command stops, and dvc.lock."""
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


def mend_source(before: str) -> None:
    """data/source.dvc, which DVC writes anew as each experiment starts, and data/source: of an empty file it concludes that the folder is
    nobody's, and removes it; a folder that is not whole it takes for the source as it is now. `before`: the file's text when the run that
    was killed began, empty where nobody knows: then it is as committed, and a folder that is not there is left to DVC."""
    text = SOURCE.read_text(encoding="utf-8") if SOURCE.exists() else None
    is_whole = all((paths.SOURCE / name).exists() for name in PINNED_FILES) or not (before or paths.SOURCE.exists())
    if text is None or (is_whole and _names_an_out(text)):
        return
    if not (before := before or git("show", f"HEAD:{SOURCE}", check=False)):
        return
    write_text(SOURCE, before.removesuffix("\n") + "\n")
    done = captured((*DVC, "checkout", "--force", "--quiet", str(SOURCE)))
    came = "is back out of DVC's cache" if done.returncode == 0 else "comes back with `dvc pull`, or lock it again"
    say(f"{SOURCE} or {paths.SOURCE} was half written by a run that was killed; {paths.SOURCE} {came}")


def forget_index() -> None:
    """DVC's own index of what it keeps, which it makes anew where there is none. It commits while it fills it: killed then, it takes the
    part for the whole, removes every out and source that is not in it, and never finds them again."""
    from dvc.exceptions import NotDvcRepoError
    from dvc.repo import Repo

    try:
        with Repo(".") as repo:
            shutil.rmtree(Path(repo.site_cache_dir) / "index", ignore_errors=True)
    except NotDvcRepoError:  # it has none
        return


def remove_locks_of_git() -> None:
    """Of refs and of the index: each stops every later command that writes there. Nothing is removed while a git or a dvc works here."""
    folder = Path(git("rev-parse", "--absolute-git-dir"))
    if (left := [*folder.glob("*.lock"), *folder.glob("refs/**/*.lock")]) and not _works_here("git", "dvc"):
        for path in left:
            path.unlink(missing_ok=True)
        names = ", ".join(str(path.relative_to(folder)) for path in left)
        say(f"a run that was killed had left git's {names}: removed")


def _works_here(*names: str) -> bool:
    here = Path.cwd()
    for process in psutil.process_iter():
        try:
            program = {Path(word).name for word in process.cmdline()[:2]}
            if program & set(names) and Path(process.cwd()) == here:
                return True
        except (psutil.Error, OSError):  # ended meanwhile, or somebody else's
            continue
    return False


def _names_an_out(text: str) -> bool:
    try:
        outs = (YAML(typ="safe").load(text) or {}).get("outs")
        return bool(outs and outs[0].get("md5") and outs[0].get("path")) and text.endswith("\n")
    except (YAMLError, AttributeError, KeyError, TypeError):
        return False


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
