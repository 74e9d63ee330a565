"""One progress bar for everything a person would wait for. Quiet where stderr is not a terminal."""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress


def say(line: str) -> None:
    """One line of result or choice on standard output."""
    print(line, flush=True)


def some(count: int, one: str, many: str) -> str:
    """`1 row is` or `2 rows are`, as the count has it."""
    return f"{count:,} {one if count == 1 else many}"


def console(width: int) -> "Console":
    """Standard output for tables. Names are shown as they are, whatever stands in brackets or between colons. `width`: where it is no
    terminal, in columns."""
    from rich.console import Console

    plain = {"markup": False, "emoji": False, "highlight": False}
    found = Console(**plain)
    return found if found.is_terminal else Console(width=width, **plain)


@contextmanager
def progress(what: str, total: int, unit: str = "images") -> Iterator["Meter"]:
    """Yields a meter; call `meter.advance(n)` as work is done. Shows count, rate and time left."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    )
    with bar:
        yield Meter(bar, what, total, unit)


class Meter:
    """Counts work done; `rate` is units a second since the start."""

    def __init__(self, bar: "Progress", what: str, total: int, unit: str) -> None:
        self.bar, self.unit, self.done, self.started = bar, unit, 0, time.perf_counter()
        self.begun = 0
        self.task = bar.add_task(what, total=total, rate="")

    @property
    def rate(self) -> float:
        return (self.done - self.begun) / max(time.perf_counter() - self.started, 1e-9)

    def begin_at(self, count: int) -> None:
        """So much was done before, and has no part in the rate."""
        self.done = self.begun = count
        self.bar.update(self.task, completed=count)

    def advance(self, count: int = 1, note: str = "") -> None:
        """`note`: shown behind the rate."""
        self.done += count
        self.bar.update(self.task, advance=count, rate=f"{self.rate:,.0f} {self.unit}/s" + (f", {note}" if note else ""))

    def track(self, items: Iterable) -> Iterator:
        for item in items:
            yield item
            self.advance()
