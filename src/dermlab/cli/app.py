"""What every verb joins. Each is thin: params in, one library call, a line of result."""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import typer
from typer._click.exceptions import NoArgsIsHelpError, NoSuchOption, UsageError
from typer.core import TyperGroup

HELP = "`dermlab <verb>`: the commands that are no stage. `dermlab <verb> --help` says more of each."


class Verbs(TyperGroup):
    """What cannot be understood ends in one line that names the nearest verb or option, and exit code 2."""

    def main(self, *args: Any, standalone_mode: bool = True, **more: Any) -> Any:
        try:
            code = super().main(*args, standalone_mode=False, **more)
        except NoArgsIsHelpError as error:  # the help is printed by now
            code = error.exit_code
        except UsageError as error:
            print(f"Error: {_one_line(error)}", file=sys.stderr)
            code = error.exit_code
        if standalone_mode:
            sys.exit(code)
        return code


def _one_line(error: UsageError) -> str:
    where = error.ctx.command_path if error.ctx else "dermlab"
    said = " ".join(error.format_message().split())
    if isinstance(error, NoSuchOption):
        near = f" Did you mean {' or '.join(sorted(error.possibilities))}?" if error.possibilities else ""
        said = f"{where} has no option {error.option_name}.{near}"
    return f"{said.rstrip('.')}{'' if said.endswith('?') else '.'} `{where} --help` lists what is valid."


app = typer.Typer(cls=Verbs, no_args_is_help=True, add_completion=False, help=HELP, pretty_exceptions_enable=False)


def verbs_of(group: str) -> Callable[..., Callable]:
    """A decorator for the verbs of a group of `dermlab --help`, which lists groups and verbs in the order in which they are read here."""
    return partial(app.command, rich_help_panel=group)
