import time

from dermlab.run.telemetry import Feed


def test_waiting_is_what_the_batches_took_to_come_and_not_what_was_done_with_them(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def batches():
        for batch in range(3):
            now[0] += 2
            yield batch

    feed = Feed(batches())
    for _ in feed:
        now[0] += 6
    assert feed.waited == 6
    assert feed.share == 0.25
