"""`dermlab <verb>`: the commands that are no stage, in the order of `dermlab --help`."""

from dermlab.cli import source, advise, experiments, results, labels, model  # noqa: F401, I001
from dermlab.cli.app import app
from dermlab.run.command import run_command


def main() -> None:
    run_command(app)
