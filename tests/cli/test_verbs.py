"""What a person meets who types `dermlab`: help, groups, names, mistakes."""

import json
import re
import subprocess
import sys

import pytest
import typer
from defaults import DEFAULTS
from typer.testing import CliRunner

from dermlab.cli import app
from dermlab.run.errors import ContractError

VERBS = typer.main.get_command(app).commands
GROUPS = ("Source", "Experiments", "Results", "Labels", "Model")
SLOW = ("torch", "pandas", "numpy", "dvc", "pyarrow", "sklearn", "timm", "transformers")
ABOLISHED = ("--md", "--page", "--predictions", "--output", "--csv-out", "--as-json", "--model-folder")


def test_no_help_imports_what_takes_long():
    code = f"""
import contextlib, io, json, sys
from dermlab.cli import app
found = {{}}
for verb in {["", *VERBS]!r}:
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        assert app([*filter(None, [verb]), "--help"], standalone_mode=False) in (0, None)
    assert "Usage" in shown.getvalue(), verb
    found[verb] = [name for name in {SLOW!r} if name in sys.modules]
print(json.dumps(found))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert set(found) == {"", *VERBS}
    assert {verb: names for verb, names in found.items() if names} == {}


def test_every_verb_has_a_group_and_the_groups_come_in_the_order_of_the_work():
    panels = [command.rich_help_panel for command in VERBS.values()]
    assert set(panels) == set(GROUPS)
    assert panels == sorted(panels, key=GROUPS.index)
    shown = CliRunner().invoke(app, ["--help"]).output
    assert [group for group in re.findall(r"─ (\w+) ─", shown) if group != "Options"] == list(GROUPS)


def test_the_first_paragraph_of_each_verb_is_a_line():
    for name, command in VERBS.items():
        first = command.help.split("\n\n")[0]
        assert "\n" not in first, name
        assert len(first) <= 66, name  # what `dermlab --help` has room for in 80 columns


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_says_what_it_does_and_has_the_name_that_it_has_elsewhere(verb):
    for option in VERBS[verb].params:
        assert getattr(option, "help", None), (verb, option.name)
        assert not set(option.opts) & set(ABOLISHED), verb


def test_a_name_is_a_switch_for_every_verb_or_for_none():
    kinds: dict[str, set[bool]] = {}
    for command in VERBS.values():
        for option in command.params:
            for name in option.opts:
                if name.startswith("--"):
                    kinds.setdefault(name, set()).add(option.is_flag)
    assert {name: kind for name, kind in kinds.items() if len(kind) > 1} == {}


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["predct", "x.jpg"], "No such command 'predct'. Did you mean 'predict'? `dermlab --help` lists what is valid."),
        (["xyzzy"], "No such command 'xyzzy'. `dermlab --help` lists what is valid."),
        (["predict", "x.jpg", "--modl", "y"], "dermlab predict has no option --modl. Did you mean --model? `dermlab predict --help`"),
        (["table", "--qqq"], "dermlab table has no option --qqq. `dermlab table --help` lists what is valid."),
        (["open", "reprt"], "'reprt' is not one of 'report', 'comparison', 'review', 'agreement', 'pairs'. `dermlab open --help`"),
        (["predict"], "Missing argument"),
        (["review", "--limit", "few"], "Invalid value for '--limit'"),
    ],
)
def test_a_mistyped_line_ends_in_one_line_with_the_nearest_that_is_valid(typed, said):
    run = CliRunner().invoke(app, typed, prog_name="dermlab")
    assert run.exit_code == 2
    assert run.stdout == ""
    (line,) = run.stderr.splitlines()
    assert line.startswith("Error: ")
    assert said in line


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["study", "--max-usd", "50"], "leave --max-usd out"),
        (["study", "--max-hours", "2", "--max-usd", "50"], "leave --max-hours and --max-usd out"),
        (["study", "--until-decided", "--max-usd", "50"], "$50 are no limit while machine.usd_per_hour is 0"),
    ],
)
def test_a_limit_that_would_limit_nothing_is_refused(typed, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(DEFAULTS.read_text())
    run = CliRunner().invoke(app, typed, prog_name="dermlab")
    assert (run.exit_code, said in " ".join(run.stderr.split())) == (2, True)


def test_a_value_that_a_shell_or_dvc_would_take_apart_is_no_line_to_copy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(DEFAULTS.read_text())
    path = tmp_path / "looks.yaml"
    path.write_text('experiments: {base: {loss: focal}, looks: {loss: ce}}\nset: {report.looks: "2,3,5"}\n')
    found = CliRunner().invoke(app, ["recipe", str(path)], prog_name="dermlab")
    assert isinstance(found.exception, ContractError)
    assert "would take report.looks apart" in str(found.exception)
    path.write_text("experiments: {base: {loss: focal}, looks: {loss: ce}}\n")
    assert CliRunner().invoke(app, ["recipe", str(path)], prog_name="dermlab").stdout.startswith("-S loss=focal")


def test_without_a_verb_there_is_the_help():
    run = CliRunner().invoke(app, [])
    assert "Experiments" in run.output
    assert "Error" not in run.output
