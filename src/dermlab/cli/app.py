"""What every verb joins. Each is thin: params in, one library call, a line of result."""

import typer

HELP = "`dermlab <verb>`: the commands that are no stage."
app = typer.Typer(no_args_is_help=True, add_completion=False, help=HELP, pretty_exceptions_enable=False)
