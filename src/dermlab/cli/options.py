"""Options and arguments that several verbs have: the same word, with the same meaning."""

from pathlib import Path
from typing import Annotated

import typer

Recipe = Annotated[str, typer.Argument(help="name of a file in recipes/, such as demo, or a path")]
Seeds = Annotated[str, typer.Option("--seeds", help="run these seeds in place of the recipe's: 17,18,19 or 17-24")]
Markdown = Annotated[bool, typer.Option("--markdown", help="print Markdown, for a pull request or a message")]
PageOut = Annotated[Path, typer.Option("--out", help="the HTML page that is written")]
Merge = Annotated[Path | None, typer.Option("--merge", help="take over the decisions in this file, which the page exported")]
Reviewer = Annotated[str, typer.Option("--reviewer", help="name of the person who decides; without it the page asks")]
Pixels = Annotated[int, typer.Option("--pixels", min=64, help="longer side of the photos on the page")]
ModelFolder = Annotated[Path, typer.Option("--model", help="folder of the model")]
