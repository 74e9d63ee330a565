"""A real clone with a small phantom clinic, in which a real `dvc` runs."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from defaults import DEFAULTS
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
SMALL = {
    "  max_quarantine: 0.01": "  max_quarantine: 0.05",
    "  image_size: 160": "  image_size: 64",
    "  image_size: 128": "  image_size: 64",
    "  bootstrap: 10000": "  bootstrap: 200",
    "  folds: 5": "  folds: 3",
    "  repeats: 3": "  repeats: 1",
    "  finetune_epochs: 2": "  finetune_epochs: 0",
    "  l2: auto": "  l2: 300.0",
}
FOCAL = ("-S", "loss=focal", "-S", "calibrate.adjust=validation")  # the second experiment of the finished clinic


@dataclass
class Clone:
    """A checkout and the environment its commands run in."""

    folder: Path
    environment: dict[str, str]
    seconds: dict[str, float] = field(default_factory=dict)  # what each stage of its first experiment took, where that is known
    second: dict[str, float] = field(default_factory=dict)  # the same of its second

    def run(self, *command: str, ok: bool = True) -> subprocess.CompletedProcess:
        done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=600, check=False)
        if ok and done.returncode:
            raise AssertionError(f"{' '.join(command)} exited {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        return done

    def stages(self, *command: str) -> dict[str, float]:
        """The stages that a command of DVC runs, with the seconds that each took."""
        run = subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, text=True)
        begun = []
        for line in run.stdout:
            if line.startswith("Running stage '"):
                begun.append((line.split("'")[1], time.perf_counter()))
        ends = [at for _, at in begun[1:]] + [time.perf_counter()]
        assert run.wait() == 0
        return {stage: end - at for (stage, at), end in zip(begun, ends, strict=True)}

    def commit(self, message: str) -> None:
        self.run("git", "add", "-A")
        self.run("git", "commit", "-qm", message)

    def metrics(self) -> dict[str, bytes]:
        return {p.relative_to(self.folder).as_posix(): p.read_bytes() for p in sorted(self.folder.glob("metrics/**/*")) if p.is_file()}


def environment(**extra: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "DVC_", "AWS_"))}
    identity = {f"GIT_{who}_{what}": "tester" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    path = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "DVC_NO_ANALYTICS": "1", "DERMLAB_WORKERS": "1"}
    return {**kept, **identity, **path, **extra}


def copy_of(clone: Clone, folder: Path) -> Clone:
    """The clone with its cache, its experiments and the files of its workspace, in `folder`, which is empty or absent."""
    shutil.copytree(clone.folder, folder, symlinks=True, dirs_exist_ok=True)
    return Clone(folder, environment(), dict(clone.seconds), dict(clone.second))


def clone_of_working_tree(folder: Path, *lock: str, **extra: str) -> Clone:
    """The files that git tracks or would track, as they are now, committed in a repository of their own. `lock`: its source and options,
    a small phantom unless told otherwise; `extra`: what its environment has beside the usual."""
    clone = Clone(folder, environment(**extra))
    listed = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    for name in filter(None, listed):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    params = folder / "params.yaml"
    text = DEFAULTS.read_text()
    for old, new in SMALL.items():
        assert old in text, old
        text = text.replace(old, new, 1)
    params.write_text(text)
    clone.run("git", "init", "-q", "-b", "main")
    clone.run("dermlab", "lock", *(lock or ("phantom", "--images", "600")))
    clone.commit("small clinic")
    return clone


def set_param(clone: Clone, old: str, new: str) -> None:
    """In params.yaml: `old` must be there, or a test would test something else."""
    path = clone.folder / "params.yaml"
    text = path.read_text()
    assert old in text, old
    path.write_text(text.replace(old, new, 1))


def leave_out(clone: Clone, stages: Iterable[str]) -> None:
    """Out of dvc.yaml and dvc.lock, with what is drawn of them: the last stages, where what they do is not what is tested."""
    for path in filter(Path.exists, (clone.folder / "dvc.yaml", clone.folder / "dvc.lock")):
        content = YAML(typ="safe").load(path.read_text())
        content["stages"] = {stage: entry for stage, entry in content["stages"].items() if stage not in stages}
        content.pop("plots", None)
        with path.open("w") as file:
            YAML().dump(content, file)
