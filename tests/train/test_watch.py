import os
import signal

import pytest

from dermlab.run import watch
from dermlab.run.watch import Watch


def test_a_checkpoint_is_due_when_the_minutes_are_over(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(watch.time, "monotonic", lambda: now[0])
    asked = Watch(10)
    now[0] = 599.0
    assert not asked.due
    now[0] = 600.0
    assert asked.due
    asked.written()
    assert not asked.due
    now[0] = 1e9
    assert not Watch(0).due


@pytest.mark.parametrize(("number", "error", "code"), [(signal.SIGTERM, SystemExit, 143), (signal.SIGINT, KeyboardInterrupt, None)])
def test_a_signal_ends_the_process_after_the_checkpoint(number, error, code):
    before = signal.getsignal(number)
    with Watch(0) as asked:
        os.kill(os.getpid(), number)
        assert asked.due
        with pytest.raises(error) as ended:
            asked.written()
    assert getattr(ended.value, "code", None) == code
    assert signal.getsignal(number) is before


def test_whoever_asks_twice_from_the_keyboard_does_not_wait():
    with Watch(0):
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_only_the_first_process_answers():
    with Watch(1e-9, first=False) as asked:
        os.kill(os.getpid(), signal.SIGTERM)
        assert not asked.due
        asked.written()
