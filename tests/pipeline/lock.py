"""`make lock`: the locks made again from pyproject.toml. What they pin stays, but for what is named, such as UV="--upgrade-package timm".

uv resolves for every Python and platform, with the hashes of all that PyPI has of a version. To them come the hashes of the
files that pip takes here, which may be from elsewhere, as a CPU build of torch, and those that the lock had of the same version.
"""

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote, urlsplit

from dependencies import CUDA, LOCK, ROOT, TESTS, pins
from packaging.utils import canonicalize_name

SAID = {
    LOCK: "What runs: pyproject's needs with [train,export], and what they need.",
    TESTS: "What the tests need on top.",
    CUDA: "What PyPI's torch for Linux needs on top: a CPU build does not, so pod/install.sh asks the torch that it got.",
}
OF_CUDA = re.compile(r"(nvidia-(?!ml-py)|cuda-|triton)")  # nvidia-ml-py reads a GPU's meters, for dvclive


def main() -> None:
    before = {pin: hashes for name in SAID if (ROOT / name).exists() for pin, hashes in read(ROOT / name).items()}
    with TemporaryDirectory() as folder:
        tools, everything, run = (Path(folder) / name for name in ("tools", "everything.txt", "run.txt"))
        subprocess.run([sys.executable, "-m", "venv", tools], check=True)
        subprocess.run([tools / "bin" / "pip", "install", "--quiet", "uv"], check=True)
        everything.write_text("".join(f"{pin}\n" for pin in before))
        resolve(tools, everything, ("train", "export", "test"), sys.argv[1:])
        run.write_text(everything.read_text())
        resolve(tools, run, ("train", "export"), [])
        pinned, needed = read(everything), read(run)
    locks: dict[str, list[str]] = {name: [] for name in SAID}
    for pin, of_pypi in pinned.items():
        locks[CUDA if OF_CUDA.match(pin) else LOCK if pin in needed else TESTS].append(pin)
        of_pypi |= before.get(pin, set())
    for pin, hashes in taken_here([*locks[LOCK], *locks[TESTS]]).items():
        pinned[pin] |= hashes
    for name, chosen in locks.items():
        blocks = (" \\\n    ".join([pin, *(f"--hash={each}" for each in sorted(pinned[pin]))]) for pin in chosen)
        (ROOT / name).write_text(f"# {SAID[name]} `make lock` writes it.\n" + "\n".join(blocks) + "\n", encoding="utf-8")


def resolve(tools: Path, out: Path, extras: Iterable[str], options: Iterable[str]) -> None:
    """`out`: also what was pinned, which is kept."""
    command = [tools / "bin" / "uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes"]
    wanted = [f"--extra={extra}" for extra in extras]
    subprocess.run([*command, "--no-header", "--no-annotate", "-o", out, *wanted, *options, "pyproject.toml"], cwd=ROOT, check=True)


def read(lock: Path) -> dict[str, set[str]]:
    """`name==version ; marker` -> hashes."""
    return {pin: set(re.findall(r"--hash=(\S+)", rest)) for pin, rest in pins(lock.read_text(encoding="utf-8"))}


def taken_here(pinned: list[str]) -> dict[str, set[str]]:
    """The hash of the file that pip takes here for each pin."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--no-deps", "--report", "-"]
    report = json.loads(subprocess.run([*command, *pinned], check=True, stdout=subprocess.PIPE).stdout)
    taken = {canonicalize_name(each["metadata"]["name"]): hash_of(each["download_info"]) for each in report["install"]}
    return {pin: {taken[name]} for pin in pinned if (name := pin.split("==")[0]) in taken}


def hash_of(download: dict) -> str:
    known = download["archive_info"].get("hashes", {}).get("sha256")
    return f"sha256:{known or hashlib.sha256(Path(unquote(urlsplit(download['url']).path)).read_bytes()).hexdigest()}"


if __name__ == "__main__":
    main()
