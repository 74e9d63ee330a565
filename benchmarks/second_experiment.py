"""The first `dvc exp run` of a fresh clone, against `dvc exp run -S loss=focal` after it. Goal: 3 times as long.

What is reused: catalog, pull, embed, flag and manifest. Peer and ours are one pipeline: the ratio says what the DAG saves. `stages`: where
the seconds go, of the round whose time is the median.
"""

import tempfile
from pathlib import Path

from harness import arguments, record
from pipeline import clone_of_head, rounded, run, show, timed

PEER = "first experiment"


def one_round(quick: bool) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds by stage of the first and of the second experiment in a clone of HEAD with an empty cache."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = clone_of_head(Path(scratch) / "clone", quick)
        run(folder, "dermlab", "lock", "phantom", f"--images={600 if quick else 4800}")
        return timed(folder, "dvc", "exp", "run"), timed(folder, "dvc", "exp", "run", "-S", "loss=focal")


def main() -> None:
    options = arguments(__doc__)
    rounds = [one_round(options.quick) for _ in range(1 if options.quick else options.rounds)]
    first, second = (sorted(side, key=lambda took: sum(took.values()))[len(side) // 2] for side in zip(*rounds, strict=True))
    show({PEER: first, "second experiment": second})
    whole, again = sum(first.values()), sum(second.values())
    print(f"{PEER} {whole:.0f} s, second {again:.0f} s (medians of {len(rounds)} rounds)")
    record(
        "second_experiment", again, {PEER: whole}, "s", 3.0, ("dvc", "torch", "timm"), ratio=whole / again, keep=not options.quick,
        rounds=len(rounds), stages={"ours": rounded(second), PEER: rounded(first)},
    )  # fmt: skip


if __name__ == "__main__":
    main()
