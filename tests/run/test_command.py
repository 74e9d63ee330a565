"""What a terminal or a clone cannot do ends in words, never in a traceback."""

import os
import subprocess
import sys

import pytest

from dermlab.run.errors import DermlabError
from dermlab.run.git import git, objects

SAYS = """
from dermlab.run.command import run_command
from dermlab.run.errors import DermlabError
from dermlab.run.progress import console, say
def main():
    say("macro F1 −0.8 [−3.3, +3.3] ▼, top-1 ▲ … σ ± nævus m\\udce9lanome 皮膚 ●━┼")
    console(80).print("naevus [/compound] :tada: [red]x[/red]")
    raise DermlabError("not there …")
run_command(main)
"""


@pytest.mark.parametrize("encoding", ["ascii", "iso-8859-1", "cp1252", "utf-8"])
def test_a_sign_that_the_terminal_lacks_is_written_plainly(encoding):
    done = subprocess.run([sys.executable, "-c", SAYS], env={**os.environ, "PYTHONIOENCODING": encoding}, capture_output=True, check=False)
    said, failed = done.stdout.decode(encoding).splitlines(), done.stderr.decode(encoding)
    assert done.returncode == 1
    assert "Traceback" not in failed
    assert "Error: not there" in failed
    assert said[1] == "naevus [/compound] :tada: [red]x[/red]", "as it is written"
    if encoding == "utf-8":
        assert said[0] == "macro F1 −0.8 [−3.3, +3.3] ▼, top-1 ▲ … σ ± nævus m?lanome 皮膚 ●━┼"
    if encoding == "ascii":
        assert said[0] == "macro F1 -0.8 [-3.3, +3.3] v, top-1 ^ ... sd +- n?vus m?lanome ?? o=+"


def test_a_clone_of_another_user_is_refused_in_words_of_git(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    for ask in (lambda: git("rev-parse", "HEAD", check=False), lambda: git("status"), lambda: objects(["HEAD:params.yaml"])):
        with pytest.raises(DermlabError, match=r"another user's: .*git config --global --add safe.directory"):
            ask()
