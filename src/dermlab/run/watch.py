"""When a run writes a checkpoint within an epoch: every few minutes, and when it is asked to stop."""

import signal
import sys
import time
from types import FrameType

from dermlab.run.progress import say


class Watch:
    """`minutes`: between checkpoints; 0: only when asked to stop. `first`: whether this process is the first of those that share the
    work. It alone answers SIGTERM and SIGINT, since it alone writes; were each to stop by itself, one would wait for the other for ever.

    Inside `with`, a signal no longer ends the process at once: the step under way ends, a checkpoint is written, then `stop` ends it.
    """

    def __init__(self, minutes: float, first: bool = True) -> None:
        self.minutes, self.first = minutes, first
        self.asked: int | None = None
        self._since = time.monotonic()
        self._before: dict[int, object] = {}

    def __enter__(self) -> "Watch":
        for number in (signal.SIGTERM, signal.SIGINT):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        if self.asked is not None and number == signal.SIGINT:
            raise KeyboardInterrupt  # asked twice: at once
        self.asked = number

    @property
    def due(self) -> bool:
        """Whether a checkpoint is due after this step. False in a process that is not the first."""
        if not self.first:
            return False
        return self.asked is not None or (self.minutes > 0 and time.monotonic() - self._since >= 60 * self.minutes)

    def written(self) -> None:
        """A checkpoint was written, of whatever occasion. Ends the process where a signal asked for it."""
        self._since = time.monotonic()
        if self.asked is not None and self.first:
            say("train: stopped in good order; the same command goes on from here.")
            if self.asked == signal.SIGINT:
                raise KeyboardInterrupt
            sys.exit(128 + self.asked)
