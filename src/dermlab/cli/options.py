"""Options and arguments that several verbs have: the same word, with the same meaning."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from typer._click.core import ParameterSource
from typer._click.globals import get_current_context

LARGEST = 1e9  # of a figure that a person types: more is a slip


def above_zero(value: float | None) -> float | None:
    """Of an amount without which there is nothing to reckon."""
    if value is not None and not 1 / LARGEST <= value <= LARGEST:  # so that NaN is none either
        raise typer.BadParameter(f"{value:g} is not valid. Valid: a number above 0, up to {LARGEST:,.0f}")
    return value


def from_zero(value: float | None) -> float | None:
    return value if value == 0 else above_zero(value)


def said() -> set[str]:
    """The options that stand on the command line; none where a verb is called from Python."""
    context = get_current_context(silent=True)
    params = context.command.params if context else []
    return {option.opts[0] for option in params if context.get_parameter_source(option.name) is ParameterSource.COMMANDLINE}


def leave_out(options: set[str], why: str) -> None:
    """Of options that would change nothing. Raises BadParameter where there are any."""
    if options:
        raise typer.BadParameter(f"{why}: leave {' and '.join(sorted(options))} out")


def _ending(suffix: str) -> Callable[[Path | None], Path | None]:
    """A file of another kind was hardly meant to be written over."""

    def check(path: Path | None) -> Path | None:
        if path is not None and path.suffix.lower() != suffix:
            raise typer.BadParameter(f"{path} does not end in {suffix}")
        return path

    return check


Recipe = Annotated[str, typer.Argument(help="name of a file in recipes/, such as demo, or a path")]
Seeds = Annotated[str, typer.Option("--seeds", help="run these seeds in place of the recipe's: 17,18,19 or 17-24")]
Markdown = Annotated[bool, typer.Option("--markdown", help="print Markdown, for a pull request or a message")]
PageOut = Annotated[Path, typer.Option("--out", help="the HTML page that is written", callback=_ending(".html"))]
JsonOut = Annotated[
    Path | None, typer.Option("--out", help="write it as JSON too, with confusion and calibration", callback=_ending(".json"))
]
Merge = Annotated[Path | None, typer.Option("--merge", help="take over the decisions in this file, which the page exported")]
Reviewer = Annotated[str, typer.Option("--reviewer", help="name of the person who decides; without it the page asks")]
Pixels = Annotated[int, typer.Option("--pixels", min=64, help="longer side of the photos on the page")]
ModelFolder = Annotated[Path, typer.Option("--model", help="folder of the model")]
