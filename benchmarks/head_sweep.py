"""One head of a sweep over losses and variants, on cached features: 120,000 rows x 1,152, 25 classes and `other`.

Ours: the frozen phase of `train` as it runs there with `train.frozen_solver: lbfgs`, a penalty chosen on validation, curves and checkpoint
included. Peer: 20 epochs of AdamW in a plain torch loop over a DataLoader. Beside them the same epochs by `train.frozen_solver: adamw`, and
scikit-learn's LogisticRegression(lbfgs) with 20 iterations at one given penalty: no other loss, no answers hidden. Goal: 5 times as fast
as the plain loop, at a validation log-loss no worse. Each contestant runs in a process of its own.
"""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from harness import apart, contestant, median_of, record, seconds

from dermlab.data.classes import Classes
from dermlab.data.shards import Shards
from dermlab.model.classifier import Head
from dermlab.model.runtime import seed_everything, set_up
from dermlab.run.params import read_params
from dermlab.run.telemetry import TrainLog
from dermlab.run.watch import Watch
from dermlab.train.convex import solve_head
from dermlab.train.inputs import Inputs, Rows, drawn_counts
from dermlab.train.loop import Keeper, run_phase
from dermlab.train.objective import Objective
from dermlab.train.params import Params
from dermlab.train.phases import head_phase
from dermlab.train.state import State

PARAMS = Path(__file__).parents[1] / "params.yaml"
NAMES, EPOCHS, GOAL = 26, 20, 5.0


def task(quick: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features float16 [N, D], labels [N] with a head 50 times as common as the tail, whether a row is of validation [N]."""
    rows, width = (1_000, 128) if quick else (120_000, 1_152)
    rng = np.random.default_rng(17)
    share = np.geomspace(50, 1, NAMES)
    labels = rng.choice(NAMES, rows, p=share / share.sum())
    centres = 0.09 * rng.normal(size=(NAMES, width)).astype(np.float32)
    features = np.empty((rows, width), dtype=np.float16)
    for start in range(0, rows, 10_000):
        part = slice(start, start + 10_000)
        features[part] = rng.normal(size=features[part].shape).astype(np.float32) + centres[labels[part]]
    return features, labels, np.arange(rows) % 10 == 0


def params_of() -> Params:
    params = read_params(Params, PARAMS)
    knobs = params.train.model_copy(update={"frozen_epochs": EPOCHS, "finetune_epochs": 0, "question_dropout": 0.0})
    return params.model_copy(update={"loss": "ce", "train": knobs})


def log_loss(labels: np.ndarray, logits: np.ndarray) -> float:
    return float(torch.nn.functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels)))


def ours(quick: bool) -> dict:
    return frozen_phase(quick, "lbfgs")


def by_epochs(quick: bool) -> dict:
    return frozen_phase(quick, "adamw")


def frozen_phase(quick: bool, solver: str) -> dict:
    features, labels, of_validation = task(quick)
    params, runtime = params_of(), set_up()
    sides = []
    for chosen in (~of_validation, of_validation):
        n = int(chosen.sum())
        table = pd.DataFrame({"image_id": [f"i{k}" for k in range(n)], "shard": 0, "row": range(n)})
        targets = np.eye(NAMES, dtype=np.float32)[labels[chosen]]
        sides.append(Rows(table, labels[chosen], np.ones(n, np.float32), np.zeros((n, 0), np.float32), features[chosen], targets))
    train, val = sides
    classes = Classes(tuple(f"c{k}" for k in range(NAMES - 1)))
    counts = drawn_counts(train.targets, train.weights)
    inputs = Inputs(train, val, classes, (), Shards(), 448, counts, {}, "none", 448)
    state = State()

    def fit() -> None:
        with tempfile.TemporaryDirectory() as folder:
            seed_everything(params.seed)
            head = Head(features.shape[1], 0, NAMES, params.train.dropout)
            log = TrainLog("bench", runtime.device, path=Path(folder) / "log.jsonl")
            keeper = Keeper(lambda: state.write(Path(folder)), lambda: None, Watch(10), log)
            objective = Objective(params, counts, (), runtime.device)
            if solver == "lbfgs":
                solve_head(head, inputs, params, objective, state, keeper)
            else:
                run_phase(head_phase(head, inputs, params.train, runtime, state), inputs, objective, params, state, keeper)

    took = seconds(fit)
    chosen = {"l2": state.best["l2"]} if solver == "lbfgs" else {}
    return {"seconds": took, "log_loss": min(row["nll"] for row in state.history), **chosen}


def plain_torch(quick: bool) -> dict:
    features, labels, of_validation = task(quick)
    knobs = params_of().train
    torch.manual_seed(17)
    x, y = torch.from_numpy(features[~of_validation]), torch.from_numpy(labels[~of_validation])
    xv = torch.from_numpy(features[of_validation]).float()
    width = features.shape[1]
    head = torch.nn.Sequential(torch.nn.BatchNorm1d(width, affine=False), torch.nn.Dropout(knobs.dropout), torch.nn.Linear(width, NAMES))
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), knobs.batch_size, shuffle=True, drop_last=True)
    optimizer = torch.optim.AdamW(head.parameters(), lr=knobs.head_lr, weight_decay=knobs.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, knobs.head_lr, total_steps=EPOCHS * len(loader), pct_start=knobs.warmup, anneal_strategy="cos"
    )
    losses: list[float] = []

    def fit() -> None:
        for _ in range(EPOCHS):
            head.train()
            for batch, target in loader:
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(head(batch.float()), target).backward()
                optimizer.step()
                schedule.step()
            head.eval()
            with torch.no_grad():
                losses.append(log_loss(labels[of_validation], head(xv).numpy()))

    return {"seconds": seconds(fit), "log_loss": min(losses)}


def scikit_learn(quick: bool) -> dict:
    import warnings

    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features, labels, of_validation = task(quick)
    features = features.astype(np.float32)
    model = make_pipeline(StandardScaler(copy=False), LogisticRegression(C=1 / 300, max_iter=EPOCHS))

    def fit() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that 20 iterations are few is the point
            model.fit(features[~of_validation], labels[~of_validation])

    took = seconds(fit)
    logits = np.log(np.clip(model.predict_proba(features[of_validation]), 1e-12, 1)).astype(np.float32)
    return {"seconds": took, "log_loss": log_loss(labels[of_validation], logits)}


def main() -> None:
    contestants = {"ours": ours, "by_epochs": by_epochs, "plain_torch": plain_torch, "scikit_learn": scikit_learn}
    options = contestant(__doc__, contestants)
    if options is None:
        return
    results = apart(__file__, list(contestants), options)
    took = {name: median_of(rounds, "seconds") for name, rounds in results.items()}
    loss = {name: round(median_of(rounds, "log_loss"), 4) for name, rounds in results.items()}
    peak = {name: median_of(rounds, "peak_gb") for name, rounds in results.items()}
    record(
        "head_sweep", took["ours"], {"plain torch loop": took["plain_torch"]}, "s", GOAL, ("torch", "scikit-learn", "numpy"),
        ratio=took["plain_torch"] / took["ours"], keep=not options.quick,
        **{f"{name}_seconds": round(took[name], 3) for name in ("by_epochs", "scikit_learn")},
        l2=median_of(results["ours"], "l2"), log_loss=loss, log_loss_ok=loss["ours"] <= loss["plain_torch"], peak_gb=peak,
    )  # fmt: skip


if __name__ == "__main__":
    main()
